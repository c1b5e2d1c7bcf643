"""What goes wrong in production, from the event to what an operator sees and does."""

import io
import json
import re
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from aws_cdk import App, CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3

from local_aws.cdk_cli import CommandError
from local_aws.cloud import LocalCloud
from local_aws.metrics import EVENTS_NAMESPACE, PIPELINES_NAMESPACE, PROCESSING_LOG_GROUP
from operations.executions.redrive import redrive
from tests.local_aws.conftest import STACK, Deployment, metric_sum

pytestmark = pytest.mark.e2e

STEP = "PackagingStep"
SECONDS = 60


def archive(content: bytes, name: str = "model.bin") -> bytes:
    """A model archive with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Packaging:
    """The deployed stack, as its users and its operators see it."""

    def __init__(self, deployment: Deployment, prefix: str) -> None:
        self.cloud = deployment.cloud
        self.assembly = deployment.assembly
        self.bucket = deployment.bucket
        self.queue = deployment.outputs["DeadLetterQueueUrl"]
        self.prefix = prefix
        self._outputs = deployment.outputs

    @property
    def pipeline(self) -> str:
        return self.cloud.outputs(STACK)["PipelineName"]

    def upload(self, name: str, body: bytes) -> str:
        """Upload a model; the key."""
        key = f"models/{self.prefix}/{name}"
        self.cloud.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return key

    def send_event(self, key: str, etag: str) -> None:
        """What S3 sends for an upload, once more or for one that never was."""
        detail = {
            "version": "0",
            "bucket": {"name": self.bucket},
            "object": {"key": key, "size": 1, "etag": etag, "sequencer": "00617F08299329D189"},
            "reason": "PutObject",
        }
        self.cloud.client("events").put_events(
            Entries=[
                {"Source": "aws.s3", "DetailType": "Object Created", "Detail": json.dumps(detail)}
            ]
        )

    def executions(self, key: str) -> list[dict[str, Any]]:
        """The executions for a model that have started, oldest first."""
        sagemaker, found = self.cloud.client("sagemaker"), []
        for item in sagemaker.list_pipeline_executions(PipelineName=self.pipeline)[
            "PipelineExecutionSummaries"
        ]:
            arn = {"PipelineExecutionArn": item["PipelineExecutionArn"]}
            given = sagemaker.list_pipeline_parameters_for_execution(**arn)["PipelineParameters"]
            if {"Name": "ModelKey", "Value": key} in given:
                found.append(sagemaker.describe_pipeline_execution(**arn) | item)
        return sorted(found, key=lambda item: item["StartTime"])

    def ended(self, key: str, count: int) -> list[dict[str, Any]]:
        """The executions for a model, when that many have ended."""

        def all_ended() -> list[dict[str, Any]]:
            found = self.executions(key)
            running = [item for item in found if item["PipelineExecutionStatus"] == "Executing"]
            return found if len(found) >= count and not running else []

        found = until(all_ended, f"{count} executions for {key} to end")
        assert len(found) == count
        return found

    def step(self, execution: dict[str, Any]) -> dict[str, Any]:
        [step] = self.cloud.client("sagemaker").list_pipeline_execution_steps(
            PipelineExecutionArn=execution["PipelineExecutionArn"]
        )["PipelineExecutionSteps"]
        return step

    def written(self) -> dict[str, list[str]]:
        """Every version of every package, by key."""
        listed = self.cloud.client("s3").list_object_versions(
            Bucket=self.bucket, Prefix="packaged/"
        )
        versions: dict[str, list[str]] = {}
        for item in listed.get("Versions", []):
            versions.setdefault(item["Key"], []).append(item["VersionId"])
        return versions

    def packaged_content(self, execution: dict[str, Any]) -> bytes:
        """The model's content in the package that an execution wrote."""
        execution_id = execution["PipelineExecutionArn"].rpartition("/")[2]
        [key] = [
            key
            for key in self.written()
            if f"/{execution_id}/" in key and key.endswith("model.tar.gz")
        ]
        body = self.cloud.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            file = tar.extractfile("model.bin")
            assert file is not None
            return file.read()

    def metric(self, namespace: str, name: str, **dimensions: str) -> float:
        """The sum of a metric over the last hour."""
        return metric_sum(self.cloud, namespace, name, **dimensions)

    def deploy(self, folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
        """Deploy the template with a change."""
        self.cloud.deploy(changed(self.assembly, folder, change), STACK)


def until(found: Callable[[], Any], wanted: str) -> Any:
    """What a function gives as soon as it gives something."""
    deadline = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline, f"waited in vain for {wanted}"
        time.sleep(0.02)
    return value


def changed(assembly: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A cloud assembly with a changed template, which the CLI reads from the file itself."""
    copied = folder / "cdk.out"
    shutil.copytree(assembly, copied)
    file = copied / f"{STACK}.template.json"
    template = json.loads(file.read_text())
    change(template)
    file.write_text(json.dumps(template))
    # Another template is another asset.
    assets = copied / f"{STACK}.assets.json"
    [digest] = (
        name
        for name, asset in json.loads(assets.read_text())["files"].items()
        if asset["source"]["path"] == file.name
    )
    other = f"{time.monotonic_ns():064x}"
    for manifest in (assets, copied / "manifest.json"):
        manifest.write_text(manifest.read_text().replace(digest, other))
    return copied


def resources(template: dict[str, Any], resource_type: str) -> list[dict[str, Any]]:
    found = template["Resources"].values()
    return [item for item in found if item["Type"] == resource_type]


@pytest.fixture
def packaging(deployment: Deployment, request: pytest.FixtureRequest) -> Packaging:
    return Packaging(deployment, request.node.name)


def test_the_same_event_three_times_gives_one_correct_package_and_overwrites_nothing(
    packaging: Packaging,
) -> None:
    before = packaging.written()
    key = packaging.upload("model.tar.gz", archive(b"weights"))
    [first] = packaging.ended(key, 1)
    once = packaging.written()
    assert len(once) > len(before)
    head = packaging.cloud.client("s3").head_object(Bucket=packaging.bucket, Key=key)
    for _ in range(2):
        packaging.send_event(key, head["ETag"].strip('"'))
    executions = packaging.ended(key, 3)
    assert {item["PipelineExecutionStatus"] for item in executions} == {"Succeeded"}
    assert packaging.packaged_content(first) == b"weights"
    for repeated in executions[1:]:
        hit = packaging.step(repeated)["CacheHitResult"]["SourcePipelineExecutionArn"]
        assert hit == first["PipelineExecutionArn"]
    assert packaging.written() == once


def test_events_that_arrive_together_each_get_a_package_of_their_own(
    packaging: Packaging,
) -> None:
    key = packaging.upload("model.tar.gz", archive(b"weights"))
    head = packaging.cloud.client("s3").head_object(Bucket=packaging.bucket, Key=key)
    for _ in range(2):
        packaging.send_event(key, head["ETag"].strip('"'))
    for execution in packaging.ended(key, 3):
        assert execution["PipelineExecutionStatus"] == "Succeeded"
        # One that is in progress is no candidate for reuse: it runs, or it began after that.
        if "CacheHitResult" not in packaging.step(execution):
            assert packaging.packaged_content(execution) == b"weights"
    assert all(len(versions) == 1 for versions in packaging.written().values())


def test_another_model_under_the_same_key_gets_a_new_package(packaging: Packaging) -> None:
    key = packaging.upload("model.tar.gz", archive(b"old"))
    [old] = packaging.ended(key, 1)
    packaging.upload("model.tar.gz", archive(b"new"))
    [_, new] = packaging.ended(key, 2)
    assert "CacheHitResult" not in packaging.step(new)
    assert packaging.packaged_content(old) == b"old"
    assert packaging.packaged_content(new) == b"new"


def test_an_event_for_a_missing_object_fails_by_its_name_and_writes_nothing(
    packaging: Packaging,
) -> None:
    before = packaging.written()
    key = f"models/{packaging.prefix}/gone.tar.gz"
    packaging.send_event(key, "0" * 32)
    [execution] = packaging.ended(key, 1)
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert f"s3://{packaging.bucket}/{key}" in execution["FailureReason"]
    assert packaging.written() == before
    # It did not enter the cache: the upload that follows is packaged.
    packaging.upload("gone.tar.gz", archive(b"weights"))
    [_, again] = packaging.ended(key, 2)
    assert packaging.packaged_content(again) == b"weights"


def test_an_archive_that_the_script_refuses_fails_with_its_reason_and_is_counted(
    packaging: Packaging,
) -> None:
    before = packaging.written()
    dimensions = {"PipelineName": packaging.pipeline}
    failed = packaging.metric(PIPELINES_NAMESPACE, "ExecutionFailed", **dimensions)
    steps = packaging.metric(PIPELINES_NAMESPACE, "StepFailed", StepName=STEP, **dimensions)
    whole = archive(bytes(range(256)) * 64)
    key = packaging.upload("half.tar.gz", whole[: len(whole) // 2])
    [execution] = packaging.ended(key, 1)
    assert execution["PipelineExecutionStatus"] == "Failed"
    reason = f"s3://{packaging.bucket}/{key}: 'half.tar.gz' is cut off"
    assert reason in execution["FailureReason"]
    step = packaging.step(execution)
    job_name = step["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    job = packaging.cloud.client("sagemaker").describe_processing_job(ProcessingJobName=job_name)
    for told in (step["FailureReason"], job["FailureReason"], job["ExitMessage"]):
        assert reason in told
    assert packaging.written() == before
    assert packaging.metric(PIPELINES_NAMESPACE, "ExecutionFailed", **dimensions) == failed + 1
    assert (
        packaging.metric(PIPELINES_NAMESPACE, "StepFailed", StepName=STEP, **dimensions)
        == steps + 1
    )
    [line] = [json.loads(line) for line in log_of(packaging.cloud, job_name) if line[0] == "{"]
    assert reason in line["reason"]
    assert line["pipeline"] == packaging.pipeline
    assert line["execution"] == execution["PipelineExecutionArn"].rpartition("/")[2]


def log_of(cloud: LocalCloud, job_name: str) -> list[str]:
    """What a job has printed, from CloudWatch Logs."""
    logs = cloud.client("logs")
    [stream] = logs.describe_log_streams(
        logGroupName=PROCESSING_LOG_GROUP, logStreamNamePrefix=f"{job_name}/algo-1-"
    )["logStreams"]
    events = logs.get_log_events(
        logGroupName=PROCESSING_LOG_GROUP, logStreamName=stream["logStreamName"]
    )["events"]
    return [event["message"] for event in events]


def test_one_object_that_is_no_archive_is_not_shipped_as_a_loose_file(packaging: Packaging) -> None:
    key = packaging.upload("model.zip", b"PK\x03\x04" + b"x" * 600)  # no event of the rule's
    before = packaging.written()
    packaging.cloud.client("sagemaker").start_pipeline_execution(
        PipelineName=packaging.pipeline,
        PipelineParameters=[
            {"Name": "ModelBucket", "Value": packaging.bucket},
            {"Name": "ModelKey", "Value": key},
            {"Name": "ModelETag", "Value": "none"},
        ],
    )
    [execution] = packaging.ended(key, 1)
    assert execution["PipelineExecutionStatus"] == "Failed"
    reason = packaging.step(execution)["FailureReason"]
    assert "the model 'model.zip' is zip data, and a model that is one object must be" in reason
    assert packaging.written() == before


def test_a_deployment_that_fails_half_way_changes_nothing(
    packaging: Packaging, tmp_path: Path
) -> None:
    cloud = packaging.cloud
    cloudformation, sagemaker = cloud.client("cloudformation"), cloud.client("sagemaker")

    def deployed() -> Any:
        listed = cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
        return {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in listed}

    def definition() -> str:
        described = sagemaker.describe_pipeline(PipelineName=packaging.pipeline)
        return described["PipelineDefinition"]

    def change(template: dict[str, Any]) -> None:
        [name] = (
            name
            for name, item in template["Resources"].items()
            if item["Type"] == "AWS::SageMaker::Pipeline"
        )
        pipeline = template["Resources"][name]
        body = pipeline["Properties"]["PipelineDefinition"]
        text, count = re.subn(r"ml\.m5\.\w+", "ml.c5.xlarge", json.dumps(body))
        assert count == 1
        pipeline["Properties"]["PipelineDefinition"] = json.loads(text)
        template["Resources"]["Added"] = {"Type": "AWS::SNS::Topic"}
        template["Resources"]["Taken"] = {
            "Type": "AWS::S3::Bucket",
            "Properties": {"BucketName": packaging.bucket},
            "DependsOn": [name, "Added"],
        }

    before = deployed(), definition()
    topics = cloud.client("sns").list_topics()["Topics"]
    for attempt in ("one", "two"):  # each failure is told by its own reason
        with pytest.raises(CommandError, match=f"{packaging.bucket} already exists"):
            packaging.deploy(tmp_path / attempt, change)
    [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert (deployed(), definition()) == before
    assert cloud.client("sns").list_topics()["Topics"] == topics
    key = packaging.upload("model.tar.gz", archive(b"weights"))
    [execution] = packaging.ended(key, 1)
    assert packaging.packaged_content(execution) == b"weights"


def test_events_for_a_deleted_pipeline_wait_until_they_are_redriven(
    packaging: Packaging, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    cloud = packaging.cloud
    sqs = cloud.client("sqs")
    sqs.purge_queue(QueueUrl=packaging.queue)
    pipeline = cloud.client("sagemaker").describe_pipeline(PipelineName=packaging.pipeline)
    [rule] = cloud.client("events").list_rule_names_by_target(TargetArn=pipeline["PipelineArn"])[
        "RuleNames"
    ]
    failed = packaging.metric(EVENTS_NAMESPACE, "FailedInvocations", RuleName=rule)
    cloud.client("sagemaker").delete_pipeline(PipelineName=packaging.pipeline)
    key = packaging.upload("model.tar.gz", archive(b"weights"))

    def count() -> int:
        attributes = sqs.get_queue_attributes(
            QueueUrl=packaging.queue, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])

    until(count, "a dead letter")
    [message] = sqs.receive_message(
        QueueUrl=packaging.queue, MessageAttributeNames=["All"], VisibilityTimeout=0
    )["Messages"]
    event = json.loads(message["Body"])
    assert event["detail"]["object"]["key"] == key
    assert event["detail"]["bucket"]["name"] == packaging.bucket
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "ResourceNotFound"
    assert (
        until(
            lambda: packaging.metric(EVENTS_NAMESPACE, "FailedInvocations", RuleName=rule),
            "the metric of failed deliveries",
        )
        == failed + 1
    )
    # As long as the pipeline is gone, the message stays.
    with pytest.raises(botocore.exceptions.ClientError, match="does not exist"):
        redrive(cloud.client, packaging.queue)

    def rename(template: dict[str, Any]) -> None:
        # CloudFormation can't update what someone else has deleted; it can replace it.
        [pipeline] = resources(template, "AWS::SageMaker::Pipeline")
        pipeline["Properties"]["PipelineName"] = "model-packaging-2"
        template["Outputs"]["PipelineName"]["Value"] = "model-packaging-2"
        for role in resources(template, "AWS::IAM::Role"):  # who trusts it by its name
            trust = json.dumps(role["Properties"]["AssumeRolePolicyDocument"])
            renamed = trust.replace("pipeline/model-packaging/", "pipeline/model-packaging-2/")
            role["Properties"]["AssumeRolePolicyDocument"] = json.loads(renamed)

    packaging.deploy(tmp_path, rename)
    request.addfinalizer(lambda: cloud.deploy(packaging.assembly, STACK))  # the others' name
    [arn] = until(lambda: redrive(cloud.client, packaging.queue), "a redriven execution")
    [execution] = packaging.ended(key, 1)
    assert execution["PipelineExecutionArn"] == arn
    assert packaging.packaged_content(execution) == b"weights"
    assert count() == 0
    # The next upload finds the new pipeline by itself.
    key = packaging.upload("next.tar.gz", archive(b"next"))
    [execution] = packaging.ended(key, 1)
    assert packaging.packaged_content(execution) == b"next"


def test_a_development_stack_is_destroyed_with_the_objects_in_its_bucket(
    own_cloud: LocalCloud, tmp_path: Path
) -> None:
    app = App(outdir=str(tmp_path / "cdk.out"), analytics_reporting=False)
    stack = Stack(app, "Development")
    bucket = s3.Bucket(
        stack,
        "Bucket",
        auto_delete_objects=True,
        enforce_ssl=True,
        removal_policy=RemovalPolicy.DESTROY,
        versioned=True,
    )
    CfnOutput(stack, "BucketName", value=bucket.bucket_name)
    app.synth()
    own_cloud.deploy(tmp_path / "cdk.out", "Development")
    name = own_cloud.outputs("Development")["BucketName"]
    client = own_cloud.client("s3")
    for body in (b"one", b"two"):
        client.put_object(Bucket=name, Key="models/a.tar.gz", Body=body)
    client.delete_object(Bucket=name, Key="models/a.tar.gz")
    client.put_object(Bucket=name, Key="packaged/a.tar.gz", Body=b"package")
    own_cloud.cdk("destroy", "Development", "--app", str(tmp_path / "cdk.out"), "--force")
    with pytest.raises(botocore.exceptions.ClientError, match="does not exist"):
        own_cloud.outputs("Development")
    assert name not in {item["Name"] for item in client.list_buckets()["Buckets"]}


def test_a_protected_stack_with_tags_is_not_destroyed(
    own_cloud: LocalCloud, tmp_path: Path
) -> None:
    app = App(outdir=str(tmp_path / "cdk.out"), analytics_reporting=False)
    tags = {"owner": "Data Platform", "cost-centre": "4711"}
    stack = Stack(app, "Production", tags=tags, termination_protection=True)
    s3.Bucket(stack, "Bucket", bucket_name="protected", removal_policy=RemovalPolicy.DESTROY)
    app.synth()
    own_cloud.deploy(tmp_path / "cdk.out", "Production")
    [deployed] = own_cloud.client("cloudformation").describe_stacks(StackName="Production")[
        "Stacks"
    ]
    assert deployed["StackStatus"] == "CREATE_COMPLETE"
    assert deployed["EnableTerminationProtection"]
    assert {tag["Key"]: tag["Value"] for tag in deployed["Tags"]} == tags
    with pytest.raises(CommandError, match="TerminationProtection is enabled"):
        own_cloud.cdk("destroy", "Production", "--app", str(tmp_path / "cdk.out"), "--force")
    own_cloud.client("s3").head_bucket(Bucket="protected")
