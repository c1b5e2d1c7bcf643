"""Buckets whose policies have conditions, which moto takes for denials, and their access logs."""

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3 import models

from local_aws.authorization import AccessDeniedError, authorize_service
from local_aws.moto_seams import OwnBackend, replace, use_backend
from local_aws.policy_evaluation import LOOPBACK, Request, is_allowed, statements


def install() -> None:
    """Make moto's S3 ask bucket policies through this module."""
    use_backend(models.s3_backends, LocalS3Backend)
    # moto's backends make their buckets from this class.
    replace(models, "FakeBucket", LocalBucket)


class LocalS3Backend(OwnBackend, models.S3Backend):  # type: ignore[misc]  # moto is not checked
    """moto's, which asks a log bucket's policy before it delivers an access log."""

    def log_incoming_request(self, request: Any, bucket_name: str) -> None:
        """Deliver an access log if the log bucket's policy lets S3 do it."""
        bucket = self.buckets.get(bucket_name)
        log_bucket = self.buckets.get(bucket.logging.get("TargetBucket")) if bucket else None
        if log_bucket is None:
            return
        try:
            authorize_service(
                "logging.s3.amazonaws.com",
                "s3:PutObject",
                # moto makes up the rest of the key, from the time and at random.
                f"{log_bucket.arn}/{bucket.logging.get('TargetPrefix', '')}",
                log_bucket.statements(),
                bucket.arn,
                account=self.account_id,
                owner=log_bucket.account_id,
            )
        except AccessDeniedError:
            return  # S3 tells nobody either
        super().log_incoming_request(request, bucket_name)


class LocalBucket(models.FakeBucket):  # type: ignore[misc]  # moto is not checked
    """moto's, whose policy has conditions and principals."""

    def get_permission(self, action: str, resource: str) -> Any:
        """Whether the bucket's policy lets anyone do something, without credentials.

        Of those who have some, ``s3_requests`` asks before.
        """
        anyone = Request(
            principal="anonymous",
            action=action,
            resource=resource,
            context={**LOOPBACK, "aws:PrincipalIsAWSService": "false"},
            context_is_complete=False,
            owner=self.account_id,
        )
        # What only denies may speak of headers, which nobody knows here; it allows nothing.
        allowing = [one for one in self.statements() if one["Effect"] == "Allow"]
        if is_allowed(anyone, resource=allowing) and is_allowed(anyone, resource=self.statements()):
            return PermissionResult.PERMITTED
        return PermissionResult.NEUTRAL

    def statements(self) -> list[Any]:
        """The statements of the bucket's policy."""
        return statements(self.policy.decode() if self.policy else None)
