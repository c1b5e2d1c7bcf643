"""What a stack tells others."""

from typing import Any

import pytest

from operations.review.resources.outputs import compare

OLD: dict[str, Any] = {"Value": {"Ref": "Bucket"}, "Description": "d"}


@pytest.mark.parametrize(
    ("old", "new", "level", "where", "meaning"),
    [
        (None, OLD, "notice", "Uri", "The stack tells Uri now, which is ${Bucket}."),
        (OLD, None, "warning", "Uri",
         "The stack no longer tells Uri: those who read it find nothing."),
        (OLD, {**OLD, "Value": "b"}, "notice", "Uri",
         'The output Uri is "b" now; it was "${Bucket}".'),
        (OLD, {**OLD, "Description": "e"}, "info", "Uri › Description",
         'The output Description of Uri is "e" now; it was "d".'),
        ({**OLD, "Export": {"Name": "a"}}, {**OLD, "Export": {"Name": "b"}}, "warning",
         "Uri › Export › Name", 'The output Export › Name of Uri is "b" now; it was "a".'),
    ],
)  # fmt: skip
def test_what_changed_of_an_output_is_said(
    old: Any, new: Any, level: str, where: str, meaning: str
) -> None:
    before, after = ({"Outputs": {"Uri": one}} if one else {} for one in (old, new))
    [change] = compare(before, after)
    [back] = compare(after, before)
    assert (change.kind, change.level, change.where) == ("output", level, where)
    assert change.meaning == meaning
    assert (back.where, back.old, back.new) == (where, change.new, change.old)
    assert compare(after, after) == []
