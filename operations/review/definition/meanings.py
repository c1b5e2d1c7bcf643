"""What a difference between two definitions means to those who run the pipeline."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from operations.review.changes import Level
from operations.review.definition.expressions import plain, text
from operations.review.definition.places import ABSENT, ORDER, Difference, Path
from operations.review.resources import safeguards
from operations.review.template.wording import became, listed

# What a step's value is, by its name: "{now}" and "{was}" are put in.
_SAID = {
    "ExpireAfter": "reuses results that are up to {now} old; before, up to {was}",
    "ImageUri": "runs in the container {now}; before, in {was}",
    "InstanceCount": "runs on {now} instances at a time; before, on {was}",
    "InstanceType": "runs on {now}; before, on {was}",
    "MaxRuntimeInSeconds": "is stopped after {now} seconds; before, after {was}",
    "RoleArn": "runs with the role {now}; before, with {was}",
    "VolumeSizeInGB": "has a volume of {now} GB; before, of {was} GB",
}
# What only labels, and changes nothing that is run.
_LABELS = ("Description", "DisplayName", "Tags")


def meaning(difference: Difference) -> tuple[Level, str]:
    """What a difference means, and how much attention it needs.

    Args:
        difference: Where two definitions differ, in their own terms.

    Returns:
        The level, and the meaning as a sentence without its full stop.
    """
    path, old, new = difference.path, difference.old, difference.new
    if path[-1] == ORDER:
        return "info", f"{_subject(path[:-1])} are listed in another order"
    section, *inside = path
    if section == "Parameters" and inside:
        return _of_parameter(inside, old, new)
    if section == "Steps" and len(inside) == 1:
        return _of_whole_step(inside[0], old, new)
    if section == "Steps" and inside:
        return _of_step(inside[0], path, old, new)
    return "notice", f"{' › '.join(path)} of the pipeline {_became(old, new)}"


def where(path: Path) -> str:
    """A place in a definition, as reviewers read it: without what is the same for every step."""
    section, *inside = path
    if section == "Steps" and inside:
        step, *rest = inside
        named = rest[1:] if rest[:1] == ["Arguments"] and len(rest) > 1 else rest
        return " › ".join((step, *named))
    return " › ".join(path)


def _of_parameter(inside: list[str], old: Any, new: Any) -> tuple[Level, str]:
    name, *rest = inside
    if rest:
        return "notice", f"{' › '.join(rest)} of the parameter {name} {_became(old, new)}"
    if old is ABSENT:
        kind = new.get("Type", "any type") if isinstance(new, Mapping) else "any type"
        return "notice", f"the pipeline takes a parameter {name} ({kind}), {_default(new)}"
    return "warning", f"the pipeline no longer takes the parameter {name}"


def _default(parameter: Any) -> str:
    if not isinstance(parameter, Mapping) or "DefaultValue" not in parameter:
        return "which has no default: whoever starts the pipeline must give it"
    return (
        f"which is {json.dumps(plain(parameter['DefaultValue']), ensure_ascii=False)} if not given"
    )


def _of_whole_step(name: str, old: Any, new: Any) -> tuple[Level, str]:
    if old is ABSENT:
        return "notice", f"the pipeline has another step, {name}{_described(new)}"
    if new is ABSENT:
        return "warning", f"the pipeline no longer has the step {name}{_described(old)}"
    return "notice", f"the step {name} {_became(old, new)}"


def _described(step: Any) -> str:
    """What kind of step it is, and what it waits for: " (Processing, after PackagingStep)"."""
    if not isinstance(step, Mapping):
        return ""
    said = [str(step["Type"])] if "Type" in step else []
    waits = step.get("DependsOn")
    if isinstance(waits, list) and waits:
        said.append(f"after {listed([str(one) for one in waits])}")
    return f" ({', '.join(said)})" if said else ""


def _of_step(step: str, path: Path, old: Any, new: Any) -> tuple[Level, str]:
    weaker = [weakness.effect for weakness in safeguards.weaker(path, _or_none(old), _or_none(new))]
    if weaker:
        return "danger", f"a safeguard of {step} got weaker: {listed(weaker)}"
    inside = path[2:]
    for part, of_part in _PARTS.items():
        if part in inside[:-1]:
            rest = inside[inside.index(part) + 1 :]
            said = of_part(step, rest, old, new)
            if said:
                return said
    if inside == ("CacheConfig", "Enabled"):
        return "notice", f"caching is turned {'on' if new is True else 'off'} for {step}"
    if inside[-1] in _SAID and ABSENT not in (old, new):
        return "notice", f"{step} {_SAID[inside[-1]].format(now=text(new), was=text(old))}"
    if inside[-1] == "DependsOn":
        waits = [str(one) for one in new] if isinstance(new, list) else []
        now = f"waits for {listed(waits)}" if waits else "waits for no other step by name"
        before = listed([str(one) for one in old]) if isinstance(old, list) and old else "none"
        return "notice", f"{step} {now}; before, for {before}"
    level: Level = "info" if any(part in _LABELS for part in inside) else "notice"
    return level, f"{' › '.join(_short(inside))} of {step} {_became(old, new)}"


_Said = tuple[Level, str] | None


def _of_argument(step: str, rest: Path, old: Any, new: Any) -> _Said:
    [flag] = rest[:1]
    if len(rest) > 1:
        return None
    if new is ABSENT:
        return "notice", f"{step} is no longer called with {_call(flag, old)}"
    if old is ABSENT:
        return "notice", f"{step} is called with {_call(flag, new)}, which it was not"
    return "notice", f"{step} is called with {_call(flag, new)}; before, with {_call(flag, old)}"


def _of_variable(step: str, rest: Path, old: Any, new: Any) -> _Said:
    name = " › ".join(rest)
    if new is ABSENT:
        return "notice", f"the variable {name} is no longer set for {step}; it was {text(old)}"
    if old is ABSENT:
        return "notice", f"the variable {name} is set for {step}, to {text(new)}"
    return "notice", f"the variable {name} of {step} is {text(new)}; before, {text(old)}"


def _of_input(step: str, rest: Path, old: Any, new: Any) -> _Said:
    name = rest[0]
    if rest[-1] == "S3Uri" and ABSENT not in (old, new):
        return "notice", f"{step} reads its input {name} somewhere else"
    if len(rest) > 1:
        return None
    if new is ABSENT:
        return "warning", f"{step} no longer gets the input {name}, read at {_uri(old)}"
    return "notice", f"{step} gets another input, {name}, read at {_uri(new)}"


def _of_output(step: str, rest: Path, old: Any, new: Any) -> _Said:
    name = rest[0]
    if rest[-1] == "S3Uri" and ABSENT not in (old, new):
        return "warning", (
            f"{step} writes its output {name} somewhere else: those who look where it was find "
            "nothing new"
        )
    if len(rest) > 1:
        return None
    if new is ABSENT:
        return "warning", f"{step} no longer writes the output {name}; it was at {_uri(old)}"
    return "notice", f"{step} writes another output, {name}, to {_uri(new)}"


def _of_retries(step: str, rest: Path, old: Any, new: Any) -> _Said:
    errors = rest[0]
    if len(rest) > 1:
        return (
            "notice",
            f"{' › '.join(rest[1:])} of {step}'s retries on {errors} {_became(old, new)}",
        )
    if new is ABSENT:
        return "warning", f"{step} is no longer retried on {errors}"
    return "notice", f"{step} is retried on {errors}, which it was not"


_PARTS: Mapping[str, Callable[[str, Path, Any, Any], _Said]] = {
    "ContainerArguments": _of_argument,
    "Environment": _of_variable,
    "ProcessingInputs": _of_input,
    "Outputs": _of_output,
    "RetryPolicies": _of_retries,
}


def _call(flag: str, value: Any) -> str:
    words = value if isinstance(value, list) else [value]
    return " ".join((flag, *map(text, words)))


def _uri(value: Any) -> str:
    """Where an input or an output is, which stands at different places by their kinds."""
    if isinstance(value, Mapping):
        for inner in value.values():
            if isinstance(inner, Mapping) and "S3Uri" in inner:
                return text(inner["S3Uri"])
    return "no place in S3"


def _subject(path: Path) -> str:
    section, *inside = path
    if section == "Steps" and inside:
        return f"{' › '.join(_short(tuple(inside[1:])))} of {inside[0]}"
    return f"{' › '.join(path)} of the pipeline"


def _short(inside: Path) -> Path:
    return inside[1:] if inside[0] == "Arguments" and len(inside) > 1 else inside


def _became(old: Any, new: Any) -> str:
    if old is ABSENT and new is None:
        return "is null now; it was not set"
    if new is ABSENT and old is None:
        return "is no longer set; it was null"
    return became(plain(_or_none(old)), plain(_or_none(new)))


def _or_none(value: Any) -> Any:
    return None if value is ABSENT else value
