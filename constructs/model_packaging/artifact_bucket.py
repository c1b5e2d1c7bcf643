"""The bucket that models are uploaded to and packages are written to."""

from collections.abc import Mapping

from aws_cdk import Duration, RemovalPolicy, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from model_packaging.acknowledgements import acknowledge, in_control_packs
from model_packaging.s3_managed_encryption import take_s3_managed_encryption_only


class ArtifactBucket(Construct):
    """A private, encrypted, versioned bucket that reports its uploads to EventBridge.

    Requests without TLS 1.2 are denied, public access is blocked, objects belong to the bucket's
    owner, incomplete uploads are removed after a week and old versions after a while. Who reads
    and writes through a customer key is granted with the key (``bucket.grant_read`` does it);
    EventBridge needs no access to it, since events carry no content. Without a customer key,
    models that ask for another encryption than S3's own are denied: an ETag is then an MD5, by
    which the packager knows the model that was announced.

    With ``existing``, nothing is made and nothing about that bucket is changed. It must then send
    its events to EventBridge (property ``EventBridgeConfiguration``, else no upload starts
    anything), and should be versioned, refuse requests without TLS, block public access and have
    "Bucket owner enforced" ownership. A bucket with a customer key must be imported with its
    ``encryption_key``, or the packaging job is not granted the key.

    Args:
        existing: A bucket to use instead of making one. Excludes every other argument.
        customer_key: Encrypt with a customer-managed KMS key: True makes one that rotates every
            year; an existing key is used as it is (the key of another account must itself let
            this account use it). Default: S3-managed keys (SSE-S3).
        keep_old_versions_for: Whole days that a version stays after it was overwritten or
            deleted. Default: 90 days.
        expire_after: Prefixes whose objects are deleted at an age of whole days, such as
            ``{"packaged/": Duration.days(365)}``; like all that is deleted, they then stay as old
            versions for ``keep_old_versions_for``. Default: none.
        models_prefix: Beginning of the keys that models are uploaded under: without a customer
            key, an upload there with another encryption than SSE-S3 is denied. What a training job
            writes without a key of its own is one ("OutputDataConfig" of the SageMaker API). None
            denies nothing. Default: ``models/``.
        access_logs: Whether S3 writes server access logs: True makes a bucket for them, private,
            with SSE-S3 (a log target can't have another default encryption), and of the same
            removal policy; a bucket of this app is used; False is none. An imported bucket's
            policy must already let ``logging.s3.amazonaws.com`` put objects.
        keep_access_logs_for: Whole days that logs stay in the bucket made for them. Default:
            365 days.
        removal_policy: What becomes of the bucket, of its logs and of the key made for it when
            they leave their stack. DESTROY deletes all objects first, by a Lambda function: for
            development. Default: RETAIN.

    Attributes:
        bucket: The bucket.
        encryption_key: Its customer key, if it has one.
        access_logs_bucket: Where its access logs go, if it was made here and has any.

    Raises:
        ValueError: An argument can't work, or comes with ``existing``.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        existing: s3.IBucket | None = None,
        customer_key: kms.IKey | bool = False,
        keep_old_versions_for: Duration | None = None,
        expire_after: Mapping[str, Duration] | None = None,
        models_prefix: str | None = "models/",
        access_logs: s3.IBucket | bool = True,
        keep_access_logs_for: Duration | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, construct_id)
        self.access_logs_bucket: s3.IBucket | None = None
        if existing is not None:
            _refuse_settings(
                existing,
                customer_key=customer_key is not False,
                keep_old_versions_for=keep_old_versions_for is not None,
                expire_after=expire_after is not None,
                models_prefix=models_prefix not in ("models/", None),
                access_logs=access_logs is not True,
                keep_access_logs_for=keep_access_logs_for is not None,
                removal_policy=removal_policy != RemovalPolicy.RETAIN,
            )
            self.bucket = existing
            self.encryption_key = existing.encryption_key
            return
        if keep_access_logs_for is not None and access_logs is not True:
            raise ValueError(
                "keep_access_logs_for is given, but no bucket for access logs is made; leave it "
                "out, or leave access_logs out"
            )
        self._removal_policy = _known(removal_policy)
        self.encryption_key = self._build_key(customer_key)
        if access_logs is True:
            self.access_logs_bucket = self._build_access_logs_bucket(
                keep_access_logs_for or Duration.days(365)
            )
        elif access_logs is not False:
            self.access_logs_bucket = access_logs
        self.bucket = self._build_bucket(
            [
                s3.LifecycleRule(
                    id="AbortIncompleteUploads",
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
                s3.LifecycleRule(
                    id="DeleteOldVersions",
                    noncurrent_version_expiration=_days(
                        "keep_old_versions_for", keep_old_versions_for or Duration.days(90)
                    ),
                    expired_object_delete_marker=True,
                ),
                *_expiry_rules(expire_after or {}),
            ]
        )
        if self.encryption_key is None and models_prefix is not None:
            take_s3_managed_encryption_only(self.bucket, models_prefix)
        self._accept_findings()

    def _build_key(self, customer_key: kms.IKey | bool) -> kms.IKey | None:
        if customer_key is False:
            return None
        if customer_key is not True:
            return customer_key
        return kms.Key(
            self,
            "Key",
            description=f"Encrypts the models and packages of {self.node.path}.",
            enable_key_rotation=True,
            removal_policy=self._removal_policy,
        )

    def _build_access_logs_bucket(self, kept_for: Duration) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "AccessLogs",
            encryption=s3.BucketEncryption.S3_MANAGED,
            versioned=True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="DeleteOldLogs",
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                    expiration=_days("keep_access_logs_for", kept_for),
                    noncurrent_version_expiration=Duration.days(1),
                )
            ],
            removal_policy=self._removal_policy,
            auto_delete_objects=self._removal_policy == RemovalPolicy.DESTROY,
        )
        acknowledge(
            bucket,
            "S3 can't deliver access logs to a bucket whose default encryption is a KMS key "
            '("Enabling Amazon S3 server access logging"); SSE-S3 encrypts them.',
            *in_control_packs("S3DefaultEncryptionKMS"),
        )
        return bucket

    def _build_bucket(self, lifecycle_rules: list[s3.LifecycleRule]) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=(
                s3.BucketEncryption.KMS if self.encryption_key else s3.BucketEncryption.S3_MANAGED
            ),
            encryption_key=self.encryption_key,
            # One request to KMS serves many objects ("Reducing the cost of SSE-KMS").
            bucket_key_enabled=True if self.encryption_key else None,
            versioned=True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=lifecycle_rules,
            removal_policy=self._removal_policy,
            auto_delete_objects=self._removal_policy == RemovalPolicy.DESTROY,
        )
        resource = bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)  # noqa: S101  # narrows the type
        # Bucket(event_bridge_enabled=True) would deploy a Lambda function for this property.
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )
        self._log_accesses(resource)
        return bucket

    def _log_accesses(self, resource: s3.CfnBucket) -> None:
        # Bucket(server_access_logs_bucket=…) lets S3 write by an ACL, which a bucket with
        # "Bucket owner enforced" refuses, unless a feature flag of the app says otherwise.
        if self.access_logs_bucket is None:
            return
        prefix = f"{self.node.path}/"
        resource.logging_configuration = s3.CfnBucket.LoggingConfigurationProperty(
            destination_bucket_name=self.access_logs_bucket.bucket_name, log_file_prefix=prefix
        )
        granted = self.access_logs_bucket.add_to_resource_policy(
            # "Enabling Amazon S3 server access logging", section Permissions. No aws:SourceArn:
            # the bucket names its log bucket, whose policy would then wait for the bucket.
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("logging.s3.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[self.access_logs_bucket.arn_for_objects(f"{prefix}*")],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        if granted.policy_dependable is not None:
            resource.node.add_dependency(granted.policy_dependable)

    def _accept_findings(self) -> None:
        if self.access_logs_bucket:
            acknowledge(
                self.access_logs_bucket,
                "The logs tell who read and wrote models and packages, which have no replica "
                "either.",
                *in_control_packs("S3BucketReplicationEnabled"),
            )
        acknowledge(
            self.bucket,
            "Models are kept where they were trained or registered, and a package can be made "
            "again from its model at any time; versions and the removal policy guard against "
            "mistakes. A team that must survive the loss of a region gives the construct a bucket "
            "with replication.",
            *in_control_packs("S3BucketReplicationEnabled"),
        )
        # What is kept must be logged and encrypted with a key of its own: no reason helps there.
        is_trial = self._removal_policy == RemovalPolicy.DESTROY
        if is_trial and not self.encryption_key:
            acknowledge(
                self.bucket,
                "The stack holds trials, which are deleted with it; S3's own keys (SSE-S3) "
                "encrypt them. The setting customer_key gives the bucket a key of its own.",
                *in_control_packs("S3DefaultEncryptionKMS"),
            )
        if is_trial and not self.access_logs_bucket:
            acknowledge(
                self.bucket,
                "The stack holds trials, which are deleted with it; nobody would read the logs. "
                "The setting bucket.access_logs turns them on.",
                "AwsSolutions-S1",
                *in_control_packs("S3BucketLoggingEnabled"),
            )


def _refuse_settings(existing: s3.IBucket, **given: bool) -> None:
    if names := [name for name, is_given in given.items() if is_given]:
        raise ValueError(
            f"{', '.join(names)}: given together with the existing bucket {existing.node.path!r}, "
            "whose settings are not changed here; set them where that bucket is made"
        )


def _known(removal_policy: RemovalPolicy) -> RemovalPolicy:
    known = (RemovalPolicy.RETAIN, RemovalPolicy.DESTROY)
    if removal_policy not in known:
        raise ValueError(
            f"removal_policy {removal_policy.name} is not one of a bucket; write "
            "RemovalPolicy.RETAIN or RemovalPolicy.DESTROY"
        )
    return removal_policy


def _expiry_rules(expire_after: Mapping[str, Duration]) -> list[s3.LifecycleRule]:
    rules = []
    for prefix, age in expire_after.items():
        if not prefix.strip("/"):
            raise ValueError(
                f"expire_after: the prefix {prefix!r} names every object, models included; write "
                'one such as "packaged/"'
            )
        rules.append(
            s3.LifecycleRule(
                id=f"Expire-{prefix}",
                prefix=prefix,
                expiration=_days(f"expire_after[{prefix!r}]", age),
            )
        )
    return rules


def _days(name: str, duration: Duration) -> Duration:
    seconds = duration.to_seconds()
    if Token.is_unresolved(seconds):
        return duration
    if seconds < 86_400 or seconds % 86_400:
        raise ValueError(
            f"{name}: {duration.to_human_string()} is given, but S3 counts whole days from 1 on; "
            "write Duration.days(…)"
        )
    return duration
