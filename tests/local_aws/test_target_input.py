"""What a rule's target gets of an event."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from local_aws.target_input import target_input

RULE = SimpleNamespace(name="approved", arn="arn:aws:events:us-east-1:123456789012:rule/approved")
EVENT = {
    "source": "aws.sagemaker",
    "time": "2026-01-31T12:00:00Z",
    "detail": {"Group": "churn", "Version": 2, "Said": 'a "good" model', "Tags": {"a": "b"}},
}


def template(text: str, **paths: str) -> dict[str, Any]:
    return {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": text}}


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ({}, json.dumps(EVENT)),
        ({"Input": '{"a": 1}'}, '{"a": 1}'),
        ({"InputPath": "$.detail.Version"}, "2"),
        (
            template('"<group> has version <n>"', group="$.detail.Group", n="$.detail.Version"),
            '"churn has version 2"',
        ),
        (template('{"group": <group>}', group="$.detail.Group"), '{"group": "churn"}'),
        (template('{"tags": <tags>}', tags="$.detail.Tags"), '{"tags": {"a": "b"}}'),
        (template('{"a": "\\"x\\" <n>"}', n="$.detail.Version"), '{"a": "\\"x\\" 2"}'),
        (template('"<nothing> here"', nothing="$.detail.Nothing"), '" here"'),
        (template('"<aws.events.rule-name>"'), '"approved"'),
    ],
)
def test_a_target_gets_what_it_asks_for(target: dict[str, Any], sent: str) -> None:
    assert target_input(target, EVENT, RULE) == sent


def test_a_part_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"the event has nothing at \$\.detail\.Nothing"):
        target_input({"InputPath": "$.detail.Nothing"}, EVENT, RULE)
