"""Executions of a packaging pipeline, read back: which model, which package, what came of it."""

import datetime
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.exceptions

from local_aws.expressions import ExpressionError, parameter_values, resolve
from model_packaging.step import contract
from model_packaging.step.s3_location import S3Location
from operations.executions.deployed_stage import DeployedStage
from operations.executions.faults import OperationError

RUNNING = ("Executing", "Stopping")


@dataclass(frozen=True)
class Packaging:
    """One execution.

    Attributes:
        arn: Its ARN.
        status: Such as ``Executing`` or ``Succeeded``.
        started: When it started.
        ended: When it ended, if it has.
        model: S3 URI of the model; None if it comes from a step that has not run.
        package: S3 URI of the package that it makes, or that an equal one made before.
        report: S3 URI of that package's report.
        job: Name of the packaging job; None if there was none, as after a cache hit.
        cached_from: Id of the execution whose package was given again.
        reason: Why it failed, if it did.
    """

    arn: str
    status: str
    started: datetime.datetime
    ended: datetime.datetime | None
    model: str | None
    package: str | None
    report: str | None
    job: str | None
    cached_from: str | None
    reason: str | None

    @property
    def execution_id(self) -> str:
        """The last part of its ARN."""
        return _id(self.arn)

    @property
    def seconds(self) -> float:
        """How long it took, or takes until now."""
        until = self.ended or datetime.datetime.now(datetime.timezone.utc)
        return (until - self.started).total_seconds()

    @property
    def model_key(self) -> str:
        """The model's key in its bucket; empty if the model is an earlier step's."""
        return S3Location.parse(self.model).key if self.model else ""


def latest(stage: DeployedStage, count: int, status: str | None = None) -> Iterator[Packaging]:
    """The latest executions, the newest first.

    Args:
        stage: Whose pipeline's.
        count: How many at most.
        status: Those that ended, or are, like this only.
    """
    pages = (
        stage.client("sagemaker")
        .get_paginator("list_pipeline_executions")
        .paginate(PipelineName=stage.pipeline_name, SortBy="CreationTime", SortOrder="Descending")
    )
    summaries = (item for page in pages for item in page["PipelineExecutionSummaries"])
    matching = (item for item in summaries if status in (None, item["PipelineExecutionStatus"]))
    for item in itertools.islice(matching, count):
        yield _read(stage, item["PipelineExecutionArn"], item["StartTime"])


def packaging(stage: DeployedStage, execution: str) -> Packaging:
    """One execution.

    Args:
        stage: Whose pipeline's.
        execution: Its id or its ARN.

    Raises:
        OperationError: There is no such execution.
    """
    arn = stage.execution_arn(execution)
    try:
        return _read(stage, arn)
    except botocore.exceptions.ClientError as fault:
        if fault.response["Error"]["Code"] in ("ResourceNotFound", "ValidationException"):
            raise OperationError(
                f"{stage.pipeline_name} has no execution {execution}; `status` lists the latest"
            ) from fault
        raise


def package_report(stage: DeployedStage, uri: str) -> dict[str, Any] | None:
    """A package's report; None if there is none (any longer)."""
    place = S3Location.parse(uri)
    s3 = stage.client("s3")
    try:
        body = s3.get_object(Bucket=place.bucket, Key=place.key)["Body"]
    except s3.exceptions.NoSuchKey:
        return None
    report: dict[str, Any] = json.load(body)
    return report


def _read(stage: DeployedStage, arn: str, started: datetime.datetime | None = None) -> Packaging:
    sagemaker = stage.client("sagemaker")
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    status = described["PipelineExecutionStatus"]
    steps = [
        step
        for page in sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn
        )
        for step in page["PipelineExecutionSteps"]
    ]
    values = _Values(stage, arn)
    step: Mapping[str, Any] = next(
        (step for step in steps if step["StepName"] == values.step_name), {}
    )
    job = step.get("Metadata", {}).get("ProcessingJob", {}).get("Arn")
    cached = step.get("CacheHitResult", {}).get("SourcePipelineExecutionArn")
    return Packaging(
        arn=arn,
        status=status,
        started=started or described["CreationTime"],
        ended=None if status in RUNNING else described["LastModifiedTime"],
        model=values.model(),
        package=values.output(contract.OUTPUT_DIR, "model.tar.gz", cached or arn),
        report=values.output(contract.REPORT_DIR, contract.REPORT_NAME, cached or arn),
        job=_id(job) if job and not cached else None,
        cached_from=_id(cached) if cached else None,
        reason=_reason(described, steps) if status == "Failed" else None,
    )


def _reason(described: Mapping[str, Any], steps: list[dict[str, Any]]) -> str:
    """The failed step's own reason: the execution's only says that a step failed."""
    reasons = [step["FailureReason"] for step in steps if step.get("FailureReason")]
    return "; ".join(reasons) or described.get("FailureReason") or "SageMaker gives no reason"


class _Values:
    """What the packaging step's arguments come to in one execution."""

    def __init__(self, stage: DeployedStage, arn: str) -> None:
        sagemaker = stage.client("sagemaker")
        self._pipeline_name = stage.pipeline_name
        definition = json.loads(
            sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)[
                "PipelineDefinition"
            ]
        )
        given = [
            parameter
            for page in sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(
                PipelineExecutionArn=arn
            )
            for parameter in page.get("PipelineParameters", [])
        ]
        self._arn = arn
        self._parameters = parameter_values(definition, given)
        step = next(step for step in definition["Steps"] if _packages(step))
        self.step_name: str = step["Name"]
        self._inputs = step["Arguments"]["ProcessingInputs"]
        self._outputs = step["Arguments"]["ProcessingOutputConfig"]["Outputs"]

    def model(self) -> str | None:
        """The model's URI, unless only an earlier step of the pipeline tells it."""
        return self._uri(self._inputs, "S3Input", contract.MODEL_DIR, self._arn)

    def output(self, folder: str, name: str, arn: str) -> str | None:
        """The URI of a file that the packager writes into a folder, in one execution."""
        uri = self._uri(self._outputs, "S3Output", folder, arn)
        return uri and f"{uri.rstrip('/')}/{name}"

    def _uri(self, channels: list[dict[str, Any]], kind: str, folder: str, arn: str) -> str | None:
        for channel in channels:
            if channel[kind]["LocalPath"].rstrip("/") == folder:
                variables = {f"Parameters.{key}": item for key, item in self._parameters.items()}
                variables |= {
                    "Execution.PipelineName": self._pipeline_name,
                    "Execution.PipelineExecutionId": _id(arn),
                    "Execution.PipelineExecutionArn": arn,
                }
                try:
                    return str(resolve(channel[kind]["S3Uri"], variables))
                except ExpressionError:
                    return None
        return None


def _packages(step: Mapping[str, Any]) -> bool:
    """Whether a step is the packaging step: one that reads and writes where the packager does."""
    arguments = step.get("Arguments", {})
    return any(
        item.get("S3Input", {}).get("LocalPath", "").rstrip("/") == contract.MODEL_DIR
        for item in arguments.get("ProcessingInputs", [])
    )


def _id(arn: str) -> str:
    return arn.rpartition("/")[2]
