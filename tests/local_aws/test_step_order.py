"""The order of a definition's steps."""

from typing import Any

import pytest

from local_aws.container import JobError
from local_aws.step_order import in_order


def step(name: str, *after: str, **arguments: Any) -> dict[str, Any]:
    depends = {"DependsOn": list(after)} if after else {}
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **depends}


def condition(name: str, then: list[Any], otherwise: list[Any], *after: str) -> dict[str, Any]:
    arguments = {"Conditions": [], "IfSteps": then, "ElseSteps": otherwise}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, "DependsOn": list(after)}


def names(steps: list[dict[str, Any]]) -> list[str]:
    return [placed.name for placed in in_order(steps)]


def test_steps_keep_their_order_where_nothing_asks_for_another() -> None:
    assert names([step("B"), step("A"), step("C", "B")]) == ["B", "A", "C"]


def test_a_step_comes_after_those_that_it_names() -> None:
    assert names([step("Register", "Package"), step("Package", "Train"), step("Train")]) == [
        "Train",
        "Package",
        "Register",
    ]


def test_a_step_comes_after_those_whose_results_its_arguments_take() -> None:
    model = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    report = {"PropertyFile": {"Get": "Steps.Package.PropertyFiles.Report"}, "Path": "sha256"}
    steps = [
        step("Register", Metadata={"sha256": {"Std:JsonGet": report}}),
        step("Package", Inputs=[{"Std:Join": {"On": "/", "Values": [model, "model.tar.gz"]}}]),
        step("Train", Parameter={"Get": "Parameters.Steps"}),
    ]
    assert names(steps) == ["Train", "Package", "Register"]


def test_steps_in_a_branch_come_after_their_condition_and_know_it() -> None:
    inner = condition("Inner", [step("Deep")], [])
    order = in_order([condition("Good", [step("Register"), inner], [step("Tell")], "A"), step("A")])
    branches = {placed.name: placed.branches for placed in order}
    assert list(branches) == ["A", "Good", "Register", "Inner", "Deep", "Tell"]
    assert branches["Tell"] == (("Good", False),)
    assert branches["Deep"] == (("Good", True), ("Inner", True))
    # A condition itself doesn't depend on what its branches depend on.
    late = condition("Good", [step("Register", "B")], [])
    assert names([late, step("B")]) == ["Good", "B", "Register"]


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([step("A", "B"), step("B", "A")], "A, B depend on each other in a circle"),
        ([step("A", "Train")], "depends on Train, which is no step"),
        ([step("A", X={"Get": "Steps.Train.X"})], "depends on Train, which is no step"),
        ([step("A"), step("A")], "two steps have the name A"),
        (
            [condition("Good", [step("Register")], []), step("After", "Register")],
            "depends on Register, which only runs in a branch of Good",
        ),
        (
            [condition("Good", [step("Register")], [step("Tell", "Register")])],
            "depends on Register, which only runs in a branch of Good",
        ),
    ],
)
def test_what_has_no_order_is_refused(steps: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(JobError, match=reason):
        in_order(steps)
