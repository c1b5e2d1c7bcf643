"""The objects of a bucket that are models."""

import re
from dataclasses import dataclass

from aws_cdk import Token
from aws_cdk import aws_s3 as s3

from model_packaging.step.s3_location import S3Location

# What has a meaning in a wildcard filter ("Comparison operators for use in event patterns") or in
# a policy's resource ("IAM policy elements: Variables and tags").
_SPECIAL = re.compile(r"[*?\\]|\$\{")


@dataclass(frozen=True)
class ModelObjects:
    """The objects of a bucket that are models: what the job's role must be able to read.

    Attributes:
        bucket: Their bucket. Its ``encryption_key``, if it has one, is needed to read them.
        prefix: Beginning of their keys.
        suffix: End of their keys. Default: any.
    """

    bucket: s3.IBucket
    prefix: str
    suffix: str = ""

    @property
    def key_pattern(self) -> str:
        """The keys that the job must be able to read, as a policy writes them."""
        # Without the suffix: SageMaker lists what it reads, by prefix.
        return f"{self.prefix}*"

    @property
    def in_a_bucket_of_this_app(self) -> bool:
        """Whether their bucket is made by this app, which then knows how it is set up."""
        return _is_made_here(self.bucket)

    def may_lie_below(self, s3_prefix: str) -> bool:
        """Whether some of them could lie below an S3 prefix.

        Args:
            s3_prefix: Such as ``s3://bucket/packaged``. A name that is known at deployment only
                may be that of any bucket, except of one that this app makes.
        """
        written = S3Location.parse(s3_prefix)
        return self._may_be_bucket(written.bucket) and overlap(written.folder, self.prefix)

    def overlaps(self, other: "ModelObjects") -> bool:
        """Whether one object could be among both."""
        if _is_made_here(self.bucket) or _is_made_here(other.bucket):
            same_bucket = bool(_names(self.bucket) & _names(other.bucket))
        else:
            same_bucket = self._may_be_bucket(other.bucket.bucket_name)
        return (
            same_bucket
            and overlap(self.prefix, other.prefix)
            and overlap(self.suffix[::-1], other.suffix[::-1])
        )

    def _may_be_bucket(self, name: str) -> bool:
        own = _names(self.bucket)
        if name in own or _is_made_here(self.bucket):
            # A name that CloudFormation makes up is not one that anyone has written down.
            return name in own
        return Token.is_unresolved(name) != Token.is_unresolved(*own)


def overlap(prefix: str, other: str) -> bool:
    """Whether some text can begin with both prefixes."""
    return prefix.startswith(other) or other.startswith(prefix)


def check_filter(name: str, value: str, if_empty: str) -> None:
    """Refuse a prefix or a suffix that a filter or a policy would read otherwise.

    Args:
        name: What the value is called.
        value: The value.
        if_empty: What an empty value would mean.

    Raises:
        ValueError: The value is empty or has a character with a meaning.
    """
    if not value:
        raise ValueError(f"{name} is empty: {if_empty}")
    if not Token.is_unresolved(value) and (found := _SPECIAL.search(value)):
        raise ValueError(
            f"{name} {value!r} contains {found.group()!r}, which has a meaning in event "
            "patterns and policies; choose a name without it"
        )


def _is_made_here(bucket: s3.IBucket) -> bool:
    return isinstance(bucket.node.default_child, s3.CfnBucket)


def _names(bucket: s3.IBucket) -> set[str]:
    names = {bucket.bucket_name}
    resource = bucket.node.default_child
    if isinstance(resource, s3.CfnBucket) and resource.bucket_name:
        names.add(resource.bucket_name)
    return names
