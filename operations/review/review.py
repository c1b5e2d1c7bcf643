"""A review: what changes from one assembly to another, as its formats tell it."""

from collections.abc import Sequence
from dataclasses import dataclass

from operations.review.assemblies.assembly import Assembly
from operations.review.changes import LEVELS, Change, Level
from operations.review.comparison import compare
from operations.review.formats.picture import picture


@dataclass(frozen=True)
class Review:
    """What is told.

    Attributes:
        title: What is reviewed.
        changes: All that changes, in the order in which it is told.
        picture: The pipeline before and after, as Mermaid; empty if its definition is the same.
    """

    title: str
    changes: Sequence[Change]
    picture: str = ""

    @classmethod
    def of(cls, old: Assembly, new: Assembly, title: str | None = None) -> "Review":
        """Compare two assemblies.

        Args:
            old: The assembly before.
            new: The assembly after.
            title: What is reviewed. Default: the stack, by its name.

        Raises:
            CloudFormationDiffError: Node, or the library that compares resources, is not there.
        """
        title = title or f"Review of {new.settings.get('name', new.stack)}"
        changes = compare(old, new)
        return cls(title, changes, picture(old.definition, new.definition, changes))

    def has(self, level: Level) -> bool:
        """Whether a change is at a level or above."""
        return any(LEVELS.index(one.level) >= LEVELS.index(level) for one in self.changes)


def summary(changes: Sequence[Change]) -> dict[Level, int]:
    """How many changes there are of each level, the worst first."""
    return {level: sum(one.level == level for one in changes) for level in reversed(LEVELS)}
