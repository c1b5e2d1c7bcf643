"""A review as text: colours on a terminal, none in a pipe."""

import textwrap
from collections.abc import Iterator

from operations.review.changes import Change, Level
from operations.review.formats.sections import (
    NOTHING,
    alone,
    counted,
    detail,
    kind,
    printable,
    sections,
    values,
)
from operations.review.review import Review

# SGR, select graphic rendition: ECMA-48.
_COLOURS: dict[Level, str] = {"danger": "1;31", "warning": "33", "notice": "36", "info": "2"}
_BOLD, _ADDED, _REMOVED, _PLACE = "1", "32", "31", "36"
_INDENT = " " * 10
_MOST_LINES = 50


def as_text(review: Review, *, width: int = 100, coloured: bool = False) -> str:
    """The review as text.

    Args:
        review: The review.
        width: How many letters a line may have, but for words that are longer.
        coloured: Whether it is read on a terminal.
    """
    return "\n".join(_Writer(width, coloured).lines(review)) + "\n"


class _Writer:
    def __init__(self, width: int, coloured: bool) -> None:
        self._width = width
        self._coloured = coloured

    def lines(self, review: Review) -> Iterator[str]:
        said = counted(review.changes) or NOTHING.lower().rstrip(".")
        yield printable(f"{review.title}: {said}")
        if review.changes and alone(review.changes):
            yield alone(review.changes)
        for heading, changes in sections(review.changes):
            yield ""
            yield self._painted(heading, _BOLD)
            for change in changes:
                yield ""
                yield from self._change(change)

    def _change(self, change: Change) -> Iterator[str]:
        level = self._painted(f"{change.level:<7}", _COLOURS[change.level])
        where = self._painted(printable(change.where), _BOLD)
        yield f"  {level} {where} ({kind(change)})"
        yield from self._wrapped(change.meaning)
        shown = values(change)
        if shown:
            was, now = shown
            if len(was) + len(now) + len(_INDENT) + 3 <= self._width:
                yield f"{_INDENT}{printable(was)} → {printable(now)}"
            else:
                yield self._painted(f"{_INDENT}- {printable(was)}", _REMOVED)
                yield self._painted(f"{_INDENT}+ {printable(now)}", _ADDED)
        lines = detail(change)
        for line in lines[:_MOST_LINES]:
            yield f"{_INDENT}  {self._of_difference(line)}".rstrip()
        if len(lines) > _MOST_LINES:
            more = len(lines) - _MOST_LINES
            yield f"{_INDENT}  … and {more} more lines, which --format json tells"

    def _wrapped(self, text: str) -> list[str]:
        return textwrap.wrap(
            printable(text),
            max(self._width, 40),
            initial_indent=_INDENT,
            subsequent_indent=_INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _of_difference(self, line: str) -> str:
        colours = {"@": _PLACE, "+": _ADDED, "-": _REMOVED}
        return self._painted(line, colours[line[0]]) if line[:1] in colours else line

    def _painted(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._coloured else text
