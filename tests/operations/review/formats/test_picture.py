"""Pipelines drawn before and after, with what the review tells of marked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operations.review.assemblies.assembly import Assembly
from operations.review.definition import Definitions, Side
from operations.review.formats.picture import picture
from operations.review.review import Review

Prepare = Callable[[str], tuple[Path, Path]]


def step(name: str, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Processing", "Arguments": {"Environment": {}}} | more


def reading(name: str, expression: str, **more: Any) -> dict[str, Any]:
    return step(name, Arguments={"Environment": {"IN": {"Get": expression}}}, **more)


def drawn(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The lines of a picture, without the colours of its marks."""
    changes = Definitions(Side(old, {}), Side(new, {})).changes()
    lines = picture(old, new, changes).splitlines()
    return [line.strip() for line in lines if "classDef" not in line and "direction" not in line]


def test_steps_that_came_went_and_changed_are_marked() -> None:
    old = {"Steps": [step("Train"), reading("Pack", "Steps.Train.Output"), step("Same")]}
    new = {
        "Steps": [
            reading("Pack", "Steps.Check.Output", Type="Processing", DependsOn=["Same"]),
            step("Same"),
            step("Check", Type="Condition"),
        ]
    }
    assert drawn(old, new) == [
        "flowchart TB",
        "subgraph before",
        'before1["Train (removed)<br/>Processing"]:::removed',
        'before2["Pack (changed)<br/>Processing"]:::changed',
        'before3["Same<br/>Processing"]',
        "before1 --> before2",
        "end",
        "subgraph after",
        'after1["Pack (changed)<br/>Processing"]:::changed',
        'after2["Same<br/>Processing"]',
        'after3["Check (added)<br/>Condition"]:::added',
        "after3 --> after1",
        "after2 --> after1",
        "end",
    ]


def test_what_goes_by_another_name_has_changed_and_is_neither_gone_nor_new() -> None:
    key, path = ([{"Name": name, "Type": "String"}] for name in ("Key", "Path"))
    lines = drawn(
        {"Parameters": key, "Steps": [reading("A", "Parameters.Key")]},
        {"Parameters": path, "Steps": [reading("A", "Parameters.Path")]},
    )
    assert [line for line in lines if "changed" in line] == [
        'before0(["Key (changed)"]):::changed',
        'after0(["Path (changed)"]):::changed',
    ]
    lines = drawn({"Steps": [step("A"), step("C")]}, {"Steps": [step("C"), step("B")]})
    assert [line for line in lines if ":::" in line] == [
        'before1["A (changed)<br/>Processing"]:::changed',
        'after2["B (changed)<br/>Processing"]:::changed',
    ]


def test_branches_of_a_condition_are_dotted() -> None:
    choice = step("Choice", Type="Condition", Arguments={"IfSteps": [{"Name": "Pack"}]})
    lines = drawn({"Steps": [choice, step("Pack")]}, {"Steps": [choice, step("Pack"), step("X")]})
    assert "after1 -.-> after2" in lines
    assert 'after3["X (added)<br/>Processing"]:::added' in lines


@pytest.mark.parametrize("arguments", [None, [], {"IfSteps": 1}, {"ElseSteps": ["A", None]}])
def test_a_step_that_is_odd_is_drawn_without_arrows(arguments: Any) -> None:
    odd = {"Name": "Odd", "Arguments": arguments, "DependsOn": "A"}
    lines = drawn({"Steps": []}, {"Steps": [odd]})
    assert lines[-2:] == ['after1["Odd (added)<br/>"]:::added', "end"]


def test_names_are_labels_and_nothing_else() -> None:
    evil = 'a"] --> x; click x "javascript:alert(1)"\n```'
    lines = drawn({"Steps": []}, {"Steps": [step(evil)]})
    [label] = [line for line in lines if line.startswith("after1")]
    assert label == (
        'after1["a·· --· x· click x ·javascript:alert·1······ (added)<br/>Processing"]:::added'
    )


@pytest.mark.parametrize(
    ("name", "is_drawn"),
    [
        ("instance-type", True),
        ("new-parameter", True),
        ("step-added", True),
        ("inference-script", False),
        ("bucket-renamed", False),
        ("trigger-prefix", False),
        ("new-permission", False),
    ],
)
def test_only_what_changes_the_definition_is_drawn(
    prepared: Prepare, name: str, is_drawn: bool
) -> None:
    review = Review.of(*map(Assembly.read, prepared(name)))
    assert bool(review.picture) == is_drawn
