"""All that is told of a change to the real stack, and nothing else."""

import dataclasses
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from operations.review.assemblies.assembly import Assembly
from operations.review.changes import LEVELS, Change
from operations.review.comparison import compare
from tests.conftest import synthesize
from tests.operations.review.prepared import PREPARED, Prepared, edited, of_type, replaced

Prepare = Callable[[str], tuple[Path, Path]]

STEP = "PackagingStep"
EXPECTED = {
    "instance-type": [
        ("notice", "definition", f"{STEP} › ProcessingResources › ClusterConfig › InstanceType")
    ],
    "new-parameter": [
        ("danger", "parameter", "Parameters › Reviewer"),
        ("notice", "definition", f"{STEP} › Environment › REVIEWER"),
    ],
    "new-permission": [("danger", "permission", "Packaging/Roles/JobRole")],
    "permission-narrowed": [("warning", "permission", "Packaging/Roles/JobRole")],
    "bucket-renamed": [
        ("danger", "resource", "Models/Bucket"),
        ("warning", "definition", "Definition › Models/Bucket"),
        ("warning", "permission", "Models/Bucket"),
        ("warning", "resource", "Models/Bucket/AutoDeleteObjectsCustomResource"),
    ],
    "cache-off": [("notice", "definition", f"{STEP} › CacheConfig › Enabled")],
    "packaging-script": [("notice", "asset", "Packaging/PackagingScript")],
    "inference-script": [("notice", "asset", "Packaging/InferenceScripts")],
    "trigger-prefix": [
        ("danger", "permission", "Artifacts/Bucket › policy"),
        ("danger", "permission", "Artifacts/Bucket › policy"),
        ("warning", "permission", "Packaging/Roles/JobRole"),
        ("warning", "permission", "Packaging/Roles/JobRole"),
        ("warning", "trigger", "Trigger/Rule › EventPattern"),
        ("warning", "permission", "Packaging/Roles/JobRole"),
        ("warning", "permission", "Packaging/Roles/JobRole"),
        ("notice", "permission", "Artifacts/Bucket › policy"),
        ("notice", "permission", "Artifacts/Bucket › policy"),
        ("notice", "output", "ModelUploadUri"),
    ],
    "alarm-threshold": [("notice", "resource", "Monitoring/DeadLetters › Threshold")],
    "step-added": [
        ("danger", "permission", "Packaging/Roles/PipelineRole"),
        ("notice", "definition", "CheckingStep"),
    ],
    "network-isolation-off": [
        ("danger", "definition", f"{STEP} › NetworkConfig › EnableNetworkIsolation")
    ],
}


@cache
def told(old: Path, new: Path) -> list[Change]:
    return compare(Assembly.read(old), Assembly.read(new))


@pytest.mark.parametrize("name", PREPARED)
def test_a_change_is_told_and_nothing_that_did_not_change(prepared: Prepare, name: str) -> None:
    found = [(change.level, change.kind, change.where) for change in told(*prepared(name))]
    assert found == EXPECTED[name]


@pytest.mark.parametrize("name", PREPARED)
def test_the_way_back_is_told_at_the_same_places(prepared: Prepare, name: str) -> None:
    before, after = prepared(name)
    there, back = told(before, after), told(after, before)
    places = [
        sorted((change.kind, change.where.replace("Models/", "Artifacts/")) for change in changes)
        for changes in (there, back)
    ]
    assert places[0] == places[1]
    values = [
        sorted(json.dumps([change.where, *values]) for change, *values in changes)
        for changes in (
            [(one, one.old, one.new) for one in there if one.kind != "permission"],
            [(one, one.new, one.old) for one in back if one.kind != "permission"],
        )
    ]
    if name != "bucket-renamed":  # whose place is its new name
        assert values[0] == values[1]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_nothing_is_told_of_the_same_assembly(request: pytest.FixtureRequest, stage: str) -> None:
    assembly: Path = request.getfixturevalue(stage)
    assert told(assembly, assembly) == []


def test_what_is_prepared_is_what_the_app_writes(
    prepared: Prepare, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Two changes, made together by the settings of a stage and apart by hand."""
    stages = json.loads((Path(__file__).parents[3] / "cdk.json").read_text())["context"]["stages"]
    stages["dev"] |= {
        "sizes": {"instance_type": "ml.m5.4xlarge"},
        "trigger": {"kind": "upload", "prefix": "incoming/"},
    }
    real = synthesize(tmp_path / "real", stages=stages)
    by_hand = tmp_path / "by-hand"
    PREPARED["instance-type"].write(prepared("trigger-prefix")[1], by_hand)
    assert told(by_hand, real) == []
    script = told(prepared("inference-script")[0], request.getfixturevalue("edited"))
    assert [(one.level, one.kind, one.where) for one in script] == EXPECTED["inference-script"]


@pytest.fixture(scope="module")
def far(dev: Path, prod: Path) -> tuple[list[Change], list[Change]]:
    """All that differs between two stages, there and back."""
    return told(dev, prod), told(prod, dev)


def _comes_first(change: Change) -> bool:
    return change.level == "danger" or change.running


def test_what_is_dangerous_comes_first_then_what_executions_notice(
    far: tuple[list[Change], list[Change]],
) -> None:
    for changes in far:
        order = [(one.level != "danger", not one.running) for one in changes]
        assert order == sorted(order)
        rest = [LEVELS.index(one.level) for one in changes if not _comes_first(one)]
        assert rest == sorted(rest, reverse=True)
        assert {"danger", "warning", "notice", "info"} == {change.level for change in changes}
        assert any(change.running and change.level != "danger" for change in changes)


def test_no_place_is_told_of_twice(far: tuple[list[Change], list[Change]]) -> None:
    for changes in far:
        # Permissions of one role are many; all else has a place of its own.
        places = [
            (change.where, change.meaning if change.kind == "permission" else "")
            for change in changes
        ]
        assert sorted(set(places)) == sorted(places)


def test_no_hash_and_no_function_of_a_template_is_shown(
    far: tuple[list[Change], list[Change]],
) -> None:
    said = json.dumps([dataclasses.astuple(change) for change in (*far[0], *far[1])])
    assert re.findall(r"Fn::\w+|[0-9a-f]{64}", said) == []


def test_a_tag_on_many_resources_is_one_change(dev: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    Prepared(replaced('"Value": "machine-learning"', '"Value": "research"')).write(dev, new)
    found = told(dev, new)
    assert [change.where for change in found] == ["Tags › cost-centre", "Tags › owner"]
    assert found[0].kind == "setting"
    assert (found[0].old, found[0].new) == ("machine-learning", "research")
    assert found[0].meaning.startswith("The tag cost-centre of 7 resources is ")


def test_a_rule_that_goes_is_told_once(dev: Path, tmp_path: Path) -> None:
    def without_rule(resources: dict[str, object]) -> None:
        del resources["TriggerRule6377B3FF"]

    new = tmp_path / "new"
    Prepared(edited(without_rule)).write(dev, new)
    [change] = told(dev, new)
    assert (change.kind, change.where) == ("trigger", "Trigger/Rule")
    assert change.meaning == (
        "Trigger/Rule is gone: uploads to `${Artifacts/Bucket}` with a key like `models/*.tar.gz` "
        "no longer start the pipeline (uploads such as "
        "s3://${Artifacts/Bucket}/models/example.tar.gz)."
    )


def test_nobody_can_tell_of_a_definition_that_is_not_in_the_template(
    dev: Path, tmp_path: Path
) -> None:
    def moved(place: str) -> Assembly:
        def move(resources: dict[str, dict[str, Any]]) -> None:
            [pipeline] = of_type(resources, "AWS::SageMaker::Pipeline")
            location = {"Bucket": "b", "Key": place}
            pipeline["Properties"]["PipelineDefinition"] = {
                "PipelineDefinitionS3Location": location
            }

        Prepared(edited(move)).write(dev, tmp_path / place)
        return Assembly.read(tmp_path / place)

    here, there, elsewhere = Assembly.read(dev), moved("there"), moved("elsewhere")
    for old, new, what in (
        (here, there, "does now"),
        (there, here, "did before"),
        (there, elsewhere, "does now"),
    ):
        found = [change for change in compare(old, new) if change.kind != "asset"]
        assert [(one.level, one.where) for one in found] == [("danger", "Definition")]
        assert found[0].meaning == (
            f"Nobody can tell what the pipeline {what}: its definition is not in the template."
        )
    assert compare(there, there) == []


def test_a_deployed_template_alone_can_be_compared(prepared: Prepare) -> None:
    before, after = (Assembly.read(folder) for folder in prepared("inference-script"))
    deployed = dataclasses.replace(before, assets={}, asset_names={}, termination_protection=None)
    [change] = compare(deployed, after)
    assert (change.level, change.kind, change.where) == (
        *("warning", "asset", "Packaging/InferenceScripts"),
    )
    assert "its files can't be compared: those before are not there." in change.meaning
    assert compare(deployed, before) == []
