"""What SageMaker tells EventBridge: "Events that Amazon SageMaker AI sends to Amazon EventBridge".

An event has the members that this document shows, and no others.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from local_aws import events

_SOURCE = "aws.sagemaker"
_OF_PROCESSING_JOBS = (
    "AppSpecification",
    "CreationTime",
    "ExperimentConfig",
    "FailureReason",
    "LastModifiedTime",
    "NetworkConfig",
    "ProcessingEndTime",
    "ProcessingInputs",
    "ProcessingJobArn",
    "ProcessingJobName",
    "ProcessingJobStatus",
    "ProcessingOutputConfig",
    "ProcessingResources",
    "ProcessingStartTime",
    "RoleArn",
    "StoppingCondition",
)
_OF_MODEL_PACKAGES = (
    "CertifyForMarketplace",
    "CreationTime",
    "InferenceSpecification",
    "LastModifiedTime",
    "MetadataProperties",
    "ModelApprovalStatus",
    "ModelMetrics",
    "ModelPackageArn",
    "ModelPackageGroupName",
    "ModelPackageStatus",
    "ModelPackageStatusDetails",
    "ModelPackageVersion",
)


def processing_job_changed(backend: Any, description: Mapping[str, Any]) -> None:
    """Tell that a processing job has another status.

    Args:
        backend: moto's of SageMaker.
        description: What ``DescribeProcessingJob`` answers.
    """
    detail = {
        name: _milliseconds(description[name])
        for name in _OF_PROCESSING_JOBS
        if name in description
    }
    _send(
        backend, "SageMaker Processing Job State Change", [description["ProcessingJobArn"]], detail
    )


def execution_changed(backend: Any, record: Any, previous: str | None) -> None:
    """Tell that the execution of a pipeline has another status.

    Args:
        backend: moto's of SageMaker.
        record: moto's of the execution.
        previous: The status that it had; None if it has just begun.
    """
    arn = record.arn
    pipeline = arn.partition("/execution/")[0]
    status = record.pipeline_execution_status
    detail: dict[str, Any] = {
        "pipelineExecutionDisplayName": record.pipeline_execution_display_name,
        "pipelineExecutionDescription": record.pipeline_execution_description,
        "currentPipelineExecutionStatus": status,
        "previousPipelineExecutionStatus": previous,
        "executionStartTime": events.zulu(record.start_time),
        "pipelineArn": pipeline,
        "pipelineExecutionArn": arn,
    }
    if status not in ("Executing", "Stopping"):
        detail["executionEndTime"] = events.zulu(record.last_modified_time)
    _send(
        backend,
        "SageMaker Model Building Pipeline Execution Status Change",
        [pipeline, arn],
        {name: value for name, value in detail.items() if value is not None},
    )


def model_package_changed(
    backend: Any, description: Mapping[str, Any], updated: Sequence[str] = ()
) -> None:
    """Tell that a model package is there, or that somebody has changed it.

    Args:
        backend: moto's of SageMaker.
        description: What ``DescribeModelPackage`` answers.
        updated: Members that have been changed.
    """
    detail = {
        name: _zulu(description[name])
        for name in _OF_MODEL_PACKAGES
        if description.get(name) is not None
    }
    if updated:
        detail["UpdatedModelPackageFields"] = list(updated)
    _send(backend, "SageMaker Model Package State Change", [description["ModelPackageArn"]], detail)


def _send(backend: Any, kind: str, resources: Sequence[str], detail: Mapping[str, Any]) -> None:
    events.send(backend.account_id, backend.region_name, _SOURCE, kind, resources, detail)


def _milliseconds(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return int(value.replace(tzinfo=value.tzinfo or datetime.timezone.utc).timestamp() * 1000)
    return value


def _zulu(value: Any) -> Any:
    return events.zulu(value) if isinstance(value, datetime.datetime) else value
