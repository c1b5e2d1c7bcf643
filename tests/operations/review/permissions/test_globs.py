"""Whether all that one pattern matches is matched by others: held to trying every short word."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.review.permissions import globs
from operations.review.permissions.globs import arn, could_meet, covered, literal, wildcards
from operations.review.template.names import Token

PATTERNS = st.text("ab*?", max_size=4)
# Two of these, one after the other, are no longer than the longest word: they meet there or never.
SHORT_PATTERNS = st.text("ab*?", max_size=3)
# Longer words than a pattern has letters, over its letters and one more.
WORDS = ["".join(word) for n in range(7) for word in itertools.product("abc", repeat=n)]
BUCKET, OTHER = Token("Bucket"), Token("Other")
PARAMETER = Token('"Prefix"', function="Ref")


def expression(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(letter, re.escape(letter)) for letter in pattern))


@given(PATTERNS, st.text("abc", max_size=6))
def test_a_word_is_matched_as_a_regular_expression_would(pattern: str, word: str) -> None:
    assert globs.matches(wildcards([pattern]), word) == bool(expression(pattern).fullmatch(word))


@given(PATTERNS, st.lists(PATTERNS, max_size=3))
def test_coverage_is_what_trying_every_word_says(pattern: str, others: list[str]) -> None:
    inside = [word for word in WORDS if expression(pattern).fullmatch(word)]
    expected = all(any(expression(one).fullmatch(word) for one in others) for word in inside)
    assert covered(wildcards([pattern]), [wildcards([one]) for one in others]) == expected


@given(SHORT_PATTERNS, SHORT_PATTERNS)
def test_patterns_meet_where_a_word_matches_both(one: str, other: str) -> None:
    expected = any(
        expression(one).fullmatch(word) and expression(other).fullmatch(word) for word in WORDS
    )
    assert could_meet(wildcards([one]), wildcards([other])) == expected


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("arn:aws:s3:::b/models/churn/*", "arn:aws:s3:::b/models/*"),
        ("arn:aws:s3:::b/models/*", "*"),
        ("arn:aws:s3:::b/models/a", "arn:aws:s3:::b/models/?"),
        ("arn:aws:s3:::b:with:colons", "arn:aws:s3:::b*"),
        ("arn:aws:sqs:eu-west-1:1:q", "arn:aws:sqs:*:1:q"),
    ],
)
def test_one_arn_is_narrower_than_another(narrow: str, wide: str) -> None:
    one, other = arn([narrow]), arn([wide])
    assert one
    assert other
    assert covered(one, [other])
    assert not covered(other, [one])


def test_a_wildcard_of_an_arn_does_not_reach_over_a_colon() -> None:
    one, other = arn(["arn:aws:sqs:eu-west-1:1:q"]), arn(["arn:aws:*:1:q:*"])
    assert one
    assert other
    assert not covered(one, [other])


def test_what_is_no_arn_is_told() -> None:
    assert arn(["arn:aws:s3*"]) is None


def test_a_token_is_the_same_in_all_patterns_whatever_it_will_be() -> None:
    narrow, wide = wildcards([BUCKET, "/models/*"]), wildcards([BUCKET, "/*"])
    assert covered(narrow, [wide])
    assert not covered(wide, [narrow])
    assert not covered(narrow, [wildcards([OTHER, "/*"])])
    assert covered(narrow, [wildcards(["*/models/*"])])


def test_nobody_knows_that_a_token_is_one_letter_long() -> None:
    assert not covered(literal([BUCKET]), [wildcards(["?"])])


def test_a_union_covers_what_no_member_does() -> None:
    parts = [wildcards(["a*"]), wildcards(["?"]), literal([""]), wildcards(["[!a]*"])]
    assert covered(wildcards(["a?"]), parts)
    assert not covered(wildcards(["*"]), parts)


def test_a_free_token_may_be_the_text_in_the_other_pattern() -> None:
    token, text = literal([BUCKET, "/models"]), literal(["mine/models"])
    assert could_meet(token, text, [BUCKET])
    assert not could_meet(token, text)
    assert not could_meet(token, literal(["mine/data"]), [BUCKET])


def test_what_one_resource_is_called_another_is_not() -> None:
    both = [BUCKET, OTHER]
    assert not could_meet(literal([BUCKET, "/x"]), literal([OTHER, "/x"]), both)
    assert not could_meet(literal([Token("A", "Arn")]), literal([Token("B", "Arn")]))
    assert could_meet(literal([BUCKET, "/x"]), literal([PARAMETER, "/x"]), [BUCKET, PARAMETER])


def test_a_name_has_neither_colon_nor_slash_but_a_parameter_may() -> None:
    text = literal(["a/b"])
    assert not could_meet(literal([BUCKET]), text, [BUCKET])
    assert could_meet(literal([PARAMETER]), text, [PARAMETER])


def test_what_is_too_intertwined_is_not_decided() -> None:
    tangled = [wildcards([f"*{a}{b}*{b}{a}*"]) for a, b in itertools.permutations("abcd", 2)]
    with pytest.raises(globs.TooManyStatesError):
        covered(wildcards(["*"]), tangled)
