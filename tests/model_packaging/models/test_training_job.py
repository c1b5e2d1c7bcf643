import re
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3

from model_packaging import ModelUpload, TrainingJobCompleted
from model_packaging.step import ModelUriParameter
from tests.definitions import context


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


@pytest.fixture
def bucket(stack: Stack) -> s3.IBucket:
    return s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")


def test_the_pattern_asks_for_completed_jobs_whose_model_the_job_may_read(
    bucket: s3.IBucket,
) -> None:
    jobs = TrainingJobCompleted(bucket, prefix="training/", job_name_prefix="churn-")
    assert jobs.event_pattern == {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Training Job State Change"],
        "detail": {
            "TrainingJobName": [{"prefix": "churn-"}],
            "TrainingJobStatus": ["Completed"],
            "ModelArtifacts": {"S3ModelArtifacts": [{"prefix": "s3://models-bucket/training/"}]},
        },
    }
    [readable] = jobs.reads
    assert (readable.bucket, readable.key_pattern) == (bucket, "training/*")


def test_event_and_definition_speak_of_the_same_parameter(bucket: s3.IBucket) -> None:
    jobs = TrainingJobCompleted(bucket, "training/", "churn-", ModelUriParameter("Trained"))
    source = jobs.bind(context())
    assert jobs.parameter_paths == {"Trained": "$.detail.ModelArtifacts.S3ModelArtifacts"}
    assert [parameter.to_request() for parameter in source.parameters] == [
        {"Name": "Trained", "Type": "String"}
    ]
    assert source.uri.expr == {"Get": "Parameters.Trained"}


def test_a_package_is_no_training_job(bucket: s3.IBucket) -> None:
    jobs = TrainingJobCompleted(bucket, "training/", "churn-")
    assert not jobs.matches_below("s3://models-bucket/training/packaged")


@pytest.mark.parametrize(
    ("other", "repeats"),
    [
        (("training/", "churn-"), True),
        (("training/", "churn-weekly-"), True),
        (("training/churn/", "c"), True),
        (("training/", "fraud-"), False),
        (("trained/", "churn-"), False),
    ],
)
def test_it_knows_what_would_start_the_pipeline_twice(
    bucket: s3.IBucket, other: tuple[str, str], repeats: bool
) -> None:
    jobs = TrainingJobCompleted(bucket, "training/", "churn-")
    assert jobs.repeats(TrainingJobCompleted(bucket, *other)) is repeats


@pytest.mark.parametrize(
    ("upload", "repeats"),
    [
        ({"prefix": "training/"}, True),
        ({"prefix": "training/churn-2026/"}, True),
        ({"prefix": "tra"}, True),
        ({"prefix": "models/"}, False),
        ({"prefix": "training/", "suffix": ".zip"}, False),
        ({"prefix": "training/", "suffix": "model.tar.gz"}, True),
    ],
)
def test_its_output_may_be_an_upload_too(
    bucket: s3.IBucket, upload: dict[str, str], repeats: bool
) -> None:
    jobs = TrainingJobCompleted(bucket, "training/", "churn-")
    assert jobs.repeats(ModelUpload(bucket, **upload)) is repeats
    assert ModelUpload(bucket, **upload).repeats(jobs) is repeats


def test_the_same_prefix_of_two_buckets_is_not_the_same_model(
    stack: Stack, bucket: s3.IBucket
) -> None:
    jobs = TrainingJobCompleted(bucket, "models/", "churn-")
    made_here = s3.Bucket(stack, "Made")
    same = s3.Bucket.from_bucket_name(stack, "Same", made_here.bucket_name)
    assert not jobs.repeats(ModelUpload(made_here))
    assert not jobs.repeats(ModelUpload(s3.Bucket.from_bucket_name(stack, "Other", "other")))
    assert TrainingJobCompleted(same, "models/", "churn-").repeats(ModelUpload(made_here))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prefix": ""}, "prefix is empty: the job could read the whole bucket"),
        ({"prefix": "training/*/"}, "prefix 'training/*/' contains '*'"),
        ({"job_name_prefix": ""}, "job_name_prefix '' is not the beginning of"),
        ({"job_name_prefix": "churn_"}, "job_name_prefix 'churn_' is not"),
        ({"job_name_prefix": "-churn"}, "job_name_prefix '-churn' is not"),
        ({"job_name_prefix": "c" * 64}, "is not the beginning of a training job's name"),
    ],
)
def test_what_can_not_match_or_would_match_too_much_is_refused(
    bucket: s3.IBucket, change: dict[str, Any], message: str
) -> None:
    settings = {"prefix": "training/", "job_name_prefix": "churn-"} | change
    with pytest.raises(ValueError, match=re.escape(message)):
        TrainingJobCompleted(bucket, **settings)


def test_a_parameter_name_that_sagemaker_refuses_is_named() -> None:
    with pytest.raises(ValueError, match="'Model_Uri' is not a name that SageMaker accepts"):
        ModelUriParameter("Model_Uri")
