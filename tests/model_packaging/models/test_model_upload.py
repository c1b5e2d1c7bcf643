from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Stack
from aws_cdk import aws_s3 as s3

from model_packaging import ModelUpload
from model_packaging.models.starts import refuse_loop
from model_packaging.step import UploadParameters
from tests.definitions import context


@pytest.fixture
def bucket() -> s3.IBucket:
    return s3.Bucket.from_bucket_name(Stack(App(), "Stack"), "Bucket", "models-bucket")


def test_the_pattern_asks_for_archives_below_the_prefix(bucket: s3.IBucket) -> None:
    assert ModelUpload(bucket, prefix="incoming/").event_pattern == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": ["models-bucket"]},
            "object": {"key": [{"wildcard": "incoming/*.tar.gz"}]},
        },
    }


def test_every_value_is_one_whole_path_into_the_event(bucket: s3.IBucket) -> None:
    upload = ModelUpload(bucket)
    assert upload.parameter_paths == {
        "ModelBucket": "$.detail.bucket.name",
        "ModelKey": "$.detail.object.key",
        "ModelETag": "$.detail.object.etag",
    }


def test_event_and_definition_speak_of_the_same_parameters(bucket: s3.IBucket) -> None:
    upload = ModelUpload(bucket)
    declared = [parameter.name for parameter in upload.bind(context()).parameters]
    assert declared == list(upload.parameter_paths)


@pytest.mark.parametrize(
    ("s3_prefix", "overlaps"),
    [
        ("s3://models-bucket/packaged", False),
        ("s3://models-bucket/models-packaged", False),
        ("s3://models-bucket/models", True),
        ("s3://models-bucket/models/packaged", True),
        ("s3://models-bucket", True),
        ("s3://other-bucket/models/packaged", False),
    ],
)
def test_it_knows_where_a_package_would_start_the_pipeline_again(
    bucket: s3.IBucket, s3_prefix: str, overlaps: bool
) -> None:
    assert ModelUpload(bucket, prefix="models/").matches_below(s3_prefix) is overlaps


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"prefix": ""}, "prefix is empty"),
        ({"suffix": ""}, "suffix is empty"),
        ({"prefix": "models/*/"}, r"contains '\*'"),
        ({"suffix": "\\.gz"}, "contains"),
        ({"prefix": "m?dels/"}, r"contains '\?'"),
        ({"prefix": "${aws:username}/"}, "contains"),
    ],
)
def test_a_filter_that_would_match_too_much_is_refused(
    bucket: s3.IBucket, change: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        ModelUpload(bucket, **change)


def test_it_knows_its_bucket_by_the_name_it_was_given() -> None:
    stack = Stack(App(), "Stack")
    upload = ModelUpload(s3.Bucket(stack, "Named", bucket_name="named-bucket"))
    assert upload.matches_below("s3://named-bucket/models/out")
    assert upload.matches_below(upload.bucket.s3_url_for_object("models/out"))
    assert not upload.matches_below("s3://named-bucket/packaged")
    assert not upload.matches_below("s3://other-bucket/models/out")


def test_a_bucket_that_is_known_at_deployment_only_may_be_its_own(bucket: s3.IBucket) -> None:
    parameter = CfnParameter(Stack(App(), "Other"), "PackageBucket").value_as_string
    assert ModelUpload(bucket).matches_below(f"s3://{parameter}/models/out")
    assert not ModelUpload(bucket).matches_below(f"s3://{parameter}/packaged")


@pytest.mark.parametrize("name", ["Model_Key", "-Key", "Key-", ""])
def test_a_parameter_name_that_sagemaker_refuses_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name that SageMaker accepts"):
        UploadParameters(key=name)


def test_two_parameters_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="need different names"):
        UploadParameters(etag="ModelKey")


def test_a_loop_is_told_in_words_that_a_person_can_read() -> None:
    stack = Stack(App(), "Stack")
    bucket = s3.Bucket(stack, "Models")
    with pytest.raises(ValueError, match="would start the pipeline again") as caught:
        refuse_loop([bucket.s3_url_for_object("models/out")], ModelUpload(bucket).events)
    assert "below 's3://<known at deployment>/models/out', which could match" in str(caught.value)
