"""A review as Markdown, fit for a pull request: a summary first, details folded.

What is told of is other people's text. Words that could be markup, or call somebody, are written
as code, where a renderer looks for neither; and there is never so much that a comment would be
refused.
"""

import html
import re
from collections.abc import Sequence

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

# GitHub refuses a comment of more than 65,536 characters.
LONGEST = 60_000
_ROOM_FOR_THE_END = 300
_LONGEST_DETAIL = 12_000
_LONGEST_SENTENCE = 1_500
_LONGEST_PLACE = 300
# More of the rest is folded.
_MOST_UNFOLDED = 10
_MARKS: dict[Level, str] = {"danger": "🔴", "warning": "🟠", "notice": "🔵", "info": "⚪"}
# Words without these, and without a URL, are text to every renderer wherever they stand in a line.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~!$@&^=%]|//|\bwww\.|:[^:]+:")
# What a sentence has between backticks: words of its own, so that it touches no other code.
_CODE = re.compile(r"(?:(?<=\s)|^)(\(?)`([^`]+)`([).,;:]*)(?=\s|$)")
_AROUND = re.compile(r"(\(*)(.*?)([.,;:)]*)", re.DOTALL)


def as_markdown(review: Review) -> str:
    """The review as Markdown of fewer than 60,000 characters.

    Args:
        review: The review.
    """
    heading = f"### {_sentence(review.title, _LONGEST_PLACE)}\n\n"
    if not review.changes:
        return f"{heading}{NOTHING}\n"
    return _Page(review).written(heading)


class _Page:
    """As much of a review as there is room for: changes before pictures before details."""

    def __init__(self, review: Review) -> None:
        self._review = review
        self._room = LONGEST - _ROOM_FOR_THE_END

    def written(self, heading: str) -> str:
        changes = self._review.changes
        head = " ".join(filter(None, (f"{heading}{_summary(changes)}.", alone(changes)))) + "\n"
        self._room -= len(head)
        headings = [self._heading(name, some) for name, some in sections(changes)]
        self._room -= sum(len(before) + len(after) for before, after in headings)
        lines = self._fitting([_line(change) for change in changes])
        drawn = self._fitting([_drawn(self._review.picture)])
        details = self._fitting([_detail(change) for change in changes])

        body, place = "", 0
        for (before, after), (_, some) in zip(headings, sections(changes), strict=True):
            told = range(place, place + len(some))
            place += len(some)
            items = "".join(lines[one] + details[one] for one in told if lines[one])
            body += f"{before}{items}{after}" if items else ""
        return f"{head}{drawn[0]}{body}{self._left_out(lines, drawn, details)}"

    def _heading(self, name: str, changes: Sequence[Change]) -> tuple[str, str]:
        """What stands before a section and after it."""
        if len(changes) <= _MOST_UNFOLDED or name != "The rest":
            return f"\n#### {name}\n\n", ""
        said = f"<b>{name}</b>: {counted(changes)}"
        return f"\n<details><summary>{said}</summary>\n\n", "\n</details>\n"

    def _fitting(self, parts: Sequence[str]) -> list[str]:
        """The parts that there is room for; after the first that does not fit, none."""
        kept = []
        is_full = False
        for part in parts:
            is_full = is_full or len(part) > self._room
            kept.append("" if is_full else part)
            self._room -= len(kept[-1])
        return kept

    def _left_out(self, lines: list[str], drawn: list[str], details: list[str]) -> str:
        changes = self._review.changes
        missing = [change for change, line in zip(changes, lines, strict=True) if not line]
        said = [counted(missing)] if missing else []
        if self._review.picture and not drawn[0]:
            said.append("the picture of the pipeline")
        folded = sum(
            bool(change.detail) and bool(line) and not detail
            for change, line, detail in zip(changes, lines, details, strict=True)
        )
        if folded:
            said.append(f"the details of {folded} change{'' if folded == 1 else 's'}")
        if not said:
            return ""
        return f"\nThere was no room for {', '.join(said)}. `--format json` tells everything.\n"


def _summary(changes: Sequence[Change]) -> str:
    """How many changes there are of each level."""
    by_level = {level: [one for one in changes if one.level == level] for level in _MARKS}
    return " · ".join(
        f"{_MARKS[level]} **{counted(some)}**" for level, some in by_level.items() if some
    )


def _line(change: Change) -> str:
    """A change as an item of a list."""
    where = _code(_short(change.where, _LONGEST_PLACE))
    line = f"- {_MARKS[change.level]} **{change.level}** {where} ({kind(change)})<br>"
    line += _sentence(change.meaning, _LONGEST_SENTENCE)
    shown = values(change)
    if shown:
        line += f"<br>{_code(shown[0])} → {_code(shown[1])}"
    return f"{line}\n"


def _drawn(picture: str) -> str:
    if not picture:
        return ""
    return f"\n{_details('The pipeline before and after', _fenced(picture, 'mermaid'))}"


def _detail(change: Change) -> str:
    """What is folded below a change, indented as a part of its item."""
    if not change.detail:
        return ""
    lines: list[str] = []
    length = 0
    every = detail(change)
    for line in every:
        length += len(line) + 3
        if length > _LONGEST_DETAIL:
            lines.append(f"… and {len(every) - len(lines)} more lines, which --format json tells")
            break
        lines.append(line)
    inside = _details("Details", _fenced("\n".join(lines), "diff"))
    return "\n" + "".join(f"  {line}\n" if line else "\n" for line in inside.splitlines()) + "\n"


def _details(summary: str, inside: str) -> str:
    return f"<details><summary>{html.escape(summary)}</summary>\n\n{inside}\n\n</details>\n"


def _fenced(text: str, language: str) -> str:
    """A block that nothing in it can end."""
    fence = "`" * max(3, _ticks(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _code(text: str) -> str:
    """Inline code, whatever is in it."""
    text = printable(" ".join(text.split()))
    if not text:
        return '`""`'
    longest = _ticks(text)
    if not longest:
        return f"`{text}`"
    ticks = "`" * (longest + 1)
    return f"{ticks} {text} {ticks}"


def _ticks(text: str) -> int:
    """How many backticks stand in a row at most."""
    return max((len(ticks) for ticks in re.findall(r"`+", text)), default=0)


def _sentence(text: str, longest: int) -> str:
    """A sentence whose code stays code, and whose other words are no markup."""
    text = " ".join(_short(text, longest).split())
    said, end = "", 0
    for found in _CODE.finditer(text):
        before, code, after = found.groups()
        said += f"{_words(text[end : found.start()])}{before}{_code(code)}{after}"
        end = found.end()
    return said + _words(text[end:])


def _words(text: str) -> str:
    return "".join(
        _word(part) if _SPECIAL.search(part) else printable(part)
        for part in re.split(r"(\s+)", text)
    )


def _word(word: str) -> str:
    """A word as code, without the punctuation around it."""
    before, inside, after = _AROUND.fullmatch(word).groups()  # type: ignore[union-attr]
    return f"{before}{_code(inside)}{after}" if inside else word


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
