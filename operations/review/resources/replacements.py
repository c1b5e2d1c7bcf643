"""What happens to each resource, and what is lost with those that are replaced or deleted.

Which change replaces a resource is known to ``@aws-cdk/cloudformation-diff``, the library of
``cdk diff``; it runs in Node, offline. What it loses is said here, by what such resources hold.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from operations.review.changes import Change, Level
from operations.review.permissions import POLICY_TYPES, is_policy
from operations.review.resources import safeguards
from operations.review.resources.alarms import Alarm
from operations.review.template import leaves
from operations.review.template.names import Names, references
from operations.review.template.renames import renamed, with_new_names
from operations.review.template.wording import became, sentence, text_difference

Template = Mapping[str, Any]

_SCRIPT = Path(__file__).with_name("cloudformation_diff.js")
_SECTIONS = ("Conditions", "Mappings", "Parameters", "Rules", "Transform")
_ASSET = re.compile(r"\b[0-9a-f]{64}\b")
# Properties that others in a review tell of.
_TOLD_ELSEWHERE = {
    "AWS::Events::Rule": ("EventPattern", "ScheduleExpression", "State", "Targets"),
    "AWS::SageMaker::Pipeline": ("PipelineDefinition",),
}
# What is lost with a resource. Without an entry it is nothing but the resource.
_HOLDS = {
    "AWS::CloudWatch::Alarm": "the watch that it kept",
    "AWS::EC2::FlowLog": "the log of the network's traffic",
    "AWS::KMS::Key": "the means to read all that it encrypted",
    "AWS::Logs::LogGroup": "the logs in it",
    "AWS::S3::Bucket": "all objects in it",
    "AWS::SNS::Subscription": "those whom it told",
    "AWS::SNS::Topic": "its subscriptions",
    "AWS::SQS::Queue": "the messages in it, failed events among them",
    "AWS::SageMaker::Pipeline": "the history of its executions",
}
# Of these, what they hold is in them, and not in their successors.
_CONTAIN = ("AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::SQS::Queue")
_KINDS = {
    "AWS::CloudWatch::Alarm": "an alarm",
    "AWS::CloudWatch::Dashboard": "a dashboard",
    "AWS::Events::Rule": "a rule",
    "AWS::IAM::Role": "a role",
    "AWS::KMS::Key": "a key",
    "AWS::Lambda::Function": "a function",
    "AWS::Logs::LogGroup": "a log group",
    "AWS::Logs::MetricFilter": "a metric filter",
    "AWS::S3::Bucket": "a bucket",
    "AWS::SNS::Subscription": "a subscription",
    "AWS::SNS::Topic": "a topic",
    "AWS::SQS::Queue": "a queue",
    "AWS::SageMaker::Pipeline": "a pipeline",
}
# What a template says of a resource beside its properties, its metadata and what it waits for.
_ATTRIBUTES = (
    *("Condition", "CreationPolicy", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy"),
)


class CloudFormationDiffError(Exception):
    """The library that compares templates can't be run."""


def compare(old: Template, new: Template) -> list[Change]:
    """What happens to the resources from one template to another.

    Args:
        old: The template before.
        new: The template after.

    Returns:
        The changes of kind ``resource``. What policies, definitions, event patterns and assets
        say is not among them, nor are safeguards that got weaker, nor metadata.

    Raises:
        CloudFormationDiffError: Node, or the library, is not there.
    """
    return _Comparison(old, new).changes()


def impacts(old: Template, new: Template) -> Mapping[str, Any]:
    """What CloudFormation does to the resources that differ, by logical id.

    Raises:
        CloudFormationDiffError: Node, or the library, is not there.
    """
    if old == new:
        return {}
    node = os.environ.get("JSII_NODE") or _installed_node()
    if not node:
        raise CloudFormationDiffError("Node is needed to compare templates; run: make setup")
    question = json.dumps({"old": old, "new": new})
    found: Mapping[str, Any] = json.loads(_answer(node, _SCRIPT, question))
    return found


def _installed_node() -> str | None:
    """The one that set-up put beside Python, or else one that the machine has."""
    own = Path(sys.prefix) / "node" / "bin" / "node"
    return str(own) if own.exists() else shutil.which("node")


def _answer(node: str, script: Path, question: str) -> str:
    """What the library says, in a line, to a question in a line."""
    run = subprocess.run(
        [node, str(script)], input=f"{question}\n", capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise CloudFormationDiffError(
            f"{script.name} failed; if it misses a module, run: make setup\n{run.stderr}"
        )
    return run.stdout


class _Comparison:
    def __init__(self, old: Template, new: Template) -> None:
        self._ids = renamed(old, new)
        self._impacts = impacts(_compared(old), _compared(new))
        self._old_names, self._names = Names(old), Names(new)
        # As the new template calls them: what merely refers to another name is no change.
        self._old = with_new_names(old, self._ids)
        self._new = new
        self._before: Mapping[str, Any] = old.get("Resources", {})
        self._models = _mentioned_by_pipelines(old) | _mentioned_by_pipelines(new)
        self._weaker = {
            (logical_id, weakness.path)
            for logical_id, weakness in safeguards.weaknesses(self._old, new)
        }

    def changes(self) -> list[Change]:
        found = list(self._sections())
        renamed_to = set(self._ids.values())
        for logical_id, told in sorted(self._impacts.items()):
            impact = told["impact"]
            if logical_id in self._ids:
                found += self._renamed(logical_id, self._ids[logical_id])
            elif logical_id in renamed_to:
                continue
            elif impact == "WILL_CREATE":
                found.append(self._added(logical_id))
            elif impact in ("WILL_DESTROY", "WILL_ORPHAN"):
                found.append(self._removed(logical_id))
            elif impact in ("WILL_REPLACE", "MAY_REPLACE"):
                found.append(self._replaced(logical_id, told))
                found += self._updates(logical_id, _causes(told))
            else:
                found += self._updates(logical_id, ())
        return found

    def _change(self, level: Level, where: str, old: Any, new: Any, meaning: str) -> Change:
        return Change(level, "resource", where, old, new, sentence(meaning))

    def _sections(self) -> Iterator[Change]:
        for section in _SECTIONS:
            old, new = (template.get(section, {}) for template in (self._old, self._new))
            for path, before, after in leaves.differences(old, new, (section,)):
                was, now = self._old_names.plain(before), self._names.plain(after)
                where = " › ".join(path)
                meaning = f"{path[-1]} in the template's {section} {became(was, now)}"
                yield self._change("notice", where, was, now, meaning)

    def _added(self, logical_id: str) -> Change:
        kind = self._new["Resources"][logical_id]["Type"]
        name = self._names.of(logical_id)
        return self._change("info", name, None, kind, f"{name}, {_kind(kind)}, is added")

    def _removed(self, logical_id: str) -> Change:
        resource = self._before[logical_id]
        kind, name = resource["Type"], self._old_names.of(logical_id)
        level, fate = self._fate(logical_id, "DeletionPolicy")
        meaning = f"{name}, {_kind(kind)}, is no longer in the stack: it is {fate}"
        change = self._change(level, name, kind, None, meaning)
        return _stopping(change, kind)

    def _renamed(self, old_id: str, new_id: str) -> Iterator[Change]:
        kind = self._before[old_id]["Type"]
        old_name, new_name = self._old_names.of(old_id), self._names.of(new_id)
        if old_name == new_name:
            old_name, new_name = old_id, new_id
        level, fate = self._fate(old_id, "DeletionPolicy")
        if kind in _HOLDS:
            level = "danger"
        meaning = (
            f"{old_name}, {_kind(kind)}, is called {new_name} now, which makes it another one for "
            f"CloudFormation: {_is_new(kind)}the old one is {fate}"
        )
        change = self._change(level, self._names.of(new_id), old_name, new_name, meaning)
        yield _stopping(change, kind)
        yield from self._updates(new_id, ())

    def _replaced(self, logical_id: str, told: Mapping[str, Any]) -> Change:
        resource = self._new["Resources"][logical_id]
        kind, name = resource["Type"], self._names.of(logical_id)
        surely = told["impact"] == "WILL_REPLACE"
        level, fate = self._fate(logical_id, "UpdateReplacePolicy")
        if kind in _HOLDS:
            level = "danger"
        causes = _causes(told)
        before, after = (
            {cause: names.plain(_properties(template, logical_id).get(cause)) for cause in causes}
            for names, template in ((self._old_names, self._old), (self._names, self._new))
        )
        if kind != self._before[logical_id]["Type"]:
            reason = f"it was {_kind(self._before[logical_id]['Type'])}"
            before, after = {"Type": self._before[logical_id]["Type"]}, {"Type": kind}
        elif before == after:
            reason = f"what its {' and '.join(causes)} refers to is replaced"
        else:
            reason = f"its {' and '.join(causes)} changes"
        is_replaced = "is replaced" if surely else "may be replaced"
        meaning = (
            f"{name}, {_kind(kind)}, {is_replaced} because {reason}: "
            f"{_is_new(kind)}the old one is {fate}"
        )
        return _stopping(self._change(level, name, before, after, meaning), kind)

    def _fate(self, logical_id: str, policy: str) -> tuple[Level, str]:
        """What becomes of a resource that the stack gives up, and how much attention that needs."""
        resource = self._before[logical_id]
        kind = resource["Type"]
        if resource.get(policy) in ("Retain", "RetainExceptOnCreate"):
            return "warning", "kept, but no longer managed by the stack"
        if resource.get(policy) == "Snapshot":
            return "warning", "deleted after a snapshot of it was taken"
        if kind not in _HOLDS:
            return "warning", "deleted"
        holds = _HOLDS[kind]
        if kind == "AWS::S3::Bucket" and logical_id in self._models:
            holds += ", models and packages among them"
        return "danger", f"deleted, and with it {holds}"

    def _updates(self, logical_id: str, causes: tuple[str, ...]) -> Iterator[Change]:
        """What differs in a resource, but for what replaces it."""
        old, new = self._old["Resources"][logical_id], self._new["Resources"][logical_id]
        if old["Type"] != new["Type"]:
            return
        was, now = (_own_properties(resource, causes) for resource in (old, new))
        for path, before, after in leaves.differences(was, now):
            yield from self._update(logical_id, path, before, after)
        for name in _ATTRIBUTES:
            if old.get(name) != new.get(name):
                yield from self._update(logical_id, (name,), old.get(name), new.get(name))
        first, then = (
            sorted(map(self._names.of, _listed(resource.get("DependsOn", []))))
            for resource in (old, new)
        )
        if first != then:
            name = self._names.of(logical_id)
            meaning = f"{name} waits for others while it is deployed"
            yield self._change("info", f"{name} › DependsOn", first or None, then or None, meaning)

    def _update(self, logical_id: str, path: leaves.Path, old: Any, new: Any) -> Iterator[Change]:
        weaker = {
            inside[len(path) :]
            for one, inside in self._weaker
            if one == logical_id and inside[: len(path)] == path
        }
        if () in weaker or any(
            one == logical_id and path[: len(inside)] == inside for one, inside in self._weaker
        ):
            return
        if weaker:  # told with the safeguards; the rest of what is here is told here
            for part, (before, after) in leaves.parts(old, new).items():
                if before != after:
                    yield from self._update(logical_id, (*path, part), before, after)
            return
        was, now = self._old_names.plain(old), self._names.plain(new)
        if _ASSET.sub("", json.dumps(was)) == _ASSET.sub("", json.dumps(now)):
            return  # another version of an asset
        name = self._names.of(logical_id)
        where = " › ".join((name, *path))
        meaning = f"{' › '.join(path)} {became(was, now)}"
        in_place = self._impacts[logical_id]["impact"] in ("NO_CHANGE", "WILL_UPDATE")
        how = "is updated in place" if in_place else "differs in this, too"
        meaning = f"{name} {how}: {meaning}"
        if self._new["Resources"][logical_id]["Type"] == "AWS::CloudWatch::Alarm":
            meaning = self._alarm(logical_id) or meaning
        detail = text_difference(was, now)
        if detail:
            was, now = None, None
        yield Change(
            "notice", "resource", where, was, now, sentence(meaning),
            detail=detail,
        )  # fmt: skip

    def _alarm(self, logical_id: str) -> str | None:
        """When an alarm goes off, if that changed."""
        was, now = (
            Alarm.of(_properties(template, logical_id), names)
            for template, names in ((self._old, self._old_names), (self._new, self._names))
        )
        if was == now:
            return None
        name = self._names.of(logical_id)
        before = f"{'it' if was.metric == now.metric else was.metric} was {was.condition}"
        return (
            f"the alarm {name} goes off when {now.metric} is {now.condition}; before, when {before}"
        )


def _causes(told: Mapping[str, Any]) -> tuple[str, ...]:
    """The properties that replace a resource."""
    return tuple(
        name
        for name, impact in sorted(told["properties"].items())
        if impact in ("WILL_REPLACE", "MAY_REPLACE")
    )


def _kind(resource_type: str) -> str:
    return _KINDS.get(resource_type, resource_type)


def _is_new(resource_type: str) -> str:
    return "the new one is empty, and " if resource_type in _CONTAIN else ""


def _stopping(change: Change, kind: str) -> Change:
    """The change, which running executions notice if it is the pipeline that goes."""
    if kind != "AWS::SageMaker::Pipeline":
        return change
    return Change(
        *(change.level, change.kind, change.where, change.old, change.new, change.meaning),
        running=True,
    )


def _compared(template: Template) -> dict[str, Any]:
    """The resources without what others tell of and without metadata."""
    resources = {
        logical_id: {
            **{name: value for name, value in resource.items() if name != "Metadata"},
            "Properties": _own_properties(resource),
        }
        for logical_id, resource in template.get("Resources", {}).items()
        if resource["Type"] not in POLICY_TYPES
    }
    return {"Resources": resources}


def _own_properties(resource: Mapping[str, Any], causes: tuple[str, ...] = ()) -> dict[str, Any]:
    """The properties that are told of here."""
    kind = resource["Type"]
    elsewhere = (*_TOLD_ELSEWHERE.get(kind, ()), *causes)
    return {
        name: value
        for name, value in resource.get("Properties", {}).items()
        if name not in elsewhere and not is_policy(kind, name, value)
    }


def _properties(template: Template, logical_id: str) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = template["Resources"][logical_id].get("Properties", {})
    return properties


def _mentioned_by_pipelines(template: Template) -> set[str]:
    """Logical ids that the definitions of pipelines refer to."""
    return {
        name
        for resource in template.get("Resources", {}).values()
        if resource["Type"] == "AWS::SageMaker::Pipeline"
        for name in references(resource.get("Properties", {}))
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
