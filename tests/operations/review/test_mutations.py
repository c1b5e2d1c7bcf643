"""Templates of the product changed at random: nothing fails, is lost or is made up."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from operations.review.assemblies.assembly import Assembly, AssemblyError
from operations.review.changes import LEVELS, Change
from operations.review.comparison import compare

Path_ = tuple[str | int, ...]

ODD: list[Any] = [
    *(0, 1, True, False, "", "x", "*", 1.5, [], {}, ["x"], {"x": 1}),
    *({"Ref": "Nowhere"}, {"Ref": "AWS::Region"}, {"Fn::GetAtt": ["Nowhere", "Arn"]}),
    *({"Fn::If": ["C", "a", "b"]}, {"Fn::Sub": "${X}y"}),
    {"Fn::Join": ["", ["a", {"Ref": "AWS::Region"}]]},
]


@pytest.fixture(scope="module")
def stages(dev: Path, prod: Path) -> list[Assembly]:
    return [Assembly.read(dev), Assembly.read(prod)]


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    if path:
        yield path
    members = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, inner in members:
        yield from places(inner, (*path, name))


def mutated(data: st.DataObject, resource: dict[str, Any]) -> None:
    """Delete, replace or repeat something of a resource."""
    *above, last = data.draw(st.sampled_from([*places(resource.get("Properties", {}))]))
    inner = resource["Properties"]
    for name in above:
        inner = inner[name]
    match data.draw(st.sampled_from(["delete", "replace", "repeat", "reverse"])):
        case "delete":
            del inner[last]
        case "repeat" if isinstance(inner, list):
            inner.append(copy.deepcopy(inner[last]))
        case "reverse" if isinstance(inner[last], list):
            inner[last].reverse()
        case _:
            inner[last] = data.draw(st.sampled_from(ODD))


def told(old: Assembly, new: Assembly) -> list[Change]:
    found = compare(old, new)
    for change in found:
        assert change.level in LEVELS
        assert change.meaning.endswith(".")
        assert change.where
    return found


@settings(max_examples=25)
@given(data=st.data())
def test_whatever_differs_of_a_resource_is_told_there_and_back(
    stages: list[Assembly], data: st.DataObject
) -> None:
    stage = data.draw(st.sampled_from(stages))
    template = copy.deepcopy(dict(stage.template))
    resources = template["Resources"]
    with_properties = [name for name, one in resources.items() if one.get("Properties")]
    mutated(data, resources[data.draw(st.sampled_from(with_properties))])
    assume(template != stage.template)
    new = replace(stage, template=template)
    try:
        _ = new.definition
    except AssemblyError:
        assume(False)
    assert told(stage, new)
    assert told(new, stage)


def test_a_resource_that_goes_or_comes_is_told(stages: list[Assembly]) -> None:
    _, prod = stages
    one_of_each = {one["Type"]: name for name, one in prod.template["Resources"].items()}
    for name in one_of_each.values():
        rest = {key: one for key, one in prod.template["Resources"].items() if key != name}
        without = replace(prod, template={**prod.template, "Resources": rest})
        assert told(prod, without), name
        assert told(without, prod), name


def test_another_order_of_keys_is_nothing(stages: list[Assembly]) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(inner) for inner in value] if isinstance(value, list) else value

    for stage in stages:
        assert json.dumps(turned(stage.template)) != json.dumps(stage.template)
        assert told(stage, replace(stage, template=turned(stage.template))) == []
