"""Paths into what a step has made: its properties, and the JSON in its property files.

Names, indices and names in brackets are known, of all of JSONPath: ``Outputs['package'].S3Uri``,
``metrics[0].value``. Wildcards, filters and slices are not.
"""

import re
from typing import Any

# A name after a dot, an index, or a name in quotes and brackets.
_PART = re.compile(r"\.?([^.\[\]'\"]+)|\[(\d+)\]|\[(?:'([^']*)'|\"([^\"]*)\")\]")


class PathError(ValueError):
    """A path leads nowhere, or is not understood."""


def find(value: Any, path: str) -> Any:
    """What a path leads to.

    Args:
        value: JSON.
        path: The path, with or without ``$.`` before it.

    Raises:
        PathError: It leads nowhere, or is not understood.
    """
    for part in _parts(path):
        try:
            value = _named(value, part) if isinstance(value, list) else value[part]
        except (LookupError, TypeError):
            raise PathError(f"nothing is at {path!r}: there is no {part!r}") from None
    return value


def _parts(path: str) -> list[str | int]:
    found: list[str | int] = []
    at = 1 if path.startswith("$") else 0
    while at < len(path):
        part = _PART.match(path, at)
        if part is None or "*" in part.group():
            raise PathError(f"the local AWS doesn't understand the path {path!r}")
        name, index, single, double = part.groups()
        found.append(int(index) if index else name or single or double or "")
        at = part.end()
    return found


def _named(items: list[Any], part: str | int) -> Any:
    """The item of a list with an index, or with a name, such as an output's ``OutputName``.

    Source: "Data Dependency - Property Reference" of the SDK.
    """
    if isinstance(part, int):
        return items[part]
    [item] = [
        item
        for item in items
        if any(key.endswith("Name") and value == part for key, value in item.items())
    ] or [None]
    if item is None:
        raise LookupError(part)
    return item
