"""Who may do what, and in which words the others are refused."""

from typing import Any

import pytest

from local_aws.authorization import AccessDeniedError, authorize, authorize_service
from local_aws.identities import Caller
from local_aws.policy_evaluation import UnsupportedPolicyError

ACCOUNT = "123456789012"
ROOT = Caller(f"arn:aws:iam::{ACCOUNT}:root")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Job"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/Job/SageMaker"
KEY = "arn:aws:s3:::models/churn/model.tar.gz"
ALLOW = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
DENY = ALLOW | {"Effect": "Deny"}
OTHER = ALLOW | {"Action": "s3:GetObject"}


def role(*statements: dict[str, Any], boundary: list[dict[str, Any]] | None = None) -> Caller:
    return Caller(ROLE, SESSION, statements, tuple(boundary) if boundary is not None else None)


def refusal(caller: Caller, *policy: dict[str, Any], **context: str) -> str | None:
    """How a caller is refused to put an object into a bucket with a policy, if it is."""
    everyone = {"Principal": "*"}
    try:
        authorize(
            caller,
            "s3:PutObject",
            KEY,
            context,
            owner=ACCOUNT,
            policy=[everyone | statement for statement in policy],
        )
    except AccessDeniedError as refused:
        return str(refused)
    return None


def test_a_role_may_do_what_its_policies_or_the_resources_allow() -> None:
    assert refusal(role(ALLOW)) is None
    assert refusal(role(), ALLOW) is None
    assert refusal(role(ALLOW, boundary=[ALLOW])) is None


@pytest.mark.parametrize(
    ("caller", "policy", "reason"),
    [
        (role(), [], "because no identity-based policy allows the s3:PutObject action"),
        (role(OTHER), [], "because no identity-based policy allows the s3:PutObject action"),
        (role(ALLOW, DENY), [], "with an explicit deny in an identity-based policy"),
        (role(ALLOW), [DENY], "with an explicit deny in a resource-based policy"),
        (
            role(ALLOW, boundary=[OTHER]),
            [],
            "because no permissions boundary allows the s3:PutObject action",
        ),
        (
            role(ALLOW, boundary=[ALLOW, DENY]),
            [],
            "with an explicit deny in a permissions boundary",
        ),
    ],
)
def test_a_refusal_says_who_may_not_do_what_to_what_and_why(
    caller: Caller, policy: list[dict[str, Any]], reason: str
) -> None:
    assert refusal(caller, *policy) == (
        f"User: {SESSION} is not authorized to perform: s3:PutObject on resource: {KEY} {reason}"
    )


def test_the_administrator_may_do_all_that_is_not_denied_to_everyone() -> None:
    assert refusal(ROOT) is None
    assert refusal(ROOT, DENY) == (
        f"User: {ROOT.principal} is not authorized to perform: s3:PutObject on resource: {KEY} "
        "with an explicit deny in a resource-based policy"
    )
    for principal in (ROLE, "123456789999"):
        assert refusal(ROOT, DENY | {"Principal": {"AWS": principal}}) is None
    assert refusal(ROOT, DENY | {"Principal": {"Service": "logging.s3.amazonaws.com"}}) is None


def test_a_policy_may_speak_of_the_callers_role_and_account_and_of_the_resources_account() -> None:
    for key, value in (
        ("aws:PrincipalArn", ROLE),
        ("aws:PrincipalAccount", ACCOUNT),
        ("aws:ResourceAccount", ACCOUNT),
    ):
        assert refusal(role(ALLOW | {"Condition": {"StringEquals": {key: value}}})) is None
        assert refusal(role(ALLOW | {"Condition": {"StringNotEquals": {key: value}}})) is not None
    but_the_job = {"Condition": {"StringNotEquals": {"aws:PrincipalArn": ROLE}}}
    assert refusal(role(ALLOW), DENY | but_the_job) is None
    assert refusal(ROOT, DENY | but_the_job) is not None


def test_requests_over_loopback_count_as_tls_1_3() -> None:
    for operator, key, value, refused in (
        ("Bool", "aws:SecureTransport", "false", False),
        ("NumericLessThan", "s3:TlsVersion", 1.2, False),
        ("NumericLessThan", "s3:TlsVersion", 1.4, True),
    ):
        answer = refusal(role(ALLOW), DENY | {"Condition": {operator: {key: value}}})
        assert (answer is not None) is refused


def test_a_condition_of_which_the_local_aws_cannot_tell_is_an_error() -> None:
    with pytest.raises(UnsupportedPolicyError, match="the condition key aws:SourceVpce"):
        refusal(ROOT, DENY | {"Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}})


def test_a_service_may_do_what_a_resources_policy_allows_it_for_what_it_acts_for() -> None:
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:letters"
    rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/uploads"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": rule},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        },
    }
    authorize_service("events.amazonaws.com", "sqs:SendMessage", queue, [statement], rule)
    for service, source in (("events.amazonaws.com", f"{rule}-2"), ("sns.amazonaws.com", rule)):
        with pytest.raises(AccessDeniedError) as refused:
            authorize_service(service, "sqs:SendMessage", queue, [statement], source)
        assert str(refused.value) == (
            f"{service} is not authorized to perform: sqs:SendMessage on resource: {queue} "
            "because no resource-based policy allows the sqs:SendMessage action"
        )
