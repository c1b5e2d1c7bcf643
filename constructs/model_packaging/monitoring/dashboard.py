"""The dashboard of a packaging pipeline."""

from collections.abc import Iterable

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from model_packaging.monitoring import metrics
from model_packaging.pipeline_trigger import PipelineTrigger
from model_packaging.step import contract


def build_dashboard(
    scope: Construct,
    name: str,
    step_name: str,
    *,
    alarms: Iterable[cloudwatch.IAlarm],
    max_milliseconds: float,
    trigger: PipelineTrigger | None,
    log_group: logs.ILogGroup | None,
) -> cloudwatch.Dashboard:
    """Make the dashboard.

    Args:
        scope: Construct that it belongs to.
        name: Name of the pipeline.
        step_name: Name of its packaging step.
        alarms: Alarms whose state it shows.
        max_milliseconds: When SageMaker stops the step's job.
        trigger: What starts the pipeline, to show deliveries.
        log_group: Log group of processing jobs, to show sizes and throughput.
    """
    dashboard = cloudwatch.Dashboard(scope, "Dashboard", default_interval=Duration.days(7))
    dashboard.add_widgets(
        cloudwatch.AlarmStatusWidget(title=f"Alarms of {name}", width=24, alarms=list(alarms))
    )
    dashboard.add_widgets(
        _graph(
            f"Executions of {name} by outcome",
            metrics.metric_executions_started(name, label="started"),
            metrics.metric_executions_succeeded(name, label="succeeded"),
            metrics.metric_executions_failed(name, label="failed"),
            metrics.metric_executions_stopped(name, label="stopped"),
        ),
        _graph(
            f"Duration of {name} in milliseconds",
            metrics.metric_duration(name, label="longest execution"),
            metrics.metric_step_duration(name, step_name, label="longest packaging"),
            limit=cloudwatch.HorizontalAnnotation(
                value=max_milliseconds, label="SageMaker stops the job"
            ),
        ),
    )
    if trigger:
        dashboard.add_widgets(*_delivery_widgets(name, trigger))
    if log_group:
        dashboard.add_widgets(*_package_widgets(name, log_group))
    return dashboard


def _delivery_widgets(name: str, trigger: PipelineTrigger) -> list[cloudwatch.IWidget]:
    deliveries = [
        metric
        for rule in trigger.rules
        for metric in (
            metrics.metric_events_matched(rule.ref, label="events"),
            metrics.metric_deliveries(rule.ref, label="deliveries"),
            metrics.metric_deliveries_failed(rule.ref, label="failed"),
            metrics.metric_events_lost(rule.ref, label="lost"),
        )
    ]
    queue = trigger.dead_letter_queue
    return [
        _graph(f"Deliveries to {name}", *deliveries),
        _graph(
            f"Dead-letter queue of {name}",
            queue.metric_approximate_number_of_messages_visible(
                label="messages", statistic="Maximum"
            ),
        ),
    ]


def _package_widgets(name: str, log_group: logs.ILogGroup) -> list[cloudwatch.IWidget]:
    return [
        _graph(
            f"Sizes of {name} in bytes",
            metrics.metric_model_size(name, label="model"),
            metrics.metric_package_size(name, label="package"),
        ),
        _graph(
            f"Bytes that {name} packaged in a second",
            metrics.metric_throughput(name, label="throughput"),
        ),
        cloudwatch.LogQueryWidget(
            title=f"Why the script failed in {name}",
            width=24,
            log_group_names=[log_group.log_group_name],
            query_lines=[
                "fields @timestamp, execution, exit_code, reason, @logStream",
                f'filter event = "{contract.FAILED_EVENT}" and pipeline = "{name}"',
                "sort @timestamp desc",
                "limit 50",
            ],
        ),
    ]


def _graph(
    title: str,
    *shown: cloudwatch.IMetric,
    limit: cloudwatch.HorizontalAnnotation | None = None,
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        width=12,
        left=list(shown),
        left_y_axis=cloudwatch.YAxisProps(min=0),
        left_annotations=[limit] if limit else None,
    )
