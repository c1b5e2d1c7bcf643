"""A model that arrives as an upload: what the trigger waits for and what the step reads."""

import re
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Token
from aws_cdk import aws_s3 as s3

from model_packaging.step import ModelSource, UploadParameters

# What has a meaning in a wildcard filter ("Comparison operators for use in event patterns") or in
# a policy's resource ("IAM policy elements: Variables and tags").
_SPECIAL = re.compile(r"[*?\\]|\$\{")


@dataclass(frozen=True)
class ModelUpload:
    """Archives uploaded to a bucket.

    One object owns the event pattern, the pipeline parameters, the paths that fill them and the
    model source expression, so that the event and the definition can't disagree.

    Attributes:
        bucket: Bucket that sends its events to EventBridge.
        prefix: Beginning of the keys that count, such as ``models/``.
        suffix: End of the keys that count.
        parameters: Names of the pipeline parameters.

    Raises:
        ValueError: The prefix or the suffix has a character that a filter reads otherwise.
    """

    bucket: s3.IBucket
    prefix: str = "models/"
    suffix: str = ".tar.gz"
    parameters: UploadParameters = field(default_factory=UploadParameters)

    def __post_init__(self) -> None:
        for name, value in (("prefix", self.prefix), ("suffix", self.suffix)):
            if not value:
                raise ValueError(f"{name} is empty: every upload would start the pipeline")
            if found := _SPECIAL.search(value):
                raise ValueError(
                    f"{name} {value!r} contains {found.group()!r}, which has a meaning in event "
                    "patterns and policies; choose a name without it"
                )

    @property
    def event_pattern(self) -> dict[str, Any]:
        """The pattern of "Amazon S3 event notifications with EventBridge"."""
        return {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {
                "bucket": {"name": [self.bucket.bucket_name]},
                "object": {"key": [{"wildcard": f"{self.prefix}*{self.suffix}"}]},
            },
        }

    @property
    def parameter_paths(self) -> dict[str, str]:
        """Path into the event for each pipeline parameter. A value is one whole path."""
        return {
            self.parameters.bucket: "$.detail.bucket.name",
            self.parameters.key: "$.detail.object.key",
            self.parameters.etag: "$.detail.object.etag",
        }

    @property
    def key_pattern(self) -> str:
        """The keys that the job must be able to read."""
        return f"{self.prefix}*"

    def model_source(self) -> ModelSource:
        """What the packaging step reads."""
        return self.parameters.model_source()

    def matches_below(self, s3_prefix: str) -> bool:
        """Whether an object below an S3 prefix could match the pattern.

        Args:
            s3_prefix: Such as ``s3://bucket/packaged``.
        """
        bucket, _, key = s3_prefix.removeprefix("s3://").partition("/")
        if not self._may_be_bucket(bucket):
            return False
        below = f"{key.rstrip('/')}/" if key else ""
        return below.startswith(self.prefix) or self.prefix.startswith(below)

    def _may_be_bucket(self, name: str) -> bool:
        own = {self.bucket.bucket_name}
        resource = self.bucket.node.default_child
        if isinstance(resource, s3.CfnBucket):
            # A name that CloudFormation makes up is not one that anyone has written down.
            own.add(resource.bucket_name or "")
            return name in own
        return name in own or Token.is_unresolved(name) != Token.is_unresolved(*own)
