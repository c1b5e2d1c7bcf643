"""EventBridge between the services, which moto does not connect.

An upload becomes the event that S3 sends ("Amazon S3 event notifications with EventBridge"), and
SageMaker tells what its own does (``sagemaker_events.py``). Every rule is asked with moto's own
pattern matcher, and its targets get what it sends them. What can't be delivered goes to the
target's dead-letter queue, if the queue's policy and its key's let EventBridge write to it.
"""

import json
import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any

import botocore.exceptions
from moto.events import urls
from moto.events.models import EventPattern, EventsBackend, events_backends
from moto.events.responses import EventsHandler
from moto.s3 import notifications
from moto.s3.models import s3_backends

from local_aws import schedules
from local_aws.authorization import AccessDeniedError
from local_aws.event_targets import send_to
from local_aws.events import Event, deliver_by, send
from local_aws.identities import AssumeRoleError
from local_aws.messages import send as send_message
from local_aws.metrics import EVENTS_NAMESPACE, count
from local_aws.moto_seams import OwnBackend, replace, use_backend, use_responses
from local_aws.service_requests import AsksForRules

logger = logging.getLogger(__name__)

_SERVICE = "events.amazonaws.com"

# Where an event has the state that it tells of.
_STATUSES = ("currentPipelineExecutionStatus", "ProcessingJobStatus", "TrainingJobStatus")

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
    deliver_by(deliver)
    # moto's S3 calls this function after a change of an object.
    replace(notifications, "_send_event_bridge_message", _send_object_event)


class LocalEventsBackend(OwnBackend, EventsBackend):  # type: ignore[misc]  # moto is not checked
    """moto's, which delivers to targets of more kinds."""

    def put_events(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Deliver events that someone puts.

        EventBridge takes a source ``aws.…`` from its services only ("PutEvents"). Here it is how
        tests send what a service sends, as often as they like.
        """
        answers = []
        for entry in events:
            event = send(
                self.account_id,
                self.region_name,
                entry["Source"],
                entry["DetailType"],
                entry.get("Resources", []),
                json.loads(entry["Detail"]),
            )
            answers.append({"EventId": event["id"]})
        return answers


class LocalEventsResponse(AsksForRules, EventsHandler):  # type: ignore[misc]  # not checked
    """moto's, which asks IAM, with the action that it lacks."""

    def test_event_pattern(self) -> Any:
        """``TestEventPattern``."""
        pattern = EventPattern.load(self._get_param("EventPattern"))
        event = json.loads(self._get_param("Event"))
        return self._create_response({"Result": pattern.matches_event(event)})


def _send_object_event(account_id: str, bucket: Any, event_name: str, key: Any) -> None:
    tags = s3_backends[account_id][bucket.partition].get_object_tagging(key)["Tags"]
    if event_name == _TAGS_PUT and not tags:
        return  # moto sets the tags of each upload, also where there are none
    detail = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": {
            "key": key.name,
            "size": key.size,
            "etag": key.etag.replace('"', ""),
            "version-id": key.version_id,
            "sequencer": f"{time.time_ns() // 1000:016X}",
        },
        "request-id": uuid.uuid4().hex[:16].upper(),
        "requester": account_id,
        "source-ip-address": "127.0.0.1",
        "reason": _REASONS.get(event_name.rpartition(":")[2], event_name),
    }
    kind = notifications._detail_type(event_name)
    # S3 answers the upload before anything has been delivered.
    send(account_id, bucket.region_name, "aws.s3", kind, [bucket.arn], detail)


def deliver(account_id: str, event: Event) -> None:
    """Give an event to the targets of every rule that matches it.

    Args:
        account_id: Account of the event buses.
        event: The event, as EventBridge passes it.
    """
    if event["source"] == schedules.SOURCE:
        schedules.invoke(account_id, event)
        return
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
        send_to(rule, target, event)
    except (AssumeRoleError, AccessDeniedError) as fault:
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
        if not event["resources"]:
            return str(event["source"])
        # The last is the narrowest, such as an execution after its pipeline.
        name = str(event["resources"][-1]).split(":", 5)[-1]
        status = next((detail[key] for key in _STATUSES if key in detail), None)
        return name if status is None else f"{name} ({status})"


def _fail(rule: Any, target: Mapping[str, Any], event: Event, code: str, message: str) -> None:
    logger.info("the rule %s could not start %s: %s: %s", rule.name, target["Arn"], code, message)
    names = ["FailedInvocations"]
    if arn := target.get("DeadLetterConfig", {}).get("Arn"):
        sent = _send_dead_letter(rule, arn, target, event, code, message)
        names.append("InvocationsSentToDlq" if sent else "InvocationsFailedToBeSentToDlq")
    else:
        logger.error("rule %s lost an event: %s: %s", rule.name, code, message)
    count(EVENTS_NAMESPACE, *names, RuleName=rule.name)


def _send_dead_letter(
    rule: Any, arn: str, target: Mapping[str, Any], event: Event, code: str, message: str
) -> bool:
    details = {
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message or code,
    }
    try:
        send_message(_SERVICE, arn, json.dumps(event), rule.arn, details)
    except AccessDeniedError as refusal:
        logger.error("rule %s lost an event: %s; then: %s", rule.name, message, refusal)
        return False
    return True
