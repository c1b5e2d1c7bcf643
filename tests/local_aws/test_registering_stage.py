"""A stage that registers, deployed: what is packaged is a version, what is refused is none."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.cloud import ACCOUNT, LocalCloud, local_cloud
from tests.conftest import Make, synthesize
from tests.local_aws.test_failure_paths import archive, until

pytestmark = pytest.mark.e2e

STACK = "ModelPackaging"
MODEL = "models/a b (1)/model.tar.gz"
SETTINGS = {
    "owner": "machine-learning",
    "cost_centre": "machine-learning",
    "registration": {
        "model_package_group": "churn",
        "framework": "sklearn",
        "framework_version": "1.2-1",
        "customer_metadata": {"team": "churn"},
    },
    "alarms": {"emails": ["ml@example.com"], "executions": ["Succeeded", "Failed"]},
}


class Stage:
    """A deployed stage."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud, self.outputs = cloud, cloud.outputs(f"{STACK}-here")
        self.bucket = self.outputs["ModelUploadUri"].split("/")[2]

    def upload(self, key: str, body: bytes) -> dict[str, Any]:
        """Upload a model, and wait for the end of the execution that it starts."""
        sagemaker = self.cloud.client("sagemaker")
        pipeline = {"PipelineName": self.outputs["PipelineName"]}

        def executions() -> set[str]:
            listed = sagemaker.list_pipeline_executions(**pipeline)["PipelineExecutionSummaries"]
            return {item["PipelineExecutionArn"] for item in listed}

        before = executions()
        self.cloud.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        until(lambda: executions() - before, "an execution")
        return self.cloud.wait_for_execution(pipeline["PipelineName"])

    def versions(self) -> list[dict[str, Any]]:
        sagemaker = self.cloud.client("sagemaker")
        listed = sagemaker.list_model_packages(ModelPackageGroupName="churn")
        arns = [item["ModelPackageArn"] for item in listed["ModelPackageSummaryList"]]
        return [sagemaker.describe_model_package(ModelPackageName=arn) for arn in sorted(arns)]


@pytest.fixture(scope="module")
def stage(
    once: Callable[[str, Make], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    assembly = once(
        "registering-here",
        lambda outdir: synthesize(outdir, stage="here", stages={"here": SETTINGS}),
    )
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        cloud.bootstrap()
        cloud.deploy(assembly, STACK)
        yield Stage(cloud)


def test_a_package_is_registered_with_what_is_known_of_it(stage: Stage) -> None:
    model = archive(b"weights")
    execution = stage.upload(MODEL, model)
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution["FailureReason"]
    [version] = stage.versions()
    assert version["ModelPackageArn"].endswith(f":{ACCOUNT}:model-package/churn/1")
    assert version["ModelApprovalStatus"] == "PendingManualApproval"
    [container] = version["InferenceSpecification"]["Containers"]
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    package = stage.cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    execution_id = execution["PipelineExecutionArn"].rpartition("/")[2]
    assert execution_id in key
    assert container["Environment"] == {
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    }
    told = version["CustomerMetadataProperties"]
    digests = {hashlib.sha256(content).hexdigest() for content in (model, package)}
    assert digests <= set(told.values())
    assert told["team"] == "churn"
    assert any(value.endswith("/models/a b _1_/model.tar.gz") for value in told.values())
    # The key that encrypts it makes the ETag another than the MD5.
    found = stage.cloud.client("s3").head_object(Bucket=stage.bucket, Key=MODEL)
    assert told["etag"] == found["ETag"].strip('"')


def test_a_refused_model_is_no_version(stage: Stage) -> None:
    before = len(stage.versions())
    execution = stage.upload("models/broken/model.tar.gz", b"no archive")
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert len(stage.versions()) == before


def test_the_same_model_again_is_another_version_that_says_the_same(stage: Stage) -> None:
    model = archive(b"twice")
    for _ in range(2):
        stage.upload("models/twice/model.tar.gz", model)
    first, second = stage.versions()[-2:]
    for name in ("CustomerMetadataProperties", "InferenceSpecification"):
        assert first[name] == second[name]


def test_the_stages_topic_is_told_of_an_executions_end(stage: Stage) -> None:
    sns, sqs = stage.cloud.client("sns"), stage.cloud.client("sqs")
    [topic] = [one["TopicArn"] for one in sns.list_topics()["Topics"]]
    queue = sqs.create_queue(QueueName="operators")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:operators"
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    execution = stage.upload("models/told/model.tar.gz", b"no archive")

    def told() -> str | None:
        received = sqs.receive_message(QueueUrl=queue).get("Messages", [])
        bodies = [message["Body"] for message in received]
        return next((body for body in bodies if execution["PipelineExecutionArn"] in body), None)

    assert "Failed" in until(told, "a message")
