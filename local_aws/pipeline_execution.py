"""One execution of a pipeline, step by step.

It reads the deployed definition back from the local AWS, resolves it, and runs its steps in order,
or reuses what an equal earlier execution made. All that it asks of SageMaker it asks in the
pipeline's role; a job runs in a role of its own.
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
import botocore
import botocore.exceptions

from local_aws import metrics
from local_aws.expressions import ExpressionError, parameter_values, resolve
from local_aws.identities import AssumeRoleError, RoleSession, assume
from local_aws.processing_job import JobError, JobStoppedError, ProcessingJob
from local_aws.sagemaker_requests import Resources
from local_aws.step_cache import StepCache
from local_aws.step_settings import check_step

logger = logging.getLogger(__name__)

_SERVICE = "sagemaker.amazonaws.com"
_SESSION = "SageMaker"  # as it names its sessions in AWS's own messages


class PipelineExecution:
    """One execution of a pipeline, from its deployed definition to its last step.

    Args:
        backend: moto's of SageMaker, with the jobs that run in ``running_jobs``.
        arn: The execution.
        folder: Where it gets a folder, with a log and a scratch folder per step.
        cache: What earlier executions made.
    """

    def __init__(self, backend: Any, arn: str, folder: Path, cache: StepCache) -> None:
        self._arn = arn
        self._backend = backend
        self._record = record_of(backend, arn)
        self._pipeline = arn.split("/")[1]
        self._folder = folder / arn.rpartition("/")[2]
        self._folder.mkdir(parents=True)
        self._cache = cache
        self._session: RoleSession
        self._stopping = threading.Event()
        self._stopper: threading.Thread
        self._not_stopped: JobError | None = None
        self._job_name: str | None = None  # of the job that runs

    def run(self) -> None:
        """Run it to its end, whatever that is."""
        self._count({"ExecutionStarted": 1})
        start, status, reason = _now(), "Succeeded", None
        try:
            self._run_steps()
        except JobStoppedError:
            status = "Stopped"
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

    def stop(self) -> None:
        """Begin to stop the job that runs, in the pipeline's role; let no other begin."""
        self._stopper = threading.Thread(target=self._stop_job, daemon=True)
        self._stopping.set()
        self._stopper.start()

    def _stop_job(self) -> None:
        if self._job_name is None:
            return
        try:
            self._call("StopProcessingJob", ProcessingJobName=self._job_name)
        except JobError as fault:
            # Which status it then ends with, no document says. That it may not, it must.
            self._not_stopped = fault

    def _call(self, action: str, **arguments: Any) -> Any:
        """Call SageMaker in the pipeline's role.

        Raises:
            JobError: It was refused; told as Pipelines tells it.
        """
        try:
            client = self._session.client("sagemaker")
            return getattr(client, botocore.xform_name(action))(**arguments)
        except botocore.exceptions.ClientError as fault:
            error = fault.response["Error"]
            raise JobError(
                f"ClientError: Failed to invoke sagemaker:{action}. Error Details: "
                f"{error['Code']}: {error['Message']}"
            ) from fault

    def _count(self, values: dict[str, float], unit: str = "Count", **dimensions: str) -> None:
        by_pipeline = {"PipelineName": self._pipeline, **dimensions}
        metrics.put(metrics.PIPELINES_NAMESPACE, values, unit, by_pipeline)
        if not dimensions:  # also "across all pipelines"
            metrics.put(metrics.PIPELINES_NAMESPACE, values, unit, {})

    def _assume(self, role: str, source_arn: str) -> RoleSession:
        try:
            return assume(_SERVICE, role, source_arn, _SESSION)
        except AssumeRoleError as fault:
            # In the words of SageMaker's own ValidationException, and IAM's.
            raise JobError(
                f"ClientError: Could not assume role {role}. Please ensure that the role exists "
                f"and allows principal '{_SERVICE}' to assume the role: {fault}"
            ) from fault

    def _run_steps(self) -> None:
        pipeline = self._backend.pipelines[self._pipeline]
        self._session = self._assume(pipeline.role_arn, self._arn)
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
            if self._stopping.is_set():
                raise JobStoppedError("the execution was stopped")
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
        except JobStoppedError:
            status = "Stopped"
            raise
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
        if hit := self._cache.find(pipeline_arn, step, request, _now()):
            # Nothing runs and nothing is written: the earlier execution's output is the result.
            record["CacheHitResult"] = {"SourcePipelineExecutionArn": hit.execution_arn}
            record["Metadata"] = hit.metadata
            return
        job_name = self._new_job_name(step["Name"])
        # The real client validates the rendered arguments against the service's model.
        arn = self._call("CreateProcessingJob", ProcessingJobName=job_name, **request)[
            "ProcessingJobArn"
        ]
        record["Metadata"] = {"ProcessingJob": {"Arn": arn}}
        named = {"ProcessingJobArn": arn, "ProcessingJobName": job_name, **request}
        self._run_job(step, named)
        self._cache.add(pipeline_arn, step, request, _now(), self._arn, record["Metadata"])

    def _new_job_name(self, step_name: str) -> str:
        """What Pipelines calls a job ("Customize access management for Pipelines jobs")."""
        suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(10))
        return f"pipelines-{self._arn.rpartition('/')[2]}-{step_name[:20]}-{suffix}"

    def _run_job(self, step: dict[str, Any], request: dict[str, Any]) -> None:
        name = request["ProcessingJobName"]
        description = self._backend.processing_jobs[name]
        description.processing_job_status = "InProgress"
        description.processing_resources = _chosen(request["ProcessingResources"])
        description.environment = request.get("Environment", {})
        scratch = self._folder / step["Name"]
        scratch.mkdir()
        log = self._folder / f"{step['Name']}.log"
        job = None
        try:
            resources = Resources(self._backend.account_id, self._backend.region_name)
            session = self._assume(request["RoleArn"], resources.processing_job(name))
            # So Pipelines learns whether a job has ended. Here none begins that it can't see.
            self._call("DescribeProcessingJob", ProcessingJobName=name)
            job = self._backend.running_jobs[name] = ProcessingJob(request, scratch, log, session)
            self._job_name = name
            if self._stopping.is_set():
                self._stop_job()  # which was not there yet
            job.run()
            if self._stopping.is_set():
                self._stopper.join()
                raise self._not_stopped or JobStoppedError("the execution was stopped")
            _check_written(job, step.get("PropertyFiles", []))
        except JobError as fault:
            stopped = isinstance(fault, JobStoppedError)
            description.processing_job_status = "Stopped" if stopped else "Failed"
            description.failure_reason = str(fault)
            description.exit_message = job.exit_message() if job else None
            raise
        finally:
            self._job_name = None
            self._backend.running_jobs.pop(name, None)
            shutil.rmtree(scratch)
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            stream = f"{name}/algo-1-{int(_now().timestamp())}"
            metrics.write_log(metrics.PROCESSING_LOG_GROUP, stream, lines)
        description.processing_job_status = "Completed"


def record_of(backend: Any, arn: str) -> Any:
    """Moto's record of an execution."""
    name = arn.split("/")[1]
    return backend.pipelines[name].pipeline_executions[arn]


def _check_written(job: ProcessingJob, property_files: list[dict[str, str]]) -> None:
    for file in property_files:
        if not job.has_written(file["OutputName"], file["FilePath"]):
            raise JobError(
                f"ClientError: the job wrote no {file['FilePath']!r} to its output "
                f"{file['OutputName']!r}, where the property file {file['PropertyFileName']!r} is"
            )


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
