"""Data that a job fetches from S3 before its container runs, and sends there afterwards."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.container import JobError


@dataclass(frozen=True)
class S3Location:
    """A bucket and a key or prefix."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> "S3Location":
        """Take ``s3://bucket/key`` apart.

        Raises:
            JobError: It is no such URI.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket:
            raise JobError(f"ClientError: {uri!r} is not an S3 URI")
        return cls(bucket, key)


def fetch(s3: Any, source: Mapping[str, Any], folder: Path) -> None:
    """Bring the objects below a prefix to a folder.

    An S3Prefix input is every key that begins with it: ``…/model.tar.gz`` brings
    ``…/model.tar.gz.sha256`` too.

    Args:
        s3: The client of the job's role.
        source: ``S3Uri`` and ``S3DataType``, as requests have them.
        folder: Where the objects go.

    Raises:
        JobError: There are none, or they are to be found in another way.
    """
    if (kind := source.get("S3DataType", "S3Prefix")) != "S3Prefix":
        raise JobError(f"ClientError: the local AWS fetches S3Prefix inputs, not {kind}")
    location = S3Location.parse(source["S3Uri"])
    keys = [
        item["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(
            Bucket=location.bucket, Prefix=location.key
        )
        for item in page.get("Contents", [])
        if not item["Key"].endswith("/")
    ]
    if not keys:
        raise JobError(
            f"ClientError: No S3 objects found under S3 URL {source['S3Uri']!r} given in "
            "input data source"
        )
    for key in keys:
        target = folder / _relative_key(location.key, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        # A refusal of GetObject has words, that of the HeadObject before a download has none.
        body = s3.get_object(Bucket=location.bucket, Key=key)["Body"]
        with target.open("wb") as file:
            shutil.copyfileobj(body, file, 1 << 20)


def send(s3: Any, folder: Path, uri: str, key_id: str | None) -> None:
    """Send the files of a folder to S3.

    Args:
        s3: The client of the job's role.
        folder: The files' folder.
        uri: The prefix that they get.
        key_id: The KMS key that they are encrypted with; None for the bucket's own encryption.
    """
    location = S3Location.parse(uri)
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id} if key_id else {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        key = f"{location.key.rstrip('/')}/{file.relative_to(folder).as_posix()}"
        s3.upload_file(str(file), location.bucket, key, ExtraArgs=encryption)


def _relative_key(prefix: str, key: str) -> str:
    if key.startswith(f"{prefix.rstrip('/')}/"):
        return key[len(prefix.rstrip("/")) + 1 :]
    return key[prefix.rfind("/") + 1 :]
