"""What is an assembly of one stack, and what is wrong with what is none."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from operations.review.assemblies.assembly import Assembly, AssemblyError


@pytest.fixture(scope="module")
def real(dev: Path) -> Assembly:
    return Assembly.read(dev)


def broken(assembly: Assembly, *place: str, by: Any) -> Assembly:
    template = copy.deepcopy(dict(assembly.template))
    inner = template
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = by
    return replace(assembly, template=template)


@pytest.mark.parametrize(
    ("place", "by", "fault"),
    [
        (("Resources",), [], "Resources is a list, no object"),
        (("Outputs",), "a", "Outputs is a text, no object"),
        (("Resources", "A"), 1, "the resource A is 1, no object"),
        (("Resources", "A"), {}, "the resource A has no Type"),
        (("Resources", "A"), {"Type": "T", "Properties": []}, "Properties of the resource A is a"),
        (("Resources", "A"), {"Type": "T", "Metadata": "a"}, "Metadata of the resource A is a "),
        (
            ("Resources", "A"),
            {"Type": "T", "Metadata": {"aws:cdk:path": 1}},
            "the construct path of the resource A is no text",
        ),
        (
            ("Resources", "A"),
            {"Type": "T", "DependsOn": [{"Ref": "B"}]},
            "DependsOn of the resource A names no resources",
        ),
        (
            ("Resources", "A"),
            {"Type": "T", "Properties": {"B": [1, None]}},
            "/Resources/A/Properties/B/1 is null, which CloudFormation refuses",
        ),
    ],
)  # fmt: skip
def test_a_template_that_is_none_is_refused_with_its_faults(
    real: Assembly, place: tuple[str, ...], by: Any, fault: str
) -> None:
    with pytest.raises(AssemblyError, match=f"none that can be deployed: {fault}"):
        broken(real, *place, by=by)


def test_a_file_that_holds_no_template_is_refused_by_its_name(dev: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "ModelPackaging.metadata.json"):
        (tmp_path / name).write_bytes((dev / name).read_bytes())
    (tmp_path / "ModelPackaging.template.json").write_text("[]")
    with pytest.raises(AssemblyError, match=r"ModelPackaging\.template\.json is none .* a list"):
        Assembly.read(tmp_path)
    (tmp_path / "ModelPackaging.template.json").write_text("{")
    with pytest.raises(AssemblyError, match=r"ModelPackaging\.template\.json is no JSON"):
        Assembly.read(tmp_path)
    (tmp_path / "ModelPackaging.template.json").unlink()
    with pytest.raises(AssemblyError, match="cdk synth --output"):
        Assembly.read(tmp_path)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("{", "Expecting property name"),
        ("[]", "it is no object"),
        ('{"Steps": {}}', "its Steps are no list"),
        ('{"Steps": [{"Type": "Fail"}]}', "one of its Steps has no Name"),
        ('{"Parameters": ["A"]}', "one of its Parameters has no Name"),
        ('{"Steps": [{"Name": "A", "Arguments": []}]}', r"the Arguments of A is \[\]"),
        ('{"Steps": [{"Name": "A", "Type": 1}]}', "the Type of A is 1"),
    ],
)
def test_a_definition_that_is_none_is_refused_with_its_fault(
    real: Assembly, body: str, fault: str
) -> None:
    [pipeline] = [
        name
        for name, one in real.template["Resources"].items()
        if one["Type"] == "AWS::SageMaker::Pipeline"
    ]
    place = ("Resources", pipeline, "Properties", "PipelineDefinition", "PipelineDefinitionBody")
    with pytest.raises(AssemblyError, match=f"a definition that can't be read: {fault}"):
        _ = broken(real, *place, by=body).definition


def test_an_assembly_of_several_stacks_is_refused(dev: Path, tmp_path: Path) -> None:
    manifest = json.loads((dev / "manifest.json").read_text())
    manifest["artifacts"]["Another"] = manifest["artifacts"]["ModelPackaging"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(AssemblyError, match="holds 2 stacks"):
        Assembly.read(tmp_path)
