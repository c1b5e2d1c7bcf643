"""Where two values of a template differ: paths down to what is no longer the same.

Lists whose members have names are compared by these, not by position.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from operations.review.template.names import function_of

Path = tuple[str, ...]

# What names the members of a list in CloudFormation and in a pipeline's definition.
_NAMES = ("Id", "Key", "Name", "Sid", "InputName", "OutputName", "Protocol")


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Every place where two values differ.

    Args:
        old: The one.
        new: The other.
        path: Where they stand.

    Yields:
        The path, and what is there on each side; None where there is nothing. What is on one side
        alone is one difference, whatever is in it.
    """
    if old == new:
        return
    are_composed = _parts(old, new) is not None and _parts(new, old) is not None
    inside = parts(old, new) if are_composed else {}
    if not inside:
        yield path, old, new
    for name, (before, after) in inside.items():
        yield from differences(before, after, (*path, name))


def parts(old: Any, new: Any) -> Mapping[str, tuple[Any, Any]]:
    """What two values consist of, by name; None where one of them has no such part."""
    before, after = dict(_parts(old, new) or {}), dict(_parts(new, old) or {})
    if _is_list(old) and _is_list(new):
        for one, other in _renamed(before, after):
            name = min(one, other)  # whichever way the two are compared
            before[name], after[name] = before.pop(one), after.pop(other)
    return {name: (before.get(name), after.get(name)) for name in dict.fromkeys((*before, *after))}


def _renamed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The names of members that are the same but for their names."""

    def nameless(members: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: {key: value for key, value in member.items() if value != name}
            for name, member in members.items()
            if name not in others
        }

    gone, come = nameless(before, after), nameless(after, before)
    return [
        (one, other)
        for one, rest in gone.items()
        for other, new_rest in come.items()
        if rest and rest == new_rest
        if [*gone.values()].count(rest) == [*come.values()].count(rest) == 1
    ]


def _parts(value: Any, other: Any) -> Mapping[str, Any] | None:
    """What a value consists of, named as for another; None if it is a single one."""
    if isinstance(value, Mapping) and function_of(value) is None:
        return value
    if not _is_list(value):
        return None
    others = other if _is_list(other) else []
    name = next((one for one in _NAMES if _tells_apart(one, value, others)), None)
    if name is not None:
        return {member[name]: member for member in value}
    if all(isinstance(member, Mapping) for member in (*value, *others)):
        return {str(place): member for place, member in enumerate(value)}
    return None


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _tells_apart(name: str, *lists: Sequence[Any]) -> bool:
    """Whether every member of some lists has a name of its own."""
    for members in lists:
        if not all(isinstance(one, Mapping) and isinstance(one.get(name), str) for one in members):
            return False
        if len({one[name] for one in members}) < len(members):
            return False
    return any(lists)
