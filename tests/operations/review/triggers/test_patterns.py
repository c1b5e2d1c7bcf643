"""Which events a pattern matches, beside what moto says of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.events.models import EventPattern

from operations.review.triggers.examples import example
from operations.review.triggers.patterns import UnknownOperatorError, matches

texts = st.text("ab/.*", max_size=4)
tests = st.one_of(
    texts,
    st.integers(0, 2),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"prefix": texts}),
    st.fixed_dictionaries({"suffix": texts}),
    st.fixed_dictionaries({"anything-but": texts | st.lists(texts, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"anything-but": st.fixed_dictionaries({"prefix": texts})}),
    st.fixed_dictionaries({"numeric": st.sampled_from([["=", 1], [">", 0, "<", 2], ["<=", 1]])}),
)  # fmt: skip
wanted = st.lists(tests, min_size=1, max_size=3)
patterns = st.dictionaries(
    st.sampled_from(["source", "kind"]), wanted, min_size=1, max_size=2
) | st.fixed_dictionaries(
    {"detail": st.dictionaries(st.sampled_from(["key", "size"]), wanted, min_size=1)}
)
events = st.fixed_dictionaries(
    {},
    optional={
        "source": texts,
        "kind": st.integers(0, 2),
        "detail": st.dictionaries(
            st.sampled_from(["key", "size"]), st.one_of(texts, st.integers(0, 2)), min_size=1
        ),
    },
)


@given(patterns, events)
def test_a_pattern_matches_what_moto_says_it_matches(
    pattern: dict[str, Any], event: dict[str, Any]
) -> None:
    assert matches(pattern, event) == EventPattern.load(json.dumps(pattern)).matches_event(event)


@pytest.mark.parametrize(
    ("test", "matching", "other"),
    [
        ({"wildcard": "models/*.tar.gz"}, ["models/.tar.gz", "models/a/b.tar.gz"], ["models/a"]),
        ({"wildcard": "a.c"}, ["a.c"], ["abc"]),
        ({"wildcard": r"a\*c"}, ["a*c"], ["abc", r"a\*c"]),
        ({"wildcard": r"a\\*"}, ["a\\b"], ["ab"]),
        ({"wildcard": "a*c"}, ["a\\nc"], []),
        ({"equals-ignore-case": "Abc"}, ["aBC"], ["ab"]),
        ({"prefix": {"equals-ignore-case": "Models/"}}, ["mODELS/x"], ["x/models/"]),
        ({"suffix": {"equals-ignore-case": ".Gz"}}, ["a.gZ"], ["a.g"]),
        ({"anything-but": {"suffix": [".tmp", ".part"]}}, ["a"], ["a.tmp", "a.part"]),
        ({"anything-but": {"wildcard": "*/lib/*"}}, ["lib/a"], ["a/lib/b"]),
        ({"anything-but": {"equals-ignore-case": ["a", "b"]}}, ["c"], ["A", "b"]),
    ],
)
def test_a_text_is_matched_as_the_user_guide_says(
    test: Any, matching: list[str], other: list[str]
) -> None:
    def matched(text: str) -> bool:
        return matches({"detail": {"key": [test]}}, {"detail": {"key": text}})

    assert list(map(matched, matching)) == [True] * len(matching)
    assert list(map(matched, other)) == [False] * len(other)


def test_one_of_some_patterns_is_enough() -> None:
    pattern = {"source": ["a"], "$or": [{"kind": ["x"]}, {"detail": {"key": [{"prefix": "y"}]}}]}
    assert matches(pattern, {"source": "a", "kind": "x"})
    assert matches(pattern, {"source": "a", "detail": {"key": "yes"}})
    assert not matches(pattern, {"source": "a", "detail": {"key": "no"}})
    assert not matches(pattern, {"source": "b", "kind": "x"})


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": [{"cidr": "10.0.0.0/24"}]},
        {"source": [{"prefix": {"suffix": "a"}}]},
        {"source": [{"prefix": "a", "suffix": "b"}]},
        {"source": [{}]},
        {"source": [["a"]]},
        {"source": "a"},
        {"source": [{"exists": "true"}]},
        {"source": [{"wildcard": ["a"]}]},
        {"source": [{"numeric": ["about", 1]}]},
        {"source": [{"numeric": ["=", "1"]}]},
        {"source": [{"numeric": 1}]},
        {"source": [{"anything-but": [["a"]]}]},
        {"source": [{"anything-but": {}}]},
        {"source": [{"anything-but": {"numeric": ["=", 1]}}]},
        {"$or": {"source": ["a"]}},
        {"$or": ["a"]},
        "a",
    ],
)
def test_nobody_can_tell_of_what_is_not_known_here(pattern: Any) -> None:
    with pytest.raises(UnknownOperatorError):
        example({"source": ["a"]}, pattern)
    with pytest.raises(UnknownOperatorError):
        example(pattern, None)


@given(patterns, patterns)
def test_an_example_is_matched_by_the_one_pattern_and_not_by_the_other(
    pattern: dict[str, Any], other: dict[str, Any]
) -> None:
    event = example(pattern, other)
    if event is not None:
        assert EventPattern.load(json.dumps(pattern)).matches_event(event)
        assert not EventPattern.load(json.dumps(other)).matches_event(event)


def test_one_pattern_may_test_a_field_and_the_other_what_is_in_it() -> None:
    whole, inside = {"detail": {"object": ["a"]}}, {"detail": {"object": {"key": ["b"]}}}
    assert example(whole, inside) == {"detail": {"object": "a"}}
    assert example(inside, whole) == {"detail": {"object": {"key": "b"}}}


def test_an_example_has_no_more_fields_than_it_takes() -> None:
    assert example({"source": ["a"]}, {"detail": {"key": ["b"]}}) == {"source": "a"}


@given(patterns)
def test_a_pattern_tells_no_event_from_those_that_it_matches(pattern: dict[str, Any]) -> None:
    assert example(pattern, pattern) is None
