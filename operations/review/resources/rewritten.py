"""What is written in another way and means the same, as far as a review knows.

No difference of two templates goes unsaid: what none of those who compare them tells is told here.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from operations.review.changes import Change
from operations.review.permissions import POLICY_TYPES
from operations.review.template.names import Names
from operations.review.template.wording import sentence

Template = Mapping[str, Any]

_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_OF_PIPELINE = ("asset", "definition", "parameter")


def compare(old: Template, new: Template, told: Sequence[Change]) -> Iterator[Change]:
    """Which resources differ of which nothing is told.

    Args:
        old: The template before, in the names of the new one.
        new: The template after.
        told: All that is told of the two.

    Yields:
        Changes of kind ``resource``; what differs is their detail.
    """
    names = Names(new)
    before, after = old.get("Resources", {}), new.get("Resources", {})
    for logical_id in sorted(before.keys() & after.keys()):
        if before[logical_id] == after[logical_id]:
            continue
        was, now = (_text(side[logical_id], names) for side in (before, after))
        name = names.of(logical_id)
        if was != now and not _is_told(name, after[logical_id]["Type"], told):
            said = f"{name} is written in another way, from which nothing is known to follow"
            detail = "\n".join(
                difflib.unified_diff(
                    was.splitlines(), now.splitlines(), "before", "after", lineterm="", n=1
                )
            )
            yield Change("notice", "resource", name, None, None, sentence(said), detail=detail)


def _text(resource: Mapping[str, Any], names: Names) -> str:
    """A resource without what tells no difference: its metadata, and which version of an asset."""
    rest = {name: _read(names.plain(value)) for name, value in resource.items()}
    rest.pop("Metadata", None)
    return _HASH.sub("…", json.dumps(rest, indent=1, sort_keys=True, ensure_ascii=False))


def _read(value: Any) -> Any:
    """The same value, text that is JSON as what it says."""
    if isinstance(value, Mapping):
        return {name: _read(inner) for name, inner in value.items()}
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            pass
    return value


def _is_told(name: str, kind: str, told: Sequence[Change]) -> bool:
    kinds = {change.kind for change in told}
    if kind in POLICY_TYPES and "permission" in kinds:  # told of the role, not of its policy
        return True
    if kind == "AWS::SageMaker::Pipeline" and not kinds.isdisjoint(_OF_PIPELINE):
        return True
    return any(f"{change.where} › ".startswith((f"{name} › ", "Tags › ")) for change in told)
