"""A sentence for people when an execution has ended, made of the documented event."""

import json
import re
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template
from moto.events.models import EventPattern

from model_packaging import ExecutionNotifications
from tests.policies import ACCOUNT, REGION, Deployed, Request, is_allowed

NAME = "Churn-Packaging"
PIPELINE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/{NAME}"


def ended(status: str, pipeline: str = PIPELINE) -> dict[str, Any]:
    # "Events that Amazon SageMaker AI sends to Amazon EventBridge", SageMaker pipeline execution
    # state change.
    return {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73kd93ir",
        "detail-type": "SageMaker Model Building Pipeline Execution Status Change",
        "source": "aws.sagemaker",
        "account": ACCOUNT,
        "time": "2021-03-15T16:10:11Z",
        "region": REGION,
        "resources": [pipeline, f"{pipeline}/execution/p4jn9xou8a8s"],
        "detail": {
            "pipelineExecutionDisplayName": "SomeDisplayName",
            "currentPipelineExecutionStatus": status,
            "previousPipelineExecutionStatus": "Executing",
            "executionStartTime": "2021-03-15T16:03:13Z",
            "executionEndTime": "2021-03-15T16:10:10Z",
            "pipelineExecutionDescription": "SomeDescription",
            "pipelineArn": pipeline,
            "pipelineExecutionArn": f"{pipeline}/execution/p4jn9xou8a8s",
        },
    }


@pytest.fixture(scope="module")
def deployed() -> Deployed:
    stack = Stack(App(), "Stack")
    topic = sns.Topic(stack, "Topic", master_key=kms.Key(stack, "Key"))
    ExecutionNotifications(
        stack, "Told", pipeline_name=NAME, topic=topic, statuses=["Succeeded", "Failed"]
    )
    return Deployed(Template.from_stack(stack).to_json())


@pytest.mark.parametrize(
    ("event", "is_told"),
    [
        (ended("Succeeded"), True),
        (ended("Failed"), True),
        (ended("Failed", PIPELINE.lower()), True),  # SageMaker has written names in lower case
        (ended("Stopped"), False),
        (ended("Executing"), False),
        (ended("Failed", f"{PIPELINE}-2"), False),
    ],
)
def test_the_ends_that_were_chosen_are_told(
    deployed: Deployed, event: dict[str, Any], is_told: bool
) -> None:
    rule = deployed.resources[deployed.find("AWS::Events::Rule")]["Properties"]
    assert EventPattern.load(json.dumps(rule["EventPattern"])).matches_event(event) is is_told


def test_the_sentence_has_all_that_the_event_tells(deployed: Deployed) -> None:
    rule = deployed.resources[deployed.find("AWS::Events::Rule")]["Properties"]
    [target] = rule["Targets"]
    transformer, detail = target["InputTransformer"], ended("Failed")["detail"]
    found = {name: path.split(".")[-1] for name, path in transformer["InputPathsMap"].items()}
    sentence = re.sub(
        "<([^>]+)>", lambda name: detail[found[name[1]]], transformer["InputTemplate"]
    )
    assert json.loads(sentence) == (
        f"The execution {PIPELINE}/execution/p4jn9xou8a8s has ended: Failed. It ran from "
        "2021-03-15T16:03:13Z to 2021-03-15T16:10:10Z."
    )


def test_eventbridge_may_use_the_topics_key_whatever_source_it_names(deployed: Deployed) -> None:
    # From EventBridge to encrypted topics, KMS is told no source.
    key = deployed.find("AWS::KMS::Key")
    for action in ("Decrypt", "GenerateDataKey"):
        request = Request("events.amazonaws.com", f"kms:{action}", deployed.arn(key))
        assert is_allowed(request, (), deployed.policy_of(key))


@pytest.mark.parametrize("statuses", [[], ["Executing"], ["Failed", "failed"]])
def test_what_ends_no_execution_is_refused(statuses: list[Any]) -> None:
    stack = Stack(App(), "Stack")
    with pytest.raises(ValueError, match="write one or more of Succeeded, Failed, Stopped"):
        ExecutionNotifications(
            stack,
            "Told",
            pipeline_name=NAME,
            topic=sns.Topic(stack, "Topic"),
            statuses=statuses,
        )
