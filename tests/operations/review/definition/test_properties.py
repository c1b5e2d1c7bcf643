"""Any two definitions: what is told, whichever way they are compared."""

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from operations.review.definition import Definitions, Side
from operations.review.definition.places import ABSENT, ORDER

Leaf = tuple[tuple[str, ...], Any]

NAMED = {"Steps": "Name", "Parameters": "Name", "Inputs": "InputName", "Tags": "Key"}

names = st.sampled_from(["A", "B", "C"])
scalars = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.sampled_from(["", "x", "A"]))
computed = st.sampled_from(["Parameters.A", "Parameters.B", "Steps.A.Out"]).map(
    lambda name: {"Get": name}
)
values = st.recursive(
    st.one_of(scalars, computed, st.lists(scalars, max_size=2)),
    lambda inner: st.dictionaries(names, inner, max_size=3),
    max_leaves=4,
)


def listed(key: str, contents: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    """A list whose members have names."""
    return st.dictionaries(names, contents, max_size=3).map(
        lambda members: [{**content, key: name} for name, content in members.items()]
    )


contents = st.dictionaries(st.sampled_from(["Uri", "Mode"]), values, max_size=2)
arguments = st.dictionaries(
    st.sampled_from(["--mode", "--report"]), st.lists(st.sampled_from(["x", "y"]), max_size=2)
).map(lambda flags: [word for flag, words in flags.items() for word in (flag, *words)])
steps = st.fixed_dictionaries(
    {"Type": st.sampled_from(["Processing", "Fail"])},
    optional={
        "Arguments": st.fixed_dictionaries(
            {},
            optional={
                "Inputs": listed("InputName", contents),
                "Tags": listed("Key", st.fixed_dictionaries({"Value": scalars})),
                "ContainerArguments": arguments,
                "Other": values,
            },
        ),
        "CacheConfig": st.fixed_dictionaries({"Enabled": st.booleans()}),
    },
)
definitions = st.fixed_dictionaries(
    {
        "Parameters": listed("Name", st.fixed_dictionaries({"Type": names})),
        "Steps": listed("Name", steps),
    },
    optional={"MlflowConfig": scalars},
)


def compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> Definitions:
    return Definitions(Side(old, {}), Side(new, {}))


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every single value of a definition at its place, told apart as reviewers do."""
    key = NAMED.get(path[-1]) if path else None
    if isinstance(value, dict) and value and set(value) != {"Get"}:
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list) and value and key:
        for member in value:
            yield from leaves(member, (*path, member[key]))
    elif isinstance(value, list) and value and path[-1] == "ContainerArguments":
        flags = [place for place, word in enumerate(value) if word.startswith("--")]
        for start, end in zip(flags, [*flags[1:], None], strict=True):
            yield (*path, value[start]), repr(value[start:end])
    else:
        yield path, repr(value)


def changed(old: Any, new: Any) -> set[tuple[str, ...]]:
    """The places of leaves that differ; what was empty and is filled differs by what is in it."""
    before, after = dict(leaves(old)), dict(leaves(new))
    places = {place for place in {*before, *after} if before.get(place) != after.get(place)}
    filled = {place[:length] for place in places for length in range(len(place))}
    return places - filled


@given(definitions, definitions)
def test_every_leaf_that_changed_is_in_exactly_one_change(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    found = compared(old, new)
    places = changed(found.renames.applied_to(old), new)
    told = [one.path for one in found.differences if one.path[-1] != ORDER]
    assert all(sum(place[: len(path)] == path for path in told) == 1 for place in places)
    assert all(any(place[: len(path)] == path for place in places) for path in told)


@given(definitions, definitions)
def test_every_difference_and_every_new_name_is_one_change_at_a_place_of_its_own(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    found = compared(old, new)
    changes = found.changes()
    renamed = len(found.renames.parameters) + len(found.renames.steps)
    assert len(changes) == len(found.differences) + renamed
    places = [change.where for change in changes[renamed:]]
    assert len(set(places)) == len(places)
    assert all(change.meaning.endswith(".") for change in changes)


@given(definitions, definitions)
def test_the_way_back_mirrors_the_way_there(old: dict[str, Any], new: dict[str, Any]) -> None:
    there, back = compared(old, new), compared(new, old)
    assert {(one, other) for other, one in there.renames.steps.items()} == set(
        back.renames.steps.items()
    )
    assume(not there.renames.parameters and not there.renames.steps)
    assert sorted((change.kind, change.where, repr(change.old), repr(change.new))
                  for change in there.changes()) == sorted(
        (change.kind, change.where, repr(change.new), repr(change.old))
        for change in back.changes()
    )  # fmt: skip
    assert {(one.path, repr(one.old), repr(one.new)) for one in there.differences} == {
        (one.path, repr(one.new), repr(one.old)) for one in back.differences
    }


@given(definitions)
def test_a_definition_does_not_differ_from_itself(definition: dict[str, Any]) -> None:
    assert compared(definition, definition).changes() == []


@given(definitions, definitions)
def test_nothing_is_told_of_two_definitions_only_if_they_are_the_same(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    found = compared(old, new)
    if not found.changes():
        assert dict(leaves(old)) == dict(leaves(new))
    assert all(ABSENT is not change.old for change in found.changes())
