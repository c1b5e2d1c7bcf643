"""One execution of a pipeline, step by step.

It reads the deployed definition back from the local AWS, and runs its steps, each after those that
it depends on. All that it asks of SageMaker it asks in the pipeline's role; a job runs in a role of
its own.
"""

import datetime
import json
import logging
from pathlib import Path
from typing import Any

import boto3

from local_aws import metrics
from local_aws.container import JobError, JobStoppedError
from local_aws.expressions import ExpressionError, parameter_values, resolve
from local_aws.images import Images
from local_aws.sagemaker_events import execution_changed
from local_aws.step_cache import StepCache
from local_aws.step_order import PlacedStep, in_order
from local_aws.step_settings import check_step
from local_aws.steps.context import StepContext, Stopping
from local_aws.steps.kinds import run_step

logger = logging.getLogger(__name__)


class PipelineExecution:
    """One execution of a pipeline, from its deployed definition to its last step.

    Args:
        backend: moto's of SageMaker, with the jobs that run in ``running_jobs``.
        arn: The execution.
        folder: Where it gets a folder, with a log and a scratch folder per step.
        images: What stands in for the images of jobs' containers.
        cache: What earlier executions made.
    """

    def __init__(
        self, backend: Any, arn: str, folder: Path, images: Images, cache: StepCache
    ) -> None:
        self._arn = arn
        self._backend = backend
        self._record = record_of(backend, arn)
        self._pipeline = arn.split("/")[1]
        self._folder = folder / arn.rpartition("/")[2]
        self._folder.mkdir(parents=True)
        self._images = images
        self._cache = cache
        self._stopping = Stopping()
        self._outcomes: dict[str, bool] = {}  # of the conditions that have been looked at

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
        previous = self._record.pipeline_execution_status
        self._record.last_modified_time = _now()
        self._record.pipeline_execution_failure_reason = reason
        self._record.pipeline_execution_status = status
        execution_changed(self._backend, self._record, previous)

    def stop(self) -> None:
        """Begin to stop the job that runs, in the pipeline's role; let no other begin."""
        self._stopping.begin()

    def _count(self, values: dict[str, float], unit: str = "Count", **dimensions: str) -> None:
        by_pipeline = {"PipelineName": self._pipeline, **dimensions}
        metrics.put(metrics.PIPELINES_NAMESPACE, values, unit, by_pipeline)
        if not dimensions:  # also "across all pipelines"
            metrics.put(metrics.PIPELINES_NAMESPACE, values, unit, {})

    def _run_steps(self) -> None:
        pipeline = self._backend.pipelines[self._pipeline]
        context = StepContext(
            self._backend, self._arn, pipeline.role_arn, self._folder, self._images, self._cache
        )
        sagemaker = boto3.client("sagemaker")
        definition = json.loads(
            sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=self._arn)[
                "PipelineDefinition"
            ]
        )
        given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=self._arn)
        values = parameter_values(definition, given.get("PipelineParameters", []))
        variables = {f"Parameters.{name}": value for name, value in values.items()} | {
            "Execution.PipelineName": self._pipeline,
            "Execution.PipelineArn": context.pipeline_arn,
            "Execution.PipelineExecutionId": context.execution_id,
            "Execution.PipelineExecutionArn": self._arn,
            "Execution.StartDateTime": self._record.start_time.isoformat(),
        }
        for placed in in_order(definition["Steps"]):
            self._stopping.check()
            if all(self._outcomes.get(name) == wanted for name, wanted in placed.branches):
                self._run_step(placed, variables, context)

    def _run_step(
        self, placed: PlacedStep, variables: dict[str, Any], context: StepContext
    ) -> None:
        step, start = placed.step, _now()
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
            check_step(step)
            request = resolve(placed.own_arguments, variables, context.results)
            run_step(step, request, record, context, self._stopping)
            if "Condition" in record["Metadata"]:
                outcome = record["Metadata"]["Condition"]["Outcome"]
                self._outcomes[step["Name"]] = outcome == "True"
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


def record_of(backend: Any, arn: str) -> Any:
    """Moto's record of an execution."""
    name = arn.split("/")[1]
    return backend.pipelines[name].pipeline_executions[arn]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def _milliseconds(start: datetime.datetime) -> float:
    return (_now() - start).total_seconds() * 1000
