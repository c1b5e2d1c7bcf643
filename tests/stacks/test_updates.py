"""No update replaces or removes what holds data: today's templates beside those deployed before.

Which properties replace a resource is what CloudFormation's own resource schemas call
``createOnlyProperties``; cfn-lint brings them along.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.conftest import template_of
from tests.stacks.conftest import DEPLOYED_BEFORE, HOLDS_DATA, STAGES, SYNTHESIZED

# The CDK's custom resources are replaced when their handler answers with another physical id: this
# one's is the name of the log group.
CUSTOM = {"Custom::LogRetention": ["LogGroupName"]}
HOLDS_NONE = {
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::VPCEndpoint",
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::Function",
    "AWS::Logs::MetricFilter",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "Custom::S3AutoDeleteObjects",
}
KEEPING = ("DeletionPolicy", "UpdateReplacePolicy")


def replacing(kind: str) -> list[str]:
    """The properties that make a new resource of a type when they change."""
    if kind in CUSTOM:
        return CUSTOM[kind]
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    paths = schema.get("createOnlyProperties", []) + schema.get(
        "conditionalCreateOnlyProperties", []
    )
    return [path.split("/")[2] for path in paths]


def lost(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What an update would lose, or no longer keep as well as before."""
    faults = []
    for name, old in before["Resources"].items():
        if old["Type"] not in HOLDS_DATA:
            continue
        new = after["Resources"].get(name, {})
        if new.get("Type") != old["Type"]:
            faults.append(f"{name} is removed")
            continue
        faults += [
            f"{name} is replaced: {property} changes"
            for property in replacing(old["Type"])
            if old["Properties"].get(property) != new["Properties"].get(property)
        ]
        faults += [
            f"{name} is no longer retained: {policy}"
            for policy in KEEPING
            if old.get(policy) == "Retain" != new.get(policy)
        ]
    return faults


@pytest.mark.parametrize("stage", STAGES)
def test_no_update_loses_what_holds_data(stage: str, assembly: Callable[[str], Path]) -> None:
    before = json.loads((DEPLOYED_BEFORE / f"{stage}.json").read_text())
    assert lost(before, template_of(assembly(stage))) == []


def test_every_type_is_said_to_hold_data_or_to_hold_none(
    assembly: Callable[[str], Path],
) -> None:
    types = {
        resource["Type"]
        for stage in SYNTHESIZED
        for resource in template_of(assembly(stage))["Resources"].values()
    }
    assert types == HOLDS_DATA | HOLDS_NONE


BUCKET, QUEUE, KEY = (
    "ArtifactsBucket88671897",
    "TriggerDeadLetterQueueE7CE1E11",
    "ArtifactsKeyA4B22E2B",
)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda all_: all_.update(Renamed=all_.pop(BUCKET)), f"{BUCKET} is removed"),
        (
            lambda all_: all_[QUEUE]["Properties"].update(QueueName="failed"),
            f"{QUEUE} is replaced: QueueName changes",
        ),
        (
            lambda all_: all_[KEY].update(DeletionPolicy="Delete"),
            f"{KEY} is no longer retained: DeletionPolicy",
        ),
        (lambda all_: all_[QUEUE]["Properties"].update(VisibilityTimeout=60), None),
    ],
    ids=["renamed", "replaced", "not retained", "changed"],
)
def test_an_update_that_loses_data_is_found(
    change: Callable[[dict[str, Any]], Any], fault: str | None
) -> None:
    before = json.loads((DEPLOYED_BEFORE / "prod.json").read_text())
    after = copy.deepcopy(before)
    change(after["Resources"])
    assert lost(before, after) == ([fault] if fault else [])
