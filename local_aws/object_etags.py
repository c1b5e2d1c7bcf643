"""ETags of objects that a KMS key encrypts, which are no MD5; moto's always are."""

import hashlib
import secrets
from typing import Any

from moto.s3 import models

from local_aws.moto_seams import replace


def install() -> None:
    """Make moto's S3 keep its objects in this module's class."""
    # moto's backends make their objects from this class.
    replace(models, "FakeKey", LocalKey)


class LocalKey(models.FakeKey):  # type: ignore[misc]  # moto is not checked
    """moto's, with an ETag as S3 gives it.

    "Checking object integrity" of S3: with SSE-KMS, an ETag is not the MD5 of the content. It looks
    the same, and the same content has another one each time.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._salt = secrets.token_hex()

    @property
    def etag(self) -> str:
        """The ETag, in quotes."""
        told: str = super().etag
        if not (self.encryption or "").startswith("aws:kms"):
            return told
        content, dash, parts = told.strip('"').partition("-")
        hidden = hashlib.sha256(f"{self._salt}{content}".encode()).hexdigest()[:32]
        return f'"{hidden}{dash}{parts}"'
