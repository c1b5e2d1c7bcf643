"""What tells people how a packaging pipeline is doing: alarms and a dashboard."""

from aws_cdk import Aws, CfnMapping, Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from model_packaging.monitoring import metrics
from model_packaging.monitoring.alarms import RUNBOOK, PipelineAlarms
from model_packaging.monitoring.dashboard import build_dashboard
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
    ``/aws/sagemaker/ProcessingJobs``; the line names its pipeline, and the filters take this
    pipeline's alone. They need the log group to exist when they are deployed: see
    :class:`ProcessingLogGroup`.

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
        runbook: Where the runbook's pages are, with a slash at its end: each alarm's description
            ends with the place of its page. Default: ``docs/runbook/``, where this project has
            them.
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
        runbook: str = RUNBOOK,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, construct_id)
        _check(duration_share, days_without_execution, topic, topic_key)
        self._pipeline_name = pipeline_name
        max_milliseconds = (max_runtime or Duration.hours(24)).to_milliseconds()
        self.topic = topic or self._build_topic(topic_key or self._build_key(removal_policy))
        self._let_cloudwatch_publish()
        alarms = PipelineAlarms(self, pipeline_name, self.topic, runbook)
        alarms.watch_executions(
            step_name,
            max_milliseconds=max_milliseconds,
            share=duration_share,
            days_without_execution=days_without_execution,
        )
        if trigger:
            alarms.watch_deliveries(trigger)
        self.alarms = alarms.alarms
        if log_group:
            self._add_metric_filters(log_group)
        self.dashboard = build_dashboard(
            self,
            pipeline_name,
            step_name,
            alarms=self.alarms.values(),
            max_milliseconds=max_milliseconds,
            trigger=trigger,
            log_group=log_group,
        )

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
        conditions = {
            "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
            "ArnLike": {"aws:SourceArn": alarms},
        }
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[cloudwatch_service],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions=conditions,
            )
        )
        if key := self.topic.master_key:
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[cloudwatch_service],
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    resources=["*"],  # in a key's policy: this key
                    conditions=conditions,
                )
            )

    def _add_metric_filters(self, log_group: logs.ILogGroup) -> None:
        # Fields of the last line that the packager prints. The pipeline is a dimension: the
        # execution, in which every line differs, would make a metric of each, which is charged
        # and after a thousand ends the filter ("AWS::Logs::MetricFilter Dimension").
        done, failed = contract.DONE_EVENT, contract.FAILED_EVENT
        pattern = logs.FilterPattern
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
                filter_pattern=pattern.all(
                    pattern.string_value("$.event", "=", event),
                    pattern.string_value("$.pipeline", "=", self._pipeline_name),
                ),
                metric_namespace=metrics.PACKAGES_NAMESPACE,
                metric_name=name,
                metric_value=value,
                dimensions={metrics.PIPELINE_DIMENSION: "$.pipeline"},
                unit=unit,
            )


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
