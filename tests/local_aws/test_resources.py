"""Every resource type that the stacks use is deployed, updated and deleted as its template says."""

import copy
import io
import json
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import pytest

from local_aws.cloud import ACCOUNT, LocalCloud, local_cloud
from local_aws.resources import RESOURCES

# Without the CDK CLI: a change set of CloudFormation is all that this needs.
STACK = "Resources"
TAGS = [{"Key": "stage", "Value": "dev"}]
EMPTIED = {"Key": "aws-cdk:auto-delete-objects", "Value": "true"}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
    ],
}


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def attribute(name: str, attribute: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, attribute]}


def resource(type_: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{type_}", "Properties": properties}


def custom(type_: str, **properties: Any) -> dict[str, Any]:
    token = attribute("Handler", "Arn")
    return {"Type": f"Custom::{type_}", "Properties": {"ServiceToken": token, **properties}}


def trust(service: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": f"{service}.amazonaws.com"},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def allowing(action: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def template(code_bucket: str) -> dict[str, Any]:
    """One of each, connected as a stack connects them."""
    return {
        "Resources": {
            # Before its target in the template: the order comes from the references.
            "Alias": resource("KMS::Alias", AliasName="alias/packages", TargetKeyId=ref("Key")),
            "Key": resource(
                "KMS::Key",
                Description="packages",
                EnableKeyRotation=True,
                KeyPolicy=POLICY,
                PendingWindowInDays=7,
                Tags=TAGS,
            ),
            "Topic": resource(
                "SNS::Topic", DisplayName="alarms", KmsMasterKeyId=ref("Key"), Tags=TAGS
            ),
            "TopicPolicy": resource(
                "SNS::TopicPolicy",
                Topics=[ref("Topic")],
                PolicyDocument={
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "cloudwatch.amazonaws.com"},
                            "Action": "sns:Publish",
                            "Resource": ref("Topic"),
                        }
                    ],
                },
            ),
            "Subscription": resource(
                "SNS::Subscription",
                TopicArn=ref("Topic"),
                Protocol="sqs",
                Endpoint=attribute("Queue", "Arn"),
            ),
            "Queue": resource(
                "SQS::Queue", MessageRetentionPeriod=1209600, KmsMasterKeyId=ref("Key"), Tags=TAGS
            ),
            "Alarm": resource(
                "CloudWatch::Alarm",
                AlarmActions=[ref("Topic")],
                AlarmDescription="an execution failed",
                ComparisonOperator="GreaterThanOrEqualToThreshold",
                Dimensions=[{"Name": "PipelineName", "Value": "packaging"}],
                EvaluationPeriods=1,
                MetricName="ExecutionFailed",
                Namespace="AWS/Sagemaker/ModelBuildingPipeline",
                Period=300,
                Statistic="Sum",
                Tags=TAGS,
                Threshold=1,
                TreatMissingData="notBreaching",
            ),
            "Dashboard": resource(
                "CloudWatch::Dashboard", DashboardName="packaging", DashboardBody='{"widgets":[]}'
            ),
            "LogGroup": resource("Logs::LogGroup", RetentionInDays=30, Tags=TAGS),
            "MetricFilter": resource(
                "Logs::MetricFilter",
                FilterPattern='{ $.event = "packaged" }',
                LogGroupName=ref("LogGroup"),
                MetricTransformations=[
                    {
                        "MetricName": "PackageBytes",
                        "MetricNamespace": "ModelPackaging",
                        "MetricValue": "$.bytes",
                        "Dimensions": [{"Key": "Pipeline", "Value": "$.pipeline"}],
                        "Unit": "Bytes",
                    }
                ],
            ),
            "Vpc": resource(
                "EC2::VPC", CidrBlock="10.0.0.0/16", EnableDnsHostnames=True, Tags=TAGS
            ),
            "Subnet": resource(
                "EC2::Subnet",
                VpcId=ref("Vpc"),
                CidrBlock="10.0.0.0/24",
                AvailabilityZone={"Fn::Select": [0, {"Fn::GetAZs": ""}]},
                MapPublicIpOnLaunch=False,
                Tags=TAGS,
            ),
            "RouteTable": resource("EC2::RouteTable", VpcId=ref("Vpc"), Tags=TAGS),
            "Association": resource(
                "EC2::SubnetRouteTableAssociation",
                SubnetId=ref("Subnet"),
                RouteTableId=ref("RouteTable"),
            ),
            "Jobs": resource(
                "EC2::SecurityGroup",
                GroupDescription="jobs",
                VpcId=ref("Vpc"),
                SecurityGroupEgress=[
                    {
                        "CidrIp": "255.255.255.255/32",
                        "Description": "Disallow all traffic",
                        "FromPort": 252,
                        "IpProtocol": "icmp",
                        "ToPort": 86,
                    }
                ],
            ),
            "Endpoints": resource(
                "EC2::SecurityGroup", GroupDescription="endpoints", VpcId=ref("Vpc"), Tags=TAGS
            ),
            "FromJobs": resource(
                "EC2::SecurityGroupIngress",
                GroupId=attribute("Endpoints", "GroupId"),
                SourceSecurityGroupId=attribute("Jobs", "GroupId"),
                IpProtocol="tcp",
                FromPort=443,
                ToPort=443,
            ),
            "ToEndpoints": resource(
                "EC2::SecurityGroupEgress",
                GroupId=attribute("Jobs", "GroupId"),
                DestinationSecurityGroupId=attribute("Endpoints", "GroupId"),
                Description="HTTPS to the endpoints",
                IpProtocol="tcp",
                FromPort=443,
                ToPort=443,
            ),
            "S3": resource(
                "EC2::VPCEndpoint",
                ServiceName="com.amazonaws.us-east-1.s3",
                VpcId=ref("Vpc"),
                VpcEndpointType="Gateway",
                RouteTableIds=[ref("RouteTable")],
            ),
            "Logs": resource(
                "EC2::VPCEndpoint",
                ServiceName="com.amazonaws.us-east-1.logs",
                VpcId=ref("Vpc"),
                VpcEndpointType="Interface",
                PrivateDnsEnabled=True,
                SubnetIds=[ref("Subnet")],
                SecurityGroupIds=[attribute("Endpoints", "GroupId")],
            ),
            "Role": resource(
                "IAM::Role",
                AssumeRolePolicyDocument=trust("lambda"),
                ManagedPolicyArns=[
                    {
                        "Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/"
                        "AWSLambdaBasicExecutionRole"
                    }
                ],
                PermissionsBoundary="arn:aws:iam::aws:policy/PowerUserAccess",
                Policies=[{"PolicyName": "Inline", "PolicyDocument": POLICY}],
                Tags=TAGS,
            ),
            "Operators": resource(
                "IAM::ManagedPolicy",
                Description="what operators need",
                PolicyDocument=allowing("sqs:ReceiveMessage"),
                Roles=[ref("Role")],
                Tags=TAGS,
            ),
            "FlowLog": resource(
                "EC2::FlowLog",
                DeliverLogsPermissionArn=attribute("Role", "Arn"),
                LogGroupName=ref("LogGroup"),
                ResourceId=ref("Vpc"),
                ResourceType="VPC",
                TrafficType="ALL",
            ),
            "Handler": resource(
                "Lambda::Function",
                Code={"S3Bucket": code_bucket, "S3Key": "handler.zip"},
                Description="A handler of the CDK's",
                Handler="index.handler",
                MemorySize=128,
                Role=attribute("Role", "Arn"),
                Runtime="nodejs22.x",
                Timeout=900,
            ),
            "RestrictDefault": custom(
                "VpcRestrictDefaultSG",
                DefaultSecurityGroupId=attribute("Vpc", "DefaultSecurityGroup"),
                Account=ref("AWS::AccountId"),
            ),
            "Retention": custom(
                "LogRetention",
                LogGroupName="/aws/sagemaker/ProcessingJobs",
                RetentionInDays=90,
            ),
            "AccessLogs": resource("S3::Bucket", BucketName="access-logs", Tags=[EMPTIED]),
            "AccessLogsPolicy": resource(
                "S3::BucketPolicy",
                Bucket=ref("AccessLogs"),
                PolicyDocument={
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "logging.s3.amazonaws.com"},
                            "Action": "s3:PutObject",
                            "Resource": {"Fn::Join": ["", [attribute("AccessLogs", "Arn"), "/*"]]},
                            "Condition": {
                                "ArnLike": {"aws:SourceArn": attribute("Bucket", "Arn")},
                                "StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")},
                            },
                        }
                    ],
                },
            ),
            "AutoDeleteLogs": custom("S3AutoDeleteObjects", BucketName=ref("AccessLogs"))
            | {"DependsOn": ["AccessLogsPolicy"]},
            "Bucket": resource(
                "S3::Bucket",
                BucketName="packages",
                BucketEncryption={
                    "ServerSideEncryptionConfiguration": [
                        {
                            "BucketKeyEnabled": True,
                            "ServerSideEncryptionByDefault": {
                                "SSEAlgorithm": "aws:kms",
                                "KMSMasterKeyID": attribute("Key", "Arn"),
                            },
                        }
                    ]
                },
                LifecycleConfiguration={
                    "Rules": [
                        {
                            "Id": "Old",
                            "Status": "Enabled",
                            "Prefix": "packaged/",
                            "ExpirationInDays": 90,
                            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                            "Transitions": [
                                {"StorageClass": "STANDARD_IA", "TransitionInDays": 30}
                            ],
                        }
                    ]
                },
                LoggingConfiguration={
                    "DestinationBucketName": ref("AccessLogs"),
                    "LogFilePrefix": "artifacts/",
                },
                Tags=[*TAGS, EMPTIED],
                VersioningConfiguration={"Status": "Enabled"},
            ),
            "AutoDelete": custom("S3AutoDeleteObjects", BucketName=ref("Bucket"))
            | {"DependsOn": ["BucketPolicy"]},
            "BucketPolicy": resource(
                "S3::BucketPolicy",
                Bucket=ref("Bucket"),
                PolicyDocument={
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": attribute("Bucket", "Arn"),
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        },
                    ],
                },
            ),
            "Group": resource(
                "SageMaker::ModelPackageGroup",
                ModelPackageGroupName="churn",
                ModelPackageGroupDescription="Churn models",
                Tags=TAGS,
            ),
            "Schedule": resource(
                "Scheduler::Schedule",
                FlexibleTimeWindow={"Mode": "OFF"},
                ScheduleExpression="cron(0 6 ? * MON *)",
                ScheduleExpressionTimezone="Europe/Berlin",
                Target={
                    "Arn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:pipeline/training",
                    "RoleArn": attribute("Role", "Arn"),
                    "SageMakerPipelineParameters": {
                        "PipelineParameterList": [{"Name": "Mode", "Value": "weekly"}]
                    },
                },
            ),
            "Rule": resource(
                "Events::Rule",
                EventPattern={"source": ["aws.s3"]},
                State="DISABLED",
                Targets=[{"Id": "Queue", "Arn": attribute("Queue", "Arn")}],
            ),
        }
    }


class Stack:
    """A stack of the local AWS, deployed with change sets as the CDK CLI does it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self._cloudformation = cloud.client("cloudformation")
        self._kind = "CREATE"

    def deploy(self, wanted: dict[str, Any]) -> str:
        """The stack's status after a deployment, and the reason of a failure."""
        change_set = self._cloudformation.create_change_set(
            StackName=STACK,
            ChangeSetName=f"change-{time.monotonic_ns()}",
            ChangeSetType=self._kind,
            TemplateBody=json.dumps(wanted),
        )
        self._cloudformation.execute_change_set(ChangeSetName=change_set["Id"], StackName=STACK)
        self._kind = "UPDATE"
        [stack] = self._cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        events = self._cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        reasons = [
            event["ResourceStatusReason"]
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        ]
        return " ".join([stack["StackStatus"], *reasons])

    def delete(self) -> str:
        """Why it could not be deleted; nothing if it was."""
        self._cloudformation.delete_stack(StackName=STACK)
        try:
            events = self._cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        except botocore.exceptions.ClientError:
            return ""
        return events[0].get("ResourceStatusReason", "")

    def physical_ids(self) -> dict[str, str]:
        listed = self._cloudformation.list_stack_resources(StackName=STACK)
        return {
            item["LogicalResourceId"]: item["PhysicalResourceId"]
            for item in listed["StackResourceSummaries"]
        }


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="code")
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as code:
            code.writestr("index.js", "")
        s3.put_object(Bucket="code", Key="handler.zip", Body=archive.getvalue())
        yield cloud


@pytest.fixture
def stack(cloud: LocalCloud) -> Iterator[Stack]:
    stack = Stack(cloud)
    yield stack
    stack.delete()


def test_each_type_is_deployed_updated_and_deleted(stack: Stack) -> None:
    wanted = template("code")
    assert stack.deploy(wanted) == "CREATE_COMPLETE"
    ids, client = stack.physical_ids(), stack.cloud.client
    assert ids.keys() == wanted["Resources"].keys()

    kms = client("kms")
    key = kms.describe_key(KeyId="alias/packages")["KeyMetadata"]
    assert key["KeyId"] == ids["Key"]
    assert kms.get_key_rotation_status(KeyId=ids["Key"])["KeyRotationEnabled"]
    topic = client("sns").get_topic_attributes(TopicArn=ids["Topic"])["Attributes"]
    assert topic["KmsMasterKeyId"] == ids["Key"]
    assert "cloudwatch.amazonaws.com" in topic["Policy"]
    [alarm] = client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert alarm["AlarmActions"] == [ids["Topic"]]
    assert alarm["TreatMissingData"] == "notBreaching"
    [group] = client("logs").describe_log_groups(logGroupNamePrefix=ids["LogGroup"])["logGroups"]
    assert group["retentionInDays"] == 30
    [shared] = client("logs").describe_log_groups(logGroupNamePrefix="/aws/sagemaker")["logGroups"]
    assert shared["retentionInDays"] == 90
    s3 = client("s3")
    [encryption] = s3.get_bucket_encryption(Bucket="packages")["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    assert encryption["BucketKeyEnabled"]
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket="packages")["Rules"]
    assert rule["Expiration"] == {"Days": 90}
    assert rule["Transitions"] == [{"Days": 30, "StorageClass": "STANDARD_IA"}]
    assert s3.get_bucket_logging(Bucket="packages")["LoggingEnabled"] == {
        "TargetBucket": "access-logs",
        "TargetPrefix": "artifacts/",
    }
    logged = s3.list_objects_v2(Bucket="access-logs", Prefix="artifacts/")
    assert logged["KeyCount"] > 0
    groups = client("ec2").describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [ids["Vpc"]]}]
    )
    rules = {item["GroupName"]: item for item in groups["SecurityGroups"]}
    assert rules["default"]["IpPermissionsEgress"] == []
    [jobs] = [item for name, item in rules.items() if "Jobs" in name]
    assert {rule["IpProtocol"] for rule in jobs["IpPermissionsEgress"]} == {"icmp", "tcp"}
    [endpoints] = [item for name, item in rules.items() if "Endpoints" in name]
    [ingress] = endpoints["IpPermissions"]
    assert ingress["UserIdGroupPairs"][0]["GroupId"] == ids["Jobs"]
    assert len(client("ec2").describe_vpc_endpoints()["VpcEndpoints"]) == 2
    role = {"RoleName": ids["Role"]}
    attached = client("iam").list_attached_role_policies(**role)["AttachedPolicies"]
    managed = {policy["PolicyArn"]: policy["PolicyName"] for policy in attached}
    assert managed.pop(ids["Operators"]) in ids["Operators"]
    assert list(managed.values()) == ["AWSLambdaBasicExecutionRole"]
    operators = client("iam").get_policy(PolicyArn=ids["Operators"])["Policy"]
    assert (operators["Description"], operators["Tags"]) == ("what operators need", TAGS)
    assert client("iam").list_role_tags(**role)["Tags"] == TAGS
    boundary = client("iam").get_role(**role)["Role"]["PermissionsBoundary"]
    assert boundary["PermissionsBoundaryArn"].endswith(":policy/PowerUserAccess")

    sagemaker = client("sagemaker")
    described = sagemaker.describe_model_package_group(ModelPackageGroupName="churn")
    assert described["ModelPackageGroupArn"] == ids["Group"]  # what Ref gives
    assert described["ModelPackageGroupDescription"] == "Churn models"
    assert sagemaker.list_tags(ResourceArn=ids["Group"])["Tags"] == TAGS
    schedule = client("scheduler").get_schedule(Name=ids["Schedule"])
    assert schedule["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert schedule["Target"]["SageMakerPipelineParameters"]["PipelineParameterList"]

    changed = copy.deepcopy(wanted)
    properties = {name: item["Properties"] for name, item in changed["Resources"].items()}
    properties["Key"]["EnableKeyRotation"] = False
    properties["Topic"]["DisplayName"] = "failures"
    properties["Alarm"]["Threshold"] = 5
    properties["Dashboard"]["DashboardBody"] = '{"widgets":[],"start":"-P7D"}'
    properties["LogGroup"]["RetentionInDays"] = 60
    properties["MetricFilter"]["FilterPattern"] = '{ $.event = "failed" }'
    properties["Jobs"]["SecurityGroupEgress"] = [{"CidrIp": "10.0.0.0/16", "IpProtocol": "-1"}]
    properties["Vpc"]["Tags"] = [{"Key": "stage", "Value": "prod"}]
    properties["Handler"]["MemorySize"] = 256
    properties["Queue"]["VisibilityTimeout"] = 60
    properties["Group"]["Tags"] = [{"Key": "stage", "Value": "prod"}]
    properties["Schedule"]["State"] = "DISABLED"
    properties["Rule"]["State"] = "ENABLED"
    properties["Role"]["AssumeRolePolicyDocument"] = trust("sagemaker")
    del properties["Role"]["PermissionsBoundary"]
    properties["Operators"]["PolicyDocument"] = allowing("sqs:DeleteMessage")
    del properties["Operators"]["Roles"], properties["Operators"]["Tags"]
    del properties["Bucket"]["LifecycleConfiguration"]
    assert stack.deploy(changed) == "UPDATE_COMPLETE"
    assert stack.physical_ids() == ids
    assert not kms.get_key_rotation_status(KeyId=ids["Key"])["KeyRotationEnabled"]
    topic = client("sns").get_topic_attributes(TopicArn=ids["Topic"])["Attributes"]
    assert topic["DisplayName"] == "failures"
    [alarm] = client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert alarm["Threshold"] == 5
    body = client("cloudwatch").get_dashboard(DashboardName="packaging")["DashboardBody"]
    assert "-P7D" in body
    [group] = client("logs").describe_log_groups(logGroupNamePrefix=ids["LogGroup"])["logGroups"]
    assert group["retentionInDays"] == 60
    [metric_filter] = client("logs").describe_metric_filters()["metricFilters"]
    assert "failed" in metric_filter["filterPattern"]
    [vpc] = client("ec2").describe_vpcs(VpcIds=[ids["Vpc"]])["Vpcs"]
    assert vpc["Tags"] == [{"Key": "stage", "Value": "prod"}]
    tags = sagemaker.list_tags(ResourceArn=ids["Group"])["Tags"]
    assert tags == [{"Key": "stage", "Value": "prod"}]
    assert client("scheduler").get_schedule(Name=ids["Schedule"])["State"] == "DISABLED"
    [rule] = client("events").list_rules()["Rules"]
    assert (rule["Name"], rule["State"]) == (ids["Rule"], "ENABLED")
    changed_role = client("iam").get_role(**role)["Role"]
    assert changed_role["AssumeRolePolicyDocument"] == trust("sagemaker")
    assert "PermissionsBoundary" not in changed_role
    [attached] = client("iam").list_attached_role_policies(**role)["AttachedPolicies"]
    assert attached["PolicyName"] == "AWSLambdaBasicExecutionRole"
    operators = client("iam").get_policy(PolicyArn=ids["Operators"])["Policy"]
    assert operators["Tags"] == []
    version = {"PolicyArn": ids["Operators"], "VersionId": operators["DefaultVersionId"]}
    document = client("iam").get_policy_version(**version)["PolicyVersion"]["Document"]
    assert document == allowing("sqs:DeleteMessage")
    with pytest.raises(s3.exceptions.ClientError, match="lifecycle"):
        s3.get_bucket_lifecycle_configuration(Bucket="packages")

    assert stack.delete() == ""
    assert client("sns").list_topics()["Topics"] == []
    assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []
    assert client("scheduler").list_schedules()["Schedules"] == []
    assert client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert client("cloudwatch").list_dashboards()["DashboardEntries"] == []
    assert client("lambda").list_functions()["Functions"] == []
    assert client("iam").list_policies(Scope="Local")["Policies"] == []
    assert client("ec2").describe_vpcs(VpcIds=[])["Vpcs"][0]["IsDefault"]
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["code"]
    [shared] = client("logs").describe_log_groups()["logGroups"]
    assert shared["logGroupName"] == "/aws/sagemaker/ProcessingJobs"
    assert kms.describe_key(KeyId=ids["Key"])["KeyMetadata"]["KeyState"] == "PendingDeletion"


@pytest.mark.parametrize("type_", sorted(resource.TYPE for resource in RESOURCES))
def test_a_property_that_is_not_known_fails_the_deployment(stack: Stack, type_: str) -> None:
    status = stack.deploy({"Resources": {"It": {"Type": type_, "Properties": {"Colour": "blue"}}}})
    assert status.startswith("ROLLBACK_COMPLETE")
    assert "doesn't support the property Colour" in status


def test_each_type_is_in_the_template_of_these_tests() -> None:
    elsewhere = {"AWS::IAM::Policy", "AWS::SageMaker::Pipeline", "AWS::SQS::QueuePolicy"}
    here = {item["Type"] for item in template("code")["Resources"].values()}
    assert {resource.TYPE for resource in RESOURCES} - elsewhere == here


def test_an_update_that_fails_leaves_what_was_there(stack: Stack) -> None:
    queue = resource("SQS::Queue", VisibilityTimeout=60)
    bucket = resource("S3::Bucket", BucketName="kept")
    first = {"Resources": {"Queue": queue, "Removed": bucket}}
    assert stack.deploy(first) == "CREATE_COMPLETE"
    ids = stack.physical_ids()
    stack.cloud.client("s3").put_object(Bucket="kept", Key="model", Body=b"x")
    broken = {
        "Resources": {
            "Queue": resource("SQS::Queue", MessageRetentionPeriod=3600),
            "Added": resource("SNS::Topic"),
            "Taken": resource("S3::Bucket", BucketName="code") | {"DependsOn": ["Queue", "Added"]},
        }
    }
    status = stack.deploy(broken)
    assert status.startswith("UPDATE_ROLLBACK_COMPLETE")
    assert "code already exists" in status
    assert stack.physical_ids() == ids
    attributes = stack.cloud.client("sqs").get_queue_attributes(
        QueueUrl=ids["Queue"], AttributeNames=["All"]
    )["Attributes"]
    assert attributes["VisibilityTimeout"] == "60"
    assert attributes["MessageRetentionPeriod"] == "345600"
    assert stack.cloud.client("sns").list_topics()["Topics"] == []
    stack.cloud.client("s3").delete_object(Bucket="kept", Key="model")


def test_a_renamed_resource_is_replaced_and_what_refers_to_it_follows(stack: Stack) -> None:
    def named(name: str) -> dict[str, Any]:
        topic = resource("SNS::Topic", TopicName=name)
        alarm = resource(
            "CloudWatch::Alarm",
            AlarmActions=[ref("Topic")],
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            MetricName="ExecutionFailed",
            Namespace="AWS/Sagemaker/ModelBuildingPipeline",
            Period=60,
            Statistic="Sum",
            Threshold=0,
        )
        return {"Resources": {"Alarm": alarm, "Topic": topic}}

    assert stack.deploy(named("old")) == "CREATE_COMPLETE"
    assert stack.deploy(named("new")) == "UPDATE_COMPLETE"
    [topic] = stack.cloud.client("sns").list_topics()["Topics"]
    assert topic["TopicArn"].endswith(":new")
    [alarm] = stack.cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert alarm["AlarmActions"] == [topic["TopicArn"]]

    failing = named("newest")
    failing["Resources"]["Taken"] = resource("S3::Bucket", BucketName="code")
    failing["Resources"]["Taken"]["DependsOn"] = ["Alarm"]
    assert stack.deploy(failing).startswith("UPDATE_ROLLBACK_COMPLETE")
    assert stack.cloud.client("sns").list_topics()["Topics"] == [topic]
    [alarm] = stack.cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert alarm["AlarmActions"] == [topic["TopicArn"]]


@pytest.mark.parametrize("tagged", [True, False])
def test_only_a_tagged_bucket_is_emptied(stack: Stack, tagged: bool) -> None:
    wanted = template("code")["Resources"]
    names = ("AutoDelete", "Bucket", "BucketPolicy", "Handler", "Role", "Key", "AccessLogs")
    wanted = {"Resources": {name: wanted[name] for name in names}}
    if not tagged:
        wanted["Resources"]["Bucket"]["Properties"]["Tags"] = TAGS
    assert stack.deploy(wanted) == "CREATE_COMPLETE"
    s3 = stack.cloud.client("s3")
    for body in (b"one", b"two"):
        s3.put_object(Bucket="packages", Key="models/a.tar.gz", Body=body)
    s3.delete_object(Bucket="packages", Key="models/a.tar.gz")
    reason = stack.delete()
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert ("packages" in buckets) == (not tagged)
    if not tagged:
        assert "not empty" in reason
        versions = s3.list_object_versions(Bucket="packages")
        for item in [*versions["Versions"], *versions["DeleteMarkers"]]:
            s3.delete_object(Bucket="packages", Key=item["Key"], VersionId=item["VersionId"])


def test_a_bucket_under_another_logical_id_is_emptied_and_removed(stack: Stack) -> None:
    everything = template("code")["Resources"]
    names = ("AutoDelete", "Bucket", "Handler", "Role", "Key", "AccessLogs")
    wanted = {"Resources": {name: everything[name] for name in names}}
    del wanted["Resources"]["AutoDelete"]["DependsOn"]
    assert stack.deploy(wanted) == "CREATE_COMPLETE"
    s3 = stack.cloud.client("s3")
    s3.put_object(Bucket="packages", Key="models/a.tar.gz", Body=b"x")
    moved = copy.deepcopy(wanted)
    moved["Resources"]["Other"] = moved["Resources"].pop("Bucket")
    moved["Resources"]["Other"]["Properties"]["BucketName"] = "other"
    moved["Resources"]["AutoDelete"]["Properties"]["BucketName"] = ref("Other")
    assert stack.deploy(moved) == "UPDATE_COMPLETE"
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {
        "access-logs",
        "code",
        "other",
    }
