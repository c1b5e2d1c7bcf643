"""Which events a pattern of EventBridge matches.

"Comparison operators for use in event patterns in Amazon EventBridge" in its user guide.
"""

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


class UnknownOperatorError(ValueError):
    """A pattern has an operator that isn't known here, so nobody can tell what it matches."""


def check(pattern: Any) -> None:
    """See that a pattern is one, all whose operators are known here.

    Args:
        pattern: What is to be a pattern, its tokens as text.

    Raises:
        UnknownOperatorError: It isn't, or not all are.
    """
    if not isinstance(pattern, Mapping):
        raise UnknownOperatorError(f"{pattern!r} is no pattern")
    for name, wanted in pattern.items():
        if name == "$or":
            if not isinstance(wanted, list) or not wanted:
                raise UnknownOperatorError(f"$or: {wanted!r} is no list of patterns")
            for one in wanted:
                check(one)
        elif isinstance(wanted, Mapping):
            check(wanted)
        elif not isinstance(wanted, list):
            raise UnknownOperatorError(f"{name}: {wanted!r} is neither a list nor an object")
        else:
            for test in wanted:
                _check_test(name, test)


def _check_test(name: str, test: Any) -> None:
    if isinstance(test, list):
        raise UnknownOperatorError(f"{name}: {test!r} is no test")
    if not isinstance(test, Mapping):
        return
    if len(test) != 1:
        raise UnknownOperatorError(f"{name}: {dict(test)!r} has not one operator")
    [(operator_name, operand)] = test.items()
    if operator_name == "exists":
        is_known = isinstance(operand, bool)
    elif operator_name == "anything-but":
        is_known = all(map(_is_excludable, _listed(operand)))
    else:
        is_known = _is_operand(operator_name, operand)
    if not is_known:
        raise UnknownOperatorError(f"{name}: {json.dumps(test)} is not known")


def _is_excludable(one: Any) -> bool:
    if not isinstance(one, Mapping):
        return not isinstance(one, list)
    if len(one) != 1:
        return False
    [(name, operands)] = one.items()
    return name in _TEXTS and all(_is_operand(name, operand) for operand in _listed(operands))


def _is_operand(name: str, operand: Any) -> bool:
    if name == "numeric":
        return (
            isinstance(operand, list)
            and len(operand) in (2, 4)
            and all(sign in _NUMBERS for sign in operand[::2] if isinstance(sign, str))
            and all(isinstance(sign, str) for sign in operand[::2])
            and all(
                isinstance(one, int | float) and not isinstance(one, bool) for one in operand[1::2]
            )
        )
    if isinstance(operand, Mapping):  # {"prefix": {"equals-ignore-case": "models/"}}
        return name in ("prefix", "suffix") and (
            [*operand] == ["equals-ignore-case"] and isinstance(operand["equals-ignore-case"], str)
        )
    return name in _TEXTS and isinstance(operand, str)


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether a pattern matches an event.

    Args:
        pattern: The pattern, its tokens as text, which ``check`` has seen.
        event: The event.
    """
    return all(_field(name, wanted, event) for name, wanted in pattern.items())


def alternatives(pattern: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A pattern without its ``$or``: each of what may be true instead."""
    for name, wanted in pattern.items():
        rest = {key: value for key, value in pattern.items() if key != name}
        if name == "$or":
            for one in wanted:
                yield from alternatives({**rest, **one})
            return
        if isinstance(wanted, Mapping) and "$or" in wanted:
            for one in alternatives(wanted):
                yield from alternatives({**rest, name: one})
            return
    yield pattern


def _field(name: str, wanted: Any, event: Mapping[str, Any]) -> bool:
    if name == "$or":
        return any(matches(one, event) for one in wanted)
    value = event.get(name)
    if isinstance(wanted, Mapping):
        return matches(wanted, value if isinstance(value, Mapping) else {})
    values = value if isinstance(value, list) else [value]
    return any(_one(test, one, name in event) for test in wanted for one in values)


def _one(test: Any, value: Any, is_there: bool) -> bool:
    if not isinstance(test, Mapping):
        return is_there and test == value
    [(name, operand)] = test.items()
    if name == "exists":
        return is_there is operand
    if name == "anything-but":
        return is_there and not any(_but(one, value) for one in _listed(operand))
    return is_there and _compares(name, operand, value)


def _but(excluded: Any, value: Any) -> bool:
    if not isinstance(excluded, Mapping):
        return bool(excluded == value)
    [(name, operands)] = excluded.items()
    return any(_compares(name, operand, value) for operand in _listed(operands))


def _compares(name: str, operand: Any, value: Any) -> bool:
    if name == "numeric":
        pairs = list(zip(operand[::2], operand[1::2], strict=True))
        return isinstance(value, int | float) and all(
            _NUMBERS[sign](value, number) for sign, number in pairs
        )
    if not isinstance(value, str):
        return False
    if isinstance(operand, Mapping):  # {"prefix": {"equals-ignore-case": "models/"}}
        [operand] = operand.values()
        value, operand = value.lower(), operand.lower()
    return _TEXTS[name](value, operand)


_NUMBERS = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "equals-ignore-case": lambda value, operand: value.lower() == operand.lower(),
    "prefix": str.startswith,
    "suffix": str.endswith,
    "wildcard": lambda value, operand: bool(re.fullmatch(_expression(operand), value, re.DOTALL)),
}


def _expression(wildcard: str) -> str:
    r"""A wildcard as a regular expression: ``\*`` and ``\\`` stand for themselves."""
    return re.sub(
        r"\\([*\\])|(\*)|(.)",
        lambda part: re.escape(part[1]) if part[1] else ".*" if part[2] else re.escape(part[3]),
        wildcard,
        flags=re.DOTALL,
    )


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]
