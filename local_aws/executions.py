"""Pipeline executions that run: moto's succeed at once and do nothing.

Starting an execution checks its parameters and starts a thread that runs it.
"""

import json
import threading
from pathlib import Path
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker import models, urls
from moto.sagemaker.exceptions import ResourceNotFound, ValidationError
from moto.sagemaker.models import sagemaker_backends

from local_aws.authorization import AccessDeniedError
from local_aws.expressions import ExpressionError, parameter_values
from local_aws.identities import caller_of
from local_aws.images import Images
from local_aws.model_registry import RegistryBackend, RegistryResponse
from local_aws.moto_seams import replace, use_backend, use_responses
from local_aws.pipeline_execution import PipelineExecution, record_of
from local_aws.sagemaker_events import execution_changed
from local_aws.sagemaker_requests import Resources, authorize_request
from local_aws.step_cache import StepCache
from local_aws.steps.jobs import Job

_directory = Path()
_images: Images
_cache = StepCache()


def install(directory: Path, images: Images) -> None:
    """Make moto's pipeline executions run.

    Args:
        directory: Where each execution gets a folder, with a log and a scratch folder per step.
        images: What stands in for the images of jobs' containers.
    """
    global _directory, _images
    _directory, _images = directory, images
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


class LocalSageMakerBackend(RegistryBackend):
    """The local AWS's registry, and executions that run."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._executions: dict[str, PipelineExecution] = {}
        self.running_jobs: dict[str, Job] = {}

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
        execution = self._executions[arn] = PipelineExecution(
            self, arn, _directory, _images, _cache
        )
        execution_changed(self, record_of(self, arn), None)
        threading.Thread(target=execution.run, daemon=True).start()
        return started

    def stop_pipeline_execution(self, arn: str) -> None:
        """Let an execution stop the job that it runs, and begin no other."""
        record = record_of(self, arn)
        if (status := record.pipeline_execution_status) != "Executing":
            raise ValidationError(message=f"the execution {arn} is {status}: it can't be stopped")
        record.pipeline_execution_status = "Stopping"
        execution_changed(self, record, status)
        self._executions[arn].stop()

    def stop_processing_job(self, processing_job_name: str) -> None:
        """Stop it."""
        super().stop_processing_job(processing_job_name)
        if job := self.running_jobs.get(processing_job_name):
            job.stop()

    def stop_training_job(self, training_job_name: str) -> None:
        """Stop it, which moto can't."""
        self.describe_training_job(training_job_name)
        if job := self.running_jobs.get(training_job_name):
            job.stop()

    def describe_pipeline_execution(self, pipeline_execution_arn: str) -> dict[str, Any]:
        """Say why an execution failed, too."""
        description: dict[str, Any] = super().describe_pipeline_execution(pipeline_execution_arn)
        execution = record_of(self, pipeline_execution_arn)
        if execution.pipeline_execution_failure_reason:
            description["FailureReason"] = execution.pipeline_execution_failure_reason
        return description


class LocalSageMakerResponse(RegistryResponse):
    """The local AWS's registry's, which asks IAM, with the actions that moto lacks."""

    def _authenticate_and_authorize_normal_action(self, resource: str = "*") -> None:
        """Moto calls this before it does anything."""
        caller = caller_of(self.current_account, self.access_key)
        if caller.is_administrator:
            return
        resources = Resources(self.current_account, self.region)
        try:
            authorize_request(caller, self._get_action(), json.loads(self.body), resources)
        except AccessDeniedError as refusal:
            raise JsonRESTError("AccessDeniedException", str(refusal)) from refusal

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
        execution = record_of(self.sagemaker_backend, self._get_param("PipelineExecutionArn"))
        return ActionResult({"PipelineExecutionSteps": execution.steps})

    def stop_pipeline_execution(self) -> Any:
        """``StopPipelineExecution``."""
        arn = self._get_param("PipelineExecutionArn")
        self.sagemaker_backend.stop_pipeline_execution(arn)
        return ActionResult({"PipelineExecutionArn": arn})

    def stop_training_job(self) -> Any:
        """``StopTrainingJob``."""
        self.sagemaker_backend.stop_training_job(self._get_param("TrainingJobName"))
        return EmptyResult()
