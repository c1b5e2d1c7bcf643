"""CloudFormation resources that moto leaves out, or of which it drops most properties.

Each is made through the service's own API, as CloudFormation's resource providers do it. A
property that a class here does not know fails the deployment; nothing is skipped.
"""

import json
import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import boto3
from moto.core.common_models import CloudFormationModel

Properties = Mapping[str, Any]


class UnsupportedError(Exception):
    """The template asks for something that the local AWS does not do."""


class Resource(CloudFormationModel):  # type: ignore[misc]  # moto is not checked
    """A resource of a stack.

    Attributes:
        physical_resource_id: What ``Ref`` gives.
        attributes: What ``Fn::GetAtt`` gives.
    """

    TYPE: ClassVar[str] = "AWS::SERVICE::RESOURCE"  # as in the base: a class of no type
    NAME_PROPERTY: ClassVar[str | None] = None
    PROPERTIES: ClassVar[frozenset[str]]
    ATTRIBUTES: ClassVar[frozenset[str]] = frozenset()
    # Changing one of these makes a new resource in CloudFormation.
    REPLACED_BY: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str, properties: Properties) -> None:
        self.physical_resource_id = name
        self.properties = properties
        self.attributes: dict[str, str] = {}

    @abstractmethod
    def create(self) -> None:
        """Make the resource."""

    @abstractmethod
    def update(self) -> None:
        """Apply ``self.properties`` to the existing resource."""

    @abstractmethod
    def remove(self) -> None:
        """Delete the resource."""

    # What moto's parser calls:

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.TYPE

    @classmethod
    def cloudformation_name_type(cls) -> str | None:
        return cls.NAME_PROPERTY

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in cls.ATTRIBUTES

    def get_cfn_attribute(self, attribute_name: str) -> str:
        if attribute_name not in self.attributes:
            raise UnsupportedError(f"{self.TYPE} has no attribute {attribute_name} here")
        return self.attributes[attribute_name]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, *_: Any, **__: Any
    ) -> "Resource":
        resource = cls(resource_name, cls._known(cloudformation_json))
        resource.create()
        return resource

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: "Resource", cloudformation_json: Any, **_: Any
    ) -> "Resource":
        new = cls._known(cloudformation_json)
        if removed := sorted(set(original_resource.properties) - set(new)):
            raise UnsupportedError(f"{cls.TYPE}: the local AWS can't remove {', '.join(removed)}")
        for name in cls.REPLACED_BY:
            if new.get(name) != original_resource.properties.get(name):
                raise UnsupportedError(f"{cls.TYPE}: changing {name} replaces the resource")
        original_resource.properties = new
        original_resource.update()
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        self.remove()

    @classmethod
    def _known(cls, cloudformation_json: Any) -> Properties:
        properties: Properties = cloudformation_json.get("Properties", {})
        if unknown := sorted(set(properties) - cls.PROPERTIES):
            raise UnsupportedError(
                f"{cls.TYPE}: the local AWS doesn't support the property {', '.join(unknown)}"
            )
        return properties


class Bucket(Resource):
    TYPE = "AWS::S3::Bucket"
    NAME_PROPERTY = "BucketName"
    PROPERTIES = frozenset(
        {
            "AccessControl",
            "BucketEncryption",
            "BucketName",
            "LifecycleConfiguration",
            "NotificationConfiguration",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
            "Tags",
            "VersioningConfiguration",
        }
    )
    ATTRIBUTES = frozenset({"Arn", "DomainName", "RegionalDomainName"})
    REPLACED_BY = frozenset({"BucketName"})
    _LIFECYCLE_KEYS: ClassVar[Mapping[str, str]] = {"Id": "ID"}

    def create(self) -> None:
        name, region = self.physical_resource_id, boto3.session.Session().region_name
        location = {"LocationConstraint": region}
        boto3.client("s3").create_bucket(
            Bucket=name,
            **({} if region == "us-east-1" else {"CreateBucketConfiguration": location}),
        )
        self.attributes = {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        }
        self.update()

    def update(self) -> None:
        s3, bucket = boto3.client("s3"), self.physical_resource_id
        properties = self.properties
        if acl := properties.get("AccessControl"):
            s3.put_bucket_acl(Bucket=bucket, ACL=re.sub(r"(?<=.)([A-Z])", r"-\1", acl).lower())
        if encryption := properties.get("BucketEncryption"):
            s3.put_bucket_encryption(
                Bucket=bucket,
                ServerSideEncryptionConfiguration={
                    "Rules": [
                        {
                            "ApplyServerSideEncryptionByDefault": rule[
                                "ServerSideEncryptionByDefault"
                            ]
                        }
                        for rule in encryption["ServerSideEncryptionConfiguration"]
                    ]
                },
            )
        if lifecycle := properties.get("LifecycleConfiguration"):
            s3.put_bucket_lifecycle_configuration(
                Bucket=bucket,
                LifecycleConfiguration={
                    "Rules": [
                        {"Filter": {"Prefix": ""}}
                        | {self._LIFECYCLE_KEYS.get(key, key): rule[key] for key in rule}
                        for rule in lifecycle["Rules"]
                    ]
                },
            )
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

    def remove(self) -> None:
        boto3.client("s3").delete_bucket(Bucket=self.physical_resource_id)


class BucketPolicy(Resource):
    TYPE = "AWS::S3::BucketPolicy"
    PROPERTIES = frozenset({"Bucket", "PolicyDocument"})
    REPLACED_BY = frozenset({"Bucket"})

    def create(self) -> None:
        self.physical_resource_id = self.properties["Bucket"]
        self.update()

    def update(self) -> None:
        boto3.client("s3").put_bucket_policy(
            Bucket=self.properties["Bucket"], Policy=json.dumps(self.properties["PolicyDocument"])
        )

    def remove(self) -> None:
        boto3.client("s3").delete_bucket_policy(Bucket=self.properties["Bucket"])


class Queue(Resource):
    TYPE = "AWS::SQS::Queue"
    NAME_PROPERTY = "QueueName"
    PROPERTIES = frozenset(
        {"MessageRetentionPeriod", "QueueName", "SqsManagedSseEnabled", "Tags", "VisibilityTimeout"}
    )
    ATTRIBUTES = frozenset({"Arn", "QueueName", "QueueUrl"})
    REPLACED_BY = frozenset({"QueueName"})

    def create(self) -> None:
        sqs, name = boto3.client("sqs"), self.physical_resource_id[:80]
        url = sqs.create_queue(QueueName=name, Attributes=self._queue_attributes())["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self.physical_resource_id = url
        self.attributes = {
            "Arn": arn["Attributes"]["QueueArn"],
            "QueueName": name,
            "QueueUrl": url,
        }
        self._tag()

    def update(self) -> None:
        boto3.client("sqs").set_queue_attributes(
            QueueUrl=self.physical_resource_id, Attributes=self._queue_attributes()
        )
        self._tag()

    def remove(self) -> None:
        boto3.client("sqs").delete_queue(QueueUrl=self.physical_resource_id)

    def _tag(self) -> None:
        if tags := self.properties.get("Tags"):
            boto3.client("sqs").tag_queue(
                QueueUrl=self.physical_resource_id,
                Tags={tag["Key"]: tag["Value"] for tag in tags},
            )

    def _queue_attributes(self) -> dict[str, Any]:
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in self.properties.items()
            if name not in ("QueueName", "Tags")
        }


class QueuePolicy(Resource):
    TYPE = "AWS::SQS::QueuePolicy"
    PROPERTIES = frozenset({"PolicyDocument", "Queues"})

    def create(self) -> None:
        self._put(json.dumps(self.properties["PolicyDocument"]))

    def update(self) -> None:
        self.create()

    def remove(self) -> None:
        self._put("")

    def _put(self, policy: str) -> None:
        for url in self.properties["Queues"]:
            boto3.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


class Pipeline(Resource):
    TYPE = "AWS::SageMaker::Pipeline"
    NAME_PROPERTY = "PipelineName"
    PROPERTIES = frozenset(
        {
            "PipelineDefinition",
            "PipelineDescription",
            "PipelineDisplayName",
            "PipelineName",
            "RoleArn",
            "Tags",
        }
    )
    REPLACED_BY = frozenset({"PipelineName"})

    def create(self) -> None:
        boto3.client("sagemaker").create_pipeline(
            **self._arguments(), Tags=self.properties.get("Tags", [])
        )

    def update(self) -> None:
        boto3.client("sagemaker").update_pipeline(**self._arguments())

    def remove(self) -> None:
        boto3.client("sagemaker").delete_pipeline(PipelineName=self.physical_resource_id)

    def _arguments(self) -> dict[str, Any]:
        definition = self.properties["PipelineDefinition"]
        if set(definition) != {"PipelineDefinitionBody"}:
            raise UnsupportedError(
                f"{self.TYPE}: PipelineDefinition needs PipelineDefinitionBody, not "
                f"{', '.join(sorted(definition))}"
            )
        json.loads(definition["PipelineDefinitionBody"])
        return {
            "PipelineName": self.physical_resource_id,
            "PipelineDefinition": definition["PipelineDefinitionBody"],
            **{
                name: self.properties[name]
                for name in ("PipelineDescription", "PipelineDisplayName", "RoleArn")
                if name in self.properties
            },
        }


RESOURCES: tuple[type[Resource], ...] = (Bucket, BucketPolicy, Pipeline, Queue, QueuePolicy)
