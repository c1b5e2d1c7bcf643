"""Schedules, whose time comes when somebody says so: a test can't wait for a Monday.

Their time comes with an event whose source is ``aws.scheduler`` and whose resource is the schedule.
"""

import json
import logging
from typing import Any

import botocore.exceptions
from moto.scheduler.models import scheduler_backends

from local_aws.authorization import AccessDeniedError
from local_aws.event_targets import start_pipeline
from local_aws.events import Event
from local_aws.identities import AssumeRoleError, RoleSession, assume
from local_aws.messages import send

logger = logging.getLogger(__name__)

SOURCE = "aws.scheduler"
_SERVICE = "scheduler.amazonaws.com"


def invoke(account_id: str, event: Event) -> None:
    """Do what the schedules do that an event names.

    Args:
        account_id: Their account.
        event: An event of the scheduler's.
    """
    backend = scheduler_backends[account_id][event["region"]]
    for arn in event["resources"]:
        group, name = arn.split("/")[1:]
        schedule = backend.get_schedule(group, name)
        if schedule.state == "ENABLED":
            _invoke(schedule, arn.replace(":schedule/", ":schedule-group/").rpartition("/")[0])


def _invoke(schedule: Any, group_arn: str) -> None:
    target, session = schedule.target, None
    try:
        # "Confused deputy prevention in EventBridge Scheduler": the source is the group.
        session = assume(_SERVICE, target["RoleArn"], group_arn, schedule.name[:64])
        if ":pipeline/" not in target["Arn"]:
            raise NotImplementedError(f"local schedules start pipelines, not {target['Arn']}")
        start_pipeline(session, target, {})
    except (AssumeRoleError, AccessDeniedError) as fault:
        _fail(schedule, session, "AccessDenied", str(fault))
    except botocore.exceptions.ClientError as fault:
        error = fault.response["Error"]
        _fail(schedule, session, error["Code"], error["Message"])


def _fail(schedule: Any, session: RoleSession | None, code: str, message: str) -> None:
    """Send what could not be done to the dead-letter queue, in the schedule's role."""
    queue = schedule.target.get("DeadLetterConfig", {}).get("Arn")
    if queue is None or session is None:
        logger.error("schedule %s did nothing: %s: %s", schedule.name, code, message)
        return
    details = {"ERROR_CODE": code, "ERROR_MESSAGE": message, "SCHEDULE_ARN": schedule.arn}
    body = json.dumps(schedule.target.get("SageMakerPipelineParameters", {}))
    try:
        send(_SERVICE, queue, body, schedule.arn, details, session)
    except AccessDeniedError as refusal:
        logger.error("schedule %s did nothing: %s; then: %s", schedule.name, message, refusal)
