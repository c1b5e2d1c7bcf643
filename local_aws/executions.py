"""Pipeline executions that run: moto's succeed at once and do nothing.

Starting an execution starts a thread that reads the deployed definition back from the local AWS,
resolves it, and runs its steps in order, or reuses what an equal earlier execution made.
"""

import datetime
import json
import logging
import secrets
import shutil
import string
import threading
from pathlib import Path
from typing import Any

import boto3
from moto.core.responses import ActionResult
from moto.sagemaker import models, urls
from moto.sagemaker.exceptions import ResourceNotFound, ValidationError
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from local_aws import metrics
from local_aws.expressions import ExpressionError, parameter_values, resolve
from local_aws.moto_seams import OwnBackend, replace, use_backend, use_responses
from local_aws.processing_job import JobError, ProcessingJob
from local_aws.step_cache import StepCache
from local_aws.step_settings import check_step

logger = logging.getLogger(__name__)

_directory = Path()
_cache = StepCache()


def install(directory: Path) -> None:
    """Make moto's pipeline executions run.

    Args:
        directory: Where each execution gets a folder, with a log and a scratch folder per step.
    """
    global _directory
    _directory = directory
    use_backend(sagemaker_backends, LocalSageMakerBackend)
    use_responses(urls, LocalSageMakerResponse)
    # moto's backends make their records of executions from this class.
    replace(models, "FakePipelineExecution", LocalPipelineExecution)


class LocalPipelineExecution(models.FakePipelineExecution):  # type: ignore[misc]  # not checked
    """moto's record of an execution, which would show it as succeeded at once."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.pipeline_execution_status = "Executing"
        self.steps: list[dict[str, Any]] = []


class LocalSageMakerBackend(OwnBackend, models.SageMakerModelBackend):  # type: ignore[misc]
    """moto's, whose executions run."""

    def start_pipeline_execution(self, pipeline_name: str, *args: Any) -> dict[str, str]:
        """Check the parameters, and run the execution in a thread."""
        name = pipeline_name.rpartition("/")[2]  # the API takes a name or an ARN
        if name not in self.pipelines:
            raise ResourceNotFound(message=f"Pipeline {name!r} does not exist.")
        definition = json.loads(self.pipelines[name].pipeline_definition)
        given = args[1] or []
        try:
            parameter_values(definition, given)
        except ExpressionError as fault:
            raise ValidationError(message=str(fault)) from fault
        started: dict[str, str] = super().start_pipeline_execution(name, *args)
        arn = started["PipelineExecutionArn"]
        self.pipelines[name].pipeline_executions[arn].pipeline_parameters = given
        threading.Thread(target=_Execution(self, arn).run, daemon=True).start()
        return started

    def describe_pipeline_execution(self, pipeline_execution_arn: str) -> dict[str, Any]:
        """Say why an execution failed, too."""
        description: dict[str, Any] = super().describe_pipeline_execution(pipeline_execution_arn)
        execution = _record(self, pipeline_execution_arn)
        if execution.pipeline_execution_failure_reason:
            description["FailureReason"] = execution.pipeline_execution_failure_reason
        return description


class LocalSageMakerResponse(SageMakerResponse):  # type: ignore[misc]  # moto is not checked
    """moto's, with what it lacks."""

    def list_pipeline_executions(self) -> Any:
        """``ListPipelineExecutions``, in the order that is asked for."""
        listed = self.sagemaker_backend.list_pipeline_executions(self._get_param("PipelineName"))
        listed["PipelineExecutionSummaries"].sort(
            key=lambda summary: summary["StartTime"],
            reverse=self._get_param("SortOrder") == "Descending",
        )
        return ActionResult(listed)

    def list_pipeline_execution_steps(self) -> Any:
        """``ListPipelineExecutionSteps``."""
        execution = _record(self.sagemaker_backend, self._get_param("PipelineExecutionArn"))
        return ActionResult({"PipelineExecutionSteps": execution.steps})


def _record(backend: Any, arn: str) -> Any:
    name = arn.split("/")[1]
    return backend.pipelines[name].pipeline_executions[arn]


class _Execution:
    """One execution of a pipeline, from its deployed definition to its last step."""

    def __init__(self, backend: Any, arn: str) -> None:
        self._arn = arn
        self._record = _record(backend, arn)
        self._account, self._region = backend.account_id, backend.region_name
        self._pipeline = arn.split("/")[1]
        self._folder = _directory / arn.rpartition("/")[2]
        self._folder.mkdir(parents=True)

    def run(self) -> None:
        self._count({"ExecutionStarted": 1})
        start, status, reason = _now(), "Succeeded", None
        try:
            self._run_steps()
        except (JobError, ExpressionError) as fault:
            status, reason = "Failed", f"Step failure: {fault}"
        except Exception as fault:
            logger.exception("execution %s broke", self._arn)
            status, reason = "Failed", f"Internal error of the local AWS: {fault!r}"
        # Before the status tells that it has ended: who waits for that finds all of it.
        self._count({f"Execution{status}": 1})
        self._count({"ExecutionDuration": _milliseconds(start)}, "Milliseconds")
        self._record.last_modified_time = _now()
        self._record.pipeline_execution_failure_reason = reason
        self._record.pipeline_execution_status = status

    def _count(self, values: dict[str, float], unit: str = "Count", **dimensions: str) -> None:
        by_pipeline = {"PipelineName": self._pipeline, **dimensions}
        metrics.put(metrics.PIPELINES_NAMESPACE, values, unit, by_pipeline)
        if not dimensions:  # also "across all pipelines"
            metrics.put(metrics.PIPELINES_NAMESPACE, values, unit, {})

    def _run_steps(self) -> None:
        sagemaker = boto3.client("sagemaker")
        definition = json.loads(
            sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=self._arn)[
                "PipelineDefinition"
            ]
        )
        given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=self._arn)
        values = parameter_values(definition, given.get("PipelineParameters", []))
        _, pipeline_name, _, execution_id = self._arn.split(":", 5)[5].split("/")
        variables = {f"Parameters.{name}": value for name, value in values.items()} | {
            "Execution.PipelineName": pipeline_name,
            "Execution.PipelineArn": self._arn.partition("/execution/")[0],
            "Execution.PipelineExecutionId": execution_id,
            "Execution.PipelineExecutionArn": self._arn,
            "Execution.StartDateTime": self._record.start_time.isoformat(),
        }
        for step in definition["Steps"]:
            self._run_step(step, variables)

    def _run_step(self, step: dict[str, Any], variables: dict[str, Any]) -> None:
        start = _now()
        record = {
            "StepName": step["Name"],
            **{
                f"Step{name}": step[name] for name in ("DisplayName", "Description") if name in step
            },
            "StartTime": start,
            "StepStatus": "Executing",
            "AttemptCount": 1,
            "Metadata": {},
        }
        self._record.steps.append(record)
        self._count({"StepStarted": 1}, StepName=step["Name"])
        status = "Failed"
        try:
            check_step(step, [earlier["StepName"] for earlier in self._record.steps[:-1]])
            self._run_processing(step, resolve(step["Arguments"], variables), record)
            status = "Succeeded"
        except Exception as fault:
            record |= {"FailureReason": str(fault)[:1024]}
            raise
        finally:
            self._count({f"Step{status}": 1}, StepName=step["Name"])
            self._count(
                {"StepDuration": _milliseconds(start)}, "Milliseconds", StepName=step["Name"]
            )
            record |= {"StepStatus": status, "EndTime": _now()}

    def _run_processing(
        self, step: dict[str, Any], request: dict[str, Any], record: dict[str, Any]
    ) -> None:
        pipeline_arn = self._arn.partition("/execution/")[0]
        if hit := _cache.find(pipeline_arn, step, request, _now()):
            # Nothing runs and nothing is written: the earlier execution's output is the result.
            record["CacheHitResult"] = {"SourcePipelineExecutionArn": hit.execution_arn}
            record["Metadata"] = hit.metadata
            return
        suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(10))
        execution_id = self._arn.rpartition("/")[2]
        job_name = f"pipelines-{execution_id}-{step['Name']}-{suffix}"
        # The real client validates the rendered arguments against the service's model.
        arn = boto3.client("sagemaker").create_processing_job(
            ProcessingJobName=job_name, **request
        )["ProcessingJobArn"]
        record["Metadata"] = {"ProcessingJob": {"Arn": arn}}
        description = sagemaker_backends[self._account][self._region].processing_jobs[job_name]
        description.processing_job_status = "InProgress"
        description.processing_resources = _chosen(request["ProcessingResources"])
        description.environment = request.get("Environment", {})
        scratch = self._folder / step["Name"]
        scratch.mkdir()
        log = self._folder / f"{step['Name']}.log"
        named = {"ProcessingJobArn": arn, "ProcessingJobName": job_name, **request}
        job = ProcessingJob(named, scratch, log)
        try:
            job.run()
            for file in step.get("PropertyFiles", []):
                if not job.has_written(file["OutputName"], file["FilePath"]):
                    raise JobError(
                        f"ClientError: the job wrote no {file['FilePath']!r} to its output "
                        f"{file['OutputName']!r}, where the property file "
                        f"{file['PropertyFileName']!r} is"
                    )
        except JobError as fault:
            description.processing_job_status = "Failed"
            description.failure_reason = str(fault)
            description.exit_message = job.exit_message()
            raise
        finally:
            shutil.rmtree(scratch)
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            stream = f"{job_name}/algo-1-{int(_now().timestamp())}"
            metrics.write_log(metrics.PROCESSING_LOG_GROUP, stream, lines)
        description.processing_job_status = "Completed"
        _cache.add(pipeline_arn, step, request, _now(), self._arn, record["Metadata"])


def _chosen(resources: dict[str, Any]) -> dict[str, Any]:
    """A job's resources, which moto drops, with the first of its instance preferences chosen."""
    cluster = dict(resources["ClusterConfig"])
    if preferences := cluster.get("InstancePreferences"):
        cluster["SelectedInstanceType"] = preferences[0]["InstanceType"]
    return resources | {"ClusterConfig": cluster}


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def _milliseconds(start: datetime.datetime) -> float:
    return (_now() - start).total_seconds() * 1000
