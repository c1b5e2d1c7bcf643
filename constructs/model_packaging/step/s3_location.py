"""A place in S3, taken apart: the one place that knows how its URI is written."""

from dataclasses import dataclass
from typing import Final

_SCHEME: Final = "s3://"


@dataclass(frozen=True)
class S3Location:
    """A bucket and a key in it, or the beginning of keys.

    Attributes:
        bucket: Name of the bucket. May be a CDK token, as the key may.
        key: Key, or the beginning of keys; empty for the whole bucket.
    """

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, uri: str) -> "S3Location":
        """Take ``s3://<bucket>/<key>`` apart.

        Raises:
            ValueError: It does not begin with ``s3://``.
        """
        if not uri.startswith(_SCHEME):
            raise ValueError(f"{uri!r} is not an S3 URI; write s3://<bucket>/<prefix>")
        bucket, _, key = uri.removeprefix(_SCHEME).partition("/")
        return cls(bucket, key)

    @property
    def uri(self) -> str:
        """As ``s3://<bucket>/<key>``."""
        return f"{_SCHEME}{self.bucket}/{self.key}"

    @property
    def folder(self) -> str:
        """What the keys below it begin with: the key and a slash, or nothing."""
        return f"{self.key.rstrip('/')}/" if self.key else ""
