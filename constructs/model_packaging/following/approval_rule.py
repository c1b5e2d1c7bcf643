"""What happens when a registered model is approved."""

from collections.abc import Sequence

from aws_cdk import aws_events as events
from constructs import Construct

from model_packaging.models.model_approved import ModelApproved


class ApprovalRule(Construct):
    """Tells targets of your own that a version of a model package group was approved.

    A target is one of the CDK's ``aws_events_targets``: a topic, a queue, a function. The CDK lets
    EventBridge reach it; a customer key of a topic or a queue must let ``events.amazonaws.com``
    call ``kms:Decrypt`` and ``kms:GenerateDataKey*`` in its own policy. To start a SageMaker
    pipeline, for which the CDK has no target, give the event to a ``PipelineTrigger``.

    Args:
        event: The approval.
        targets: Who is told; each with a dead-letter queue of its own, if you give it one.
        enabled: Whether they are told. Default: True.

    Attributes:
        rule: The rule.

    Raises:
        ValueError: There is no target, or the event has parameters, which such targets don't take.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        event: ModelApproved,
        targets: Sequence[events.IRuleTarget],
        enabled: bool = True,
    ) -> None:
        super().__init__(scope, construct_id)
        if not targets:
            raise ValueError("targets is empty: nobody would be told; give at least one")
        if event.parameters:
            raise ValueError(
                f"{event} has parameters, which are for a pipeline; leave them out, or give the "
                "event to PipelineTrigger(started_by=…)"
            )
        pattern = event.event_pattern
        self.rule = events.Rule(
            self,
            "Rule",
            description=f"Tells that a version of {event.model_package_group} was approved.",
            event_pattern=events.EventPattern(
                source=pattern["source"],
                detail_type=pattern["detail-type"],
                detail=pattern["detail"],
            ),
            targets=list(targets),
            enabled=enabled,
        )
