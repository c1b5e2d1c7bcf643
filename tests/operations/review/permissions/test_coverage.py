"""What some grants give together, held request by request to an evaluator written apart from it."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from operations.review.permissions.coverage import covers, may_cover, overlap_is_covered
from operations.review.permissions.grants import Grant, Subject, rules_of
from tests.operations.review.permissions.requests import (
    ARN,
    KEY_PATTERNS,
    KEYS,
    allowed,
    statements,
)


def grants_of(*statement: Mapping[str, Any]) -> set[Grant]:
    policy = {
        "Type": "AWS::IAM::Policy",
        "Properties": {"PolicyDocument": {"Statement": list(statement)}, "Roles": ["job"]},
    }
    rules = rules_of({"Resources": {"Policy": policy}})[Subject("identity", "job")]
    assert rules.unknown == set()
    return rules.grants


def test_the_keys_tried_are_of_every_kind_that_the_patterns_tell_apart() -> None:
    def kind(key: str) -> tuple[bool, ...]:
        return tuple(fnmatchcase(key, pattern) for pattern in KEY_PATTERNS)

    any_key = ("".join(letters) for n in range(6) for letters in product("xyz", repeat=n))
    assert {kind(key) for key in any_key} == {kind(key) for key in KEYS}


@settings(max_examples=50)
@given(statements(), st.lists(statements(), max_size=3))
def test_grants_cover_another_if_they_allow_every_request_that_it_allows(
    one: Mapping[str, Any], others: list[Mapping[str, Any]]
) -> None:
    is_covered = all(covers(grants_of(*others), grant) for grant in grants_of(one))
    assert is_covered == (allowed(one) <= allowed(*others))


def grant(**statement: Any) -> Grant:
    whole = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **statement}
    [found] = grants_of(whole)
    return found


def test_two_lists_of_values_give_together_what_one_list_of_all_gives() -> None:
    both = grant(Condition={"StringLike": {"s3:prefix": ["models/*", "data/*"]}})
    models = grant(Condition={"StringLike": {"s3:prefix": "models/*"}})
    data = grant(Condition={"StringLike": {"s3:prefix": "data/*"}})
    assert covers([models, data], both)
    assert not covers([models], both)


def test_an_area_is_covered_by_pieces_that_overlap_crosswise() -> None:
    whole = grant(Action="s3:*", Resource=f"{ARN}b/*")
    pieces = [
        grant(Action="s3:a*", Resource=f"{ARN}b/*"),
        *grants_of({"Effect": "Allow", "NotAction": "s3:a*", "Resource": f"{ARN}b/x*"}),
        *grants_of({"Effect": "Allow", "Action": "*", "NotResource": f"{ARN}b/x*"}),
    ]
    assert covers(pieces, whole)
    assert not any(covers([*pieces[:n], *pieces[n + 1 :]], whole) for n in range(3))


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ({}, {"NumericLessThan": {"k": "2"}}),
        ({"NumericLessThan": {"k": "1.2"}}, {"NumericLessThan": {"k": "1.3"}}),
        ({"NumericLessThan": {"k": "1.2"}}, {"NumericLessThanEquals": {"k": "1.2"}}),
        ({"Bool": {"k": "true"}}, {"BoolIfExists": {"k": True}}),
        ({"ArnLike": {"k": "arn:aws:s3:::b"}}, {"ArnEquals": {"K": "arn:aws:s3:::*"}}),
        ({"IpAddress": {"k": "10.0.0.0/8"}, "Null": {"j": "true"}},
         {"IpAddress": {"k": "10.0.0.0/8"}}),
    ],
)  # fmt: skip
def test_one_condition_is_narrower_than_another(
    narrow: Mapping[str, Any], wide: Mapping[str, Any]
) -> None:
    if not narrow:  # every condition is narrower than none
        narrow, wide = wide, narrow
    assert covers([grant(Condition=wide)], grant(Condition=narrow))
    assert not covers([grant(Condition=narrow)], grant(Condition=wide))


@pytest.mark.parametrize(
    "operators",
    [
        ({"IpAddress": {"k": "10.0.0.0/8"}}, {"IpAddress": {"k": "10.0.0.0/16"}}),
        ({"ForAllValues:StringEquals": {"k": "a"}}, {"ForAnyValue:StringEquals": {"k": "a"}}),
        ({"StringLike": {"k": "1*"}}, {"NumericLessThan": {"k": "2"}}),
        ({"ArnLike": {"k": "no-arn"}}, {"ArnLike": {"k": "arn:aws:s3:::b"}}),
    ],
)
def test_nobody_can_tell_of_two_conditions_that_are_not_understood(
    operators: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> None:
    one, other = (grant(Condition=condition) for condition in operators)
    assert not covers([one], other)
    assert not covers([other], one)
    assert may_cover(one, other)
    assert not may_cover(one, grant())  # no condition is more than any
    assert covers([grant()], one)


def test_a_resource_that_is_no_arn_may_be_anything() -> None:
    odd = grant(Resource="arn:aws:s3*")
    assert may_cover(odd, grant(Resource=f"{ARN}b"))
    assert covers([odd], odd)


@settings(max_examples=50)
@example(
    {"Effect": "Allow", "Action": ["*"], "NotResource": [f"{ARN}xy"]},
    {"Effect": "Allow", "Action": ["*"], "Resource": [f"{ARN}*y"]},
    [{"Effect": "Allow", "Action": ["*"], "NotResource": [f"{ARN}x*"]}],
)
@given(statements(), statements(), st.lists(statements(), max_size=2))
def test_an_overlap_is_covered_if_every_request_in_both_is(
    one: Mapping[str, Any], other: Mapping[str, Any], others: list[Mapping[str, Any]]
) -> None:
    is_covered = all(
        overlap_is_covered(grants_of(*others), ours, theirs)
        for ours, theirs in product(grants_of(one), grants_of(other))
    )
    assert is_covered == (allowed(one) & allowed(other) <= allowed(*others))


def test_what_is_too_intertwined_nobody_can_tell() -> None:
    tangled = [grant(Resource=f"{ARN}*{a}{b}*{b}{a}*") for a, b in permutations("abcd", 2)]
    whole = grant(Resource=f"{ARN}*")
    assert not covers(tangled, whole)
    [all_at_once] = grants_of(
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "NotResource": [f"{ARN}*{a}{b}*{b}{a}*" for a, b in permutations("abcd", 2)],
        }
    )
    assert may_cover(all_at_once, whole)
