"""Whether statements are about all that another one is about, whatever the request.

A request is a point: a principal, an action, a resource, and a value, or none, for each condition
key. A grant is a box, a set along every axis, and it is covered if the union of the others' boxes
holds it. Along one axis it is enough to look at one value of every kind that the grants can tell
apart, so the answer is exact. Where an axis is not understood, or a token may turn out to be the
text that another grant has, the answer is that nobody can tell.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from operations.review.permissions import globs
from operations.review.permissions.globs import Glob, TooManyStatesError
from operations.review.permissions.grants import Condition, Grant, Value, order
from operations.review.template.names import Token


@dataclass(frozen=True)
class _Text:
    """Holds of a text that one of some patterns matches.

    Attributes:
        patterns: The patterns.
        negated: Whether it holds of all other texts instead.
        absent: Whether it holds where the request has no such key.
    """

    patterns: tuple[Glob, ...]
    negated: bool = False
    absent: bool = False


@dataclass(frozen=True)
class _Number:
    """Holds of numbers that compare so with a bound."""

    comparison: str
    bound: float
    absent: bool = False


@dataclass(frozen=True)
class _Opaque:
    """Holds of what nobody here understands."""

    condition: Condition


_Test = _Text | _Number | _Opaque
_Axes = Mapping[str, tuple[_Test, ...]]

# "IAM JSON policy elements: Condition operators" in the IAM User Guide: both ArnEquals and ArnLike
# take wildcards; of the values, one is enough.
_PATTERN_OF: Mapping[str, Callable[[Value], Glob | None]] = {
    "StringEquals": globs.literal,
    "StringLike": globs.wildcards,
    "ArnEquals": globs.arn,
    "ArnLike": globs.arn,
    "Bool": lambda value: globs.literal([str(one).lower() for one in value]),
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "NumericEquals": float.__eq__,
    "NumericLessThan": float.__lt__,
    "NumericLessThanEquals": float.__le__,
    "NumericGreaterThan": float.__gt__,
    "NumericGreaterThanEquals": float.__ge__,
}


def covers(others: Iterable[Grant], grant: Grant) -> bool:
    """Whether some statements are sure to be about all that another one is about.

    Args:
        others: Those that are to cover it, whatever their effects.
        grant: The one that is to be covered.
    """
    return _covers(others, _axes(grant))


def overlap_is_covered(others: Iterable[Grant], one: Grant, other: Grant) -> bool:
    """Whether some statements are sure to be about all that two others are both about."""
    ours, theirs = _axes(one), _axes(other)
    common = {axis: (*ours.get(axis, ()), *theirs.get(axis, ())) for axis in {*ours, *theirs}}
    return _covers(others, common)


def _covers(others: Iterable[Grant], box: _Axes) -> bool:
    boxes = [_axes(other) for other in others]
    try:
        return (
            any(_within(box, [other]) for other in boxes) or _within(box, boxes) or _is_empty(box)
        )
    except TooManyStatesError:
        return False


def may_cover(other: Grant, grant: Grant) -> bool:
    """Whether one is about all that another one is about if what isn't known turns out so."""
    ours, theirs = _axes(grant), _axes(other)
    return all(_may_be_within(ours.get(axis, ()), theirs[axis]) for axis in theirs)


def _axes(grant: Grant) -> _Axes:
    axes: dict[str, tuple[_Test, ...]] = {"principal": (_principal(grant.principal),)}
    actions = tuple(globs.wildcards([_lower(one) for one in value]) for value in grant.actions)
    axes["action"] = (_Text(actions, grant.but_actions),)
    if grant.resources:
        resources = tuple(globs.arn(value) for value in grant.resources)
        understood = tuple(one for one in resources if one is not None)
        axes["resource"] = (
            _Text(understood, grant.but_resources)
            if len(understood) == len(resources)
            else _Opaque(Condition(f"but {grant.but_resources}", "", frozenset(grant.resources))),
        )
    for condition in sorted(grant.conditions, key=order):
        key = f"key {condition.key.lower()}"
        axes[key] = (*axes.get(key, ()), _test(condition))
    return axes


def _lower(piece: str | Token) -> str | Token:
    return piece.lower() if isinstance(piece, str) else piece


def _principal(principal: Value) -> _Text:
    return _Text((globs.EVERYTHING if principal == ("*",) else globs.literal(principal),))


def _test(condition: Condition) -> _Test:
    """What a condition asks of its key."""
    name = condition.operator.removesuffix("IfExists")
    absent = condition.operator != name
    if name == "Null":
        if condition.values == {("true",)}:
            return _Text((), absent=True)
        if condition.values == {("false",)}:
            return _Text((), negated=True)
        return _Opaque(condition)
    negated = "Not" in name
    pattern_of = _PATTERN_OF.get(name.replace("Not", ""))
    if pattern_of:
        patterns = tuple(pattern_of(value) for value in sorted(condition.values, key=order))
        understood = tuple(pattern for pattern in patterns if pattern is not None)
        if len(understood) == len(patterns):
            return _Text(understood, negated, absent or negated)
    if name in _COMPARISONS and len(condition.values) == 1:
        [value] = condition.values
        try:
            return _Number(name, float("".join(map(str, value))), absent)
        except ValueError:
            pass
    return _Opaque(condition)


def _within(box: _Axes, others: Sequence[_Axes]) -> bool:
    """Whether a box lies in the union of others, along one axis after the other."""
    if not others:
        return False
    axes = sorted({axis for one in (box, *others) for axis in one}, key=_easiest_first)
    return _within_along(axes, box, others)


def _is_empty(box: _Axes) -> bool:
    """Whether a box gives nothing, as one with ``"NotAction": "*"`` does."""
    return any(
        not _kinds_of_text(tests, [])  # type: ignore[arg-type]
        for tests in box.values()
        if all(isinstance(test, _Text) for test in tests)
    )


def _easiest_first(axis: str) -> tuple[int, str]:
    return ("principal", "action", "resource").index(axis) if " " not in axis else 3, axis


def _within_along(axes: Sequence[str], box: _Axes, others: Sequence[_Axes]) -> bool:
    if not axes or not others:
        return bool(others)
    axis, *rest = axes
    tests = [other.get(axis, ()) for other in others]
    kinds = _kinds(box.get(axis, ()), tests)
    return all(
        _within_along(rest, box, [others[place] for place in sorted(kind)])
        for kind in kinds
        if not any(smaller < kind for smaller in kinds)
    )


def _kinds(ours: tuple[_Test, ...], theirs: Sequence[tuple[_Test, ...]]) -> set[frozenset[int]]:
    """For every kind of value that our tests let through: whose tests let it through too."""
    if all(not tests or tests == ours for tests in theirs):
        return {frozenset(range(len(theirs)))}
    everything = [*ours, *(test for tests in theirs for test in tests)]
    if all(isinstance(test, _Text) for test in everything):
        return _kinds_of_text(ours, theirs)  # type: ignore[arg-type]
    if all(isinstance(test, _Number) for test in everything):
        return _kinds_of_number(ours, theirs)  # type: ignore[arg-type]
    return {frozenset(place for place, tests in enumerate(theirs) if set(tests) <= set(ours))}


def _kinds_of_text(
    ours: tuple[_Text, ...], theirs: Sequence[tuple[_Text, ...]]
) -> set[frozenset[int]]:
    # One positive test says which words are worth looking at; more are only filtered afterwards.
    lead = next((test.patterns for test in ours if not test.negated), ())
    tests = [*ours, *(test for tests in theirs for test in tests)]
    patterns = (*lead, *dict.fromkeys(p for test in tests for p in test.patterns if p not in lead))
    found = set()
    if lead or all(test.negated for test in ours):
        for matched in globs.signatures(lead, patterns[len(lead) :]):
            matching = {p for p, is_matched in zip(patterns, matched, strict=True) if is_matched}

            def holds(test: _Text, matching: set[Glob] = matching) -> bool:
                return bool(matching & set(test.patterns)) != test.negated

            if all(map(holds, ours)):
                found.add(_places(theirs, holds))
    if all(test.absent for test in ours):
        found.add(_places(theirs, lambda test: test.absent))
    return found


def _kinds_of_number(
    ours: tuple[_Number, ...], theirs: Sequence[tuple[_Number, ...]]
) -> set[frozenset[int]]:
    bounds = sorted({test.bound for tests in (ours, *theirs) for test in tests})
    between = [(low + high) / 2 for low, high in pairwise(bounds)]
    found = set()
    for number in (bounds[0] - 1, *bounds, *between, bounds[-1] + 1):

        def holds(test: _Number, number: float = number) -> bool:
            return _COMPARISONS[test.comparison](number, test.bound)

        if all(map(holds, ours)):
            found.add(_places(theirs, holds))
    if all(test.absent for test in ours):
        found.add(_places(theirs, lambda test: test.absent))
    return found


def _places(theirs: Sequence[tuple[_Test, ...]], holds: Callable[..., bool]) -> frozenset[int]:
    return frozenset(place for place, tests in enumerate(theirs) if all(map(holds, tests)))


def _may_be_within(ours: tuple[_Test, ...], theirs: tuple[_Test, ...]) -> bool:
    try:
        kinds = _kinds(ours, [theirs])
        if all(kinds):
            return True
    except TooManyStatesError:
        return True
    if {type(test) for test in (*ours, *theirs)} not in ({_Text}, {_Number}):
        return bool(ours)
    known = {one for test in ours if isinstance(test, _Text) for one in test.patterns}
    wanted = {one for test in theirs if isinstance(test, _Text) for one in test.patterns}
    pairs = (
        (one, other, globs.tokens(one) ^ globs.tokens(other))
        for one, other in product(known, wanted)
    )
    return any(free and globs.could_meet(one, other, free) for one, other, free in pairs)
