"""Bucket policies with their conditions, which moto takes for denials, and access logs."""

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket, S3Backend

from local_aws.policy_evaluation import LOOPBACK, Request, is_allowed, is_denied, statements


def install() -> None:
    """Make moto's S3 ask bucket policies through this module."""
    FakeBucket.get_permission = _get_permission
    S3Backend.log_incoming_request = _log_request


_moto_log_request = S3Backend.log_incoming_request


def _log_request(self: Any, request: Any, bucket_name: str) -> None:
    """Deliver an access log if the log bucket's policy lets S3 do it; moto doesn't ask."""
    bucket = self.buckets.get(bucket_name)
    log_bucket = self.buckets.get(bucket.logging.get("TargetBucket")) if bucket else None
    if log_bucket is None:
        return
    delivery = Request(
        principal="logging.s3.amazonaws.com",
        action="s3:PutObject",
        # moto makes up the rest of the key, from the time and at random.
        resource=f"{log_bucket.arn}/{bucket.logging.get('TargetPrefix', '')}",
        context={
            **LOOPBACK,
            "aws:SourceArn": bucket.arn,
            "aws:SourceAccount": self.account_id,
        },
        owner=log_bucket.account_id,
    )
    if is_allowed(delivery, resource=_policy(log_bucket)):
        _moto_log_request(self, request, bucket_name)


def _get_permission(self: Any, action: str, resource: str) -> Any:
    # Whoever asks: the local AWS has no other caller than its account.
    request = Request(
        principal=f"arn:{self.partition}:iam::{self.account_id}:root",
        action=action,
        resource=resource,
        context=LOOPBACK,
        context_is_complete=False,
        owner=self.account_id,
    )
    if is_denied(request, resource=_policy(self)):
        return PermissionResult.DENIED
    if is_allowed(request, resource=_policy(self)):
        return PermissionResult.PERMITTED
    return PermissionResult.NEUTRAL


def _policy(bucket: Any) -> list[Any]:
    return statements(bucket.policy.decode() if bucket.policy else None)
