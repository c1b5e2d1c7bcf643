"""A stage that registers, deployed: what is packaged is a version, what is refused is none."""

import hashlib

import pytest

from local_aws.cloud import ACCOUNT
from tests.local_aws.surrounded_stage import SurroundedStage
from tests.local_aws.test_failure_paths import archive, until

pytestmark = pytest.mark.e2e

MODEL = "models/a b (1)/model.tar.gz"


@pytest.fixture
def stage(surrounded_stage: SurroundedStage) -> SurroundedStage:
    return surrounded_stage


def test_a_package_is_registered_with_what_is_known_of_it(stage: SurroundedStage) -> None:
    model = archive(b"weights")
    execution = stage.upload(MODEL, model)
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution["FailureReason"]
    version = stage.versions()[-1]
    assert f":{ACCOUNT}:model-package/churn/" in version["ModelPackageArn"]
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


def test_a_refused_model_is_no_version(stage: SurroundedStage) -> None:
    before = len(stage.versions())
    execution = stage.upload("models/broken/model.tar.gz", b"no archive")
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert len(stage.versions()) == before


def test_an_event_that_comes_twice_makes_two_versions_that_say_the_same(
    stage: SurroundedStage,
) -> None:
    before = len(stage.versions())
    stage.upload("models/twice/model.tar.gz", archive(b"twice"))
    stage.announce("models/twice/model.tar.gz")
    first, second = stage.versions()[before:]
    for name in ("CustomerMetadataProperties", "InferenceSpecification"):
        assert first[name] == second[name]


def test_the_stages_topic_is_told_of_an_executions_end(stage: SurroundedStage) -> None:
    execution = stage.upload("models/told/model.tar.gz", b"no archive")
    arn = execution["PipelineExecutionArn"]

    def told() -> str | None:
        return next((body for body in stage.receive(stage.told) if arn in body), None)

    assert "Failed" in until(told, "a message")
