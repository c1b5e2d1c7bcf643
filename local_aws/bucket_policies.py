"""Bucket policies with their conditions, which moto takes for denials.

The local AWS is reached over loopback without TLS. To a bucket's policy, that counts as TLS 1.3:
loopback needs none, and a policy that demands TLS is part of what is deployed.
"""

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket

from local_aws.resources import UnsupportedError

# What a request tells of itself, by the condition key that asks.
_CONTEXT: dict[str, Any] = {"aws:SecureTransport": "true", "s3:TlsVersion": 1.3}


def install() -> None:
    """Make moto's S3 ask bucket policies through this module."""
    FakeBucket.get_permission = _get_permission


def _get_permission(self: Any, action: str, resource: str) -> Any:
    if self.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(self.policy.decode())
    statements = [
        {key: value for key, value in statement.items() if key != "Condition"}
        for statement in policy["Statement"]
        if _applies(statement.get("Condition", {}))
    ]
    if not statements:
        return PermissionResult.NEUTRAL
    asked = json.dumps(policy | {"Statement": statements})
    return IAMPolicy(asked).is_action_permitted(action, resource)


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
