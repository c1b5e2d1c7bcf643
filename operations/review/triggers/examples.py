"""Events that one pattern matches and another one does not: an example for each."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

from operations.review.triggers.patterns import alternatives, check, matches

Pattern = Mapping[str, Any]

# What may stand for what a pattern leaves open, the likeliest first.
_OPEN = ("example", "example/model", "example/model.tar.gz", "example.txt")
# More combinations are not tried.
_MOST = 2_000


def example(pattern: Pattern, other: Pattern | None) -> dict[str, Any] | None:
    """An event that a pattern matches, and another one does not; None if none was found.

    Args:
        pattern: The pattern that is to match.
        other: The pattern that is not to; without one, any event will do.

    Raises:
        UnknownOperatorError: One of the patterns has an operator that isn't known here.
    """
    check(pattern)
    if other is not None:
        check(other)
    for event in _events(pattern, other or {}):
        if matches(pattern, event) and not (other and matches(other, event)):
            return event
    return None


def _events(pattern: Pattern, other: Pattern) -> Iterator[dict[str, Any]]:
    """Events that lie near what the patterns tell apart."""
    for one in alternatives(pattern):
        for another in alternatives(other):
            tests = dict(_fields(one))
            others = dict(_fields(another))
            values = {
                path: _tried(tests.get(path), others.get(path))
                for path in dict.fromkeys((*tests, *others))
            }
            for chosen in islice(product(*values.values()), _MOST):
                yield _event(dict(zip(values, chosen, strict=True)))


def _fields(pattern: Pattern, path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Sequence[Any]]]:
    for name, wanted in pattern.items():
        if isinstance(wanted, Mapping):
            yield from _fields(wanted, (*path, name))
        else:
            yield (*path, name), wanted


def _tried(tests: Sequence[Any] | None, others: Sequence[Any] | None) -> list[Any]:
    """Values that pass a field's tests; one is enough where the other pattern tests the same."""
    # What the pattern doesn't test had better not be there: the other one may miss it.
    found = dict.fromkeys([None] * (tests is None) + [*_values(tests or [], others or [])])
    passing = [
        value
        for value in found
        if tests is None or matches({"": tests}, {} if value is None else {"": value})
    ]
    return passing[:1] if tests == others else passing


def _values(tests: Sequence[Any], others: Sequence[Any]) -> Iterator[Any]:
    """Values that a field may have; None is that it is not there."""
    for test in (*tests, *others):
        if not isinstance(test, Mapping):
            yield test
            continue
        [(name, operand)] = test.items()
        if name == "exists":
            yield from ((*_OPEN, None) if operand else (None, *_OPEN))
        elif name == "numeric":
            yield from (number + step for number in operand[1::2] for step in (0, 1, -1))
        elif name == "anything-but":
            yield from _OPEN
            yield from _texts(operand)
        else:
            yield from _made(name, operand)
    yield from _OPEN
    yield None


def _made(name: str, operand: Any) -> Iterator[str]:
    """Texts that pass a test, or nearly."""
    for text in _texts(operand):
        for filled in _OPEN:
            if name == "prefix":
                yield f"{text}{filled}"
            elif name == "suffix":
                yield f"{filled}{text}"
            elif name == "wildcard":
                yield text.replace("*", filled)
        yield text


def _texts(operand: Any) -> Iterator[str]:
    """The texts in an operand."""
    if isinstance(operand, str):
        yield operand
    elif isinstance(operand, Mapping):
        for inner in operand.values():
            yield from _texts(inner)
    elif isinstance(operand, list):
        for inner in operand:
            yield from _texts(inner)


def _event(values: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    event: dict[str, Any] = {}
    for path, value in values.items():
        if value is None:
            continue
        inner = event
        for name in path[:-1]:
            if not isinstance(inner.get(name), dict):  # one pattern tests it, the other its fields
                inner[name] = {}
            inner = inner[name]
        inner[path[-1]] = value
    return event
