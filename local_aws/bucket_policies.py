"""Bucket policies with their conditions, which moto takes for denials, and access logs."""

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3 import models

from local_aws.moto_seams import replace, use_backend
from local_aws.policy_evaluation import LOOPBACK, Request, is_allowed, is_denied, statements


def install() -> None:
    """Make moto's S3 ask bucket policies through this module."""
    use_backend(models.s3_backends, LocalS3Backend)
    # moto's backends make their buckets from this class.
    replace(models, "FakeBucket", LocalBucket)


class LocalS3Backend(models.S3Backend):  # type: ignore[misc]  # moto is not checked
    """moto's, which asks a log bucket's policy before it delivers an access log."""

    def log_incoming_request(self, request: Any, bucket_name: str) -> None:
        """Deliver an access log if the log bucket's policy lets S3 do it."""
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
        if is_allowed(delivery, resource=log_bucket.statements()):
            super().log_incoming_request(request, bucket_name)


class LocalBucket(models.FakeBucket):  # type: ignore[misc]  # moto is not checked
    """moto's, whose policy has conditions and principals."""

    def get_permission(self, action: str, resource: str) -> Any:
        """What the bucket's policy says to a request."""
        # Whoever asks: the local AWS has no other caller than its account.
        request = Request(
            principal=f"arn:{self.partition}:iam::{self.account_id}:root",
            action=action,
            resource=resource,
            context=LOOPBACK,
            context_is_complete=False,
            owner=self.account_id,
        )
        if is_denied(request, resource=self.statements()):
            return PermissionResult.DENIED
        if is_allowed(request, resource=self.statements()):
            return PermissionResult.PERMITTED
        return PermissionResult.NEUTRAL

    def statements(self) -> list[Any]:
        """The statements of the bucket's policy."""
        return statements(self.policy.decode() if self.policy else None)
