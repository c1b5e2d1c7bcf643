"""Changes for tests of how they are told."""

from typing import Any

from operations.review.changes import Change
from operations.review.review import Review


def change(**told: Any) -> Change:
    """A change, of which a test says what it is about."""
    usual: dict[str, Any] = {
        "level": "notice",
        "kind": "definition",
        "where": "Step › Environment › MODE",
        "old": None,
        "new": None,
        "meaning": "The mode changes.",
    }
    return Change(**(usual | told))


def review(*changes: Change, **told: Any) -> Review:
    """A review of changes."""
    return Review(told.get("title", "Review of Stack"), changes, told.get("picture", ""))
