"""Bucket policies with their conditions, which moto takes for denials, and access logs.

The local AWS is reached over loopback without TLS. To a bucket's policy, that counts as TLS 1.3:
loopback needs none, and a policy that demands TLS is part of what is deployed.
"""

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket, S3Backend

from local_aws.policies import allows
from local_aws.resources.base import UnsupportedError

# What a request tells of itself, by the condition key that asks.
_CONTEXT: dict[str, Any] = {"aws:SecureTransport": "true", "s3:TlsVersion": 1.3}


def install() -> None:
    """Make moto's S3 ask bucket policies through this module."""
    FakeBucket.get_permission = _get_permission
    S3Backend.log_incoming_request = _log_request


_moto_log_request = S3Backend.log_incoming_request


def _log_request(self: Any, request: Any, bucket_name: str) -> None:
    """Deliver an access log if the log bucket's policy lets S3 do it; moto doesn't ask."""
    bucket = self.buckets.get(bucket_name)
    log_bucket = self.buckets.get(bucket.logging.get("TargetBucket")) if bucket else None
    if log_bucket is None or log_bucket.policy is None:
        return
    context = {"aws:SourceArn": bucket.arn, "aws:SourceAccount": self.account_id}
    policy = log_bucket.policy.decode()
    if allows(policy, "logging.s3.amazonaws.com", "s3:PutObject", context):
        _moto_log_request(self, request, bucket_name)


def _get_permission(self: Any, action: str, resource: str) -> Any:
    if self.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(self.policy.decode())
    statements = [
        {key: value for key, value in statement.items() if key != "Condition"}
        for statement in policy["Statement"]
        if _is_about_users(statement) and _applies(statement.get("Condition", {}))
    ]
    if not statements:
        return PermissionResult.NEUTRAL
    asked = json.dumps(policy | {"Statement": statements})
    return IAMPolicy(asked).is_action_permitted(action, resource)


def _is_about_users(statement: dict[str, Any]) -> bool:
    """Whether it is not for a service alone, such as the one that delivers access logs."""
    principal = statement.get("Principal")
    return not isinstance(principal, dict) or set(principal) != {"Service"}


def _applies(conditions: dict[str, dict[str, Any]]) -> bool:
    """Whether a request to the local AWS meets every condition of a statement."""
    return all(
        _meets(operator, key, wanted)
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _meets(operator: str, key: str, wanted: Any) -> bool:
    if key not in _CONTEXT:
        raise UnsupportedError(f"the local AWS doesn't know the condition key {key}")
    actual = _CONTEXT[key]
    if operator == "Bool":
        return str(actual) == str(wanted).lower()
    if operator == "NumericLessThan":
        return float(actual) < float(wanted)
    raise UnsupportedError(f"the local AWS doesn't know the condition operator {operator}")
