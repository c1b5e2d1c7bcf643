"""How what became of a value is said."""

import difflib
import json
from collections.abc import Sequence
from typing import Any

_LONGEST_VALUE = 120


def sentence(text: str) -> str:
    """A text as a sentence of its own."""
    return f"{text[:1].upper()}{text[1:]}."


def listed(words: Sequence[str]) -> str:
    """Words in a row: "a", "a and b", "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def became(old: Any, new: Any) -> str:
    """What a value became, in the rest of a sentence; None is nothing."""
    was, now = (json.dumps(one, ensure_ascii=False) for one in (old, new))
    if max(len(was), len(now)) > _LONGEST_VALUE:
        return "is set" if old is None else "is no longer set" if new is None else "changes"
    if old is None:
        return f"is {now} now; it was not set"
    if new is None:
        return f"is no longer set; it was {was}"
    return f"is {now} now; it was {was}"


def text_difference(old: Any, new: Any) -> str:
    """The lines in which two long texts differ; empty if they are not long texts."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return ""
    if max(len(old), len(new)) <= _LONGEST_VALUE:
        return ""
    before, after = (_lines(one) for one in (old, new))
    return "\n".join(difflib.unified_diff(before, after, "before", "after", lineterm="", n=1))


def _lines(text: str) -> list[str]:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False).splitlines()
    except ValueError:
        return text.splitlines()
