"""The order of a definition's steps: by what they depend on, not by where they stand.

A step depends on the steps that ``DependsOn`` names, on those whose properties or property files
its arguments take, and, inside a branch, on the condition.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_aws.container import JobError

Step = Mapping[str, Any]

_BRANCHES = {"IfSteps": True, "ElseSteps": False}


@dataclass(frozen=True)
class PlacedStep:
    """A step, and when it is to run.

    Attributes:
        step: As the definition has it.
        after: Names of the steps that it depends on.
        branches: Conditions that it is inside of, outermost first, each with the outcome that lets
            it run.
    """

    step: Step
    after: frozenset[str]
    branches: tuple[tuple[str, bool], ...] = ()

    @property
    def name(self) -> str:
        """The step's name."""
        return str(self.step["Name"])

    @property
    def own_arguments(self) -> dict[str, Any]:
        """The step's arguments without the steps of a condition's branches."""
        arguments = self.step.get("Arguments", {})
        if self.step["Type"] != "Condition":
            return dict(arguments)
        return {name: value for name, value in arguments.items() if name not in _BRANCHES}


def in_order(steps: Sequence[Step]) -> list[PlacedStep]:
    """The steps of a definition, those in branches too, each after those that it depends on.

    Args:
        steps: ``Steps`` of the definition.

    Returns:
        The steps; in the definition's order, where nothing asks for another.

    Raises:
        JobError: A step depends on one that there is not, that may not run, or, in a circle, on
            itself; or two have one name.
    """
    placed = list(_placed(steps, ()))
    by_name = {step.name: step for step in placed}
    if len(by_name) < len(placed):
        names = [step.name for step in placed]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise JobError(f"two steps have the name {', '.join(twice)}")
    for step in placed:
        _check(step, by_name)
    ordered: list[PlacedStep] = []
    while waiting := [step for step in placed if step not in ordered]:
        done = {step.name for step in ordered}
        ready = next((step for step in waiting if step.after <= done), None)
        if ready is None:
            names = [step.name for step in waiting]
            raise JobError(f"the steps {', '.join(names)} depend on each other in a circle")
        ordered.append(ready)
    return ordered


def _check(step: PlacedStep, by_name: Mapping[str, PlacedStep]) -> None:
    if missing := sorted(step.after - set(by_name)):
        raise JobError(f"the step {step.name} depends on {', '.join(missing)}, which is no step")
    for name in sorted(step.after):
        inside = by_name[name].branches
        if step.branches[: len(inside)] != inside:
            raise JobError(
                f"the step {step.name} depends on {name}, which only runs in a branch of "
                f"{inside[-1][0]}"
            )


def _placed(steps: Sequence[Step], branches: tuple[tuple[str, bool], ...]) -> Iterator[PlacedStep]:
    for step in steps:
        own = PlacedStep(step, frozenset(), branches).own_arguments
        after = {*(step.get("DependsOn") or []), *_named(own), *(name for name, _ in branches)}
        yield PlacedStep(step, frozenset(after), branches)
        if step["Type"] == "Condition":
            for name, outcome in _BRANCHES.items():
                inner = (*branches, (step["Name"], outcome))
                yield from _placed(step["Arguments"].get(name) or [], inner)


def _named(value: Any) -> Iterator[str]:
    """Names of the steps that expressions read."""
    if isinstance(value, list):
        for item in value:
            yield from _named(item)
    elif isinstance(value, dict):
        if set(value) == {"Get"} and value["Get"].startswith("Steps."):
            yield value["Get"].split(".")[1]
        for item in value.values():
            yield from _named(item)
