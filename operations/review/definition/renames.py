"""Parameters and steps that go by another name: the same content, used in the same places."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from operations.review.definition.expressions import with_names

Definition = Mapping[str, Any]


@dataclass(frozen=True)
class Renames:
    """What goes by another name.

    Attributes:
        parameters: The new names by the old ones.
        steps: The same for steps.
    """

    parameters: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, str] = field(default_factory=dict)

    def applied_to(self, definition: Definition) -> dict[str, Any]:
        """A definition in which all that is renamed goes by its new name."""
        names = {
            f"Parameters.{one}": f"Parameters.{other}" for one, other in self.parameters.items()
        }
        names |= {f"Steps.{one}": f"Steps.{other}" for one, other in self.steps.items()}
        renamed: dict[str, Any] = with_names(definition, names)
        if "Parameters" in renamed:
            renamed["Parameters"] = [_called(one, self.parameters) for one in renamed["Parameters"]]
        if "Steps" in renamed:
            renamed["Steps"] = [self._step(one) for one in renamed["Steps"]]
        return renamed

    def _step(self, step: Any) -> Any:
        if not isinstance(step, Mapping):
            return step
        renamed = _called(step, self.steps)
        if isinstance(step.get("DependsOn"), list):
            renamed["DependsOn"] = [
                self.steps.get(one, one) if isinstance(one, str) else one
                for one in step["DependsOn"]
            ]
        return renamed


def renames(old: Definition, new: Definition) -> Renames:
    """What goes by another name from one definition to another.

    Only what has the same content on both sides is taken for the same; a parameter must also be
    used, and in the same places. Where several could be meant, none is.
    """
    steps = _steps(old, new)
    before = Renames(steps=steps).applied_to(old)
    return Renames(_parameters(before, new), steps)


def _steps(old: Definition, new: Definition) -> dict[str, str]:
    gone, come = _alone(old, new, "Steps"), _alone(new, old, "Steps")
    found: dict[str, str] = {}
    for content in (_content, _content_without_name):
        found |= _pairs(
            {name: content(step) for name, step in gone.items() if name not in found},
            {name: content(step) for name, step in come.items() if name not in found.values()},
        )
    return found


def _content(step: Mapping[str, Any]) -> str:
    return json.dumps({**step, "Name": ""}, sort_keys=True)


def _content_without_name(step: Mapping[str, Any]) -> str:
    """A step without its own name, which stands in the paths of its outputs, too."""
    text, name = _content(step), step["Name"]
    own = re.escape(json.dumps(name)[1:-1])
    return re.sub(rf"(?<![\w-]){own}(?![\w-])", "\0", text)


def _parameters(old: Definition, new: Definition) -> dict[str, str]:
    gone, come = _alone(old, new, "Parameters"), _alone(new, old, "Parameters")
    return _pairs(
        {name: _used(one, old, name) for name, one in gone.items()},
        {name: _used(one, new, name) for name, one in come.items()},
    )


def _used(parameter: Mapping[str, Any], definition: Definition, name: str) -> str | None:
    places = sorted(_places(definition.get("Steps", []), f"Parameters.{name}", ()))
    return json.dumps([{**parameter, "Name": ""}, places], sort_keys=True) if places else None


def _places(value: Any, reference: str, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Where a reference stands: steps by their names, all else by position."""
    if isinstance(value, Mapping):
        if value == {"Get": reference}:
            yield path
            return
        for key, inner in value.items():
            yield from _places(inner, reference, (*path, str(key)))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            name = inner.get("Name") if not path and isinstance(inner, Mapping) else None
            yield from _places(inner, reference, (*path, str(name or place)))


def _alone(one: Definition, other: Definition, section: str) -> dict[str, Mapping[str, Any]]:
    """The members of a section that have no namesake on the other side."""
    names = {member.get("Name") for member in _members(other, section)}
    return {
        member["Name"]: member
        for member in _members(one, section)
        if isinstance(member.get("Name"), str) and member["Name"] not in names
    }


def _members(definition: Definition, section: str) -> list[Mapping[str, Any]]:
    members = definition.get(section, [])
    if not isinstance(members, list):
        return []
    return [member for member in members if isinstance(member, Mapping)]


def _pairs(gone: Mapping[str, str | None], come: Mapping[str, str | None]) -> dict[str, str]:
    """The names whose contents are the same, if they are so of one pair alone."""
    found = {}
    for name, content in gone.items():
        others = [other for other, its in come.items() if its == content]
        namesakes = [one for one, its in gone.items() if its == content]
        if content is not None and len(others) == len(namesakes) == 1:
            found[name] = others[0]
    return found


def _called(member: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(member, Mapping):
        return member
    name = member.get("Name", "")
    return {**member, "Name": names[name]} if name in names else dict(member)
