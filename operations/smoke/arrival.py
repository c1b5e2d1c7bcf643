"""How a model that arrives starts the pipeline, and why one that arrived did not."""

import datetime
import json
from collections.abc import Mapping
from typing import Any

from operations.executions.deployed_stage import DeployedStage
from operations.executions.redrive import peek


def rule_for(stage: DeployedStage, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The rule that an event would start the pipeline by, as ``DescribeRule`` tells it.

    Args:
        stage: Whose pipeline.
        event: The event.

    Returns:
        The rule, one that is disabled if there is no other; None if no rule matches.
    """
    events = stage.client("events")
    pages = events.get_paginator("list_rule_names_by_target").paginate(TargetArn=stage.pipeline_arn)
    rules = [events.describe_rule(Name=name) for page in pages for name in page["RuleNames"]]
    matching = [
        rule
        for rule in rules
        if events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(event))[
            "Result"
        ]
    ]
    return max(matching, key=lambda rule: rule["State"] == "ENABLED", default=None)


def undelivered(stage: DeployedStage, mark: str) -> dict[str, str]:
    """The models whose events wait in the dead-letter queue, and why.

    Args:
        stage: Whose queue.
        mark: What the models' keys have in them.
    """
    letters = peek(stage.client, stage.output("DeadLetterQueueUrl"))
    return {letter.about: letter.reason for letter in letters if mark in letter.about}


def remove_undelivered(stage: DeployedStage, mark: str) -> int:
    """Delete the events of some models from the dead-letter queue; how many."""
    sqs, queue = stage.client("sqs"), stage.output("DeadLetterQueueUrl")
    others, count = [], 0
    while messages := sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=60, WaitTimeSeconds=1
    ).get("Messages"):
        for message in messages:
            if mark in message["Body"]:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                count += 1
            else:
                others.append(message["ReceiptHandle"])
    for receipt in others:
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=receipt, VisibilityTimeout=0)
    return count


def sends_events(stage: DeployedStage, bucket: str) -> bool:
    """Whether a bucket is set to send its events to EventBridge."""
    settings = stage.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    return "EventBridgeConfiguration" in settings


def minutes_deployed(stage: DeployedStage) -> int:
    """For how long the stage's stack has been there."""
    [stack] = stage.client("cloudformation").describe_stacks(StackName=stage.stack)["Stacks"]
    age = datetime.datetime.now(datetime.timezone.utc) - stack["CreationTime"]
    return int(age.total_seconds()) // 60
