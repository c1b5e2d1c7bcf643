"""Conditions of a pipeline's condition steps ("Condition step")."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local_aws.container import JobError

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


def outcome(conditions: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all conditions of a step hold.

    Args:
        conditions: The conditions, without expressions.

    Raises:
        JobError: One is of an unknown kind, or compares what can't be compared.
    """
    return all(_holds(condition) for condition in conditions)


def _holds(condition: Mapping[str, Any]) -> bool:
    kind = condition["Type"]
    if kind == "Not":
        return not _holds(condition["Condition"])
    if kind == "Or":
        return any(_holds(one) for one in condition["Conditions"])
    if kind == "In":
        return condition["QueryValue"] in condition["Values"]
    if kind not in _COMPARISONS:
        raise JobError(f"the local AWS doesn't know the condition {kind}")
    left, right = condition["LeftValue"], condition["RightValue"]
    try:
        return _COMPARISONS[kind](left, right)
    except TypeError:
        raise JobError(f"{kind} can't compare {left!r} with {right!r}") from None
