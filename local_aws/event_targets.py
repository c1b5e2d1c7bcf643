"""Where rules and schedules send events: to pipelines, topics and queues."""

from collections.abc import Mapping
from typing import Any

from local_aws.events import Event
from local_aws.identities import RoleSession, assume
from local_aws.messages import publish, send
from local_aws.rule_targets import pipeline_parameters
from local_aws.target_input import target_input

_SERVICE = "events.amazonaws.com"


def send_to(rule: Any, target: Mapping[str, Any], event: Event) -> None:
    """Give an event to a target of a rule.

    Args:
        rule: moto's of the rule.
        target: The target, as ``ListTargetsByRule`` tells it.
        event: The event.

    Raises:
        AssumeRoleError: EventBridge may not assume the target's role.
        AccessDeniedError: It may not send there.
        botocore.exceptions.ClientError: The target does not take it.
        NotImplementedError: Nothing of the target's kind runs here.
        ValueError: The target asks for what the event doesn't have.
    """
    service, resource = target["Arn"].split(":", 5)[2::3]
    session = None
    if role := target.get("RoleArn"):
        session = assume(_SERVICE, role, rule.arn, event["id"])
    if service == "sagemaker" and resource.startswith("pipeline/"):
        if session is None:
            # "PutTargets": EventBridge needs a role for pipelines.
            raise ValueError(f"the target {target['Id']} has no role that may start the pipeline")
        start_pipeline(session, target, event)
    elif service == "sns":
        publish(_SERVICE, target["Arn"], target_input(target, event, rule), rule.arn, session)
    elif service == "sqs":
        body = target_input(target, event, rule)
        group = target.get("SqsParameters", {}).get("MessageGroupId")
        send(_SERVICE, target["Arn"], body, rule.arn, session=session, group=group)
    else:
        # Functions are deployed here, but can't run.
        raise NotImplementedError(
            f"the local AWS delivers to pipelines, topics and queues, not to {target['Arn']}"
        )


def start_pipeline(session: RoleSession, target: Mapping[str, Any], event: Event) -> None:
    """Start a target's pipeline in its role."""
    session.client("sagemaker").start_pipeline_execution(
        PipelineName=target["Arn"].rpartition("/")[2],
        PipelineParameters=pipeline_parameters(target, event),
    )
