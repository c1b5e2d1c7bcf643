"""After approval: the documented event reaches the targets, others don't."""

import copy
import json
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template
from moto.events.models import EventPattern

from model_packaging import (
    ApprovalRule,
    DeclaredParameters,
    ExistingPipeline,
    ModelApproved,
    PipelineTrigger,
)
from tests.policies import Deployed, Request, is_allowed

# "Events that Amazon SageMaker AI sends to Amazon EventBridge", SageMaker model package state
# change; without what no pattern looks at.
DOCUMENTED: dict[str, Any] = {
    "version": "0",
    "id": "844e2571-85d4-695f-b930-0153b71dcb42",
    "detail-type": "SageMaker Model Package State Change",
    "source": "aws.sagemaker",
    "account": "123456789012",
    "time": "2021-02-24T17:00:14Z",
    "region": "us-east-2",
    "resources": ["arn:aws:sagemaker:us-east-2:123456789012:model-package/versionedmp/2"],
    "detail": {
        "ModelPackageGroupName": "versionedmp",
        "ModelPackageVersion": 2,
        "ModelPackageArn": "arn:aws:sagemaker:us-east-2:123456789012:model-package/versionedmp/2",
        "CreationTime": "2021-02-24T17:00:14Z",
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "Rejected",
        "LastModifiedTime": "2021-02-24T17:00:14Z",
    },
}
PIPELINE = "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/deploy"
TO_DEPLOY = {"ModelPackageArn": "$.detail.ModelPackageArn"}


def event(**detail: Any) -> dict[str, Any]:
    changed = copy.deepcopy(DOCUMENTED)
    changed["detail"] |= {"ModelApprovalStatus": "Approved", **detail}
    return changed


@pytest.mark.parametrize(
    ("sent", "is_told"),
    [
        (event(), True),
        (DOCUMENTED, False),
        (event(ModelApprovalStatus="PendingManualApproval"), False),
        (event(ModelPackageGroupName="versionedmp-2"), False),
        (event() | {"detail-type": "SageMaker Model State Change"}, False),
        (event() | {"source": "example.mine"}, False),
    ],
    ids=["approved", "documented", "pending", "other group", "other kind", "other source"],
)
def test_the_documented_event_matches_once_it_is_of_an_approval(
    sent: dict[str, Any], is_told: bool
) -> None:
    pattern = json.dumps(ModelApproved("versionedmp").event_pattern)
    assert EventPattern.load(pattern).matches_event(sent) is is_told


def rules_of(stack: Stack) -> list[dict[str, Any]]:
    found = Template.from_stack(stack).find_resources("AWS::Events::Rule").values()
    return [rule["Properties"] for rule in found]


def test_a_topic_a_queue_and_a_function_are_told() -> None:
    stack = Stack(App(), "Stack")
    topic, queue = sns.Topic(stack, "Topic"), sqs.Queue(stack, "Queue")
    function = lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_12,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
    )
    ApprovalRule(
        stack,
        "Approved",
        event=ModelApproved("churn"),
        targets=[
            targets.SnsTopic(topic),
            targets.SqsQueue(queue),
            targets.LambdaFunction(function),
        ],
    )
    [rule] = rules_of(stack)
    assert rule["EventPattern"] == ModelApproved("churn").event_pattern
    assert len(rule["Targets"]) == 3
    deployed = Deployed(Template.from_stack(stack).to_json())
    name = deployed.find("AWS::SQS::Queue")
    arn = deployed.arn(deployed.find("AWS::Events::Rule"))
    for source, may in ((arn, True), (f"{arn}2", False)):
        sending = Request(
            "events.amazonaws.com", "sqs:SendMessage", deployed.arn(name), {"aws:SourceArn": source}
        )
        assert is_allowed(sending, (), deployed.policy_of(name)) is may


def test_a_pipeline_is_started_with_the_version() -> None:
    stack = Stack(App(), "Stack")
    PipelineTrigger(
        stack,
        "Deploy",
        pipeline=ExistingPipeline(PIPELINE, parameters=DeclaredParameters(["ModelPackageArn"])),
        started_by=[ModelApproved("churn", TO_DEPLOY)],
    )
    [rule] = rules_of(stack)
    assert rule["Description"] == "Starts deploy for ModelApproved of versions of churn."
    [target] = rule["Targets"]
    assert target["Arn"] == PIPELINE
    assert target["DeadLetterConfig"]
    assert target["SageMakerPipelineParameters"]["PipelineParameterList"] == [
        {"Name": "ModelPackageArn", "Value": "$.detail.ModelPackageArn"}
    ]


def test_what_cannot_work_is_refused() -> None:
    stack = Stack(App(), "Stack")
    queue = sqs.Queue(stack, "Queue")
    with pytest.raises(ValueError, match="targets is empty: nobody would be told"):
        ApprovalRule(stack, "Nobody", event=ModelApproved("churn"), targets=[])
    with pytest.raises(ValueError, match="has parameters, which are for a pipeline"):
        ApprovalRule(
            stack,
            "Parameters",
            event=ModelApproved("churn", TO_DEPLOY),
            targets=[targets.SqsQueue(queue)],
        )
    with pytest.raises(ValueError, match="write it without its ARN"):
        ModelApproved("arn:aws:sagemaker:eu-west-1:111122223333:model-package-group/churn")
    pipeline = ExistingPipeline(PIPELINE, parameters=DeclaredParameters(["ModelPackageArn"]))
    with pytest.raises(ValueError, match="requires a value for ModelPackageArn"):
        PipelineTrigger(stack, "Unfilled", pipeline=pipeline, started_by=[ModelApproved("churn")])
    with pytest.raises(ValueError, match="is announced by no event"):
        PipelineTrigger(stack, "Unknown", pipeline=pipeline)
    PipelineTrigger(
        stack, "Once", pipeline=pipeline, started_by=[ModelApproved("churn", TO_DEPLOY)]
    )
    with pytest.raises(ValueError, match="would start twice"):
        PipelineTrigger(
            stack, "Twice", pipeline=pipeline, started_by=[ModelApproved("churn", TO_DEPLOY)]
        )
