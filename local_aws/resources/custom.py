# ruff: noqa: D101, D102  # each class is one CloudFormation type
"""The CDK's custom resources, and the Lambda functions behind them.

The functions are deployed but can't run here. Each custom resource does what its handler in
aws-cdk-lib does (``custom-resource-handlers``); one that has no class here fails the deployment.
"""

import contextlib
import json
from typing import Any

import boto3
import botocore.exceptions

from local_aws.resources.base import Properties, Resource, UnsupportedError
from local_aws.resources.monitoring import set_retention
from local_aws.resources.network import clear_security_group


class Function(Resource):
    TYPE = "AWS::Lambda::Function"
    NAME_PROPERTY = "FunctionName"
    PROPERTIES = frozenset(
        {
            "Architectures",
            "Code",
            "Description",
            "Environment",
            "FunctionName",
            "Handler",
            "LoggingConfig",
            "MemorySize",
            "ReservedConcurrentExecutions",
            "Role",
            "Runtime",
            "Tags",
            "Timeout",
        }
    )
    ATTRIBUTES = frozenset({"Arn"})
    REPLACED_BY = frozenset({"FunctionName"})

    def create(self) -> None:
        self.physical_resource_id = self.physical_resource_id[-64:].lstrip("-")
        self._put()

    def update(self, before: Properties) -> None:
        self.remove()
        self._put()

    def remove(self) -> None:
        boto3.client("lambda").delete_function(FunctionName=self.physical_resource_id)

    def _put(self) -> None:
        function = boto3.client("lambda").create_function(
            **self.given("ReservedConcurrentExecutions")
            | {"FunctionName": self.physical_resource_id, "Tags": self.tags()}
        )
        self.attributes = {"Arn": function["FunctionArn"]}


class CustomResource(Resource):
    """A resource that a Lambda function makes."""

    ATTRIBUTES = frozenset()

    @classmethod
    def _known(cls, cloudformation_json: Any) -> Properties:
        properties = dict(super()._known(cloudformation_json))
        token = properties.pop("ServiceToken")
        name = token.rpartition(":")[2]
        boto3.client("lambda").get_function(FunctionName=name)  # raises when there is none
        return properties


class AutoDeleteObjects(CustomResource):
    TYPE = "Custom::S3AutoDeleteObjects"
    PROPERTIES = frozenset({"BucketName", "ServiceToken"})
    # The handler answers with another physical id, which makes CloudFormation delete the old.
    REPLACED_BY = frozenset({"BucketName"})
    _TAG = ("aws-cdk:auto-delete-objects", "true")

    def create(self) -> None:
        """Do nothing, as the handler."""

    def update(self, before: Properties) -> None:
        """Do nothing, as the handler."""

    def remove(self) -> None:
        s3, bucket = boto3.client("s3"), self.properties["BucketName"]
        try:
            tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
        except botocore.exceptions.ClientError as fault:
            if fault.response["Error"]["Code"] == "NoSuchBucket":
                return
            raise
        if self._TAG not in [(tag["Key"], tag["Value"]) for tag in tags]:
            return
        self._deny_new_objects(bucket)
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])

    @staticmethod
    def _deny_new_objects(bucket: str) -> None:
        s3 = boto3.client("s3")
        try:
            policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        except botocore.exceptions.ClientError:
            policy = {"Version": "2012-10-17", "Statement": []}
        policy["Statement"].append(
            {
                "Principal": "*",
                "Effect": "Deny",
                "Action": ["s3:PutObject"],
                "Resource": [f"arn:aws:s3:::{bucket}/*"],
            }
        )
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


class LogRetention(CustomResource):
    TYPE = "Custom::LogRetention"
    PROPERTIES = frozenset(
        {
            "LogGroupName",
            "LogGroupRegion",
            "RemovalPolicy",
            "RetentionInDays",
            "SdkRetry",
            "ServiceToken",
        }
    )
    ATTRIBUTES = frozenset({"LogGroupName"})
    REPLACED_BY = frozenset({"LogGroupName"})

    def create(self) -> None:
        logs = boto3.client("logs")
        self.physical_resource_id = self.properties["LogGroupName"]
        self.attributes = {"LogGroupName": self.physical_resource_id}
        # That it may be there already is the reason for this resource.
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=self.physical_resource_id)
        self.update({})

    def update(self, before: Properties) -> None:
        set_retention(self.physical_resource_id, self.properties.get("RetentionInDays"))

    def remove(self) -> None:
        if self.properties.get("RemovalPolicy") == "destroy":
            boto3.client("logs").delete_log_group(logGroupName=self.physical_resource_id)


class RestrictDefaultSecurityGroup(CustomResource):
    TYPE = "Custom::VpcRestrictDefaultSG"
    PROPERTIES = frozenset({"Account", "DefaultSecurityGroupId", "ServiceToken"})
    REPLACED_BY = frozenset({"DefaultSecurityGroupId"})

    def create(self) -> None:
        clear_security_group(self.properties["DefaultSecurityGroupId"])

    def update(self, before: Properties) -> None:
        raise UnsupportedError(f"{self.TYPE}: the local AWS can't change it")

    def remove(self) -> None:
        ec2, group = boto3.client("ec2"), self.properties["DefaultSecurityGroupId"]
        everything = {"IpProtocol": "-1"}
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[everything | {"UserIdGroupPairs": [{"GroupId": group}]}],
        )
        ec2.authorize_security_group_egress(
            GroupId=group, IpPermissions=[everything | {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        )
