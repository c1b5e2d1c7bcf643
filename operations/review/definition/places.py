"""Where two definitions differ, by names: steps, inputs, outputs, arguments by their flags.

How a list's members are named is decided for both sides together, so a member that is the same
on both sides stands at the same place.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from operations.review.definition.expressions import is_expression

Path = tuple[str, ...]


class _Absent(Enum):
    ABSENT = "nothing"


# What is where there is nothing: in a definition, null is something else.
ABSENT: Literal[_Absent.ABSENT] = _Absent.ABSENT
# The place where it is told that members stand in another order.
ORDER = "(order)"

_NAMES = (
    *("Name", "InputName", "OutputName", "PropertyFileName", "ChannelName", "Key", "MetricName"),
    *("ContainerHostname", "ParameterName", "Id"),
)
_ARGUMENTS = ("ContainerArguments", "JobArguments")


@dataclass(frozen=True)
class Difference:
    """One place where two definitions differ.

    Attributes:
        path: The place, by names from the outside in.
        old: What was there, or ``ABSENT``.
        new: What is there, or ``ABSENT``.
    """

    path: Path
    old: Any
    new: Any


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Difference]:
    """Every place where two parts of a definition differ.

    Args:
        old: The one.
        new: The other.
        path: Where they stand.

    Yields:
        The differences, by the order of the new one; what is on one side alone is one difference,
        whatever is in it.
    """
    if same(old, new):
        return
    before, after = _parts(path, old, new), _parts(path, new, old)
    if before is None or after is None:
        yield Difference(path, old, new)
        return
    for name in dict.fromkeys((*after, *before)):
        yield from differences(before.get(name, ABSENT), after.get(name, ABSENT), (*path, name))
    if isinstance(new, list):
        orders = [
            [name for name in one if name in before and name in after] for one in (before, after)
        ]
        if orders[0] != orders[1]:
            yield Difference((*path, ORDER), *orders)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """All that a part of a definition says, by names.

    Args:
        value: The part.
        path: Where it stands.
    """
    parts = _parts(path, value, value)
    if parts is None or not parts:
        yield path, value
        return
    for name, inner in parts.items():
        yield from leaves(inner, (*path, name))


def same(old: Any, new: Any) -> bool:
    """Whether two values are the same in JSON, where 1 is not ``true``, and 1.0 is 1."""
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(same(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(same, old, new))
    return bool(old == new)


def _parts(path: Path, value: Any, other: Any) -> Mapping[str, Any] | None:
    """What a value consists of, named as for another; None if it is a single one."""
    if is_expression(value):
        return None
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, list) or not isinstance(other, list):
        return None
    if path and path[-1] in _ARGUMENTS:
        return _by_flag(value) if _have_flags(value, other) else None
    for name in _NAMES:
        if _tell_apart([_named(name, one) for one in (value, other)]):
            return dict(zip(_named(name, value), value, strict=True))
    if _tell_apart([_exceptions(one) for one in (value, other)]):
        return _by_exceptions(value, other)
    if all(isinstance(one, Mapping) and not is_expression(one) for one in (*value, *other)):
        return {str(place): one for place, one in enumerate(value, 1)}
    return None


def _named(name: str, members: Sequence[Any]) -> list[Any]:
    return [one.get(name) if isinstance(one, Mapping) else None for one in members]


def _exceptions(members: Sequence[Any]) -> list[Any]:
    """What retry policies are for: they have no other name."""
    listed = _named("ExceptionType", members)
    if not all(isinstance(one, list) and all(isinstance(i, str) for i in one) for one in listed):
        return [None] * len(listed)
    exceptions = [exception for one in listed for exception in one]
    if len(set(exceptions)) < len(exceptions):
        return [None] * len(listed)  # nobody knows which of two policies counts
    return [", ".join(one) for one in listed]


def _by_exceptions(value: Sequence[Any], other: Sequence[Any]) -> dict[str, Any]:
    """Retry policies by the exceptions that they are for.

    Those whose exceptions are grouped in another way on the other side are told by every single
    one: one that is in another group now is neither gone nor new.
    """
    groups = set(_exceptions(other))
    elsewhere = [exception for policy in other for exception in policy["ExceptionType"]]
    found = {}
    for name, policy in zip(_exceptions(value), value, strict=True):
        if name in groups or not {*policy["ExceptionType"]} & {*elsewhere}:
            found[name] = policy
        else:
            own = {key: one for key, one in policy.items() if key != "ExceptionType"}
            found |= dict.fromkeys(policy["ExceptionType"], own)
    return found


def _tell_apart(lists: Sequence[Sequence[Any]]) -> bool:
    """Whether every member of some lists has a name of its own."""
    if not any(lists):
        return False
    return all(
        len(set(map(str, names))) == len(names) and all(isinstance(one, str) for one in names)
        for names in lists
    )


def _have_flags(*lists: Sequence[Any]) -> bool:
    for words in lists:
        flags = [word for word in words if _is_flag(word)]
        if len(set(flags)) < len(flags) or (words and not _is_flag(words[0])):
            return False
    return True


def _by_flag(words: Sequence[Any]) -> dict[str, Any]:
    """What follows each flag: nothing, one word, or several."""
    found: dict[str, list[Any]] = {}
    for word in words:
        if _is_flag(word):
            found[word] = []
        else:
            found[list(found)[-1]].append(word)
    return {flag: given[0] if len(given) == 1 else given for flag, given in found.items()}


def _is_flag(word: Any) -> bool:
    return isinstance(word, str) and word.startswith("--")
