"""Metrics of a packaging pipeline, as CloudWatch knows them.

Every function passes further arguments on to ``cloudwatch.Metric``, where they replace its own
choice, such as ``period`` or ``statistic``.
"""

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

# "Amazon SageMaker AI metrics in Amazon CloudWatch", section SageMaker pipelines metrics. The
# lower-case m is the service's.
PIPELINES_NAMESPACE = "AWS/Sagemaker/ModelBuildingPipeline"
EVENTS_NAMESPACE = "AWS/Events"
# What :class:`PipelineMonitoring` filters from the job's log.
PACKAGES_NAMESPACE = "ModelPackaging"
PIPELINE_DIMENSION = "PipelineName"


def metric_executions_started(pipeline_name: str, **options: Any) -> cloudwatch.Metric:
    """Executions that started. Sum over 5 minutes."""
    return _of_pipeline("ExecutionStarted", pipeline_name, options)


def metric_executions_succeeded(pipeline_name: str, **options: Any) -> cloudwatch.Metric:
    """Executions that succeeded. Sum over 5 minutes."""
    return _of_pipeline("ExecutionSucceeded", pipeline_name, options)


def metric_executions_failed(pipeline_name: str, **options: Any) -> cloudwatch.Metric:
    """Executions that failed. Sum over 5 minutes."""
    return _of_pipeline("ExecutionFailed", pipeline_name, options)


def metric_executions_stopped(pipeline_name: str, **options: Any) -> cloudwatch.Metric:
    """Executions that someone stopped. Sum over 5 minutes."""
    return _of_pipeline("ExecutionStopped", pipeline_name, options)


def metric_duration(pipeline_name: str, **options: Any) -> cloudwatch.Metric:
    """How long executions ran, in milliseconds. Longest in 5 minutes."""
    return _of_pipeline("ExecutionDuration", pipeline_name, {"statistic": "Maximum"} | options)


def metric_step_duration(pipeline_name: str, step_name: str, **options: Any) -> cloudwatch.Metric:
    """How long a step ran, in milliseconds, known when it ends. Longest in 5 minutes."""
    dimensions = {PIPELINE_DIMENSION: pipeline_name, "StepName": step_name}
    return _metric(
        PIPELINES_NAMESPACE, "StepDuration", dimensions, {"statistic": "Maximum"} | options
    )


def metric_events_matched(rule_name: str, **options: Any) -> cloudwatch.Metric:
    """Events of the default event bus that a rule matched. Sum over 5 minutes."""
    return _of_rule("TriggeredRules", rule_name, options)


def metric_deliveries(rule_name: str, **options: Any) -> cloudwatch.Metric:
    """Deliveries of a rule, whatever became of them. Sum over 5 minutes."""
    return _of_rule("Invocations", rule_name, options)


def metric_deliveries_failed(rule_name: str, **options: Any) -> cloudwatch.Metric:
    """Deliveries that failed for good. Sum over 5 minutes."""
    return _of_rule("FailedInvocations", rule_name, options)


def metric_events_lost(rule_name: str, **options: Any) -> cloudwatch.Metric:
    """Events that could not even be written to the dead-letter queue. Sum over 5 minutes."""
    return _of_rule("InvocationsFailedToBeSentToDlq", rule_name, options)


def metric_package_size(pipeline_name: str, **options: Any) -> cloudwatch.Metric:
    """Size of the packages, in bytes. Average over 5 minutes."""
    return _of_package("PackageSize", pipeline_name, {"statistic": "Average"} | options)


def metric_model_size(pipeline_name: str, **options: Any) -> cloudwatch.Metric:
    """Size of the models that were packaged, in bytes. Average over 5 minutes."""
    return _of_package("ModelSize", pipeline_name, {"statistic": "Average"} | options)


def metric_throughput(pipeline_name: str, **options: Any) -> cloudwatch.Metric:
    """Bytes of model that the script packaged in a second. Average over 5 minutes."""
    return _of_package("Throughput", pipeline_name, {"statistic": "Average"} | options)


def metric_packaging_time(pipeline_name: str, **options: Any) -> cloudwatch.Metric:
    """Seconds that the script took, without the job's start. Longest in 5 minutes."""
    return _of_package("PackagingTime", pipeline_name, {"statistic": "Maximum"} | options)


def metric_packagings_failed(pipeline_name: str, **options: Any) -> cloudwatch.Metric:
    """Failures that the script itself told, with their reason in the log. Sum over 5 minutes."""
    return _of_package("PackagingFailed", pipeline_name, options)


def _of_pipeline(name: str, pipeline_name: str, options: dict[str, Any]) -> cloudwatch.Metric:
    return _metric(PIPELINES_NAMESPACE, name, {PIPELINE_DIMENSION: pipeline_name}, options)


def _of_rule(name: str, rule_name: str, options: dict[str, Any]) -> cloudwatch.Metric:
    return _metric(EVENTS_NAMESPACE, name, {"RuleName": rule_name}, options)


def _of_package(name: str, pipeline_name: str, options: dict[str, Any]) -> cloudwatch.Metric:
    return _metric(PACKAGES_NAMESPACE, name, {PIPELINE_DIMENSION: pipeline_name}, options)


def _metric(
    namespace: str, name: str, dimensions: dict[str, str], options: dict[str, Any]
) -> cloudwatch.Metric:
    defaults: dict[str, Any] = {
        "dimensions_map": dimensions,
        "period": Duration.minutes(5),
        "statistic": "Sum",
    }
    return cloudwatch.Metric(namespace=namespace, metric_name=name, **(defaults | options))
