"""Which uploads start the pipeline now and did not, and the other way round."""

import json
import operator
from collections.abc import Iterator, Mapping
from typing import Any

from operations.review.changes import Change, Level
from operations.review.definition import Definitions, Side, stale, unfilled, with_consequences
from operations.review.definition.consequences import Consequence
from operations.review.resources import safeguards
from operations.review.template import leaves
from operations.review.template.names import Names
from operations.review.template.starts import Start
from operations.review.template.wording import became, listed, sentence
from operations.review.triggers.examples import example
from operations.review.triggers.patterns import UnknownOperatorError
from operations.review.triggers.words import uploads, waits_for

# The rest of a rule's properties is told with the resources.
_PROPERTIES = ("EventPattern", "ScheduleExpression", "State", "Targets")
_PARAMETERS = ("SageMakerPipelineParameters", "PipelineParameterList")


def compare(old: Side, new: Side, definitions: Definitions) -> list[Change]:
    """What else starts the pipeline, and what no longer does.

    Args:
        old: The pipeline before, in the names of the new one.
        new: The pipeline after.
        definitions: What differs in their definitions.

    Returns:
        The changes of kind ``trigger``. Rules that start no pipeline are among them if they are
        on both sides; that one came or went is told with the resources.
    """
    found: list[Change] = []
    rules = [_rules(side) for side in (old, new)]
    for logical_id in sorted({*rules[0], *rules[1]}):
        if logical_id not in rules[0]:
            found += _added(new.starts.get(logical_id), new)
        elif logical_id not in rules[1]:
            found += _removed(old.starts.get(logical_id))
        else:
            found += _Rule(logical_id, old, new).changes(rules[0][logical_id], rules[1][logical_id])
    steps = definitions.consequences.stale_by_trigger
    if steps and found:
        worst = next((one for one in found if _is_about_parameters(one)), found[0])
        amended = with_consequences(worst, map(stale, steps))
        found[found.index(worst)] = amended
    return found


def _rules(side: Side) -> dict[str, dict[str, Any]]:
    """What is compared of each rule, its tokens as text."""
    names = Names(side.template)
    return {
        logical_id: {
            name: value
            for name, value in names.plain(resource.get("Properties", {})).items()
            if name in _PROPERTIES
        }
        for logical_id, resource in side.template.get("Resources", {}).items()
        if resource["Type"] == "AWS::Events::Rule"
    }


def _added(start: Start | None, side: Side) -> Iterator[Change]:
    if start is None:
        return
    said = f"{start.name} is new: {_on(start)} start the pipeline{_such_as(start.pattern)}"
    if not start.enabled:
        said = f"{start.name} is new, and switched off"
    change = Change("notice", "trigger", start.name, None, _told(start), sentence(said))
    missing = sorted(side.required - set(start.fills))
    yield with_consequences(change, (unfilled(one, start) for one in missing))


def _removed(start: Start | None) -> Iterator[Change]:
    if start is not None:
        said = f"{start.name} is gone: {_on(start)} no longer start the pipeline"
        said += _such_as(start.pattern)
        yield Change("warning", "trigger", start.name, _told(start), None, sentence(said))


def _on(start: Start) -> str:
    if start.pattern:
        return waits_for(start.pattern)
    return f"executions by the schedule {start.schedule}" if start.schedule else "no events"


def _told(start: Start) -> dict[str, Any]:
    """What a rule says, as its changes have it."""
    return {
        "EventPattern": start.pattern or None,
        "ScheduleExpression": start.schedule or None,
        "State": "ENABLED" if start.enabled else "DISABLED",
        "Parameters": dict(start.fills),
    }


class _Rule:
    def __init__(self, logical_id: str, old: Side, new: Side) -> None:
        self._name = Names(new.template).of(logical_id)
        self._old, self._new = old.starts.get(logical_id), new.starts.get(logical_id)
        self._required, self._declared = new.required, new.declared

    def changes(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
        before, after = old.get("EventPattern"), new.get("EventPattern")
        if before != after:
            yield self._pattern(before, after)
        told = ["EventPattern"]
        if bool(self._old) != bool(self._new):
            yield self._target(old.get("Targets"), new.get("Targets"))
            told.append("Targets")
        rest_before, rest_after = (
            {name: value for name, value in one.items() if name not in told} for one in (old, new)
        )
        weaker = list(safeguards.weaker((), rest_before, rest_after))
        for path, was, now in leaves.differences(rest_before, rest_after):
            about = [one for one in weaker if _meet(one.path, path)]
            weaker = [one for one in weaker if one not in about]
            said = (f"a safeguard of {self._name} got weaker: {one.effect}" for one in about)
            change = self._other(path, was, now)
            yield with_consequences(change, (Consequence("danger", text) for text in said))

    def _pattern(self, old: Any, new: Any) -> Change:
        starts = "start the pipeline" if self._new or self._old else f"reach {self._name}'s target"
        was, now = (waits_for(one) if one else None for one in (old, new))
        level: Level = "notice"
        try:
            come = example(new, old) if new else None
            gone = example(old, new) if old else None
        except UnknownOperatorError as error:
            said = f"nobody can tell which events {starts} now: {error}"
            return self._change("danger", "EventPattern", was, now, said)
        parts = []
        if come:
            parts.append(f"{_named(come)} {starts} now and did not")
        if gone:
            level = "warning"
            parts.append(f"{_named(gone)} no longer {'do' if come else starts}")
        said = "; ".join(parts) or (
            f"{self._name} says in another way what it waits for; no event was found that makes a "
            "difference"
        )
        return self._change(level, "EventPattern", was, now, said)

    def _target(self, old: Any, new: Any) -> Change:
        if self._new:
            said = f"{self._name} starts the pipeline now, which it did not: {_on(self._new)}"
            change = self._change("notice", "Targets", old, new, said)
            missing = sorted(self._required - set(self._new.fills))
            return with_consequences(change, (unfilled(one, self._new) for one in missing))
        on = _on(self._old) if self._old else "events"
        said = f"{self._name} no longer starts the pipeline: {on} start nothing by it"
        return self._change("warning", "Targets", old, new, said)

    def _other(self, path: leaves.Path, old: Any, new: Any) -> Change:
        if path == ("State",):
            return self._state(new)
        if path == ("ScheduleExpression",):
            said = f"the schedule of {self._name} {became(old, new)}"
            return self._change("notice", "ScheduleExpression", old, new, said)
        if path[2:4] == _PARAMETERS and len(path) > 4:
            return self._parameter(path[4], old, new)
        where = " › ".join(path)
        return self._change(
            "notice", where, old, new, f"{where} of {self._name} {became(old, new)}"
        )

    def _state(self, new: Any) -> Change:
        start = self._new or self._old
        on = _on(start) if start else "its events"
        off = new == "DISABLED"
        said = (
            f"{self._name} is switched {'off' if off else 'on'}: {on} {'no longer ' if off else ''}"
        )
        said += "start the pipeline" if start else "reach its target"
        said += "" if off else " now"
        values = ("ENABLED", "DISABLED") if off else ("DISABLED", "ENABLED")
        return self._change("warning" if off else "notice", "State", *values, said)

    def _parameter(self, name: str, old: Any, new: Any) -> Change:
        was, now = (one.get("Value") if isinstance(one, Mapping) else one for one in (old, new))
        level: Level = "notice"
        if now is None:
            said = f"{self._name} no longer fills the parameter {name}; it filled it with {was}"
        elif was is None:
            said = f"{self._name} fills the parameter {name} with {now}"
        else:
            said = f"{self._name} fills the parameter {name} with {now}; before, with {was}"
        change = self._change(level, f"Parameters › {name}", was, now, said)
        consequences = []
        if now is None and name in self._required and self._new:
            consequences.append(unfilled(name, self._new))
        if was is None and name not in self._declared:
            consequences.append(
                Consequence(
                    "danger",
                    f"the pipeline declares no parameter {name}: starts by {self._name} can fail",
                )
            )
        return with_consequences(change, consequences)

    def _change(self, level: Level, where: str, old: Any, new: Any, said: str) -> Change:
        place = f"{self._name} › {where}"
        return Change(level, "trigger", place, old, new, sentence(said))


def _meet(one: leaves.Path, other: leaves.Path) -> bool:
    """Whether one place is in another."""
    return all(map(operator.eq, one, other))


def _is_about_parameters(change: Change) -> bool:
    return " › Parameters › " in change.where


def _such_as(pattern: Mapping[str, Any]) -> str:
    """An example in brackets, if there is one."""
    try:
        event = example(pattern, None) if pattern else None
    except UnknownOperatorError:
        return ""
    return f" ({_named(event)})" if event else ""


def _named(event: Mapping[str, Any]) -> str:
    """An event by what it is about: "uploads such as s3://bucket/models/example.tar.gz"."""
    fields = dict(_flat({"detail": event.get("detail", {})}))
    if uploads({name: [value] for name, value in event.items()}):
        bucket = fields.get("detail.bucket.name", "any-bucket")
        return f"uploads such as s3://{bucket}/{fields.get('detail.object.key', 'example')}"
    fields = {name.removeprefix("detail."): value for name, value in fields.items()}
    said = [f"{name} {json.dumps(value)}" for name, value in fields.items()]
    kind = event.get("detail-type") or event.get("source") or "any kind"
    return f"events such as one of {kind}" + (f" with {listed(said)}" if said else "")


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner
