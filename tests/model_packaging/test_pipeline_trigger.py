from typing import Any

from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from model_packaging import ModelUpload, PackageStepConfig, PackagingPipeline, PipelineTrigger
from model_packaging.step import UploadParameters
from tests.definitions import definition_of


def test_the_rule_fills_the_parameters_that_its_pipeline_declares(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")
    names = UploadParameters(bucket="From", key="What", etag="Version")
    pipeline = PackagingPipeline(
        stack,
        "Packaging",
        config=PackageStepConfig(**settings),
        model=ModelUpload(bucket, prefix="incoming/", parameters=names),
    )
    PipelineTrigger(stack, "Trigger", pipeline=pipeline)

    template = Template.from_stack(stack)
    [rule] = template.find_resources("AWS::Events::Rule").values()
    assert rule["Properties"]["EventPattern"]["detail"]["object"] == {
        "key": [{"wildcard": "incoming/*.tar.gz"}]
    }
    [target] = rule["Properties"]["Targets"]
    filled = target["SageMakerPipelineParameters"]["PipelineParameterList"]
    declared = definition_of(template.to_json())["Parameters"]
    assert [parameter["Name"] for parameter in filled] == ["From", "What", "Version"]
    assert [parameter["Name"] for parameter in declared] == ["From", "What", "Version"]
