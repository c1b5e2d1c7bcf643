"""Buckets that take models with S3's own encryption (SSE-S3) and with no other.

Source: "Checking object integrity" of S3: an ETag is the MD5 of the content, or made of the MD5s
of an upload's parts, unless the object is encrypted with a KMS key or with one of the request
(SSE-C); and nothing in an ETag tells which it is.

Only where models are uploaded: what a training job writes without a key of its own asks for the
account's KMS key for S3 ("OutputDataConfig" of the SageMaker API), and would be denied.
"""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

# "Actions, resources, and condition keys for Amazon S3", PutObject. Who asks for no encryption gets
# the bucket's default, and is let through.
_ANOTHER = "s3:x-amz-server-side-encryption"
_WITH_A_KEY_OF_THE_REQUEST = "s3:x-amz-server-side-encryption-customer-algorithm"
_REFUSED: tuple[dict[str, dict[str, str]], ...] = (
    {"StringNotEquals": {_ANOTHER: "AES256"}, "Null": {_ANOTHER: "false"}},
    {"Null": {_WITH_A_KEY_OF_THE_REQUEST: "false"}},
)


def take_s3_managed_encryption_only(bucket: s3.Bucket, prefix: str) -> None:
    """Let a bucket's policy deny uploads that ask for another encryption.

    Args:
        bucket: A bucket whose default encryption is SSE-S3.
        prefix: Beginning of the keys that this holds for.
    """
    for condition in _REFUSED:
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects(f"{prefix}*")],
                conditions=condition,
            )
        )


def takes_s3_managed_encryption_only(bucket: s3.IBucket, prefix: str) -> bool:
    """Whether a bucket's policy, as this app has it, denies every other encryption.

    Args:
        bucket: Any bucket. Of one that is imported, the policy isn't known.
        prefix: Beginning of the keys that are asked about.
    """
    if bucket.policy is None:
        return False
    stack = Stack.of(bucket)
    document: dict[str, Any] = stack.resolve(bucket.policy.document)
    covering = [
        stack.resolve(bucket.arn_for_objects(f"{prefix[:length]}*"))
        for length in range(len(prefix) + 1)
    ]
    denied = [
        statement.get("Condition")
        for statement in document["Statement"]
        if statement["Effect"] == "Deny"
        and "s3:PutObject" in _listed(statement.get("Action"))
        and any(resource in covering for resource in _listed(statement.get("Resource")))
    ]
    return all(condition in denied for condition in _REFUSED)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
