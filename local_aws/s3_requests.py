"""What S3 asks IAM and KMS before it does what a request wants."""

import urllib.parse
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from moto.core.responses import ActionResult
from moto.s3 import urls
from moto.s3.exceptions import BucketAccessDeniedError, S3ClientError
from moto.s3.responses import S3Response

from local_aws.authorization import AccessDeniedError, Context, authorize, authorize_key
from local_aws.identities import Caller, caller_of
from local_aws.moto_seams import use_responses

# Where moto's names of actions are not those of "Actions, resources, and condition keys for Amazon
# S3".
_ACTIONS = {"HeadBucket": "ListBucket"}
_ENCRYPTION = {"GET": "GetEncryptionConfiguration", "PUT": "PutEncryptionConfiguration"}
_READING = frozenset({"GetObject", "GetObjectVersion"})


def install() -> None:
    """Make moto's S3 ask."""
    use_responses(urls, LocalS3Response)


class S3RefusalError(BucketAccessDeniedError):  # type: ignore[misc]  # moto is not checked
    """S3's answer to a request that is not allowed."""

    def __init__(self, bucket: str, message: str) -> None:
        super().__init__(bucket)
        self.message = message


class LocalS3Response(S3Response):  # type: ignore[misc]  # moto is not checked
    """moto's, which asks the policies of the caller, the bucket and the key."""

    def get_bucket_notification(self) -> Any:
        """``GetBucketNotificationConfiguration``, which tells of EventBridge, too."""
        found = self.backend.get_bucket_notification_configuration(self.bucket_name)
        if found is None or found.event_bridge is None:
            return super().get_bucket_notification()
        if found.topic or found.queue or found.cloud_function:
            raise NotImplementedError("the local AWS tells of EventBridge alone")
        self.data["Action"] = "GetBucketNotificationConfiguration"
        return self.serialized(ActionResult({"EventBridgeConfiguration": {}}))

    def _authenticate_and_authorize_s3_action(
        self, bucket_name: str | None = None, key_name: str | None = None
    ) -> None:
        """Moto calls this before it does anything, with the action in ``data``."""
        if "Authorization" not in self.headers and "Signature=" not in self.uri:
            return  # nobody: moto asks the object's ACL, and the bucket what it allows everyone
        # A presigned URL's key, which moto doesn't read, comes with the query.
        presigned = self._query.get("X-Amz-Credential", "").partition("/")[0]
        caller = caller_of(self.current_account, presigned or self.access_key)
        try:
            for action, key in self._wanted(key_name):
                self._authorize(caller, action, bucket_name, key)
        except AccessDeniedError as refusal:
            raise S3RefusalError(bucket_name or "", str(refusal)) from refusal

    def _wanted(self, key_name: str | None) -> Iterator[tuple[str, str | None]]:
        """The actions that a request wants, and the keys of the objects."""
        action = self._action()
        if action == "DeleteObject" and key_name is None:
            # Several at once, of which S3 would delete those that may be; here all or none.
            for item in ElementTree.fromstring(self.body).findall("{*}Object"):  # noqa: S314  # local
                versioned = item.find("{*}VersionId") is not None
                yield f"{action}Version" if versioned else action, item.findtext("{*}Key")
            return
        yield action, key_name

    def _action(self) -> str:
        if "encryption" in self._query and self.method in _ENCRYPTION:
            return _ENCRYPTION[self.method]
        action: str = self.data["Action"]
        if self.method == "HEAD" and "versionId" in self._query:
            action = "GetObjectVersion"
        return _ACTIONS.get(action, action)

    @property
    def _query(self) -> dict[str, str]:
        # moto's own may hold the headers.
        parsed = urllib.parse.parse_qsl(self.parsed_url.query, keep_blank_values=True)
        return dict(parsed)

    def _authorize(self, caller: Caller, action: str, bucket: str | None, key: str | None) -> None:
        name = "/".join(part for part in (bucket, key) if part) or "*"
        found = self._bucket(bucket)
        authorize(
            caller,
            f"s3:{action}",
            f"arn:{self.partition}:s3:::{name}",
            self._context(),
            owner=found.account_id if found else self.current_account,
            policy=found.statements() if found else None,
        )
        if found is None or key is None:
            return
        if action in _READING:
            self._authorize_reading(caller, found, key)
        if action == "PutObject":
            self._authorize_writing(caller, found)
            if source := self.headers.get("x-amz-copy-source"):
                origin, _, copied = urllib.parse.unquote(source).lstrip("/").partition("/")
                self._authorize(caller, "GetObject", origin, copied.partition("?")[0])

    def _bucket(self, name: str | None) -> Any:
        try:
            return self.backend.get_bucket(name) if name else None
        except S3ClientError:  # there is none, which moto says next
            return None

    def _context(self) -> Context:
        query, headers = self._query, self.headers
        keys = {f"s3:{name}": query.get(name) for name in ("delimiter", "max-keys", "prefix")}
        for header in (
            "x-amz-acl",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
            "x-amz-server-side-encryption-customer-algorithm",
        ):
            keys[f"s3:{header}"] = headers.get(header)
        return keys | {"s3:VersionId": query.get("versionId")}

    def _authorize_reading(self, caller: Caller, bucket: Any, key: str) -> None:
        found = self.backend.get_object(bucket.name, key, version_id=self._query.get("versionId"))
        if found is None:
            # Only who may list learns that there is none ("GetObject", "HeadObject": Permissions).
            self._authorize(caller, "ListBucket", bucket.name, None)
        if found is not None and found.encryption == "aws:kms" and found.kms_key_id:
            self._authorize_key(caller, "kms:Decrypt", found.kms_key_id)

    def _authorize_writing(self, caller: Caller, bucket: Any) -> None:
        """Ask KMS for a data key, or for that of an upload in parts.

        Source: "Using server-side encryption with AWS KMS keys", section Permissions: an upload in
        parts needs both.
        """
        algorithm, key = self._encryption(bucket)
        if algorithm == "aws:kms" and key is not None:
            in_parts = "uploadId" in self._query
            self._authorize_key(caller, "kms:Decrypt" if in_parts else "kms:GenerateDataKey", key)

    def _encryption(self, bucket: Any) -> tuple[str | None, str | None]:
        """How an object is encrypted, and with which key: as it is put, or by default."""
        default = {}
        if bucket.encryption:
            default = bucket.encryption["Rule"]["ApplyServerSideEncryptionByDefault"]
        header = "x-amz-server-side-encryption"
        return (
            self.headers.get(header) or default.get("SSEAlgorithm"),
            self.headers.get(f"{header}-aws-kms-key-id") or default.get("KMSMasterKeyID"),
        )

    def _authorize_key(self, caller: Caller, action: str, key: str) -> None:
        # Bucket keys and objects differ in their encryption context, of which no policy may speak.
        context = {"kms:ViaService": f"s3.{self.region}.amazonaws.com"}
        authorize_key(caller, action, key, self.region, context)
