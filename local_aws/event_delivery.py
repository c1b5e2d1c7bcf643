"""EventBridge between S3 and SageMaker, which moto does not connect.

An upload becomes the event that S3 sends ("Amazon S3 event notifications with EventBridge"),
every rule is asked with moto's own pattern matcher, a target's JSON paths are resolved, and the
pipeline is started in the target's role. What can't be delivered goes to the target's dead-letter
queue, if the queue's policy and its key's let EventBridge write to it.
"""

import datetime
import json
import logging
import threading
import uuid
from collections.abc import Mapping
from typing import Any

import boto3
import botocore.exceptions
from moto.events import urls
from moto.events.models import EventPattern, EventsBackend, events_backends
from moto.events.responses import EventsHandler
from moto.s3 import notifications
from moto.s3.models import s3_backends

from local_aws.authorization import (
    AccessDeniedError,
    authorize_service,
    authorize_services_key,
)
from local_aws.identities import AssumeRoleError, assume
from local_aws.metrics import EVENTS_NAMESPACE, count
from local_aws.moto_seams import OwnBackend, replace, use_backend, use_responses
from local_aws.policy_evaluation import statements
from local_aws.rule_targets import pipeline_parameters
from local_aws.service_requests import AsksForRules

logger = logging.getLogger(__name__)

Event = dict[str, Any]

_SERVICE = "events.amazonaws.com"

_TAGS_PUT = notifications.S3NotificationEvent.OBJECT_TAGGING_PUT_EVENT.value
# The API call that S3 names as the reason of an "Object Created" event.
_REASONS = {
    "CompleteMultipartUpload": "CompleteMultipartUpload",
    "Copy": "CopyObject",
    "Post": "POST Object",
    "Put": "PutObject",
}


def install() -> None:
    """Send the object events of moto's S3 through this module, and those that someone puts."""
    use_backend(events_backends, LocalEventsBackend)
    use_responses(urls, LocalEventsResponse)
    # moto's S3 calls this function after a change of an object.
    replace(notifications, "_send_event_bridge_message", _send_object_event)


class LocalEventsBackend(OwnBackend, EventsBackend):  # type: ignore[misc]  # moto is not checked
    """moto's, which delivers to pipelines."""

    def put_events(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Deliver events that someone puts.

        EventBridge takes a source ``aws.…`` from its services only ("PutEvents"). Here it is how
        tests send what a service sends, as often as they like.
        """
        answers = []
        for entry in events:
            event = {
                "version": "0",
                "id": str(uuid.uuid4()),
                "detail-type": entry["DetailType"],
                "source": entry["Source"],
                "account": self.account_id,
                "time": _now().strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": self.region_name,
                "resources": entry.get("Resources", []),
                "detail": json.loads(entry["Detail"]),
            }
            threading.Thread(target=deliver, args=(self.account_id, event), daemon=True).start()
            answers.append({"EventId": event["id"]})
        return answers


class LocalEventsResponse(AsksForRules, EventsHandler):  # type: ignore[misc]  # not checked
    """moto's, which asks IAM, with the action that it lacks."""

    def test_event_pattern(self) -> Any:
        """``TestEventPattern``."""
        pattern = EventPattern.load(self._get_param("EventPattern"))
        event = json.loads(self._get_param("Event"))
        return self._create_response({"Result": pattern.matches_event(event)})


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def _send_object_event(account_id: str, bucket: Any, event_name: str, key: Any) -> None:
    tags = s3_backends[account_id][bucket.partition].get_object_tagging(key)["Tags"]
    if event_name == _TAGS_PUT and not tags:
        return  # moto sets the tags of each upload, also where there are none
    now = _now()
    event: Event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": notifications._detail_type(event_name),
        "source": "aws.s3",
        "account": account_id,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": bucket.region_name,
        "resources": [bucket.arn],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket.name},
            "object": {
                "key": key.name,
                "size": key.size,
                "etag": key.etag.replace('"', ""),
                "version-id": key.version_id,
                "sequencer": f"{int(now.timestamp() * 1e6):016X}",
            },
            "request-id": uuid.uuid4().hex[:16].upper(),
            "requester": account_id,
            "source-ip-address": "127.0.0.1",
            "reason": _REASONS.get(event_name.rpartition(":")[2], event_name),
        },
    }
    # S3 answers the upload before anything has been delivered.
    threading.Thread(target=deliver, args=(account_id, event), daemon=True).start()


def deliver(account_id: str, event: Event) -> None:
    """Give an event to the targets of every rule that matches it.

    Args:
        account_id: Account of the event buses.
        event: The event, as EventBridge passes it.
    """
    backend = events_backends[account_id][event["region"]]
    matching = [
        rule
        for bus in list(backend.event_buses.values())
        for rule in list(bus.rules.values())
        if rule.state == "ENABLED" and rule.event_pattern.matches_event(event)
    ]
    rules = ", ".join(f"the rule {rule.name}" for rule in matching) or "no rule"
    logger.info("%s %s: %s matches", event["detail-type"], _about(event), rules)
    for rule in matching:
        for target in list(rule.targets):
            _deliver_to(rule, target, event)


def _deliver_to(rule: Any, target: Mapping[str, Any], event: Event) -> None:
    count(EVENTS_NAMESPACE, "Invocations", RuleName=rule.name)
    try:
        _start_pipeline(rule, target, event)
    except AssumeRoleError as fault:
        _fail(rule, target, event, "AccessDenied", str(fault))
    except botocore.exceptions.ClientError as fault:
        error = fault.response["Error"]
        _fail(rule, target, event, error["Code"], error["Message"])
    except Exception as fault:
        logger.exception("rule %s could not deliver to %s", rule.name, target["Arn"])
        _fail(rule, target, event, type(fault).__name__, str(fault))


def _about(event: Event) -> str:
    """What an event is about, for people."""
    detail = event["detail"]
    try:
        return f"s3://{detail['bucket']['name']}/{detail['object']['key']}"
    except (KeyError, TypeError):
        return ", ".join(event["resources"]) or event["source"]


def _fail(rule: Any, target: Mapping[str, Any], event: Event, code: str, message: str) -> None:
    logger.info("the rule %s could not start %s: %s: %s", rule.name, target["Arn"], code, message)
    names = ["FailedInvocations"]
    if arn := target.get("DeadLetterConfig", {}).get("Arn"):
        sent = _send_dead_letter(rule, arn, target, event, code, message)
        names.append("InvocationsSentToDlq" if sent else "InvocationsFailedToBeSentToDlq")
    else:
        logger.error("rule %s lost an event: %s: %s", rule.name, code, message)
    count(EVENTS_NAMESPACE, *names, RuleName=rule.name)


def _start_pipeline(rule: Any, target: Mapping[str, Any], event: Event) -> None:
    service, resource = target["Arn"].split(":", 5)[2::3]
    kind, _, name = resource.partition("/")
    if (service, kind) != ("sagemaker", "pipeline"):
        raise NotImplementedError(f"the local AWS delivers to pipelines, not to {target['Arn']}")
    if "RoleArn" not in target:
        # "PutTargets": EventBridge needs a role for pipelines.
        raise ValueError(f"the target {target['Id']} has no role that may start the pipeline")
    session = assume(_SERVICE, target["RoleArn"], rule.arn, event["id"])
    session.client("sagemaker").start_pipeline_execution(
        PipelineName=name, PipelineParameters=pipeline_parameters(target, event)
    )


def _send_dead_letter(
    rule: Any, arn: str, target: Mapping[str, Any], event: Event, code: str, message: str
) -> bool:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    try:
        _authorize_sending(sqs, url, rule.arn)
    except AccessDeniedError as refusal:
        logger.error("rule %s lost an event: %s; then: %s", rule.name, message, refusal)
        return False
    details = {
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message or code,
    }
    sqs.send_message(
        QueueUrl=url,
        MessageBody=json.dumps(event),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in details.items()
        },
    )
    return True


def _authorize_sending(sqs: Any, url: str, rule_arn: str) -> None:
    """Ask the policies of a queue and of its key whether EventBridge may send for a rule.

    A customer key's policy has to name EventBridge; that of alias/aws/sqs can't be changed ("Using
    dead-letter queues to process undelivered events in EventBridge").
    """
    names = ["KmsMasterKeyId", "Policy", "QueueArn"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    policy = statements(queue.get("Policy"))
    authorize_service(_SERVICE, "sqs:SendMessage", queue["QueueArn"], policy, rule_arn)
    if key := queue.get("KmsMasterKeyId"):
        authorize_services_key(_SERVICE, key, rule_arn)
