from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from model_packaging.monitoring import metrics

PIPELINES = "AWS/Sagemaker/ModelBuildingPipeline"
PACKAGES = "ModelPackaging"


@pytest.mark.parametrize(
    ("metric", "namespace", "name", "statistic"),
    [
        (metrics.metric_executions_started, PIPELINES, "ExecutionStarted", "Sum"),
        (metrics.metric_executions_succeeded, PIPELINES, "ExecutionSucceeded", "Sum"),
        (metrics.metric_executions_failed, PIPELINES, "ExecutionFailed", "Sum"),
        (metrics.metric_executions_stopped, PIPELINES, "ExecutionStopped", "Sum"),
        (metrics.metric_duration, PIPELINES, "ExecutionDuration", "Maximum"),
        (metrics.metric_events_matched, "AWS/Events", "TriggeredRules", "Sum"),
        (metrics.metric_deliveries, "AWS/Events", "Invocations", "Sum"),
        (metrics.metric_deliveries_failed, "AWS/Events", "FailedInvocations", "Sum"),
        (metrics.metric_events_lost, "AWS/Events", "InvocationsFailedToBeSentToDlq", "Sum"),
        (metrics.metric_model_size, PACKAGES, "ModelSize", "Average"),
        (metrics.metric_package_size, PACKAGES, "PackageSize", "Average"),
        (metrics.metric_throughput, PACKAGES, "Throughput", "Average"),
        (metrics.metric_packaging_time, PACKAGES, "PackagingTime", "Maximum"),
        (metrics.metric_packagings_failed, PACKAGES, "PackagingFailed", "Sum"),
    ],
)
def test_a_metric_has_its_name_and_dimension(
    metric: Callable[..., cloudwatch.Metric], namespace: str, name: str, statistic: str
) -> None:
    made = metric("churn")
    assert (made.namespace, made.metric_name, made.statistic) == (namespace, name, statistic)
    dimension = "RuleName" if namespace == "AWS/Events" else "PipelineName"
    assert made.dimensions == {dimension: "churn"}


def test_a_step_is_found_by_pipeline_and_step() -> None:
    made = metrics.metric_step_duration("churn", "PackagingStep")
    assert (made.namespace, made.metric_name) == (PIPELINES, "StepDuration")
    assert made.dimensions == {"PipelineName": "churn", "StepName": "PackagingStep"}


@pytest.mark.parametrize(
    ("options", "attribute", "expected"),
    [
        ({"statistic": "p90"}, "statistic", "p90"),
        ({"label": "longest"}, "label", "longest"),
        ({"color": "#d62728"}, "color", "#d62728"),
    ],
)
def test_options_go_to_the_metric(options: dict[str, Any], attribute: str, expected: str) -> None:
    assert getattr(metrics.metric_duration("churn", **options), attribute) == expected


def test_the_period_can_be_chosen() -> None:
    assert metrics.metric_package_size("churn").period.to_seconds() == 300
    made = metrics.metric_package_size("churn", period=Duration.hours(1))
    assert made.period.to_seconds() == 3600
