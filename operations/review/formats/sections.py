"""In which order a review is read, and the words that its formats have in common."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from operations.review.changes import Change
from operations.review.review import summary

NOTHING = "Nothing changes."
# Where a value ends that is shown on one line.
_LONGEST_VALUE = 300


def sections(changes: Sequence[Change]) -> Iterator[tuple[str, list[Change]]]:
    """The changes by what they ask of the reader, with headings; empty sections are left out.

    Args:
        changes: All of them, in their order.
    """
    dangers = [one for one in changes if one.level == "danger"]
    running = [one for one in changes if one.level != "danger" and one.running]
    rest = [one for one in changes if one.level != "danger" and not one.running]
    for heading, some in (
        ("Dangerous", dangers),
        ("What running executions notice", running),
        ("The rest" if dangers or running else "Changes", rest),
    ):
        if some:
            yield heading, some


def alone(changes: Sequence[Change]) -> str:
    """That nothing but the content of assets changes, as a sentence; empty if more does."""
    if any(change.kind != "asset" for change in changes):
        return ""
    return "Nothing but scripts changes."


def counted(changes: Sequence[Change]) -> str:
    """How many changes there are, by their levels: "1 danger, 2 notices"."""
    said = []
    for level, number in summary(changes).items():
        if number:
            # "Info" has no plural.
            said.append(f"{number} {level}{'' if level == 'info' or number == 1 else 's'}")
    return ", ".join(said)


def kind(change: Change) -> str:
    """What it is a change of, and whether it is felt at once where the heading doesn't say so."""
    is_felt = change.level == "danger" and change.running
    return f"{change.kind}, running executions notice" if is_felt else change.kind


def values(change: Change) -> tuple[str, str] | None:
    """Old and new on a line each, or None if the sentence or the detail says them."""
    shown = [one for one in (change.old, change.new) if one is not None]
    if not any(shown) and not any(isinstance(one, bool | int | float) for one in shown):
        return None
    if change.detail or (len(shown) == 1 and _is_type(shown[0])):
        return None
    if all(_is_said(one, change.meaning) for one in shown):
        return None
    return _value(change.old), _value(change.new)


def detail(change: Change) -> list[str]:
    """The lines of a change's detail."""
    return [printable(line) if line.strip() else "" for line in change.detail.splitlines()]


def printable(text: str) -> str:
    """A text without what moves a terminal's cursor, colours it, or turns its direction."""
    return "".join(letter if letter.isprintable() or letter == "\t" else "�" for letter in text)


def _value(one: Any) -> str:
    if one is None:
        return "nothing"
    said = one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)
    said = " ".join(said.split())
    return said if len(said) <= _LONGEST_VALUE else f"{said[:_LONGEST_VALUE]}…"


def _is_said(value: Any, meaning: str) -> bool:
    """Whether a sentence says a value, or all that is in it."""
    if isinstance(value, Mapping):
        return all(_is_said(inner, meaning) for inner in value.values())
    if isinstance(value, list):
        return all(_is_said(inner, meaning) for inner in value)
    return _value(value) in meaning


def _is_type(value: Any) -> bool:
    """Whether it is what CloudFormation calls a kind of resource, which the sentence says."""
    return isinstance(value, str) and value.startswith(("AWS::", "Custom::"))
