"""Buckets, keys and URIs as S3 and the job's policy can work with them."""

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator

from model_packaging.step.s3_location import S3Location
from model_packaging.step.settings.expressions import OrExpression
from model_packaging.step.settings.tokens import CDK_TOKEN, SAMPLE, has_token

# "Bucket naming rules" in the Amazon S3 User Guide.
_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")

_RESERVED_PREFIXES: Final = ("xn--", "sthree-", "amzn-s3-demo-")

_RESERVED_SUFFIXES: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")

# "IAM policy elements: Variables and tags".
_POLICY_SPECIAL = re.compile(r"[*?]|\$\{")


def bucket_problem(bucket: str) -> str | None:
    """What S3 does not allow about a bucket's name, or none."""
    if not _BUCKET.fullmatch(bucket):
        return "a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens"
    if found := next((text for text in _RESERVED_PREFIXES if bucket.startswith(text)), None):
        return f"S3 keeps names that begin with {found!r} for itself"
    if found := next((text for text in _RESERVED_SUFFIXES if bucket.endswith(text)), None):
        return f"S3 keeps names that end with {found!r} for itself"
    return None


def s3_uri(value: str) -> str:
    """Check an S3 URI.

    Raises:
        ValueError: It is none, or S3 or the job's policy could not work with it.
    """
    if not value:
        raise ValueError("is required; write s3://<bucket>/<prefix>, or set bucket")
    if CDK_TOKEN.fullmatch(value):
        raise ValueError(
            f"{value!r} is known at deployment only, as a whole; write 's3://' and then the bucket "
            "and the key, each of which may be"
        )
    sample = CDK_TOKEN.sub(SAMPLE, value)
    try:
        location = S3Location.parse(sample)
    except ValueError:
        raise ValueError(f"{value!r} is not an S3 URI; write s3://<bucket>/<prefix>") from None
    if problem := bucket_problem(location.bucket):
        raise ValueError(
            f"{value!r} names the bucket {location.bucket!r}, which S3 does not allow; {problem}"
        )
    if found := _POLICY_SPECIAL.search(sample):
        raise ValueError(
            f"{value!r} contains {found.group()!r}, which has a meaning in the job's policy; "
            "choose a prefix without it"
        )
    if len(location.key.encode()) > 1024:
        raise ValueError(f"{value!r} has a key of more than 1024 bytes, S3's limit; shorten it")
    return value


def _prefix(value: str) -> str:
    return s3_uri(value).rstrip("/")


def _bucket(value: str) -> str:
    if problem := bucket_problem(CDK_TOKEN.sub(SAMPLE, value)):
        raise ValueError(f"{value!r} is not a name that S3 allows; {problem}")
    return value


def _source(value: str | Path) -> str | Path:
    if isinstance(value, str) and (value.startswith("s3:") or has_token(value)):
        return s3_uri(value).rstrip("/")
    return Path(value)


def _location(value: str | Path) -> str | Path:
    if isinstance(value, str) and (value.startswith("s3:") or has_token(value)):
        return s3_uri(value)
    path = Path(value)
    if not path.exists():
        raise ValueError(f"{str(value)!r} does not exist; name an S3 URI, or a file or folder here")
    return path


S3Uri = Annotated[str, AfterValidator(_prefix)]

BucketName = Annotated[str, AfterValidator(_bucket)]

Source = Annotated[str | Path, AfterValidator(_source)]

Location = Annotated[str | Path, AfterValidator(_location), OrExpression("String")]
