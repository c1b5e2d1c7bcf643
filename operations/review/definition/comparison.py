"""A pipeline's definition compared with another, in its own terms."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from operations.review.changes import LEVELS, Change, Kind, Level
from operations.review.definition.consequences import Consequence, Consequences, Side
from operations.review.definition.expressions import plain, text
from operations.review.definition.meanings import meaning, where
from operations.review.definition.places import (
    ABSENT,
    Difference,
    Path,
    differences,
    leaves,
)
from operations.review.definition.renames import Renames, renames
from operations.review.template.wording import sentence


class Definitions:
    """Two definitions, and where they differ.

    Args:
        old: The pipeline before.
        new: The pipeline after.

    Attributes:
        renames: What goes by another name.
        differences: Where they differ apart from that.
        consequences: What follows from it.
    """

    def __init__(self, old: Side, new: Side) -> None:
        self.renames = renames(old.definition, new.definition)
        before = Side(self.renames.applied_to(old.definition), old.template)
        self._new = new
        self.differences = list(differences(before.definition, new.definition))
        self.consequences = Consequences(before, new, self.differences)

    def changes(self) -> list[Change]:
        """The changes of kinds ``definition`` and ``parameter``: one for each difference."""
        found = [*self._renamed(self.renames)]
        for difference in self.differences:
            level, said = meaning(difference)
            change = Change(
                level,
                _kind(difference),
                where(difference.path),
                *_shown(difference),
                sentence(said),
                detail=_detail(difference),
            )
            found.append(with_consequences(change, self.consequences.of(difference)))
        return found

    def _renamed(self, found: Renames) -> Iterator[Change]:
        for old, new in found.parameters.items():
            said = f"the parameter {old} is called {new} now; whoever starts the pipeline must too"
            change = Change("warning", "parameter", f"Parameters › {new}", old, new, sentence(said))
            renamed = Difference(("Parameters", new), {"Name": old}, {"Name": new})
            yield with_consequences(change, self.consequences.of(renamed))
        for old, new in found.steps.items():
            said = f"the step {old} is called {new} now"
            change = Change("notice", "definition", new, old, new, sentence(said))
            renamed = Difference(("Steps", new), {"Name": old}, {"Name": new})
            yield with_consequences(change, self.consequences.of(renamed))


def with_consequences(change: Change, consequences: Iterable[Consequence]) -> Change:
    """A change with what follows from it, at the level of the worst."""
    level: Level = change.level
    said = [change.meaning]
    for one in consequences:
        level = max(level, one.level, key=LEVELS.index)
        said.append(sentence(one.text))
    return Change(
        *(level, change.kind, change.where, change.old, change.new, " ".join(said)),
        running=change.running,
        detail=change.detail,
    )


def _kind(difference: Difference) -> Kind:
    return "parameter" if difference.path[0] == "Parameters" else "definition"


def _shown(difference: Difference) -> tuple[Any, Any]:
    """What is there on each side; of whole steps their types, the rest is detail."""
    old, new = (
        None if value is ABSENT else plain(value) for value in (difference.old, difference.new)
    )
    if plain(difference.old) == plain(difference.new):  # other ways to compute the same
        return difference.old, difference.new
    return (_type(old), _type(new)) if _is_step(difference) else (old, new)


def _type(step: Any) -> Any:
    return step.get("Type") if isinstance(step, Mapping) else step


def _detail(difference: Difference) -> str:
    """Of whole steps, what they say."""
    if not _is_step(difference):
        return ""
    told = [
        {} if value is ABSENT else dict(_said(value, difference.path))
        for value in (difference.old, difference.new)
    ]
    lines = []
    for sign, said, other in (("-", told[0], told[1]), ("+", told[1], told[0])):
        lines += [
            f"{sign} {place}: {one}" for place, one in said.items() if other.get(place) != one
        ]
    return "\n".join(lines)


def _said(step: Any, path: Path) -> Iterator[tuple[str, str]]:
    """What a step says, by its places, without what they are named after."""
    for place, value in leaves(step, path):
        if value != place[-2]:
            yield where(place).partition(" › ")[2], text(value)


def _is_step(difference: Difference) -> bool:
    return difference.path[0] == "Steps" and len(difference.path) == 2
