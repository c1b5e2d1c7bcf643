"""Starts the pipeline for the events in a rule's dead-letter queue.

SQS's own redrive (``StartMessageMoveTask``) takes the dead-letter queues of other queues only,
and EventBridge takes events of an AWS service from that service only (``PutEvents``). So this does
what the rule would have done: it starts the pipeline with the parameters that the rule's target
takes from the event. It uses nothing that only the local AWS has.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local_aws.rule_targets import pipeline_parameters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("queue_url", help="the queue: output DeadLetterQueueUrl of the stack")


def run(options: argparse.Namespace) -> int:
    """Redrive a queue with the user's credentials, and print the executions.

    Returns:
        0; 1 if an event's rule or pipeline is gone or can't be used.
    """
    try:
        started = redrive(boto3.client, options.queue_url, print)
    except (BotoCoreError, ClientError, ValueError) as fault:
        print(f"Not all events were sent again; the rest is still in the queue: {fault}")
        return 1
    if not started:
        print("The queue is empty.")
    return 0


def redrive(
    client: Callable[[str], Any], queue_url: str, tell: Callable[[str], None] = lambda arn: None
) -> list[str]:
    """Start a pipeline for every event in a dead-letter queue.

    A message is deleted when its execution has started; one whose execution can't start stays.

    Args:
        client: Makes a boto3 client of a service, such as ``boto3.client``.
        queue_url: The dead-letter queue of a rule whose targets are pipelines.
        tell: Told the ARN of each execution as soon as it has started.

    Returns:
        ARNs of the executions.

    Raises:
        botocore.exceptions.ClientError: The rule is gone or its pipeline can't be started.
        ValueError: An event lacks what the rule takes from it, or its rule has no target.
    """
    sqs, started = client("sqs"), []
    while messages := sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=1,  # the others stay visible if this one fails
        MessageAttributeNames=["All"],
        WaitTimeSeconds=1,
    ).get("Messages"):
        [message] = messages
        receipt = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
        try:
            for arn in _start(client, message):
                started.append(arn)
                tell(arn)
        except Exception:
            sqs.change_message_visibility(**receipt, VisibilityTimeout=0)
            raise
        sqs.delete_message(**receipt)
    return started


def _start(client: Callable[[str], Any], message: dict[str, Any]) -> Iterator[str]:
    failed = {
        name: attribute.get("StringValue", "")
        for name, attribute in message.get("MessageAttributes", {}).items()
    }
    if not {"RULE_ARN", "TARGET_ARN"} <= failed.keys():
        raise ValueError(
            f"the message {message['MessageId']} is no undelivered event: it lacks RULE_ARN and "
            "TARGET_ARN; is this the dead-letter queue of a rule?"
        )
    rule = failed["RULE_ARN"].rpartition("/")[2]
    targets = client("events").list_targets_by_rule(Rule=rule)["Targets"]
    if not targets:
        raise ValueError(f"the rule {rule} has no target; deploy the stack again")
    same = [target for target in targets if target["Arn"] == failed["TARGET_ARN"]]
    for target in same or targets:  # the rule may have another pipeline by now
        yield client("sagemaker").start_pipeline_execution(
            PipelineName=target["Arn"].rpartition("/")[2],
            PipelineParameters=pipeline_parameters(target, json.loads(message["Body"])),
        )["PipelineExecutionArn"]
