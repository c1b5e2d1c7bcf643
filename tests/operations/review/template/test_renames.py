"""Which resources take the places of others."""

from typing import Any

from operations.review.template.renames import renamed, with_new_names


def resources(**given: Any) -> dict[str, Any]:
    return {
        "Resources": {
            name: {
                "Type": f"AWS::{kind}",
                "Properties": properties,
                "Metadata": {"aws:cdk:path": f"Stack/{path}"} if path else {},
            }
            for name, (kind, path, properties) in given.items()
        }
    }


def test_one_that_went_and_one_that_came_are_a_pair_if_they_are_alike() -> None:
    old = resources(A=("SQS::Queue", "", {"Days": 1, "Key": "k"}), Other=("S3::Bucket", "", {}))
    alike = resources(B=("SQS::Queue", "", {"Days": 1, "Key": "l"}), Other=("S3::Bucket", "", {}))
    unlike = resources(B=("SQS::Queue", "", {"Days": 2, "Key": "l"}))
    assert renamed(old, alike) == {"A": "B"}
    assert renamed(old, unlike) == {}
    assert renamed(old, resources(B=("SNS::Topic", "", {"Days": 1}))) == {}


def test_of_several_those_are_pairs_whose_construct_paths_end_alike() -> None:
    old = resources(
        A=("SQS::Queue", "Trigger/Failed", {"Days": 1}), B=("SQS::Queue", "Trigger/Jobs", {})
    )
    new = resources(
        C=("SQS::Queue", "Models/Jobs", {}), D=("SQS::Queue", "Models/Failed", {"Days": 1})
    )
    assert renamed(old, new) == {"A": "D", "B": "C"}
    new["Resources"]["D"]["Properties"] = {"Days": 2}
    assert renamed(old, new) == {"B": "C"}


def test_a_template_is_told_with_the_new_names_wherever_it_refers_to_them() -> None:
    old = {
        "Resources": {
            "A": {"Type": "T"},
            "B": {
                "DependsOn": "A",
                "Properties": {
                    "Ref": {"Ref": "A"},
                    "Arn": [{"Fn::GetAtt": ["A", "Arn"]}, {"Fn::GetAtt": "A.Arn"}],
                    "Sub": {"Fn::Sub": "${A}/${A.Arn}/${AB}/${!A}"},
                    "Subs": {"Fn::Sub": ["${A}${x}", {"x": {"Ref": "A"}}]},
                    "Text": "A",
                },
            },
        }
    }
    new = with_new_names(old, {"A": "Z"})["Resources"]
    assert new["Z"] == {"Type": "T"}
    assert new["B"]["DependsOn"] == "Z"
    assert new["B"]["Properties"] == {
        "Ref": {"Ref": "Z"},
        "Arn": [{"Fn::GetAtt": ["Z", "Arn"]}, {"Fn::GetAtt": ["Z", "Arn"]}],
        "Sub": {"Fn::Sub": "${Z}/${Z.Arn}/${AB}/${!A}"},
        "Subs": {"Fn::Sub": ["${Z}${x}", {"x": {"Ref": "Z"}}]},
        "Text": "A",
    }
