"""What a stack tells others by its outputs."""

from collections.abc import Mapping
from typing import Any

from operations.review.changes import Change, Level
from operations.review.template import leaves
from operations.review.template.names import Names
from operations.review.template.wording import became, sentence

Template = Mapping[str, Any]


def compare(old: Template, new: Template) -> list[Change]:
    """Which outputs changed.

    Args:
        old: The template before, in the names of the new one.
        new: The template after.

    Returns:
        The changes of kind ``output``.
    """
    before, after = (Names(template).plain(template.get("Outputs", {})) for template in (old, new))
    return [_change(path, was, now) for path, was, now in leaves.differences(before, after)]


def _change(path: leaves.Path, old: Any, new: Any) -> Change:
    name, *rest = path
    level: Level = "info" if rest == ["Description"] else "notice"
    if not rest:
        was, now = (one.get("Value") if isinstance(one, Mapping) else one for one in (old, new))
        if new is None:
            said = f"the stack no longer tells {name}: those who read it find nothing"
            return Change("warning", "output", name, was, now, sentence(said))
        said = f"the stack tells {name} now, which is {now}"
        return Change(level, "output", name, was, now, sentence(said))
    if rest[0] == "Export":
        level = "warning"
    of = name if rest == ["Value"] else f"{' › '.join(rest)} of {name}"
    place = name if rest == ["Value"] else " › ".join(path)
    said = f"the output {of} {became(old, new)}"
    return Change(level, "output", place, old, new, sentence(said))
