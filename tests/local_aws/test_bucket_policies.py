"""What a bucket's policy says to the requests that reach the local AWS."""

import json
from typing import Any

import pytest
from moto.iam.access_control import PermissionResult

from local_aws.bucket_policies import LocalBucket
from local_aws.policy_evaluation import UnsupportedPolicyError

NEUTRAL, DENIED, PERMITTED = (
    PermissionResult.NEUTRAL,
    PermissionResult.DENIED,
    PermissionResult.PERMITTED,
)
KEY = "arn:aws:s3:::models/churn/model.tar.gz"


def put(*statements: dict[str, Any]) -> Any:
    """What a bucket with these statements says to a PutObject."""
    bucket = LocalBucket("models", "123456789012", "us-east-1")
    bucket.policy = json.dumps({"Statement": statements}).encode() if statements else None
    return bucket.get_permission("s3:PutObject", KEY)


def deny(**more: Any) -> dict[str, Any]:
    everyone = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": KEY}
    return everyone | more


def test_a_bucket_without_a_policy_says_nothing() -> None:
    assert put() == NEUTRAL


def test_a_denial_counts_for_the_objects_and_the_callers_that_it_names() -> None:
    assert put(deny()) == DENIED
    assert put(deny(Resource="arn:aws:s3:::models/other/*")) == NEUTRAL
    assert put(deny(Principal={"AWS": "arn:aws:iam::123456789012:role/Job"})) == NEUTRAL
    assert put(deny(Principal={"AWS": "arn:aws:iam::123456789012:root"})) == DENIED
    assert put(deny(Principal={"Service": "logging.s3.amazonaws.com"})) == NEUTRAL


def test_requests_over_loopback_count_as_tls_1_3() -> None:
    assert put(deny(Condition={"Bool": {"aws:SecureTransport": "false"}})) == NEUTRAL
    assert put(deny(Condition={"NumericLessThan": {"s3:TlsVersion": 1.2}})) == NEUTRAL
    assert put(deny(Condition={"NumericLessThan": {"s3:TlsVersion": 1.4}})) == DENIED


def test_what_is_allowed_to_everyone_is_permitted() -> None:
    assert put(deny(Effect="Allow")) == PERMITTED
    assert put(deny(Effect="Allow", Principal={"AWS": "123456789012"})) == NEUTRAL


def test_a_condition_of_which_the_local_aws_cannot_tell_is_an_error() -> None:
    with pytest.raises(UnsupportedPolicyError, match="the condition key aws:SourceVpce"):
        put(deny(Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}))
