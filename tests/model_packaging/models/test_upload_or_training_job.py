from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3

from local_aws import expressions, rule_targets
from model_packaging import (
    ModelUpload,
    PackageStepConfig,
    PackagingPipeline,
    PipelineTrigger,
    TrainingJobCompleted,
    UploadOrTrainingJob,
)
from model_packaging.models.starts import refuse_loop
from model_packaging.step import UploadOrUriParameters
from model_packaging.step.contract import MODEL_ETAG_VARIABLE
from tests.definitions import context


@pytest.fixture
def bucket() -> s3.IBucket:
    return s3.Bucket.from_bucket_name(Stack(App(), "Stack"), "Bucket", "models-bucket")


@pytest.fixture
def either(bucket: s3.IBucket) -> UploadOrTrainingJob:
    return UploadOrTrainingJob(
        ModelUpload(bucket), TrainingJobCompleted(bucket, "training/", "churn-")
    )


UPLOAD = {"detail": {"object": {"key": "models/a/model.tar.gz", "etag": "d41d8cd9"}}}
URI = "s3://models-bucket/training/churn-1/output/model.tar.gz"
JOB = {"detail": {"ModelArtifacts": {"S3ModelArtifacts": URI}}}


@pytest.mark.parametrize(
    ("number", "event", "uri", "etag"),
    [(0, UPLOAD, "s3://models-bucket/models/a/model.tar.gz", "d41d8cd9"), (1, JOB, URI, "")],
)
def test_either_event_leads_to_its_model(
    either: UploadOrTrainingJob, number: int, event: dict[str, Any], uri: str, etag: str
) -> None:
    source = either.bind(context())
    definition = {"Parameters": [parameter.to_request() for parameter in source.parameters]}
    given = [
        {"Name": name, "Value": rule_targets.resolve(value, event)}
        for name, value in either.events[number].parameter_paths.items()
    ]
    values = {
        f"Parameters.{name}": value
        for name, value in expressions.parameter_values(definition, given).items()
    }
    assert expressions.resolve(source.uri.expr, values) == uri
    assert expressions.resolve(source.environment[MODEL_ETAG_VARIABLE].expr, values) == etag


def test_a_pipeline_for_either_is_rendered(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    bucket = s3.Bucket(stack, "Bucket")
    pipeline = PackagingPipeline(
        stack,
        "Packaging",
        config=PackageStepConfig(**settings),
        model=UploadOrTrainingJob(
            ModelUpload(bucket), TrainingJobCompleted(bucket, "training/", "churn-")
        ),
    )
    trigger = PipelineTrigger(stack, "Trigger", pipeline=pipeline)
    assert len(trigger.rules) == 2


def test_the_job_may_read_both(either: UploadOrTrainingJob) -> None:
    assert [objects.key_pattern for objects in either.reads] == ["models/*", "training/*"]


def test_what_would_loop_for_one_of_them_is_a_loop(either: UploadOrTrainingJob) -> None:
    refuse_loop(["s3://models-bucket/packaged"], either.events)
    with pytest.raises(ValueError, match="every package would start the pipeline again"):
        refuse_loop(["s3://models-bucket/models/packaged"], either.events)


def test_a_model_that_would_start_the_pipeline_twice_is_refused(bucket: s3.IBucket) -> None:
    with pytest.raises(ValueError, match="start twice for the same model; keep one of the two"):
        UploadOrTrainingJob(
            ModelUpload(bucket, prefix="models/"),
            TrainingJobCompleted(bucket, "models/trained/", "churn-"),
        )


def test_two_parameters_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="need different names"):
        UploadOrUriParameters(location="ModelKey")
