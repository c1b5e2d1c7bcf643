"""What follows from a change elsewhere: starts that fail, caches that miss or hit, jobs denied."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from operations.review.changes import Level
from operations.review.definition.expressions import parameters_in
from operations.review.definition.job_permissions import Permissions
from operations.review.definition.places import ABSENT, ORDER, Difference, Path
from operations.review.template.starts import Start, starts

Definition = Mapping[str, Any]
Template = Mapping[str, Any]

# "Default cache key attributes by pipeline step type" in the SageMaker developer guide.
_CACHE_KEYS = {
    "AutoML": ("AutoMLJobConfig", "AutoMLJobObjective", "InputDataConfig", "ProblemType"),
    "EMR": ("ClusterId", "StepConfig"),
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        *("AlgorithmSpecification", "CheckpointConfig", "DebugHookConfig"),
        *("DebugRuleConfigurations", "Environment", "HyperParameters", "InputDataConfig"),
    ),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
    "Tuning": (
        *("HyperParameterTuningJobConfig", "TrainingJobDefinition", "TrainingJobDefinitions"),
    ),
}
# Where a condition's steps are: "Condition step" in the developer guide.
_BRANCHES = ("IfSteps", "ElseSteps")


@dataclass(frozen=True)
class Consequence:
    """What follows from a change.

    Attributes:
        level: How much attention it needs.
        text: What happens, as a sentence without its full stop.
    """

    level: Level
    text: str


@dataclass(frozen=True)
class Side:
    """A pipeline, and what starts it.

    Attributes:
        definition: Its definition.
        template: The template that it is in.
    """

    definition: Definition
    template: Template

    @cached_property
    def starts(self) -> Mapping[str, Start]:
        """The rules that start it."""
        return starts(self.template)

    @cached_property
    def steps(self) -> Mapping[str, Mapping[str, Any]]:
        """Its steps by name, those in the branches of others among them."""
        return {step["Name"]: step for step in _steps_in(self.definition.get("Steps", []))}

    @cached_property
    def required(self) -> set[str]:
        """The parameters that every start must give."""
        return {
            one["Name"]
            for one in self.definition.get("Parameters", [])
            if isinstance(one.get("Name"), str) and "DefaultValue" not in one
        }

    @cached_property
    def declared(self) -> set[str]:
        """The parameters that a start may give."""
        return {one.get("Name") for one in self.definition.get("Parameters", [])}

    def caches(self, step: str) -> bool:
        """Whether a step's results are used again."""
        cache = self.steps.get(step, {}).get("CacheConfig") or {}
        return cache.get("Enabled") is True

    def is_stale(self, step: str) -> bool:
        """Whether a model that replaces another one under its key gets the other one's package."""
        if not self.caches(step):
            return False
        key = self.steps[step].get("Arguments", {})
        kind = self.steps[step].get("Type", "")
        used = parameters_in([key.get(name) for name in _CACHE_KEYS.get(kind, ())])
        return any(
            start.keys & used and not start.contents & used for start in self.starts.values()
        )


class Consequences:
    """What follows from the differences of two pipelines.

    Args:
        old: The one.
        new: The other, whose names for steps and parameters the old one uses, too.
        differences: Where their definitions differ.
    """

    def __init__(self, old: Side, new: Side, differences: Sequence[Difference]) -> None:
        self._old, self._new = old, new
        self._permissions = Permissions(new.template)
        # The first difference, or else the trigger, is told to have made a cache hit wrongly.
        self._stale: dict[Path, list[str]] = {}
        self._missing: set[str] = set()
        self.stale_by_trigger: list[str] = []
        for step in new.steps:
            if new.is_stale(step) and not old.is_stale(step):
                self._blame(step, differences)

    def of(self, difference: Difference) -> Iterator[Consequence]:
        """What follows from one of the differences of the definitions."""
        section, *inside = difference.path
        if section == "Parameters" and inside:
            yield from self._of_parameter(inside[0], difference)
        if section == "Steps" and inside:
            step, rest = _step_of(difference.path)
            yield from self._of_cache(step, rest)
            yield from self._of_jobs(step, rest, difference.new)
        for step in self._stale.get(difference.path, []):
            yield stale(step)

    def of_another_key(self, steps: set[str]) -> Iterator[Consequence]:
        """What follows if what steps are made of is another, such as a script."""
        for step in sorted(steps - self._missing):
            if self._old.caches(step) and self._new.caches(step):
                self._missing.add(step)  # once is enough
                yield Consequence(
                    "info",
                    f"results of {step} that are cached no longer count: it runs anew, also for "
                    "models that it packaged before",
                )

    def _blame(self, step: str, differences: Sequence[Difference]) -> None:
        places = [(one.path, *_step_of(one.path)) for one in differences]
        own = [(path, rest) for path, name, rest in places if name == step]
        blamed = [
            *(path for path, rest in own if rest[:1] == ("CacheConfig",)),
            *(path for path, rest in own if not rest or self._is_in_key(step, rest)),
            *(one.path for one in differences if step in _names(one.new)),  # it came with others
            *(path for path, _, _ in places if path[0] == "Parameters"),
        ]
        if blamed:
            self._stale.setdefault(blamed[0], []).append(step)
        else:
            self.stale_by_trigger.append(step)

    def _is_in_key(self, step: str, rest: Path) -> bool:
        """Whether a place in a step is among what its cache compares."""
        kind = self._new.steps.get(step, {}).get("Type", "")
        return rest[:1] == ("Arguments",) and (
            len(rest) == 1 or rest[1] in _CACHE_KEYS.get(kind, ())
        )

    def _of_parameter(self, name: str, difference: Difference) -> Iterator[Consequence]:
        for start in self._new.starts.values():
            if name in self._new.required and name not in start.fills:
                yield unfilled(name, start)
            if difference.new is ABSENT and len(difference.path) == 2 and name in start.fills:
                yield Consequence(
                    "danger",
                    f"{start.name} still gives it: starts by it can fail, since a pipeline takes "
                    "no parameter that it does not declare",
                )

    def _of_cache(self, step: str, rest: Path) -> Iterator[Consequence]:
        if rest in (("CacheConfig", "Enabled"), ("CacheConfig",)):
            before, now = self._old.caches(step), self._new.caches(step)
            if before and not now:
                yield Consequence(
                    "notice", f"every execution runs {step} anew, also for a model that it packaged"
                )
            if now and not before:
                yield Consequence(
                    "notice", f"an execution reuses what {step} made of the same inputs before"
                )
        elif self._is_in_key(step, rest) and rest[-1] != ORDER:
            yield from self.of_another_key({step})

    def _of_jobs(self, step: str, rest: Path, new: Any) -> Iterator[Consequence]:
        is_about_job = rest in ((), ("Type",), ("Arguments", "RoleArn"))
        for name in dict.fromkeys([step] * is_about_job + _names(new)):
            if name in self._new.steps:
                for text in self._permissions.missing(self._new.steps[name]):
                    yield Consequence("danger", text)


def _steps_in(value: Any) -> Iterator[Mapping[str, Any]]:
    """The steps in a part of a definition, at any depth."""
    if isinstance(value, list):
        for inner in value:
            yield from _steps_in(inner)
    elif isinstance(value, Mapping):
        if isinstance(value.get("Name"), str) and isinstance(value.get("Type"), str):
            yield value
            value = value.get("Arguments", {})
        for branch in _BRANCHES:
            if isinstance(value, Mapping):
                yield from _steps_in(value.get(branch, []))


def _names(value: Any) -> list[str]:
    return [step["Name"] for step in _steps_in(value)]


def _step_of(path: Path) -> tuple[str, Path]:
    """The innermost step that a place is in, and the place in it; of a parameter, its name."""
    starts = [
        place + 1
        for place, name in enumerate(path[:-1])
        if place == 0 or (name in _BRANCHES and path[place - 1] == "Arguments")
    ]
    if not starts:
        return "", ()
    return path[starts[-1]], path[starts[-1] + 1 :]


def unfilled(parameter: str, start: Start) -> Consequence:
    """A trigger starts the pipeline without a parameter that it needs."""
    return Consequence(
        "danger",
        f"{start.name} does not fill {parameter}, which has no default: every start by it fails",
    )


def stale(step: str) -> Consequence:
    """A cache hits where it should miss."""
    return Consequence(
        "danger",
        f"{step} now takes a model that replaces another one under its key for the other one: "
        "nothing that its cache compares tells them apart, so the old package is handed out",
    )
