from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3
from model_packaging import ModelUpload, PackageStepConfig, PackagingPipeline, PipelineTrigger
from model_packaging.step import UploadParameters


def trigger(settings: dict[str, Any], **parameters: str) -> PipelineTrigger:
    """A pipeline with the usual parameters, triggered by uploads with others."""
    stack = Stack(App(), "Stack")
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")
    pipeline = PackagingPipeline(
        stack, "Packaging", config=PackageStepConfig(**settings), model=ModelUpload(bucket)
    )
    upload = ModelUpload(bucket, parameters=UploadParameters(**parameters))
    return PipelineTrigger(stack, "Trigger", pipeline=pipeline, model=upload)


def test_a_parameter_that_the_pipeline_does_not_declare_is_named(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="fills Etag, which the pipeline doesn't declare"):
        trigger(settings, etag="Etag")


@pytest.mark.parametrize("name", ["Model_Key", "-Key", "Key-", ""])
def test_a_parameter_name_that_sagemaker_refuses_is_named(
    settings: dict[str, Any], name: str
) -> None:
    with pytest.raises(ValueError, match="is not a name that SageMaker accepts"):
        trigger(settings, key=name)


def test_a_parameter_that_the_event_does_not_fill_is_named(settings: dict[str, Any]) -> None:
    # Two parameters of one name: the third stays without a value.
    with pytest.raises(ValueError, match="requires ModelETag, which the event doesn't fill"):
        trigger(settings, etag="ModelKey")
