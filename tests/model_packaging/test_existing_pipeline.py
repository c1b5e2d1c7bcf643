import pytest
from aws_cdk import App, CfnParameter, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker

from model_packaging import DeclaredParameters, ExistingPipeline, ModelUpload

ARN = "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/churn"


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


def test_a_definition_tells_which_parameters_need_a_value(stack: Stack) -> None:
    bucket = s3.Bucket(stack, "Bucket")
    body = stack.to_json_string(
        {
            "Parameters": [
                {"Name": "ModelKey", "Type": "String"},
                {"Name": "Place", "Type": "String", "DefaultValue": bucket.bucket_name},
                {"Name": "ModelETag", "Type": "String", "DefaultValue": ""},
            ],
            "Steps": [],
        }
    )
    pipeline = sagemaker.CfnPipeline(
        stack,
        "Pipeline",
        pipeline_name="churn",
        role_arn="arn:aws:iam::111122223333:role/churn",
        pipeline_definition={"PipelineDefinitionBody": body},
    )
    declared = DeclaredParameters.of(pipeline)
    assert declared.required == ["ModelKey"]
    assert declared.optional == ["Place", "ModelETag"]


def test_its_name_is_the_last_part_of_its_arn(stack: Stack) -> None:
    model = ModelUpload(s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket"))
    parameters = DeclaredParameters(list(model.parameter_paths))
    assert ExistingPipeline(ARN, model, parameters).pipeline_name == "churn"
    token = CfnParameter(stack, "Arn").value_as_string
    name = ExistingPipeline(token, model, parameters).pipeline_name
    assert stack.resolve(name) == {
        "Fn::Select": [
            1,
            {"Fn::Split": ["/", {"Fn::Select": [5, {"Fn::Split": [":", {"Ref": "Arn"}]}]}]},
        ]
    }


@pytest.mark.parametrize(
    "arn", ["churn", ARN.replace("pipeline", "processing-job"), f"{ARN}/execution/1"]
)
def test_what_is_not_the_arn_of_a_pipeline_is_refused(stack: Stack, arn: str) -> None:
    model = ModelUpload(s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket"))
    with pytest.raises(ValueError, match="is not the ARN of a SageMaker pipeline; write one such"):
        ExistingPipeline(arn, model, DeclaredParameters([]))
