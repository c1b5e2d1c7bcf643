"""The alarms of a packaging pipeline: when each is raised, and what it tells people to do."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from model_packaging.monitoring import metrics
from model_packaging.pipeline_trigger import PipelineTrigger

# Where the runbook is, and its page for each alarm.
RUNBOOK: Final = "docs/runbook/"
PAGES: Final = {
    "ExecutionFailed": "execution-failed.md",
    "StepNearTimeout": "step-near-timeout.md",
    "NoExecution": "no-execution.md",
    "DeliveryFailed": "delivery-failed.md",
    "EventLost": "event-lost.md",
    "DeadLetters": "dead-letters.md",
}


class PipelineAlarms:
    """Makes the alarms of one pipeline.

    Args:
        scope: Construct that they belong to.
        pipeline_name: Name of the pipeline.
        topic: Where they are sent.
        runbook: What the names of the runbook's pages come after.

    Attributes:
        alarms: What was made, by its id.
    """

    def __init__(
        self, scope: Construct, pipeline_name: str, topic: sns.ITopic, runbook: str = RUNBOOK
    ) -> None:
        self._scope = scope
        self._pipeline_name = pipeline_name
        self._topic = topic
        self._runbook = runbook
        self.alarms: dict[str, cloudwatch.Alarm] = {}

    def watch_executions(
        self,
        step_name: str,
        *,
        max_milliseconds: float,
        share: float,
        days_without_execution: int | None,
    ) -> None:
        """Executions that fail, take nearly as long as they may, or don't happen.

        Args:
            step_name: Name of the packaging step.
            max_milliseconds: When SageMaker stops its job.
            share: Share of that time from which on the alarm is raised.
            days_without_execution: Days without an execution that raise an alarm, if any do.
        """
        name = self._pipeline_name
        self._add(
            "ExecutionFailed",
            metrics.metric_executions_failed(name),
            f"An execution of {name} failed. Its failure reason says why; upload the model again "
            "once that is mended.",
        )
        self._add(
            "StepNearTimeout",
            metrics.metric_step_duration(name, step_name),
            f"{step_name} of {name} ran for {share:.0%} of the time after which SageMaker "
            "stops it, or longer. Choose a larger instance or a longer runtime.",
            threshold=max_milliseconds * share,
        )
        if days_without_execution is not None:
            self._add(
                "NoExecution",
                metrics.metric_executions_started(name, period=Duration.days(1)),
                f"{name} was not executed for {days_without_execution} days.",
                comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                periods=days_without_execution,
                missing=cloudwatch.TreatMissingData.BREACHING,
            )

    def watch_deliveries(self, trigger: PipelineTrigger) -> None:
        """Events that do not start the pipeline."""
        name = self._pipeline_name
        for number, rule in enumerate(trigger.rules):
            suffix = "" if number == 0 else str(number + 1)
            self._add(
                f"DeliveryFailed{suffix}",
                metrics.metric_deliveries_failed(rule.ref),
                f"A model arrived and {name} could not be started. The dead-letter queue has the "
                "event and the reason.",
            )
            self._add(
                f"EventLost{suffix}",
                metrics.metric_events_lost(rule.ref),
                f"A model arrived, {name} could not be started, and the event could not be written "
                "to the dead-letter queue: check the queue's policy and its key's.",
            )
        self._add(
            "DeadLetters",
            trigger.dead_letter_queue.metric_approximate_number_of_messages_visible(
                statistic="Maximum"
            ),
            f"Events that could not start {name} wait in the dead-letter queue. Mend what "
            "ERROR_MESSAGE names, then send them again or delete them.",
        )

    def _add(
        self,
        construct_id: str,
        metric: cloudwatch.IMetric,
        description: str,
        *,
        threshold: float = 1,
        comparison: cloudwatch.ComparisonOperator = (
            cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        ),
        periods: int = 1,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        page = PAGES[construct_id.rstrip("0123456789")]  # of a second rule's alarms, too
        alarm = cloudwatch.Alarm(
            self._scope,
            construct_id,
            metric=metric,
            alarm_description=f"{description} Runbook: {self._runbook}{page}",
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=periods,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self._topic))
        self.alarms[construct_id] = alarm
