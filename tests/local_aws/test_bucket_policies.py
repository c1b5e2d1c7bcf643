"""What a bucket's policy says to those who have no credentials."""

import json
from typing import Any

import pytest
from moto.iam.access_control import PermissionResult

from local_aws.bucket_policies import LocalBucket

KEY = "arn:aws:s3:::models/churn/model.tar.gz"
EVERYONE = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": KEY}


@pytest.mark.parametrize(
    ("statements", "permitted"),
    [
        ([], False),
        ([EVERYONE], True),
        ([EVERYONE | {"Principal": {"AWS": "*"}}], True),
        ([EVERYONE | {"Principal": {"AWS": "123456789012"}}], False),
        ([EVERYONE | {"Principal": {"Service": "logging.s3.amazonaws.com"}}], False),
        ([EVERYONE | {"Resource": "arn:aws:s3:::models/other/*"}], False),
        ([EVERYONE, EVERYONE | {"Effect": "Deny", "Action": "s3:*"}], False),
    ],
)
def test_anyone_may_do_what_the_policy_allows_everyone(
    statements: list[dict[str, Any]], permitted: bool
) -> None:
    bucket = LocalBucket("models", "123456789012", "us-east-1")
    bucket.policy = json.dumps({"Statement": statements}).encode() if statements else None
    answer = bucket.get_permission("s3:GetObject", KEY)
    assert answer == (PermissionResult.PERMITTED if permitted else PermissionResult.NEUTRAL)
