"""What a report says, as the model registry takes it: JsonGet hands it over as it stands there.

botocore's model of CreateModelPackage, CustomerMetadataValue: 1 to 256 letters, numbers, separators
and ``_ . : / = + - @``.  An S3 key may have any character and 1,024 bytes.
"""

from __future__ import annotations

import unicodedata

UNKNOWN = "unknown"
_LIMIT = 256
_MARKS = frozenset("_.:/=+-@")
_GAP = "..."


def _fits(character: str) -> bool:
    # A character beyond U+FFFF counts as two wherever texts are UTF-16.
    return character in _MARKS or (
        character <= "\uffff" and unicodedata.category(character)[0] in "LNZ"
    )


def registry_value(text: str | None) -> str:
    """The text with ``_`` for what the registry refuses, and the middle of a long one left out."""
    fitting = "".join(character if _fits(character) else "_" for character in text or "")
    if not fitting.strip():
        return UNKNOWN
    if len(fitting) <= _LIMIT:
        return fitting
    head = (_LIMIT - len(_GAP)) // 2
    tail = _LIMIT - len(_GAP) - head
    return fitting[:head] + _GAP + fitting[-tail:]
