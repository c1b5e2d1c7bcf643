"""The model registry, and what follows from an approval."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.cloud import ACCOUNT, LocalCloud, local_cloud
from tests.local_aws.conftest import EVERYTHING, make_role
from tests.local_aws.step_definitions import BUCKET, registration
from tests.local_aws.test_failure_paths import until

SAGEMAKER = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
MODEL = f"s3://{BUCKET}/models/model.tar.gz"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="models/model.tar.gz", Body=b"model")
        cloud.client("sagemaker").create_pipeline(
            PipelineName="deploying",
            PipelineDefinition=json.dumps(
                {
                    "Parameters": [{"Name": "Package", "Type": "String"}],
                    "Steps": [
                        {
                            "Name": "Told",
                            "Type": "Fail",
                            "Arguments": {"ErrorMessage": {"Get": "Parameters.Package"}},
                        }
                    ],
                }
            ),
            RoleArn=make_role(cloud, "pipeline", "sagemaker", EVERYTHING),
        )
        yield cloud


class Group:
    """A group of model packages of its own."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._sagemaker = cloud.client("sagemaker")
        self.name = f"group-{time.monotonic_ns()}"
        self.arn: str = self._sagemaker.create_model_package_group(ModelPackageGroupName=self.name)[
            "ModelPackageGroupArn"
        ]

    def register(self, group: str | None = None, uri: str = MODEL, **metadata: str) -> str:
        request = registration("Register", group or self.name, uri, **metadata)["Arguments"]
        arn: str = self._sagemaker.create_model_package(**request)["ModelPackageArn"]
        return arn

    def update(self, arn: str, **changed: Any) -> None:
        self._sagemaker.update_model_package(ModelPackageArn=arn, **changed)

    def describe(self, arn: str) -> dict[str, Any]:
        described: dict[str, Any] = self._sagemaker.describe_model_package(ModelPackageName=arn)
        return described

    def delete(self) -> None:
        self._sagemaker.delete_model_package_group(ModelPackageGroupName=self.name)

    def delete_package(self, arn: str) -> None:
        self._sagemaker.delete_model_package(ModelPackageName=arn)


@pytest.fixture
def group(cloud: LocalCloud) -> Group:
    return Group(cloud)


def test_packages_are_versions_of_their_group(group: Group) -> None:
    first = group.register()
    assert first == f"{SAGEMAKER}:model-package/{group.name}/1"
    assert group.register(group.arn) == f"{SAGEMAKER}:model-package/{group.name}/2"
    # A number is not used again: what was written down as version 1 stays another model.
    group.delete_package(first)
    assert group.register() == f"{SAGEMAKER}:model-package/{group.name}/3"


def test_a_group_is_made_once_and_deleted_empty(group: Group, cloud: LocalCloud) -> None:
    with pytest.raises(ClientError, match="Model Package Group already exists"):
        cloud.client("sagemaker").create_model_package_group(ModelPackageGroupName=group.name)
    arn = group.register()
    with pytest.raises(ClientError, match="still has model packages"):
        group.delete()
    group.delete_package(arn)
    group.delete()
    with pytest.raises(ClientError, match="does not exist"):
        cloud.client("sagemaker").describe_model_package_group(ModelPackageGroupName=group.name)


@pytest.mark.parametrize(
    "value", ["a" * 257, "model (2).tar.gz", "it's", "a,b", "wow!", "a\nb", "größe~1"]
)
def test_metadata_of_another_form_are_refused(group: Group, value: str) -> None:
    with pytest.raises(ClientError, match="'customerMetadataProperties' failed to satisfy"):
        group.register(source=value)


def test_metadata_of_the_form_that_is_documented_are_kept(group: Group) -> None:
    metadata = {"größe": "a b/c=d+e-f@g:h_i.j", "n": "1" * 256}
    assert group.describe(group.register(**metadata))["CustomerMetadataProperties"] == metadata


def test_a_model_that_is_not_there_is_refused(group: Group) -> None:
    with pytest.raises(ClientError, match=f"Could not find model data at s3://{BUCKET}/none"):
        group.register(uri=f"s3://{BUCKET}/none.tar.gz")


def test_a_skipped_validation_is_kept(group: Group, cloud: LocalCloud) -> None:
    request = registration("Register", group.name, MODEL)["Arguments"]
    made = cloud.client("sagemaker").create_model_package(**request, SkipModelValidation="All")
    assert group.describe(made["ModelPackageArn"])["SkipModelValidation"] == "All"


def test_what_the_registry_would_forget_is_refused(group: Group, cloud: LocalCloud) -> None:
    request = registration("Register", group.name, MODEL)["Arguments"]
    with pytest.raises(ClientError, match="has no SourceUri"):
        cloud.client("sagemaker").create_model_package(**request, SourceUri=MODEL)


def test_an_approval_changes_nothing_else(group: Group) -> None:
    arn = group.register(sha256="abc")
    group.update(arn, ModelApprovalStatus="Approved", ApprovalDescription="tried")
    group.update(arn, CustomerMetadataProperties={"owner": "us"})
    described = group.describe(arn)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["ApprovalDescription"] == "tried"
    assert described["CustomerMetadataProperties"] == {"sha256": "abc", "owner": "us"}
    group.update(arn, CustomerMetadataPropertiesToRemove=["owner"])
    assert group.describe(arn)["CustomerMetadataProperties"] == {"sha256": "abc"}


def allow(action: str, resource: str, rule: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": action,
        "Resource": resource,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Approvals:
    """A rule on the approvals of a group, with a queue of its own, and one behind its topic."""

    def __init__(self, cloud: LocalCloud, group: Group) -> None:
        self._cloud, self._name = cloud, group.name
        self._events, self._sqs = cloud.client("events"), cloud.client("sqs")
        self._sns = cloud.client("sns")
        pattern = {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Model Package State Change"],
            "detail": {
                "ModelPackageGroupName": [group.name],
                "ModelApprovalStatus": ["Approved"],
            },
        }
        self.rule: str = self._events.put_rule(Name=group.name, EventPattern=json.dumps(pattern))[
            "RuleArn"
        ]
        self.queue = self.make_queue("queue")
        self.letters = self.make_queue("letters")

    def make_queue(self, name: str) -> str:
        url: str = self._sqs.create_queue(QueueName=f"{self._name}-{name}")["QueueUrl"]
        policy = allow("sqs:SendMessage", self.arn(url), self.rule)
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return url

    def encrypt(self, url: str) -> str:
        """Encrypt a queue with a key of its own, whose ARN is given back."""
        account = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        statement = {"Effect": "Allow", "Principal": account, "Action": "kms:*", "Resource": "*"}
        made = self._cloud.client("kms").create_key(Policy=json.dumps({"Statement": [statement]}))
        key: str = made["KeyMetadata"]["Arn"]
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": key})
        return key

    def make_topic(self, *, allowed: bool = True) -> str:
        """A topic, whose messages come to the queue."""
        arn: str = self._sns.create_topic(Name=self._name)["TopicArn"]
        policy = allow("sns:Publish", arn, self.rule if allowed else f"{self.rule}-2")
        self._sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
        self._sns.subscribe(
            TopicArn=arn,
            Protocol="sqs",
            Endpoint=self.arn(self.queue),
            Attributes={"RawMessageDelivery": "true"},
        )
        return arn

    def arn(self, url: str) -> str:
        return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{url.rpartition('/')[2]}"

    def target(self, arn: str, **more: Any) -> None:
        letters = {"DeadLetterConfig": {"Arn": self.arn(self.letters)}}
        target = {"Id": "Target", "Arn": arn, **letters, **more}
        self._events.put_targets(Rule=self._name, Targets=[target])

    def receive(self, url: str) -> Any:
        """The next message of a queue."""

        def message() -> Any:
            received = self._sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
            return next(iter(received.get("Messages", [])), None)

        return until(message, "a message")


@pytest.fixture
def approvals(cloud: LocalCloud, group: Group) -> Approvals:
    return Approvals(cloud, group)


def test_an_approval_reaches_a_queue_in_its_documented_form(
    group: Group, approvals: Approvals
) -> None:
    approvals.target(approvals.arn(approvals.queue))
    arn = group.register(sha256="abc")
    group.update(arn, ModelApprovalStatus="Rejected")
    group.update(arn, ModelApprovalStatus="Approved")
    event = json.loads(approvals.receive(approvals.queue)["Body"])
    detail = event.pop("detail")
    assert event["source"] == "aws.sagemaker"
    assert event["detail-type"] == "SageMaker Model Package State Change"
    assert event["resources"] == [arn]
    [container] = detail["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == MODEL
    told = {name: detail[name] for name in detail if isinstance(detail[name], str | int)}
    assert {name: value for name, value in told.items() if not name.endswith("Time")} == {
        "CertifyForMarketplace": False,
        "ModelApprovalStatus": "Approved",
        "ModelPackageArn": arn,
        "ModelPackageGroupName": group.name,
        "ModelPackageStatus": "Completed",
        "ModelPackageVersion": 1,
    }
    assert detail["UpdatedModelPackageFields"] == ["ModelApprovalStatus"]


def test_an_approval_reaches_a_topic_in_words(group: Group, approvals: Approvals) -> None:
    words = {"InputPathsMap": {"arn": "$.detail.ModelPackageArn"}, "InputTemplate": '"<arn>: go"'}
    approvals.target(approvals.make_topic(), InputTransformer=words)
    arn = group.register()
    group.update(arn, ModelApprovalStatus="Approved")
    assert approvals.receive(approvals.queue)["Body"] == f'"{arn}: go"'


def test_an_approval_starts_a_pipeline_in_the_targets_role(
    group: Group, approvals: Approvals, cloud: LocalCloud
) -> None:
    parameter = {"Name": "Package", "Value": "$.detail.ModelPackageArn"}
    approvals.target(
        f"{SAGEMAKER}:pipeline/deploying",
        RoleArn=make_role(cloud, group.name, "events", EVERYTHING),
        SageMakerPipelineParameters={"PipelineParameterList": [parameter]},
    )
    arn = group.register()
    group.update(arn, ModelApprovalStatus="Approved")
    until(lambda: arn in reasons(cloud), "the pipeline to be told")


def reasons(cloud: LocalCloud) -> str:
    """Why executions of the pipeline failed: with what they were told."""
    sagemaker = cloud.client("sagemaker")
    listed = sagemaker.list_pipeline_executions(PipelineName="deploying")
    arns = [item["PipelineExecutionArn"] for item in listed["PipelineExecutionSummaries"]]
    described = [sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn) for arn in arns]
    return "\n".join(one.get("FailureReason", "") for one in described)


def refused(message: dict[str, Any]) -> str:
    attributes: dict[str, Any] = message["MessageAttributes"]
    text: str = attributes["ERROR_MESSAGE"]["StringValue"]
    return text


def test_what_a_topic_does_not_take_is_a_dead_letter(group: Group, approvals: Approvals) -> None:
    approvals.target(approvals.make_topic(allowed=False))
    group.update(group.register(), ModelApprovalStatus="Approved")
    told = refused(approvals.receive(approvals.letters))
    assert "events.amazonaws.com is not authorized to perform: sns:Publish" in told


@pytest.mark.parametrize("condition", [{}, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}])
def test_a_topics_key_is_not_told_which_rule_publishes(
    group: Group, approvals: Approvals, cloud: LocalCloud, condition: dict[str, Any]
) -> None:
    key = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": condition,
    }
    made = cloud.client("kms").create_key(Policy=json.dumps({"Statement": [key]}))
    topic = approvals.make_topic()
    cloud.client("sns").set_topic_attributes(
        TopicArn=topic,
        AttributeName="KmsMasterKeyId",
        AttributeValue=made["KeyMetadata"]["Arn"],
    )
    approvals.target(topic)
    group.update(group.register(), ModelApprovalStatus="Approved")
    if condition:
        assert "kms:GenerateDataKey" in refused(approvals.receive(approvals.letters))
    else:
        assert approvals.receive(approvals.queue)


def test_a_role_publishes_where_the_topic_leaves_that_to_roles(
    group: Group, approvals: Approvals, cloud: LocalCloud
) -> None:
    topic = approvals.make_topic(allowed=False)
    role = make_role(
        cloud, group.name, "events", {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}
    )
    approvals.target(topic, RoleArn=role, Input='"approved"')
    group.update(group.register(), ModelApprovalStatus="Approved")
    assert approvals.receive(approvals.queue)["Body"] == '"approved"'


def test_a_function_as_a_target_is_refused_by_name(group: Group, approvals: Approvals) -> None:
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:deploy"
    approvals.target(function)
    group.update(group.register(), ModelApprovalStatus="Approved")
    told = refused(approvals.receive(approvals.letters))
    assert told == f"the local AWS delivers to pipelines, topics and queues, not to {function}"


class Schedule:
    """A schedule that starts the pipeline, in a role that trusts schedules of one group."""

    def __init__(self, cloud: LocalCloud, approvals: Approvals, *allowed: dict[str, Any]) -> None:
        self._events, self._scheduler = cloud.client("events"), cloud.client("scheduler")
        self.name = f"weekly-{time.monotonic_ns()}"
        role = make_role(cloud, self.name, "scheduler", *allowed)
        trust = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "scheduler.amazonaws.com"},
            "Condition": {
                "StringEquals": {
                    "aws:SourceArn": f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/default"
                }
            },
        }
        cloud.client("iam").update_assume_role_policy(
            RoleName=self.name,
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        parameter = {"Name": "Package", "Value": self.name}
        self.settings = {
            "Name": self.name,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ScheduleExpression": "cron(0 6 ? * MON *)",
            "Target": {
                "Arn": f"{SAGEMAKER}:pipeline/deploying",
                "RoleArn": role,
                "DeadLetterConfig": {"Arn": approvals.arn(approvals.letters)},
                "SageMakerPipelineParameters": {"PipelineParameterList": [parameter]},
            },
        }
        self._arn = self._scheduler.create_schedule(**self.settings)["ScheduleArn"]

    def come(self) -> None:
        """Let its time come."""
        entry = {"Source": "aws.scheduler", "DetailType": "Scheduled Event", "Detail": "{}"}
        self._events.put_events(Entries=[entry | {"Resources": [self._arn]}])

    def disable(self) -> None:
        self._scheduler.update_schedule(**self.settings, State="DISABLED")


def test_a_schedule_starts_its_pipeline_when_its_time_comes(
    cloud: LocalCloud, approvals: Approvals
) -> None:
    disabled = Schedule(cloud, approvals, EVERYTHING)
    disabled.disable()
    disabled.come()
    schedule = Schedule(cloud, approvals, EVERYTHING)
    schedule.come()
    until(lambda: schedule.name in reasons(cloud), "the pipeline to be told")
    assert disabled.name not in reasons(cloud)


@pytest.mark.parametrize("with_key", [False, True])
def test_a_schedule_that_may_not_start_it_writes_a_dead_letter(
    cloud: LocalCloud, approvals: Approvals, with_key: bool
) -> None:
    sending = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    schedule = Schedule(cloud, approvals, sending)
    if with_key:
        key = approvals.encrypt(approvals.letters)
        log = cloud.directory / "local-aws.log"
        read = log.stat().st_size
        schedule.come()
        refusal = "is not authorized to perform: kms:GenerateDataKey on resource"
        until(lambda: refusal in log.read_text()[read:], "a refusal")
        using = {"Effect": "Allow", "Action": "kms:*", "Resource": key}
        schedule = Schedule(cloud, approvals, sending, using)
    schedule.come()
    told = refused(approvals.receive(approvals.letters))
    assert "is not authorized to perform: sagemaker:StartPipelineExecution" in told
    assert schedule.name not in reasons(cloud)
