from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from model_packaging import (
    ModelUpload,
    OperatorsPolicy,
    PackageStepConfig,
    PackagingPipeline,
    PipelineTrigger,
)
from tests.definitions import resolve


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


def policy_in(stack: Stack, settings: dict[str, Any], *, key: kms.IKey | None = None) -> None:
    """The operators' policy of a pipeline whose models and packages are in two buckets."""
    bucket = s3.Bucket.from_bucket_name(stack, "Models", "models-bucket")
    pipeline = PackagingPipeline(
        stack, "Packaging", config=PackageStepConfig(**settings), model=ModelUpload(bucket)
    )
    trigger = PipelineTrigger(stack, "Trigger", pipeline=pipeline)
    OperatorsPolicy(stack, "Operators", pipeline=pipeline, trigger=trigger, key=key)


def resources_of(stack: Stack, action: str) -> list[str]:
    return [resource for found, resource in statements(stack) if action in found]


def statements(stack: Stack) -> Iterator[tuple[list[str], str]]:
    [policy] = Template.from_stack(stack).find_resources("AWS::IAM::ManagedPolicy").values()
    for statement in resolve(policy["Properties"]["PolicyDocument"]["Statement"], {}):
        assert statement["Effect"] == "Allow"
        actions, resources = statement["Action"], statement["Resource"]
        for resource in resources if isinstance(resources, list) else [resources]:
            yield actions if isinstance(actions, list) else [actions], resource


def test_models_and_packages_are_read_where_they_are(
    stack: Stack, settings: dict[str, Any]
) -> None:
    policy_in(stack, settings)
    prefix = "arn:<AWS::Partition>:s3:::"
    assert resources_of(stack, "s3:GetObject") == [
        f"{prefix}models-bucket/models/*",
        f"{prefix}artifacts-bucket/packaged/churn/*",
    ]
    assert resources_of(stack, "s3:ListBucket") == [
        f"{prefix}models-bucket",
        f"{prefix}artifacts-bucket",
    ]


def test_an_action_on_everything_is_one_that_has_no_resource(
    stack: Stack, settings: dict[str, Any]
) -> None:
    policy_in(stack, settings)
    on_everything = [actions for actions, resource in statements(stack) if resource == "*"]
    assert on_everything == [["events:ListRuleNamesByTarget", "events:TestEventPattern"]]


def test_a_pipeline_is_named_as_sagemaker_may_write_it(
    stack: Stack, settings: dict[str, Any]
) -> None:
    policy_in(stack, settings | {"pipeline_name": "Churn"})
    for action, end in (
        ("sagemaker:StartPipelineExecution", ""),
        ("sagemaker:StopPipelineExecution", "/execution/*"),
    ):
        names = [arn.partition(":pipeline/")[2] for arn in resources_of(stack, action)]
        assert names == [f"Churn{end}", f"churn{end}"]


def test_a_key_is_used_through_the_bucket_and_the_queue_alone(
    stack: Stack, settings: dict[str, Any]
) -> None:
    key = kms.Key(stack, "Key", enable_key_rotation=True)
    policy_in(stack, settings, key=key)
    [policy] = Template.from_stack(stack).find_resources("AWS::IAM::ManagedPolicy").values()
    decrypt = resolve(policy["Properties"]["PolicyDocument"]["Statement"][-1], {})
    assert decrypt["Action"] == "kms:Decrypt"
    assert decrypt["Condition"] == {
        "StringLike": {
            "kms:ViaService": [
                "s3.<AWS::Region>.amazonaws.com*",
                "sqs.<AWS::Region>.amazonaws.com*",
            ]
        }
    }


def test_without_a_key_none_may_be_used(stack: Stack, settings: dict[str, Any]) -> None:
    policy_in(stack, settings)
    assert resources_of(stack, "kms:Decrypt") == []
