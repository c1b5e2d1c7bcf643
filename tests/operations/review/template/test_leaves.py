"""Where two values of a template differ."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.review.template.leaves import differences

REF = {"Ref": "Bucket"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"A": 1}, {"A": 1}, []),
        ({"A": 1}, {"A": 2}, [(("A",), 1, 2)]),
        ({"A": {"B": 1, "C": 2}}, {"A": {"B": 1}}, [(("A", "C"), 2, None)]),
        ({"A": {"B": 1}}, {}, [(("A",), {"B": 1}, None)]),
        ({"A": REF}, {"A": {"Ref": "Other"}}, [(("A",), REF, {"Ref": "Other"})]),
        ({"A": [1, 2]}, {"A": [2, 1]}, [(("A",), [1, 2], [2, 1])]),
        (
            [{"Key": "a", "Value": 1}, {"Key": "b", "Value": 2}],
            [{"Key": "b", "Value": 3}, {"Key": "a", "Value": 1}],
            [(("b", "Value"), 2, 3)],
        ),
        (
            [{"Id": "a", "Days": 1}, {"Id": "b", "Days": 2}],
            [{"Id": "c", "Days": 1}, {"Id": "d", "Days": 3}],
            [
                (("b",), {"Id": "b", "Days": 2}, None),
                (("a", "Id"), "a", "c"),
                (("d",), None, {"Id": "d", "Days": 3}),
            ],
        ),
        ([{"Id": "a", "Days": 1}], [], [(("a",), {"Id": "a", "Days": 1}, None)]),
        ([{"Days": 1}, {"Days": 2}], [{"Days": 1}, {"Days": 3}], [(("1", "Days"), 2, 3)]),
        (
            [{"Name": "a"}, {"Name": "a", "X": 1}],
            [{"Name": "a"}],
            [(("1",), {"Name": "a", "X": 1}, None)],
        ),
        ([{"Name": REF, "X": 1}], [{"Name": REF, "X": 2}], [(("0", "X"), 1, 2)]),
    ],
)  # fmt: skip
def test_a_difference_is_told_at_its_own_place(
    old: Any, new: Any, expected: list[tuple[Any, ...]]
) -> None:
    assert list(differences(old, new)) == expected


VALUES = st.recursive(
    st.text("ab", max_size=1) | st.integers(0, 2),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["Id", "B", "Ref"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(VALUES, VALUES)
def test_there_is_none_only_where_two_values_are_the_same_and_the_way_back_mirrors_it(
    old: Any, new: Any
) -> None:
    there, back = list(differences(old, new)), list(differences(new, old))
    assert sorted(map(str, there)) == sorted(str((path, now, was)) for path, was, now in back)
    assert bool(there) == (old != new)
