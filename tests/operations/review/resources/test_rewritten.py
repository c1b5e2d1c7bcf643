"""What differs and means the same, as far as a review knows."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from operations.review.assemblies.assembly import Assembly
from operations.review.comparison import compare

Resource = dict[str, Any]


@pytest.fixture(scope="module")
def real(dev: Path) -> Assembly:
    return Assembly.read(dev)


def changed(assembly: Assembly, kind: str, change: Callable[[Resource], object]) -> Assembly:
    template = copy.deepcopy(dict(assembly.template))
    change(next(one for one in template["Resources"].values() if one["Type"] == kind)["Properties"])
    return replace(assembly, template=template)


@pytest.mark.parametrize(
    ("kind", "change", "where"),
    [
        ("AWS::S3::Bucket", lambda it: it["Tags"].reverse(), "Artifacts/Bucket"),
        ("AWS::IAM::Policy", lambda it: it.update(PolicyName="other"),
         "Packaging/Roles/JobRole/DefaultPolicy"),
    ],
)  # fmt: skip
def test_what_no_other_tells_is_told_with_its_lines(
    real: Assembly, kind: str, change: Callable[[Resource], object], where: str
) -> None:
    new = changed(real, kind, change)
    [there], [back] = compare(real, new), compare(new, real)
    assert (there.level, there.kind, there.where) == ("notice", "resource", where)
    assert there.meaning == (
        f"{where} is written in another way, from which nothing is known to follow."
    )
    assert back.where == where
    assert all(
        {line[0] for line in one.detail.splitlines()[2:]} >= {*"+-"} for one in (there, back)
    )


def test_a_definition_that_is_put_together_in_another_way_is_the_same(real: Assembly) -> None:
    def joined(properties: Resource) -> None:
        body = properties["PipelineDefinition"]["PipelineDefinitionBody"]
        body["Fn::Join"] = ["", ["", {"Fn::Join": body["Fn::Join"]}, " "]]

    assert compare(real, changed(real, "AWS::SageMaker::Pipeline", joined)) == []
