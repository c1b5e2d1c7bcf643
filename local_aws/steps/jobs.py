"""Steps that run a job: what processing and training have in common.

The pipeline's role creates, describes and stops the job; the job runs in a role of its own.
"""

import datetime
import secrets
import shutil
import string
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from local_aws import metrics
from local_aws.container import JobError, JobStoppedError
from local_aws.identities import RoleSession
from local_aws.images import Image
from local_aws.sagemaker_requests import Resources
from local_aws.steps.context import StepContext, Stopping

Json = Mapping[str, Any]


class Job(Protocol):
    """A job that runs on this machine."""

    def run(self) -> None:
        """Run it to its end."""

    def stop(self) -> None:
        """End it."""

    def exit_message(self) -> str:
        """What its program wrote for SageMaker to show."""


class JobStep(ABC):
    """A step that runs a job.

    Args:
        step: As the definition has it.
        context: The execution.
        stopping: How it may be stopped.
    """

    NOUN: ClassVar[str]  # as in ``CreateProcessingJob``
    LOG_GROUP: ClassVar[str]

    def __init__(self, step: Json, context: StepContext, stopping: Stopping) -> None:
        self.step = step
        self.context = context
        self._stopping = stopping

    def run(self, request: Json, record: dict[str, Any]) -> None:
        """Run the job, or reuse what an equal earlier execution made.

        Args:
            request: The step's arguments, without expressions.
            record: What ``ListPipelineExecutionSteps`` shows; gets the job, or the cache hit.

        Raises:
            JobError: It failed, or could not be created.
        """
        cache, pipeline = self.context.cache, self.context.pipeline_arn
        if hit := cache.find(pipeline, self.step, request, _now()):
            # Nothing runs and nothing is written: the earlier execution's output is the result.
            record["CacheHitResult"] = {"SourcePipelineExecutionArn": hit.execution_arn}
            record["Metadata"] = hit.metadata
        else:
            self._run_new(request, record)
            execution = self.context.execution_arn
            cache.add(pipeline, self.step, request, _now(), execution, record["Metadata"])
        name = record["Metadata"][self.NOUN]["Arn"].rpartition("/")[2]
        properties = self._describe(name)
        self.context.results.add(self.step, properties, self.property_files(properties))

    @abstractmethod
    def arn(self, resources: Resources, name: str) -> str:
        """ARN of a job."""

    @abstractmethod
    def image(self, request: Json) -> str:
        """URI of the container's image."""

    @abstractmethod
    def make(
        self, request: Json, scratch: Path, log: Path, session: RoleSession, image: Image
    ) -> Job:
        """The job, about to run."""

    @abstractmethod
    def find(self, name: str) -> Any:
        """Moto's record of a job."""

    @abstractmethod
    def show(
        self, found: Any, status: str, reason: str | None = None, message: str | None = None
    ) -> None:
        """Let moto's record show how the job is."""

    def begin(self, found: Any, request: Json) -> None:  # noqa: B027  # there may be nothing
        """Let moto's record show what it drops of the request."""

    def check_written(self, job: Job) -> None:  # noqa: B027  # there may be nothing to check
        """Look for what the job must have left.

        Raises:
            JobError: It is not there.
        """

    def property_files(self, properties: Json) -> Mapping[str, str]:
        """S3 URIs of the step's property files."""
        return {}

    def _describe(self, name: str) -> Json:
        described: Json = self.context.call(f"Describe{self.NOUN}", **{f"{self.NOUN}Name": name})
        return described

    def _run_new(self, request: Json, record: dict[str, Any]) -> None:
        name = self._new_name()
        named = {
            f"{self.NOUN}Name": name,
            **request,
            "Tags": self.context.tags(request.get("Tags")),
        }
        arn = self.context.call(f"Create{self.NOUN}", **named)[f"{self.NOUN}Arn"]
        record["Metadata"] = {self.NOUN: {"Arn": arn}}
        self._run_job(name, {f"{self.NOUN}Arn": arn, **named})

    def _new_name(self) -> str:
        """What Pipelines calls a job ("Customize access management for Pipelines jobs")."""
        suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(10))
        return f"pipelines-{self.context.execution_id}-{self.step['Name'][:20]}-{suffix}"

    def _run_job(self, name: str, request: Json) -> None:
        backend = self.context.backend
        found = self.find(name)
        self.begin(found, request)
        self.show(found, "InProgress")
        scratch = self.context.folder / self.step["Name"]
        scratch.mkdir()
        log = self.context.folder / f"{self.step['Name']}.log"
        job = None
        try:
            resources = Resources(backend.account_id, backend.region_name)
            session = self.context.assume(request["RoleArn"], self.arn(resources, name))
            # So Pipelines learns whether a job has ended. Here none begins that it can't see.
            self._describe(name)
            image = self.context.images.find(self.image(request))
            job = backend.running_jobs[name] = self.make(request, scratch, log, session, image)
            with self._stopping.of(lambda: self._stop(name)):
                job.run()
                self._stopping.check()
            self.check_written(job)
        except JobError as fault:
            status = "Stopped" if isinstance(fault, JobStoppedError) else "Failed"
            self.show(found, status, str(fault), job.exit_message() if job else None)
            raise
        finally:
            backend.running_jobs.pop(name, None)
            shutil.rmtree(scratch)
            lines = log.read_text(errors="replace").splitlines() if log.exists() else []
            stream = f"{name}/algo-1-{int(_now().timestamp())}"
            metrics.write_log(self.LOG_GROUP, stream, lines)
        self.show(found, "Completed")

    def _stop(self, name: str) -> None:
        self.context.call(f"Stop{self.NOUN}", **{f"{self.NOUN}Name": name})


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
