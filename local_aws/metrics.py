"""What SageMaker and EventBridge tell CloudWatch, which moto's do not."""

import contextlib
import datetime
from collections.abc import Mapping

import boto3

from local_aws.log_filters import FilterPattern, metric_data

# "Sagemaker", as "Amazon SageMaker AI metrics in Amazon CloudWatch" writes it: CloudWatch tells
# upper from lower case.
PIPELINES_NAMESPACE = "AWS/Sagemaker/ModelBuildingPipeline"
EVENTS_NAMESPACE = "AWS/Events"
PROCESSING_LOG_GROUP = "/aws/sagemaker/ProcessingJobs"


def count(namespace: str, *names: str, **dimensions: str) -> None:
    """Add one to each of some metrics."""
    put(namespace, dict.fromkeys(names, 1.0), "Count", dimensions)


def put(
    namespace: str, values: Mapping[str, float], unit: str, dimensions: Mapping[str, str]
) -> None:
    """Add values to metrics that have the same dimensions."""
    boto3.client("cloudwatch").put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": name,
                "Value": value,
                "Unit": unit,
                "Dimensions": [
                    {"Name": key, "Value": dimension} for key, dimension in dimensions.items()
                ],
            }
            for name, value in values.items()
        ],
    )


def write_log(log_group: str, stream: str, lines: list[str]) -> None:
    """Write a log stream, and let the group's metric filters see it.

    Args:
        log_group: Made if it is missing.
        stream: Made if it is missing.
        lines: Its events.
    """
    logs = boto3.client("logs")
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=log_group)
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=log_group, logStreamName=stream)
    lines = [line for line in lines if line.strip()]
    if not lines:
        return
    now = int(datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000)
    logs.put_log_events(
        logGroupName=log_group,
        logStreamName=stream,
        logEvents=[{"timestamp": now, "message": line} for line in lines],
    )
    for metric_filter in logs.describe_metric_filters(logGroupName=log_group)["metricFilters"]:
        pattern = FilterPattern(metric_filter["filterPattern"])
        [transformation] = metric_filter["metricTransformations"]
        found = [metric_data(transformation, line) for line in lines if pattern.matches(line)]
        if data := [datum for datum in found if datum is not None]:
            boto3.client("cloudwatch").put_metric_data(
                Namespace=transformation["metricNamespace"], MetricData=data
            )
