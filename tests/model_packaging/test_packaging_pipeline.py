from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Environment, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from model_packaging import ModelUpload, PackageStepConfig, PackagingPipeline
from tests.definitions import definition_of, resolve


def pipeline_in(stack: Stack, settings: dict[str, Any], **upload: Any) -> PackagingPipeline:
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")
    return PackagingPipeline(
        stack,
        "Packaging",
        config=PackageStepConfig(**settings),
        model=ModelUpload(bucket, **upload),
    )


def template_of(stack: Stack) -> dict[str, Any]:
    return Template.from_stack(stack).to_json()


def test_a_stack_with_a_region_names_that_regions_container(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack", env=Environment(region="eu-west-1", account="111122223333"))
    pipeline_in(stack, settings)
    template = template_of(stack)
    [step] = definition_of(template)["Steps"]
    assert step["Arguments"]["AppSpecification"]["ImageUri"] == (
        "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
    )
    assert "Mappings" not in template


def test_a_stack_without_a_region_looks_its_container_up_at_deployment(
    settings: dict[str, Any],
) -> None:
    stack = Stack(App(), "Stack")
    pipeline_in(stack, settings)
    [mapping] = template_of(stack)["Mappings"].values()
    assert mapping["us-east-1"] == {"account": "683313688378"}
    assert mapping["cn-north-1"] == {"account": "450853457545"}


def test_tokens_in_the_settings_reach_the_definition(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    bucket = CfnParameter(stack, "PackageBucket").value_as_string
    pipeline_in(
        stack,
        settings
        | {
            "pipeline_s3_loc": f"s3://{bucket}/packaged",
            "processing_script_arguments": ("--mode", bucket),
        },
    )
    [step] = definition_of(template_of(stack))["Steps"]
    [output] = step["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"]["Std:Join"]["Values"][0] == (
        "s3://<PackageBucket>/packaged/PackagingStep"
    )
    assert step["Arguments"]["AppSpecification"]["ContainerArguments"][-2:] == [
        "--mode",
        "<PackageBucket>",
    ]


def test_a_package_that_would_start_the_pipeline_again_is_refused(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match="every package would start the pipeline again"):
        pipeline_in(
            Stack(App(), "Stack"),
            settings | {"pipeline_s3_loc": "s3://models-bucket/models/packaged"},
        )


def test_browsing_the_scripts_does_not_change_what_ships(settings: dict[str, Any]) -> None:
    def shipped() -> Any:
        stack = Stack(App(), "Stack")
        pipeline_in(stack, settings)
        [step] = definition_of(template_of(stack))["Steps"]
        return step["Arguments"]["ProcessingInputs"][1]["S3Input"]["S3Uri"]

    before = shipped()
    for name in ("__pycache__/inference.pyc", ".ipynb_checkpoints/x", ".git/HEAD", ".DS_Store"):
        file = settings["source_dir"] / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    assert shipped() == before
    (settings["source_dir"] / "inference.py").write_text("changed")
    assert shipped() != before


def test_a_setting_that_is_not_rendered_may_contain_tokens_too(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    description = CfnParameter(stack, "Description").value_as_string
    pipeline_in(
        stack,
        settings
        | {
            "pipeline_description": description,
            "processing_instance_type_large": CfnParameter(stack, "Large").value_as_string,
            "processing_instance_type_small": CfnParameter(stack, "Small").value_as_string,
        },
    )
    template = template_of(stack)
    [step] = definition_of(template)["Steps"]
    cluster = step["Arguments"]["ProcessingResources"]["ClusterConfig"]
    assert cluster["InstanceType"] == "<Small>"
    [pipeline] = Template.from_json(template).find_resources("AWS::SageMaker::Pipeline").values()
    assert pipeline["Properties"]["PipelineDescription"] == {"Ref": "Description"}


def test_the_job_may_use_the_key_of_an_encrypted_bucket(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    bucket = s3.Bucket(stack, "Bucket", encryption_key=kms.Key(stack, "Key"))
    PackagingPipeline(
        stack, "Packaging", config=PackageStepConfig(**settings), model=ModelUpload(bucket)
    )
    actions = {
        action
        for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }
    assert {"kms:Decrypt", "kms:GenerateDataKey*"} <= actions


def test_a_name_in_upper_case_can_be_started_under_both_spellings(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    pipeline = pipeline_in(stack, settings | {"pipeline_name": "Churn-Model"})
    user = iam.User(stack, "User")
    pipeline.grant_start(user)
    [policy] = (
        policy
        for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
        if policy["Properties"].get("Users")
    )
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    written = [resolve(resource, {}).rpartition(":")[2] for resource in statement["Resource"]]
    [pipeline_id] = Template.from_stack(stack).find_resources("AWS::SageMaker::Pipeline")
    assert written == [f"pipeline/<{pipeline_id}>", "pipeline/churn-model"]
