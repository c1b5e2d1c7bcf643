"""What is said of a stack itself."""

from pathlib import Path
from typing import Any

import pytest

from operations.review.assemblies.assembly import Assembly
from operations.review.resources.stack_settings import compare

OPEN = "aws://unknown-account/unknown-region"


def stack(*, protected: bool | None = None, description: str = "d", **settings: Any) -> Assembly:
    template = {"Description": description, "Resources": {}}
    return Assembly(Path(), "S", template, termination_protection=protected, settings=settings)


@pytest.mark.parametrize(
    ("old", "new", "level", "meaning"),
    [
        ({"name": "A"}, {"name": "B"}, "warning",
         "It is another stack, B: A stays as it is, all else here is how they differ."),
        ({"environment": OPEN}, {"environment": "aws://111122223333/eu-west-1"}, "warning",
         "The stack is deployed to 111122223333/eu-west-1; before, to the credentials' account/the "
         "credentials' region."),
        ({"description": "a"}, {"description": "b"}, "info",
         'The description of the stack is "b" now; it was "a".'),
        ({"protected": True}, {"protected": False}, "danger",
         "A safeguard of the stack got weaker: it can be deleted by one command."),
        ({"protected": False}, {"protected": True}, "notice",
         "The stack can't be deleted by one command."),
    ],
)  # fmt: skip
def test_what_changed_of_a_stack_is_said(
    old: dict[str, Any], new: dict[str, Any], level: str, meaning: str
) -> None:
    [change] = compare(stack(**old), stack(**new))
    [back] = compare(stack(**new), stack(**old))
    assert (change.kind, change.level, change.meaning) == ("setting", level, meaning)
    assert (back.where, back.old, back.new) == (change.where, change.new, change.old)


@pytest.mark.parametrize("unknown", [{"protected": None}, {}])
def test_what_nobody_knows_is_no_change(unknown: dict[str, Any]) -> None:
    known = stack(protected=True, environment="aws://111122223333/eu-west-1")
    assert list(compare(known, stack(**unknown))) == []
    assert list(compare(stack(**unknown), known)) == []
