"""What tells people how a packaging pipeline is doing: alarms and a dashboard."""

from aws_cdk import Aws, CfnMapping, Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from model_packaging import metrics
from model_packaging.pipeline_trigger import PipelineTrigger
from model_packaging.step import contract

# API reference of PutMetricAlarm, Period: "no longer than seven days".
_MAX_DAYS_WITHOUT_EXECUTION = 7

_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


class PipelineMonitoring(Construct):
    """Alarms to a topic, and a dashboard.

    Alarms: an execution failed; the packaging step took nearly as long as it may; nothing was
    executed for some days (by choice); and with a trigger, for each of its rules, a delivery
    failed or an event was lost, and its dead-letter queue is not empty.

    With a log group, the dashboard also shows sizes and throughput, from metric filters on the
    line of JSON that the packaging script ends with, and the reasons of failures. SageMaker writes
    the logs of all processing jobs of an account and region to the one log group
    ``/aws/sagemaker/ProcessingJobs``, and the line does not name its pipeline: these figures are
    of **all packaging pipelines of the account and region**. The filters need the log group to
    exist when they are deployed: see :class:`ProcessingLogGroup`.

    Args:
        pipeline_name: Name of the pipeline.
        step_name: Name of its packaging step. Default: ``PackagingStep``.
        max_runtime: When SageMaker stops the job of that step. Default: 24 hours, SageMaker's own.
        duration_share: Share of ``max_runtime``, above 0 and up to 1, from which on a step's
            duration raises the alarm. Default: 0.8.
        days_without_execution: After how many days without an execution, 1 to 7, the alarm is
            raised (CloudWatch looks back no further). Default: no such alarm.
        trigger: What starts the pipeline.
        log_group: The log group of processing jobs. Default: no figures from logs.
        topic: Topic that alarms are sent to. CloudWatch is let publish to it and use its customer
            key; if topic or key are imported, their policies must already do so. The managed key
            of SNS does not work: CloudWatch can't use it. Default: a topic is made.
        topic_key: Customer-managed KMS key for the topic that is made. CloudWatch is let use it;
            if it is imported, its policy must already let ``cloudwatch.amazonaws.com`` call
            ``kms:Decrypt`` and ``kms:GenerateDataKey*``. Default: a key is made, with rotation.
        removal_policy: What becomes of the key made for the topic when it leaves its stack.
            Default: RETAIN.

    Attributes:
        topic: The topic. Subscribe people to it: ``topic.add_subscription``.
        alarms: The alarms, by their ids.
        dashboard: The dashboard.

    Raises:
        ValueError: A number is out of its range, or a topic comes with a key for another.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pipeline_name: str,
        step_name: str = contract.PACKAGING_STEP,
        max_runtime: Duration | None = None,
        duration_share: float = 0.8,
        days_without_execution: int | None = None,
        trigger: PipelineTrigger | None = None,
        log_group: logs.ILogGroup | None = None,
        topic: sns.ITopic | None = None,
        topic_key: kms.IKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, construct_id)
        _check(duration_share, days_without_execution, topic, topic_key)
        self._pipeline_name = pipeline_name
        self._step_name = step_name
        self._trigger = trigger
        self._max_milliseconds = (max_runtime or Duration.hours(24)).to_milliseconds()
        self.topic = topic or self._build_topic(topic_key or self._build_key(removal_policy))
        self._let_cloudwatch_publish()
        self.alarms: dict[str, cloudwatch.Alarm] = {}
        self._add_pipeline_alarms(duration_share, days_without_execution)
        if trigger:
            self._add_trigger_alarms(trigger)
        if log_group:
            self._add_metric_filters(log_group)
        self.dashboard = self._build_dashboard(log_group)

    @property
    def dashboard_url(self) -> str:
        """Link to the dashboard."""
        consoles = self.node.try_find_child("Consoles") or CfnMapping(
            self, "Consoles", mapping={key: {"host": host} for key, host in _CONSOLES.items()}
        )
        assert isinstance(consoles, CfnMapping)  # noqa: S101  # narrows the type
        return (
            f"https://{Aws.REGION}.{consoles.find_in_map(Aws.PARTITION, 'host')}/cloudwatch/home"
            f"?region={Aws.REGION}#dashboards/dashboard/{self.dashboard.dashboard_name}"
        )

    def _build_key(self, removal_policy: RemovalPolicy) -> kms.Key:
        return kms.Key(
            self,
            "TopicKey",
            description=f"Encrypts the alarms of the pipeline {self._pipeline_name}.",
            enable_key_rotation=True,
            removal_policy=removal_policy,
        )

    def _build_topic(self, key: kms.IKey) -> sns.Topic:
        return sns.Topic(self, "Topic", master_key=key, enforce_ssl=True)

    def _let_cloudwatch_publish(self) -> None:
        cloudwatch_service = iam.ServicePrincipal("cloudwatch.amazonaws.com")
        alarms = f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:*"
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[cloudwatch_service],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": alarms},
                },
            )
        )
        if key := self.topic.master_key:
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[cloudwatch_service],
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    resources=["*"],  # in a key's policy: this key
                    conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
                )
            )

    def _add_pipeline_alarms(self, share: float, days_without_execution: int | None) -> None:
        name = self._pipeline_name
        self._add_alarm(
            "ExecutionFailed",
            metrics.metric_executions_failed(name),
            f"An execution of {name} failed. Its failure reason says why; upload the model again "
            "once that is mended.",
        )
        self._add_alarm(
            "StepNearTimeout",
            metrics.metric_step_duration(name, self._step_name),
            f"{self._step_name} of {name} ran for {share:.0%} of the time after which SageMaker "
            "stops it, or longer. Choose a larger instance or a longer runtime.",
            threshold=self._max_milliseconds * share,
        )
        if days_without_execution is not None:
            self._add_alarm(
                "NoExecution",
                metrics.metric_executions_started(name, period=Duration.days(1)),
                f"{name} was not executed for {days_without_execution} days.",
                comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                periods=days_without_execution,
                missing=cloudwatch.TreatMissingData.BREACHING,
            )

    def _add_trigger_alarms(self, trigger: PipelineTrigger) -> None:
        name = self._pipeline_name
        for number, rule in enumerate(trigger.rules):
            suffix = "" if number == 0 else str(number + 1)
            self._add_alarm(
                f"DeliveryFailed{suffix}",
                metrics.metric_deliveries_failed(rule.ref),
                f"A model arrived and {name} could not be started. The dead-letter queue has the "
                "event and the reason.",
            )
            self._add_alarm(
                f"EventLost{suffix}",
                metrics.metric_events_lost(rule.ref),
                f"A model arrived, {name} could not be started, and the event could not be written "
                "to the dead-letter queue: check the queue's policy and its key's.",
            )
        self._add_alarm(
            "DeadLetters",
            trigger.dead_letter_queue.metric_approximate_number_of_messages_visible(
                statistic="Maximum"
            ),
            f"Events that could not start {name} wait in the dead-letter queue. Mend what "
            "ERROR_MESSAGE names, then send them again or delete them.",
        )

    def _add_alarm(
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
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            metric=metric,
            alarm_description=description,
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=periods,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        self.alarms[construct_id] = alarm

    def _add_metric_filters(self, log_group: logs.ILogGroup) -> None:
        # Fields of the last line that scripts/packager/mims_package.py prints.
        done, failed = "mims_package.done", "mims_package.failed"
        for name, event, value, unit in (
            ("PackageSize", done, "$.archive_bytes", cloudwatch.Unit.BYTES),
            ("ModelSize", done, "$.model_bytes", cloudwatch.Unit.BYTES),
            ("Throughput", done, "$.bytes_per_second", cloudwatch.Unit.BYTES_PER_SECOND),
            ("PackagingTime", done, "$.seconds", cloudwatch.Unit.SECONDS),
            ("PackagingFailed", failed, "1", cloudwatch.Unit.COUNT),
        ):
            logs.MetricFilter(
                self,
                f"{name}Filter",
                log_group=log_group,
                filter_pattern=logs.FilterPattern.string_value("$.event", "=", event),
                metric_namespace=metrics.package_namespace(self._pipeline_name),
                metric_name=name,
                metric_value=value,
                unit=unit,
            )

    def _build_dashboard(self, log_group: logs.ILogGroup | None) -> cloudwatch.Dashboard:
        name = self._pipeline_name
        dashboard = cloudwatch.Dashboard(self, "Dashboard", default_interval=Duration.days(7))
        dashboard.add_widgets(
            cloudwatch.AlarmStatusWidget(
                title=f"Alarms of {name}", width=24, alarms=list(self.alarms.values())
            )
        )
        dashboard.add_widgets(
            _graph(
                "Executions by outcome",
                metrics.metric_executions_started(name, label="started"),
                metrics.metric_executions_succeeded(name, label="succeeded"),
                metrics.metric_executions_failed(name, label="failed"),
                metrics.metric_executions_stopped(name, label="stopped"),
            ),
            _graph(
                "Duration in milliseconds",
                metrics.metric_duration(name, label="longest execution"),
                metrics.metric_step_duration(name, self._step_name, label="longest packaging"),
                limit=cloudwatch.HorizontalAnnotation(
                    value=self._max_milliseconds, label="SageMaker stops the job"
                ),
            ),
        )
        if self._trigger:
            dashboard.add_widgets(*self._delivery_widgets(self._trigger))
        if log_group:
            dashboard.add_widgets(*self._package_widgets(log_group))
        return dashboard

    def _delivery_widgets(self, trigger: PipelineTrigger) -> list[cloudwatch.IWidget]:
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
            _graph("Deliveries to the pipeline", *deliveries),
            _graph(
                "Dead-letter queue",
                queue.metric_approximate_number_of_messages_visible(
                    label="messages", statistic="Maximum"
                ),
            ),
        ]

    def _package_widgets(self, log_group: logs.ILogGroup) -> list[cloudwatch.IWidget]:
        name = self._pipeline_name
        return [
            _graph(
                "Sizes in bytes, of all packaging pipelines",
                metrics.metric_model_size(name, label="model"),
                metrics.metric_package_size(name, label="package"),
            ),
            _graph(
                "Bytes packaged in a second, of all packaging pipelines",
                metrics.metric_throughput(name, label="throughput"),
            ),
            cloudwatch.LogQueryWidget(
                title="Why the script failed, of all packaging pipelines",
                width=24,
                log_group_names=[log_group.log_group_name],
                query_lines=[
                    "fields @timestamp, exit_code, reason, @logStream",
                    'filter event = "mims_package.failed"',
                    "sort @timestamp desc",
                    "limit 50",
                ],
            ),
        ]


def _check(
    duration_share: float,
    days_without_execution: int | None,
    topic: sns.ITopic | None,
    topic_key: kms.IKey | None,
) -> None:
    if not 0 < duration_share <= 1:
        raise ValueError(
            f"duration_share {duration_share} is given; write a share above 0 and up to 1, such as "
            "0.8"
        )
    most = _MAX_DAYS_WITHOUT_EXECUTION
    if days_without_execution is not None and not 1 <= days_without_execution <= most:
        raise ValueError(
            f"days_without_execution {days_without_execution} is given, and CloudWatch looks back "
            f"1 to {most} days; leave it out for no such alarm"
        )
    if topic and topic_key:
        raise ValueError(
            f"topic_key is given together with the existing topic {topic.node.path!r}, whose "
            "encryption is not changed here; leave one of the two out"
        )


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
