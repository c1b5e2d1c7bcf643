"""The evaluator itself, held to the rules of the IAM User Guide."""

import json
from typing import Any

import pytest

from local_aws.policy_evaluation import (
    Request,
    Statement,
    UnsupportedPolicyError,
    decide,
    is_allowed,
    is_denied,
    statements,
)

ACCOUNT = "111122223333"
ROLE = "arn:aws:iam::111122223333:role/Job"
KEY = "arn:aws:s3:::models/churn/model.tar.gz"


def allow(action: Any = "s3:GetObject", resource: Any = KEY, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


def deny(**more: Any) -> dict[str, Any]:
    return allow(**more) | {"Effect": "Deny"}


def read(**request: Any) -> Request:
    usual = {"principal": ROLE, "action": "s3:GetObject", "resource": KEY, "owner": ACCOUNT}
    return Request(**(usual | request))


def under(operator: str, wanted: Any, actual: Any = None, key: str = "aws:k") -> bool:
    """Whether a request with a value, or without it, meets a condition."""
    statement = allow(Condition={operator: {key: wanted}})
    context = {} if actual is None else {"aws:K": actual}
    return is_allowed(read(context=context), [statement])


def test_what_nothing_allows_is_denied() -> None:
    assert not is_allowed(read())
    assert not is_allowed(read(), [allow("s3:PutObject")])
    assert not is_allowed(read(), [allow(resource="arn:aws:s3:::models/other")])


def test_an_explicit_deny_wins_wherever_it_stands() -> None:
    assert is_allowed(read(), [allow()])
    assert not is_allowed(read(), [allow(), deny()])
    assert not is_allowed(read(), [allow()], [deny(Principal="*")])
    assert not is_allowed(read(), [allow()], [deny(Principal={"AWS": "111122223333"})])
    assert is_allowed(read(), [allow()], [deny(Principal={"AWS": "444455556666"})])


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("s3:GetObject", True),
        ("S3:getobject", True),
        ("s3:Get*", True),
        ("s3:Get?bject", True),
        ("*", True),
        ("s3:GetObjectTagging", False),
        ("s3:Get", False),
    ],
)
def test_actions_have_wildcards_and_no_case(pattern: str, matches: bool) -> None:
    assert is_allowed(read(), [allow(pattern)]) is matches


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*", True),
        ("arn:aws:s3:::models/*", True),
        ("arn:aws:s3:::models*", True),
        ("arn:aws:s3:::models/churn/model.tar.g?", True),
        ("arn:*:s3:::models/*", True),
        ("arn:aws:s3:::Models/*", False),
        ("arn:aws:s3:::models", False),
        ("arn:aws:s3:::models/[c]hurn/*", False),
        ("arn:aws:*models/churn/model.tar.gz", False),  # over the colons between the parts
    ],
)
def test_resources_have_wildcards_in_each_part_and_case(pattern: str, matches: bool) -> None:
    assert is_allowed(read(), [allow(resource=pattern)]) is matches


def test_a_request_tells_whose_the_resource_is() -> None:
    ours = allow(Condition={"StringEquals": {"aws:ResourceAccount": ACCOUNT}})
    shared = [allow(Principal={"AWS": ROLE})]
    assert is_allowed(read(), [ours], shared)
    assert is_allowed(read(owner="444455556666"), [allow()], shared)
    assert not is_allowed(read(owner="444455556666"), [ours], shared)


def test_not_action_and_not_resource_mean_everything_else() -> None:
    other = {"Effect": "Allow", "NotAction": "s3:Put*", "NotResource": "arn:aws:s3:::secret/*"}
    assert is_allowed(read(), [other])
    assert not is_allowed(read(action="s3:PutObject"), [other])
    assert not is_allowed(read(resource="arn:aws:s3:::secret/key"), [other])


@pytest.mark.parametrize(
    ("operator", "wanted", "actual", "met"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "*", "a", False),
        ("StringNotEquals", ["a", "b"], "a", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringLike", "models/*", "models/churn/x", True),
        ("StringLike", "models/*", "packaged/x", False),
        ("ArnEquals", "arn:aws:events:*:1:rule/*", "arn:aws:events:eu:1:rule/a", True),
        ("ArnLike", "arn:aws:events:*:rule/*", "arn:aws:events:eu:1:rule/a", False),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("NumericLessThan", 1.2, "1.1", True),
        ("NumericLessThan", "1.2", "1.2", False),
        ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
        ("ForAllValues:StringEquals", ["a"], ["a", "b"], False),
        ("ForAnyValue:StringEquals", ["a"], ["a", "b"], True),
        ("ForAnyValue:StringEquals", ["c"], ["a", "b"], False),
    ],
)
def test_a_condition_compares_the_requests_value(
    operator: str, wanted: Any, actual: Any, met: bool
) -> None:
    assert under(operator, wanted, actual) is met


@pytest.mark.parametrize(
    ("operator", "met"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("ArnLike", False),
        ("Bool", False),
        ("BoolIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
    ],
)
def test_a_request_without_the_key_meets_negated_and_optional_conditions_only(
    operator: str, met: bool
) -> None:
    assert under(operator, "true") is met


def test_null_asks_whether_the_key_is_there() -> None:
    assert under("Null", "true")
    assert not under("Null", "true", "a")
    assert under("Null", False, "a")
    assert not under("Null", False)


def test_every_operator_and_every_key_of_a_condition_must_be_met() -> None:
    statement = allow(
        Condition={"StringEquals": {"aws:a": "1", "aws:b": "2"}, "Bool": {"aws:c": "true"}}
    )
    context = {"aws:a": "1", "aws:b": "2", "aws:c": "true"}
    assert is_allowed(read(context=context), [statement])
    for key in context:
        assert not is_allowed(read(context=context | {key: "0"}), [statement])


def test_in_one_account_the_resources_policy_is_enough_and_so_is_the_callers() -> None:
    named = [allow(Principal={"AWS": ROLE})]
    assert is_allowed(read(), [], named)
    assert is_allowed(read(), [allow()], [])
    assert not is_allowed(read(), [], [allow(Principal={"AWS": f"{ROLE}2"})])


def test_between_accounts_both_must_agree() -> None:
    theirs = read(owner="444455556666")
    account = [allow(Principal={"AWS": "arn:aws:iam::111122223333:root"})]
    assert not is_allowed(theirs, [allow()])
    assert not is_allowed(theirs, [], account)
    assert is_allowed(theirs, [allow()], account)
    assert is_allowed(theirs, [allow()], [allow(Principal="*")])


def test_a_key_is_used_by_those_whom_its_policy_names_or_leaves_to_their_account() -> None:
    key = "arn:aws:kms:eu-west-1:111122223333:key/1"
    decrypt = Request(ROLE, "kms:Decrypt", key, owner=ACCOUNT)
    root = allow("kms:*", "*", Principal={"AWS": "arn:aws:iam::111122223333:root"})
    assert not is_allowed(decrypt, [allow("kms:Decrypt", key)], [])
    assert not is_allowed(decrypt, [], [root])
    assert is_allowed(decrypt, [allow("kms:Decrypt", key)], [root])
    assert is_allowed(decrypt, [], [allow("kms:Decrypt", "*", Principal={"AWS": ROLE})])


def test_a_boundary_limits_what_the_callers_own_policies_and_the_resources_allow_it() -> None:
    named = [allow(Principal={"AWS": ROLE})]
    assert is_allowed(read(), [allow()], boundary=[allow()])
    assert not is_allowed(read(), [allow()], boundary=[allow("s3:PutObject")])
    assert not is_allowed(read(), [allow()], boundary=[])
    assert not is_allowed(read(), [], boundary=[allow()])
    assert is_allowed(read(), [], named, boundary=[allow()])
    assert not is_allowed(read(), [], named, boundary=[])


def test_what_is_granted_to_the_session_itself_no_boundary_limits() -> None:
    session = "arn:aws:sts::111122223333:assumed-role/Job/SageMaker"
    named = [allow(Principal={"AWS": session})]
    assert is_allowed(read(session=session), [], named, boundary=[])
    assert not is_allowed(read(session=f"{session}-2"), [], named, boundary=[])
    assert not is_allowed(read(session=session), [], named, boundary=[deny()])


def test_a_refusal_of_trust_or_of_a_key_names_the_policy_that_is_missing() -> None:
    service = read(principal="events.amazonaws.com", action="sts:AssumeRole", resource=ROLE)
    assert decide(service, resource=[]).reason == (
        "because no role trust policy allows the sts:AssumeRole action"
    )
    key = "arn:aws:kms:eu-west-1:111122223333:key/1"
    decrypt = Request(ROLE, "kms:Decrypt", key, owner=ACCOUNT)
    for identity, missing in (([], "identity"), ([allow("kms:*", key)], "resource")):
        assert decide(decrypt, identity, []).reason == (
            f"because no {missing}-based policy allows the kms:Decrypt action"
        )


def test_a_key_that_is_known_not_to_be_in_the_call_is_none() -> None:
    request = read(context={"s3:prefix": None}, context_is_complete=False)
    assert is_allowed(request, [allow(Condition={"Null": {"s3:prefix": "true"}})])
    assert not is_allowed(request, [allow(Condition={"StringLike": {"s3:prefix": "*"}})])


def test_a_service_needs_a_resources_policy_that_names_it() -> None:
    service = read(principal="events.amazonaws.com")
    assert not is_allowed(service, [allow()])
    assert is_allowed(service, [], [allow(Principal={"Service": "events.amazonaws.com"})])
    assert not is_allowed(service, [], [allow(Principal={"Service": "sns.amazonaws.com"})])
    assert not is_allowed(
        service,
        [],
        [allow(Principal={"Service": "events.amazonaws.com"}), deny(Principal={"AWS": "*"})],
    )


@pytest.mark.parametrize(
    "statement",
    [
        allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        allow(resource="arn:aws:s3:::${aws:username}/*"),
        allow(NotAction="s3:*"),
        allow(NotPrincipal={"AWS": "*"}),
        allow() | {"Effect": "allow"},
    ],
)
def test_what_is_not_understood_is_an_error(statement: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedPolicyError):
        is_allowed(read(context={"aws:SourceIp": "10.0.0.1"}), [statement])


def test_a_resources_statement_with_an_unknown_principal_is_an_error() -> None:
    with pytest.raises(UnsupportedPolicyError, match="CanonicalUser"):
        is_allowed(read(), [], [allow(Principal={"CanonicalUser": "1"})])


def test_denied_is_what_a_statement_denies_not_what_nothing_allows() -> None:
    assert not is_denied(read())
    assert not is_denied(read(), [allow(), deny(resource="arn:aws:s3:::other/*")])
    assert is_denied(read(), [allow(), deny()])
    assert is_denied(read(), [allow()], [deny(Principal={"AWS": ROLE})])
    assert not is_denied(read(), [allow()], [deny(Principal={"Service": "sns.amazonaws.com"})])


@pytest.mark.parametrize("operator", ["StringEquals", "StringNotEqualsIfExists", "Null"])
def test_a_key_that_the_call_may_have_is_an_error_where_a_statement_could_apply(
    operator: str,
) -> None:
    request = read(context={"aws:K": "a"}, context_is_complete=False)
    about = {"Condition": {operator: {"aws:PrincipalTag/team": "true"}}}
    with pytest.raises(UnsupportedPolicyError, match="the condition key aws:PrincipalTag/team"):
        is_allowed(request, [allow(**about)])
    assert not is_allowed(request, [allow("s3:PutObject", **about)])
    assert is_allowed(request, [allow(Condition={"StringEquals": {"aws:k": "a"}})])


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (None, []),
        ("", []),
        ({"Statement": allow()}, [allow()]),
        ({"Statement": [allow(), deny()]}, [allow(), deny()]),
        (json.dumps({"Statement": allow()}), [allow()]),
    ],
)
def test_a_document_has_one_statement_several_or_none(
    document: Any, found: list[Statement]
) -> None:
    assert statements(document) == found
