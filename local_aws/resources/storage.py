# ruff: noqa: D101, D102  # each class is one CloudFormation type
"""Buckets and keys."""

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from local_aws.resources.base import Properties, Resource, UnsupportedError


class Bucket(Resource):
    TYPE = "AWS::S3::Bucket"
    NAME_PROPERTY = "BucketName"
    PROPERTIES = frozenset(
        {
            "AccessControl",
            "BucketEncryption",
            "BucketName",
            "LifecycleConfiguration",
            "LoggingConfiguration",
            "NotificationConfiguration",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
            "Tags",
            "VersioningConfiguration",
        }
    )
    ATTRIBUTES = frozenset({"Arn", "DomainName", "RegionalDomainName"})
    REPLACED_BY = frozenset({"BucketName"})
    KEPT = frozenset({"AccessControl", "NotificationConfiguration"})
    _REMOVED_BY: ClassVar[Mapping[str, str]] = {
        "BucketEncryption": "delete_bucket_encryption",
        "LifecycleConfiguration": "delete_bucket_lifecycle",
        "OwnershipControls": "delete_bucket_ownership_controls",
        "PublicAccessBlockConfiguration": "delete_public_access_block",
        "Tags": "delete_bucket_tagging",
    }

    def create(self) -> None:
        name, region = self.physical_resource_id, boto3.session.Session().region_name
        location = {"LocationConstraint": region}
        # moto, as the real us-east-1, lets an owner create a bucket a second time; CloudFormation
        # doesn't.
        if name in {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}:
            raise ValueError(f"{name} already exists")
        boto3.client("s3").create_bucket(
            Bucket=name,
            **({} if region == "us-east-1" else {"CreateBucketConfiguration": location}),
        )
        self.attributes = {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        }
        self.update({})

    def update(self, before: Properties) -> None:
        s3, bucket = boto3.client("s3"), self.physical_resource_id
        properties = self.properties
        for name in set(before) - set(properties) & set(self._REMOVED_BY):
            getattr(s3, self._REMOVED_BY[name])(Bucket=bucket)
        if acl := properties.get("AccessControl"):
            s3.put_bucket_acl(Bucket=bucket, ACL=re.sub(r"(?<=.)([A-Z])", r"-\1", acl).lower())
        if encryption := properties.get("BucketEncryption"):
            s3.put_bucket_encryption(
                Bucket=bucket,
                ServerSideEncryptionConfiguration={
                    "Rules": [
                        {
                            "ApplyServerSideEncryptionByDefault"
                            if key == "ServerSideEncryptionByDefault"
                            else key: value
                            for key, value in rule.items()
                        }
                        for rule in encryption["ServerSideEncryptionConfiguration"]
                    ]
                },
            )
        if lifecycle := properties.get("LifecycleConfiguration"):
            s3.put_bucket_lifecycle_configuration(
                Bucket=bucket,
                LifecycleConfiguration={
                    "Rules": [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]
                },
            )
        if logging := properties.get("LoggingConfiguration"):
            _put_logging(bucket, logging)
        elif "LoggingConfiguration" in before:
            s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
        if notification := properties.get("NotificationConfiguration"):
            if set(notification) != {"EventBridgeConfiguration"}:
                raise UnsupportedError("only EventBridge notifications are supported here")
            if notification["EventBridgeConfiguration"]["EventBridgeEnabled"]:
                s3.put_bucket_notification_configuration(
                    Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
                )
        if ownership := properties.get("OwnershipControls"):
            s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=ownership)
        if access := properties.get("PublicAccessBlockConfiguration"):
            s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=access)
        if tags := properties.get("Tags"):
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
        if versioning := properties.get("VersioningConfiguration"):
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
        elif "VersioningConfiguration" in before:
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})

    def remove(self) -> None:
        boto3.client("s3").delete_bucket(Bucket=self.physical_resource_id)


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of a template, as S3 takes it."""
    written: dict[str, Any] = {"Filter": {"Prefix": rule.get("Prefix", "")}}
    for key, value in rule.items():
        if key == "Id":
            written["ID"] = value
        elif key in ("ExpirationInDays", "ExpiredObjectDeleteMarker"):
            name = "Days" if key == "ExpirationInDays" else key
            written.setdefault("Expiration", {})[name] = value
        elif key in ("Transitions", "NoncurrentVersionTransitions"):
            days = "Days" if key == "Transitions" else "NoncurrentDays"
            written[key] = [
                {days if name == "TransitionInDays" else name: item[name] for name in item}
                for item in value
            ]
        elif key != "Prefix":
            written[key] = value  # the client refuses what S3 doesn't know
    return written


def _put_logging(bucket: str, logging: Mapping[str, str]) -> None:
    target = {
        "TargetBucket": logging.get("DestinationBucketName", bucket),
        "TargetPrefix": logging.get("LogFilePrefix", ""),
    }
    if unknown := sorted(set(logging) - {"DestinationBucketName", "LogFilePrefix"}):
        raise UnsupportedError(f"LoggingConfiguration: {', '.join(unknown)}")
    # moto asks for an ACL or its own idea of a bucket policy; S3 is content with a policy that
    # lets logging.s3.amazonaws.com write ("Enabling Amazon S3 server access logging").
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_bucket(bucket).logging = target


class BucketPolicy(Resource):
    TYPE = "AWS::S3::BucketPolicy"
    PROPERTIES = frozenset({"Bucket", "PolicyDocument"})
    REPLACED_BY = frozenset({"Bucket"})

    def create(self) -> None:
        self.physical_resource_id = self.properties["Bucket"]
        self.update({})

    def update(self, before: Properties) -> None:
        boto3.client("s3").put_bucket_policy(
            Bucket=self.properties["Bucket"], Policy=json.dumps(self.properties["PolicyDocument"])
        )

    def remove(self) -> None:
        boto3.client("s3").delete_bucket_policy(Bucket=self.properties["Bucket"])


class Key(Resource):
    TYPE = "AWS::KMS::Key"
    PROPERTIES = frozenset(
        {
            "Description",
            "EnableKeyRotation",
            "KeyPolicy",
            "PendingWindowInDays",
            "RotationPeriodInDays",
            "Tags",
        }
    )
    ATTRIBUTES = frozenset({"Arn", "KeyId"})

    def create(self) -> None:
        metadata = boto3.client("kms").create_key()["KeyMetadata"]
        self.physical_resource_id = metadata["KeyId"]
        self.attributes = {"Arn": metadata["Arn"], "KeyId": metadata["KeyId"]}
        self.update({})

    def update(self, before: Properties) -> None:
        kms, key = boto3.client("kms"), self.physical_resource_id
        kms.update_key_description(KeyId=key, Description=self.properties.get("Description", ""))
        if policy := self.properties.get("KeyPolicy"):
            kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
        if self.properties.get("EnableKeyRotation"):
            days = self.properties.get("RotationPeriodInDays", 365)
            kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=days)
        else:
            kms.disable_key_rotation(KeyId=key)
        if gone := [tag["Key"] for tag in before.get("Tags", []) if tag["Key"] not in self.tags()]:
            kms.untag_resource(KeyId=key, TagKeys=gone)
        kms.tag_resource(
            KeyId=key,
            Tags=[{"TagKey": name, "TagValue": value} for name, value in self.tags().items()],
        )

    def remove(self) -> None:
        boto3.client("kms").schedule_key_deletion(
            KeyId=self.physical_resource_id,
            PendingWindowInDays=self.properties.get("PendingWindowInDays", 30),
        )


class Alias(Resource):
    TYPE = "AWS::KMS::Alias"
    PROPERTIES = frozenset({"AliasName", "TargetKeyId"})
    REPLACED_BY = frozenset({"AliasName"})

    def create(self) -> None:
        self.physical_resource_id = self.properties["AliasName"]
        boto3.client("kms").create_alias(**self.properties)

    def update(self, before: Properties) -> None:
        boto3.client("kms").update_alias(**self.properties)

    def remove(self) -> None:
        boto3.client("kms").delete_alias(AliasName=self.physical_resource_id)
