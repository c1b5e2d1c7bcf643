"""What guards models and their traces, and got weaker: always danger.

Encryption, isolation, retention, logging, alarms and who is shut out, by the names that
CloudFormation and SageMaker give them. Statements that deny requests without TLS are told with
the policies that they stand in.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from operations.review.changes import Change
from operations.review.template.leaves import Path, parts
from operations.review.template.names import Names

Template = Mapping[str, Any]

# By the name of a property: what its being true guards.
_SWITCHES = {
    "ActionsEnabled": "its alarm tells nobody any more",
    "BlockPublicAcls": "objects can be made public by their access lists",
    "BlockPublicPolicy": "a policy can make the bucket public",
    "EnableInterContainerTrafficEncryption": "traffic between its containers is not encrypted",
    "EnableKeyRotation": "its key is no longer rotated",
    "EnableNetworkIsolation": "its containers can reach the network",
    "Encrypted": "it is not encrypted",
    "EventBridgeEnabled": "uploads are no longer announced",
    "IgnorePublicAcls": "access lists can make objects public",
    "RestrictPublicBuckets": "strangers can use a public policy",
    "SqsManagedSseEnabled": "its messages are not encrypted by the queue",
    "StorageEncrypted": "its storage is not encrypted",
}
# By the name of a property: what its being there guards.
_NEEDED = {
    "AlarmActions": "fewer are told when its alarm goes off",
    "DeadLetterConfig": "events that can't be delivered are lost",
    "LoggingConfiguration": "access to it is no longer logged",
    "ObjectLockConfiguration": "its objects are no longer locked",
    "RedrivePolicy": "messages that can't be processed are lost",
    "VpcConfig": "its containers are no longer confined to the VPC",
}
# What guards as well in place of another property, and can't stand beside it.
_REPLACED = {"SqsManagedSseEnabled": "KmsMasterKeyId"}
_KEYS = re.compile(r"(?i)\w*kms\w*key(id|arn)?")
# How long what is kept, and for how long if it isn't said: "AWS::Logs::LogGroup" never deletes
# then, "AWS::SQS::Queue" after four days (the CloudFormation reference), and S3 never.
_PERIODS = {
    "ExpirationInDays": ("objects are", float("inf")),
    "MessageRetentionPeriod": ("messages are", 345_600),
    "NoncurrentDays": ("what was overwritten or deleted is", float("inf")),
    "RetentionInDays": ("logs are", float("inf")),
}
# What S3 encrypts with, weakest first. Without any it does as with AES256: "Setting default
# server-side encryption behavior for Amazon S3 buckets".
_ALGORITHMS = (None, "AES256", "aws:kms", "aws:kms:dsse")
# What is kept when CloudFormation would delete it, the most lasting last.
_POLICIES = ("Delete", "Snapshot", "RetainExceptOnCreate", "Retain")


@dataclass(frozen=True)
class Weakness:
    """One safeguard that got weaker.

    Attributes:
        path: Where.
        old: What it was; None if there was nothing.
        new: What it is; None if there is nothing.
        effect: What follows from it.
    """

    path: Path
    old: Any
    new: Any
    effect: str


def compare(old: Template, new: Template) -> list[Change]:
    """What got weaker from one template to another.

    Args:
        old: The template before.
        new: The template after.

    Returns:
        A change of level ``danger`` and kind ``resource`` for each safeguard, that of a rule's
        dead-letter queue among them. Not what a pipeline's definition says of a job: that is for
        those who read definitions, with ``is_weaker``.
    """
    names, before = Names(new), Names(old)
    return [
        Change(
            "danger",
            "resource",
            " › ".join((names.of(logical_id), *weakness.path)),
            before.plain(weakness.old),
            names.plain(weakness.new),
            f"A safeguard of {names.of(logical_id)} got weaker: {weakness.effect}.",
        )
        for logical_id, weakness in weaknesses(old, new)
    ]


def compare_stacks(stack: str, old: Template, new: Template) -> list[Change]:
    """What got weaker of a stack itself, as the assembly's manifest has it.

    Args:
        stack: What the stack is called.
        old: The properties of its artifact before.
        new: Those after.
    """
    if not old.get("terminationProtection") or new.get("terminationProtection"):
        return []
    where = f"{stack} › terminationProtection"
    meaning = f"A safeguard of {stack} got weaker: the stack can be deleted by one command."
    return [Change("danger", "resource", where, True, False, meaning)]


def weaknesses(old: Template, new: Template) -> list[tuple[str, Weakness]]:
    """The safeguards that got weaker, with the logical ids of the resources they are of."""
    found = []
    for logical_id, after in new.get("Resources", {}).items():
        before = old.get("Resources", {}).get(logical_id)
        if before is None or before["Type"] != after["Type"]:
            continue
        found += [(logical_id, weakness) for weakness in _of_policies(before, after)]
        was, now = before.get("Properties", {}), after.get("Properties", {})
        found += [(logical_id, weakness) for weakness in weaker((), was, now)]
    return found


def is_weaker(path: Path, old: Any, new: Any) -> bool:
    """Whether a value guards less than another at the same place.

    Args:
        path: Its place in a resource's properties or in a pipeline's definition, by names.
        old: What it was; None if there was nothing.
        new: What it is; None if there is nothing.
    """
    return any(True for _ in weaker(path, old, new))


def weaker(path: Path, old: Any, new: Any) -> Iterator[Weakness]:
    """The safeguards at a place, or inside what is there, that got weaker.

    Args:
        path: The place.
        old: What it was; None if there was nothing.
        new: What it is; None if there is nothing.
    """
    if old == new:
        return
    name = next((part for part in reversed(path) if not part.isdecimal()), "")
    effect = _effect(name, path, old, new)
    if effect:
        yield Weakness(path, old, new, effect)
        return
    for part, (before, after) in parts(old, new).items():
        if not (part in _REPLACED and isinstance(new, Mapping) and new.get(_REPLACED[part])):
            yield from weaker((*path, part), before, after)


def _effect(name: str, path: Path, old: Any, new: Any) -> str | None:
    """What follows if a property guards less now; None if it doesn't."""
    for judge in (_of_switch, _of_need, _of_key, _of_period):
        effect = judge(name, old, new)
        if effect:
            return effect
    if name in ("SecurityGroupEgress", "SecurityGroupIngress"):
        return _of_traffic(old, new)
    if name == "BucketEncryption" and _encryption(old) > max(_encryption(new), 1):
        return "it is no longer encrypted as strongly with a key of KMS"
    if name == "Status" and "VersioningConfiguration" in path and old == "Enabled" != new:
        return "what is overwritten or deleted is gone"
    if name == "VersioningConfiguration" and old == {"Status": "Enabled"} and new is None:
        return "what is overwritten or deleted is gone"
    if name == "ObjectOwnership" and old == "BucketOwnerEnforced" != new:
        return "access lists count again"
    return None


def _of_switch(name: str, old: Any, new: Any) -> str | None:
    return _SWITCHES.get(name) if _is_true(old) and not _is_true(new) else None


def _of_need(name: str, old: Any, new: Any) -> str | None:
    if name not in _NEEDED or not old:
        return None
    is_less = isinstance(old, list) and isinstance(new, list) and len(new) < len(old)
    return _NEEDED[name] if not new or is_less else None


def _of_key(name: str, old: Any, new: Any) -> str | None:
    if _KEYS.fullmatch(name) and old and not new and not isinstance(old, bool):
        return "it is no longer encrypted with this key"
    return None


def _of_period(name: str, old: Any, new: Any) -> str | None:
    if name not in _PERIODS:
        return None
    what, default = _PERIODS[name]
    before, after = (_number(default if value is None else value) for value in (old, new))
    if before is None or after is None or after >= before:
        return None
    return f"{what} kept {_period(name, after)} instead of {_period(name, before)}"


def _period(name: str, number: float) -> str:
    if number == float("inf"):
        return "for ever"
    return f"for {number:,.0f} {'days' if name.endswith('Days') else 'seconds'}"


def _of_policies(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Weakness]:
    """What CloudFormation deletes now and would have kept."""
    default = "Delete"
    for name, when in (
        ("DeletionPolicy", "the stack or this resource in it is deleted"),
        ("UpdateReplacePolicy", "it is replaced"),
    ):
        before, after = old.get(name, default), new.get(name, default)
        if _place(_POLICIES, after) < _place(_POLICIES, before):
            effect = f"it is no longer kept when {when}"
            yield Weakness((name,), old.get(name), new.get(name), effect)


def _of_traffic(old: Any, new: Any) -> str | None:
    """What follows if a security group lets through what it did not."""
    if not isinstance(new, list) or not isinstance(old or [], list):
        return "nobody can tell what traffic it lets through" if new else None
    more = [rule for rule in new if rule not in (old or [])]
    return "it lets traffic through that it did not" if more else None


def _encryption(value: Any) -> int:
    """How strongly a bucket encrypts what is written to it."""
    algorithms = re.findall(r'"SSEAlgorithm": "([^"]*)"', json.dumps(value))
    return max((_place(_ALGORITHMS, one) for one in algorithms), default=0)


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def _place(order: tuple[Any, ...], value: Any) -> int:
    return order.index(value) if value in order else 0


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
