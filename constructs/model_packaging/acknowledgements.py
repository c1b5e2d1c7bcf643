"""Findings of cdk-nag's rule packs that are accepted, each with its exact id and its reason."""

import json
from collections.abc import Iterable
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

_CONTROL_PACKS = ("NIST.800.53.R5", "HIPAA.Security", "PCI.DSS.321")


def acknowledge(construct: IConstruct, reason: str, *rules: str) -> None:
    """Accept findings at a construct and in it.

    The report of a synth then lists them as suppressed, with the reason. Nothing else changes, so
    an app without cdk-nag is none the worse.

    Args:
        construct: The construct that they concern.
        reason: Why they are acceptable, for a security reviewer.
        *rules: Ids of the findings, such as ``AwsSolutions-S1``.

    Raises:
        ValueError: The reason is empty, which the CDK would accept.
    """
    if rules and not reason.strip():
        raise ValueError(f"{construct.node.path}: {', '.join(rules)} is acknowledged for no reason")
    Validations.of(construct).acknowledge(
        *(
            Acknowledgment(id=f"{rule.partition('-')[0]}::{rule}", reason=reason)  # pack::rule
            for rule in rules
        )
    )


def in_control_packs(rule: str) -> list[str]:
    """Ids of a rule that NIST 800-53 R5, HIPAA Security and PCI DSS 3.2.1 share.

    Args:
        rule: Its name without a pack, such as ``IAMNoInlinePolicy``.
    """
    return [f"{pack}-{rule}" for pack in _CONTROL_PACKS]


def acknowledge_wildcards(construct: IConstruct, reason: str, resources: Iterable[str]) -> None:
    """Accept that a role's policies name some resources with a wildcard.

    Args:
        construct: The role.
        reason: Why they can't be named.
        resources: ARNs of a statement; those without a wildcard are none of the rule's business.
    """
    flat = (_flat(Stack.of(construct).resolve(resource)) for resource in resources)
    acknowledge(
        construct, reason, *(f"AwsSolutions-IAM5[Resource::{arn}]" for arn in flat if "*" in arn)
    )


def acknowledge_inline_policy(role: IConstruct) -> None:
    """Accept that the policy of a role made here is an inline one.

    Args:
        role: The role.
    """
    acknowledge(
        role,
        "The policy serves this one role: it is reviewed, deployed and deleted with it, and "
        "nobody can attach it to another principal or detach it from this one.",
        *in_control_packs("IAMNoInlinePolicy"),
    )


def _flat(value: Any) -> str:
    """A resolved value as cdk-nag writes it into a finding's id."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(_flat, parts))
        case {"Fn::GetAtt": [resource, attribute]}:
            return f"<{resource}.{attribute}>"
        case {"Fn::Sub": str(text)}:
            return _flat(text)
        case {"Ref": name}:
            return f"<{name}>"
        case str():
            return value.replace("${", "<").replace("}", ">")
    return json.dumps(value, separators=(",", ":"))
