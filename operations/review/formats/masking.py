"""A review without what not everybody may read: account numbers, mail addresses, secrets.

The same thing is masked by the same word wherever it stands, so that one sees what is equal.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from operations.review.changes import Change
from operations.review.formats.secrets_in_text import is_no_secret, is_secret, without_secrets
from operations.review.review import Review

_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])[0-9]{12}(?![A-Za-z0-9])")
# RFC 5321, 4.5.3.1: at most 64 letters before the sign.
_MAIL = re.compile(r"\w[\w.%+-]{0,63}@[\w-]+(?:\.[\w-]+)+")
_MASKED = re.compile(r"MASKED-(?:ACCOUNT|MAIL|SECRET)-[0-9]+")
# What names a value that stands beside it.
_NAMES = ("Name", "Key", "ParameterKey", "name", "key")
_VALUES = ("Value", "ParameterValue", "DefaultValue", "value")
# Shorter ones are replaced in the change that they stand in only: elsewhere, they may be words.
_LONG = 6


def masked(review: Review) -> Review:
    """A review without account numbers, mail addresses and secrets.

    Args:
        review: The review.
    """
    mask = _Mask()
    secrets = [list(_secrets(change)) for change in review.changes]
    everywhere = {one for some in secrets for one in some if len(one) >= _LONG}
    changes = [
        mask.change(change, {*some, *everywhere})
        for change, some in zip(review.changes, secrets, strict=True)
    ]
    picture = mask.text(review.picture, everywhere)
    return Review(mask.text(review.title, everywhere), changes, picture)


@dataclass
class _Mask:
    """Gives each thing its word."""

    words: dict[tuple[str, str], str] = field(default_factory=dict)

    def word(self, what: str, text: str) -> str:
        if _MASKED.fullmatch(text):
            return text
        number = 1 + sum(kind == what for kind, _ in self.words)
        return self.words.setdefault((what, text), f"MASKED-{what}-{number}")

    def change(self, change: Change, secrets: Iterable[str]) -> Change:
        known = sorted(secrets)
        is_one = _is_of_secret(change)
        return replace(
            change,
            where=self.text(change.where, known),
            old=self.value(change.old, known, is_one=is_one),
            new=self.value(change.new, known, is_one=is_one),
            meaning=self.text(change.meaning, known),
            detail=self.text(change.detail, known),
        )

    def text(self, text: str, secrets: Iterable[str]) -> str:
        for one in sorted(secrets, key=len, reverse=True):
            pattern = rf"(?<![A-Za-z0-9]){re.escape(one)}(?![A-Za-z0-9])"
            text = re.sub(pattern, lambda found: self.word("SECRET", found[0]), text)
        text = without_secrets(text, lambda one: self.word("SECRET", one))
        text = _MAIL.sub(lambda found: self.word("MAIL", found[0]), text)
        return _ACCOUNT.sub(lambda found: self.word("ACCOUNT", found[0]), text)

    def value(self, value: Any, secrets: Sequence[str], *, is_one: bool) -> Any:
        if isinstance(value, Mapping):
            return {
                self.text(str(key), secrets): self.value(inner, secrets, is_one=one)
                for key, inner, one in _inside(value, is_one)
            }
        if isinstance(value, list):
            return [
                self.value(inner, secrets, is_one=one) for _, inner, one in _inside(value, is_one)
            ]
        if value is None or isinstance(value, bool):
            return value
        if is_one and not is_no_secret(str(value)):
            return self.word("SECRET", str(value))
        said = self.text(str(value), secrets)
        return value if said == str(value) else said


def _secrets(change: Change) -> Iterator[str]:
    """The values of a change that names say are secret; sentences tell them, too."""
    for value in (change.old, change.new):
        found = _named(value, is_one=_is_of_secret(change))
        yield from (one for one in found if not is_no_secret(one))


def _named(value: Any, *, is_one: bool) -> Iterator[str]:
    if isinstance(value, Mapping | list):
        for _, inner, one in _inside(value, is_one):
            yield from _named(inner, is_one=one)
    elif is_one and value is not None and not isinstance(value, bool):
        yield str(value)


def _inside(value: Mapping[str, Any] | list[Any], is_one: bool) -> Iterator[tuple[str, Any, bool]]:
    """What is in a value, by its key if it has one, and whether that is a secret."""
    if isinstance(value, list):
        for before, inner in zip(("", *value), value, strict=False):
            is_of_flag = isinstance(before, str) and before.startswith("--") and is_secret(before)
            yield "", inner, is_one or is_of_flag
        return
    names = [str(value[name]) for name in _NAMES if name in value]
    for key, inner in value.items():
        if names:  # a name with its value beside it
            is_value = key in _VALUES and (is_one or any(map(is_secret, names)))
            yield key, inner, is_value or (key not in _NAMES and is_secret(str(key)))
        else:
            yield key, inner, is_one or is_secret(str(key))


def _is_of_secret(change: Change) -> bool:
    """Whether the place of a change is named as a secret's is, not merely a resource."""
    names = change.where.split(" › ")
    if len(names) == 1 and change.kind in ("asset", "permission", "resource"):
        return False
    while len(names) > 1 and names[-1] in (*_VALUES, "0"):
        names.pop()
    return is_secret(names[-1])
