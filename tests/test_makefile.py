"""What the Makefile's tasks run; nothing of it is run here."""

import os
import shlex
import subprocess

import pytest

from operations.review.command import DIFFERENT, FAILED, SAME, TROUBLE
from tests.conftest import PROJECT


def recipe(task: str, *variables: str) -> str:
    """What make would run for a task."""
    of_the_make_that_runs_this = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "STAGE"}
    return subprocess.run(
        ["make", "-n", task, *variables],
        cwd=PROJECT,
        env={name: os.environ[name] for name in os.environ.keys() - of_the_make_that_runs_this},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("task", ["synth", "diff", "deploy", "destroy"])
@pytest.mark.parametrize(
    ("variables", "folder"), [((), "cdk.out/dev"), (("STAGE=prod",), "cdk.out/prod")]
)
def test_each_stage_has_an_assembly_of_its_own(
    task: str, variables: tuple[str, ...], folder: str
) -> None:
    assert f" --output {folder} " in recipe(task, *variables).replace("\n", " ")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ((), []),
        (("BASE=v1.0.0", "STAGE=prod"), ["--base", "v1.0.0", "--stage", "prod"]),
        (
            ("DEPLOYED=1", "FORMAT=markdown", "FAIL_ON=danger", "MASK=1", "ARGS=--output r.md"),
            [
                "--deployed",
                "--format",
                "markdown",
                "--fail-on",
                "danger",
                "--mask",
                "--output",
                "r.md",
            ],
        ),
    ],
)
def test_a_review_is_asked_for_by_variables(variables: tuple[str, ...], words: list[str]) -> None:
    asked, _, _ = reviewing(*variables).partition(" || ")
    assert shlex.split(asked) == ["python", "-m", "operations", "review", *words]


@pytest.mark.parametrize(
    ("exit_code", "of_recipe"),
    [(SAME, 0), (DIFFERENT, 0), (TROUBLE, TROUBLE), (FAILED, FAILED)],
)
def test_that_something_changes_is_no_fault_to_make(exit_code: int, of_recipe: int) -> None:
    pretended = f"python() {{ return {exit_code}; }}\n{reviewing()}"
    assert subprocess.run(["bash", "-euc", pretended], check=False).returncode == of_recipe


def reviewing(*variables: str) -> str:
    """What make would run for a review, after set-up."""
    return recipe("review", *variables).strip().splitlines()[-1]
