"""What a template computes is said in words."""

import json
from pathlib import Path
from typing import Any

import pytest

from operations.review.template.names import Names, Token, pieces, references, with_paths
from tests.conftest import template_of

BUCKET = "ArtifactsBucket88671897"
NAMES = Names(
    {
        "Resources": {
            BUCKET: {"Metadata": {"aws:cdk:path": "ModelPackaging/Artifacts/Bucket/Resource"}},
            "Rule": {"Metadata": {"aws:cdk:path": "ModelPackaging/Trigger/Rule"}},
            "Unnamed": {"Type": "AWS::SQS::Queue"},
        }
    }
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (3, "3"),
        (True, "true"),
        ({"Ref": BUCKET}, "${Artifacts/Bucket}"),
        ({"Ref": "AWS::Region"}, "${AWS::Region}"),
        ({"Ref": "Unnamed"}, "${Unnamed}"),
        ({"Fn::GetAtt": [BUCKET, "Arn"]}, "${Artifacts/Bucket.Arn}"),
        ({"Fn::GetAtt": "Unnamed.Arn"}, "${Unnamed.Arn}"),
        (
            {"Fn::Join": ["", [{"Fn::GetAtt": [BUCKET, "Arn"]}, "/models/*"]]},
            "${Artifacts/Bucket.Arn}/models/*",
        ),
        ({"Fn::Join": ["-", ["a", {"Ref": "Rule"}, "b"]]}, "a-${Trigger/Rule}-b"),
        ({"Fn::Sub": f"${{AWS::Region}}-${{{BUCKET}.Arn}}"},
         "${AWS::Region}-${Artifacts/Bucket.Arn}"),
        ({"Fn::Sub": ["${here}/${!aws:username}", {"here": {"Ref": BUCKET}}]},
         "${Artifacts/Bucket}/${aws:username}"),
        ({"Fn::FindInMap": ["Registry", {"Ref": "AWS::Region"}, "account"]},
         "${Registry.AWS::Region.account}"),
        ({"Fn::If": ["IsProd", {"Ref": BUCKET}, "none"]}, "${If(IsProd, Artifacts/Bucket, none)}"),
        ({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, "${Select(0, GetAZs())}"),
        ({"Fn::ImportValue": "network"}, "${ImportValue(network)}"),
        ({"Fn::GetAtt": "NoAttribute"}, "${GetAtt(NoAttribute)}"),
        ({"Fn::Join": [",", {"Ref": "Rule"}]}, "${Join(,, Trigger/Rule)}"),
        (["a", {"Ref": BUCKET}], '["a", "${Artifacts/Bucket}"]'),
        ({"Days": 3, "Of": {"Ref": "Rule"}}, '{"Days": 3, "Of": "${Trigger/Rule}"}'),
    ],
)  # fmt: skip
def test_a_value_is_one_line_with_its_tokens_by_construct_path(value: Any, text: str) -> None:
    assert NAMES.text(value) == text


def test_a_function_is_its_text_wherever_it_stands_and_other_values_stay_as_they_are() -> None:
    value = {"Rules": [{"Days": 90, "Enabled": True, "Bucket": {"Ref": BUCKET}}]}
    assert NAMES.plain(value) == {
        "Rules": [{"Days": 90, "Enabled": True, "Bucket": "${Artifacts/Bucket}"}]
    }


def test_text_that_looks_like_a_token_is_none() -> None:
    assert pieces("${Rule}") == ("${Rule}",)
    assert pieces({"Fn::Sub": "${Rule}"}) == (Token("Rule"),)
    assert pieces({"Fn::Sub": "${!Rule}"}) == ("${Rule}",)


def test_what_a_value_refers_to_is_found_at_any_depth() -> None:
    value = [{"A": {"Fn::Join": ["", [{"Ref": "B"}, "Text"]]}}, {"C": {"Fn::GetAtt": "D.Arn"}}, 1]
    assert references(value) == {"B", "D"}


def test_a_join_and_a_sub_of_the_same_are_the_same() -> None:
    joined = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":s3:::", {"Ref": BUCKET}]]}
    substituted = {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::${{{BUCKET}}}"}
    assert pieces(joined) == pieces(substituted)


def test_two_resources_that_would_share_a_name_keep_their_whole_paths() -> None:
    paths = {"A": "Stack/Queue/Resource", "B": "Stack/Queue"}
    names = Names(
        {"Resources": {key: {"Metadata": {"aws:cdk:path": path}} for key, path in paths.items()}}
    )
    assert (names.of("A"), names.of("B")) == ("Queue/Resource", "Queue")


def test_a_short_name_is_long_enough_to_tell_which_resource_it_is() -> None:
    paths = {
        "A": "S/Roles/JobRole/Resource",
        "B": "S/Logs/Role",
        "C": "S/A/Alarm",
        "D": "S/B/Alarm",
    }
    names = Names(
        {"Resources": {key: {"Metadata": {"aws:cdk:path": path}} for key, path in paths.items()}}
    )
    assert [*map(names.short, "ABCD")] == ["JobRole", "Logs/Role", "A/Alarm", "B/Alarm"]
    assert names.short("Elsewhere") == "Elsewhere"


def test_construct_paths_are_read_from_the_assembly_where_the_template_has_none(
    dev: Path,
) -> None:
    template = template_of(dev)
    metadata = json.loads((dev / "ModelPackaging.metadata.json").read_text())
    names = Names(with_paths(template, metadata))
    buckets = [
        logical_id
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::S3::Bucket"
    ]
    assert sorted(map(names.of, buckets)) == ["Artifacts/Bucket"]
    assert names.of("NoSuchThing") == "NoSuchThing"
