"""Conditions of condition steps."""

from typing import Any

import pytest

from local_aws.conditions import outcome
from local_aws.container import JobError


def compare(kind: str, left: Any, right: Any) -> dict[str, Any]:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


YES, NO = compare("Equals", 1, 1), compare("Equals", 1, 2)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (compare("Equals", "a", "a"), True),
        (compare("Equals", "1", 1), False),
        (compare("GreaterThan", 0.9, 0.9), False),
        (compare("GreaterThanOrEqualTo", 0.9, 0.9), True),
        (compare("LessThan", 1, 2), True),
        (compare("LessThanOrEqualTo", 3, 2), False),
        ({"Type": "In", "QueryValue": "a", "Values": ["b", "a"]}, True),
        ({"Type": "In", "QueryValue": "c", "Values": ["b", "a"]}, False),
        ({"Type": "Not", "Condition": YES}, False),
        ({"Type": "Or", "Conditions": [NO, YES]}, True),
        ({"Type": "Or", "Conditions": [NO, NO]}, False),
    ],
)
def test_a_condition_holds_or_not(condition: dict[str, Any], holds: bool) -> None:
    assert outcome([condition]) is holds


def test_all_conditions_of_a_step_must_hold() -> None:
    assert outcome([YES, YES])
    assert not outcome([YES, NO])


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (compare("Resembles", 1, 1), "doesn't know the condition Resembles"),
        (compare("LessThan", "a", 1), "LessThan can't compare 'a' with 1"),
    ],
)
def test_what_cannot_be_decided_is_an_error(condition: dict[str, Any], reason: str) -> None:
    with pytest.raises(JobError, match=reason):
        outcome([condition])
