"""Start the pipeline for the events in the dead-letter queue of its rule.

SQS's own redrive (``StartMessageMoveTask``) takes the dead-letter queues of other queues only,
and EventBridge takes events of an AWS service from that service only (``PutEvents``). So this does
what the rule would have done: it starts the pipeline with the parameters that the rule's target
takes from the event. It uses nothing that only the local AWS has.
"""

import argparse
import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.rule_targets import pipeline_parameters
from operations.executions.deployed_stage import add_stage, client_of, deployed_stage
from operations.executions.faults import OperationError, telling_faults
from operations.executions.tables import print_json, print_table

_Client = Callable[[str], Any]
_SECONDS_TO_LOOK = 30  # that a message stays out of others' sight while it is looked at


@dataclass(frozen=True)
class Letter:
    """An event in the queue.

    Attributes:
        message_id: Of its message.
        sent: When it came into the queue, in milliseconds since 1970.
        about: What it is about: the object's URI, or its detail type.
        reason: Why it could not be delivered, in EventBridge's words.
    """

    message_id: str
    sent: int
    about: str
    reason: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_stage(parser)
    parser.add_argument("queue_url", nargs="?", help="another queue; default: the stage's own")
    parser.add_argument("--dry-run", action="store_true", help="only show what is in the queue")
    parser.add_argument("--yes", action="store_true", help="don't ask")


@telling_faults
def run(options: argparse.Namespace) -> int:
    """Show what is in a queue, and redrive it with the user's credentials.

    Returns:
        0; 1 if an event's rule or pipeline is gone or can't be used, or nobody agreed.
    """
    client, url = _queue(options)
    letters = peek(client, url)
    if not options.json:
        _show(letters)
    if options.dry_run or not letters:
        if options.json:
            print_json({"waiting": [vars(letter) for letter in letters], "started": []})
        return 0
    if not options.yes and not _agreed(len(letters)):
        return 1
    started: list[str] = []

    def tell(arn: str) -> None:
        started.append(arn)
        if not options.json:
            print(arn)

    try:
        redrive(client, url, tell, {letter.message_id for letter in letters})
    except (BotoCoreError, ClientError, ValueError) as fault:
        if options.json:
            print_json({"waiting": [vars(letter) for letter in letters], "started": started})
        raise OperationError(
            f"not all events were sent again; the rest is still in the queue: {fault}"
        ) from fault
    if options.json:
        print_json({"waiting": [vars(letter) for letter in letters], "started": started})
    else:
        print(
            "Started with your permissions, not the rule's: upload a model to see that the rule "
            "can start it, too."
        )
    return 0


def peek(client: _Client, queue_url: str) -> list[Letter]:
    """What is in a dead-letter queue; it stays there.

    Args:
        client: Makes a boto3 client of a service, such as ``boto3.client``.
        queue_url: The queue.
    """
    sqs = client("sqs")
    found: dict[str, Letter] = {}
    receipts = []
    while messages := sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        AttributeNames=["SentTimestamp"],
        VisibilityTimeout=_SECONDS_TO_LOOK,
        WaitTimeSeconds=1,
    ).get("Messages"):
        receipts += [message["ReceiptHandle"] for message in messages]
        found |= {message["MessageId"]: _letter(message) for message in messages}
    for receipt in receipts:
        sqs.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=receipt, VisibilityTimeout=0
        )
    return sorted(found.values(), key=lambda letter: letter.sent)


def redrive(
    client: _Client,
    queue_url: str,
    tell: Callable[[str], None] = lambda arn: None,
    only: Collection[str] | None = None,
) -> list[str]:
    """Start a pipeline for every event in a dead-letter queue.

    A message is deleted when its execution has started; one whose execution can't start stays.

    Args:
        client: Makes a boto3 client of a service, such as ``boto3.client``.
        queue_url: The dead-letter queue of a rule whose targets are pipelines.
        tell: Told the ARN of each execution as soon as it has started.
        only: Ids of the messages to take. Default: all.

    Returns:
        ARNs of the executions.

    Raises:
        botocore.exceptions.ClientError: The rule is gone or its pipeline can't be started.
        ValueError: An event lacks what the rule takes from it, or its rule has no target.
    """
    sqs, started = client("sqs"), []
    others = []  # out of sight until the end, or the queue would never seem empty
    try:
        while messages := sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=1,  # the others stay visible if this one fails
            MessageAttributeNames=["All"],
            WaitTimeSeconds=1,
        ).get("Messages"):
            [message] = messages
            receipt = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
            if only is not None and message["MessageId"] not in only:
                others.append(receipt)
                continue
            try:
                for arn in _start(client, message):
                    started.append(arn)
                    tell(arn)
            except Exception:
                sqs.change_message_visibility(**receipt, VisibilityTimeout=0)
                raise
            sqs.delete_message(**receipt)
    finally:
        for receipt in others:
            sqs.change_message_visibility(**receipt, VisibilityTimeout=0)
    return started


def _start(client: _Client, message: dict[str, Any]) -> Iterator[str]:
    failed = _attributes(message)
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


def _attributes(message: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: attribute.get("StringValue", "")
        for name, attribute in message.get("MessageAttributes", {}).items()
    }


def _letter(message: Mapping[str, Any]) -> Letter:
    failed = _attributes(message)
    reason = ": ".join(failed[name] for name in ("ERROR_CODE", "ERROR_MESSAGE") if failed.get(name))
    return Letter(
        message["MessageId"],
        int(message.get("Attributes", {}).get("SentTimestamp", 0)),
        _about(message["Body"]),
        reason or "unknown: no event of a rule",
    )


def _about(body: str) -> str:
    try:
        event = json.loads(body)
        detail = event["detail"]
        if "object" in detail:
            return f"s3://{detail['bucket']['name']}/{detail['object']['key']}"
        return str(detail.get("TrainingJobName") or event["detail-type"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return "unknown"


def _queue(options: argparse.Namespace) -> tuple[_Client, str]:
    if options.queue_url:
        return client_of, options.queue_url
    stage = deployed_stage(options.stage)
    return stage.client, stage.output("DeadLetterQueueUrl")


def _show(letters: list[Letter]) -> None:
    if not letters:
        print("The queue is empty.")
        return
    print_table(("model", "why it could not start"), [(one.about, one.reason) for one in letters])


def _agreed(count: int) -> bool:
    what = "the pipeline for it" if count == 1 else f"the pipeline for these {count}"
    if not sys.stdin.isatty():
        raise OperationError(
            "nobody can be asked without a terminal; add --yes, or --dry-run to look only"
        )
    return input(f"Start {what}? [y/N] ").strip().lower() in ("y", "yes")
