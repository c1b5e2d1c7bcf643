"""What the steps of one execution share: its pipeline, the pipeline's role, and its end."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore
import botocore.exceptions

from local_aws.container import JobError, JobStoppedError
from local_aws.identities import AssumeRoleError, RoleSession, assume
from local_aws.images import Images
from local_aws.step_cache import StepCache
from local_aws.step_results import StepResults

_SERVICE = "sagemaker.amazonaws.com"
_SESSION = "SageMaker"  # as it names its sessions in AWS's own messages
# By this tag the SDK finds the execution of a job (``sagemaker.core.lineage``), so that whoever
# runs a pipeline's jobs needs ``sagemaker:AddTags``, too.
_EXECUTION_TAG = "sagemaker:pipeline-execution-arn"


class CallError(JobError):
    """SageMaker refused what was asked for in the pipeline's role.

    Attributes:
        code: The error's code.
    """

    def __init__(self, action: str, code: str, message: str) -> None:
        # The action and the service's own words; no document gives the words before them.
        super().__init__(
            f"ClientError: Failed to invoke sagemaker:{action}. Error Details: {code}: {message}"
        )
        self.code = code


class StepContext:
    """One execution, as its steps see it.

    Attributes:
        backend: moto's of SageMaker, with the jobs that run in ``running_jobs``.
        execution_arn: The execution.
        pipeline_arn: Its pipeline.
        execution_id: The last part of the execution's ARN.
        folder: Where steps keep logs and scratch folders.
        images: What stands in for images.
        cache: What earlier executions made.
        session: The pipeline's role.
        results: What the steps before have made.
    """

    def __init__(
        self,
        backend: Any,
        execution_arn: str,
        role_arn: str,
        folder: Path,
        images: Images,
        cache: StepCache,
    ) -> None:
        self.backend = backend
        self.execution_arn = execution_arn
        self.pipeline_arn, _, self.execution_id = execution_arn.partition("/execution/")
        self.folder = folder
        self.images = images
        self.cache = cache
        self.session = self.assume(role_arn, execution_arn)
        self.results = StepResults(self.session)

    def assume(self, role: str, source_arn: str) -> RoleSession:
        """Assume a role as SageMaker.

        Raises:
            JobError: It may not.
        """
        try:
            return assume(_SERVICE, role, source_arn, _SESSION)
        except AssumeRoleError as fault:
            # In the words of SageMaker's own ValidationException, and IAM's.
            raise JobError(
                f"ClientError: Could not assume role {role}. Please ensure that the role exists "
                f"and allows principal '{_SERVICE}' to assume the role: {fault}"
            ) from fault

    def call(self, action: str, **arguments: Any) -> Any:
        """Call SageMaker in the pipeline's role.

        Raises:
            CallError: It was refused; told as Pipelines tells it.
        """
        try:
            # The real client validates the rendered arguments against the service's model.
            client = self.session.client("sagemaker")
            return getattr(client, botocore.xform_name(action))(**arguments)
        except botocore.exceptions.ClientError as fault:
            error = fault.response["Error"]
            raise CallError(action, error["Code"], error["Message"]) from fault

    def tags(self, own: list[dict[str, str]] | None = None) -> list[dict[str, str]]:
        """The tags of what a step makes: the step's own, and the execution's."""
        return [*(own or []), {"Key": _EXECUTION_TAG, "Value": self.execution_arn}]


class Stopping:
    """The stop of an execution before its last step: its job ends, and no other begins."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._done = threading.Event()
        self._stop_job: Callable[[], None] | None = None  # the job's that runs
        self._refused: JobError | None = None

    def begin(self) -> None:
        """Stop the job that runs, and wait for nothing."""
        self._begun.set()
        threading.Thread(target=self._try, daemon=True).start()

    def check(self) -> None:
        """Go on, if nobody has stopped the execution.

        Raises:
            JobStoppedError: Somebody has.
            JobError: Somebody has, and the pipeline's role may not stop its job. Which status the
                execution then ends with, no document says. That the role may not, it must.
        """
        if self._begun.is_set():
            self._done.wait()
            raise self._refused or JobStoppedError("the execution was stopped")

    @contextmanager
    def of(self, stop_job: Callable[[], None]) -> Iterator[None]:
        """Let the job that runs meanwhile be stopped."""
        self._stop_job = stop_job
        try:
            if self._begun.is_set():
                self._try()  # the job was not there yet
            yield
        finally:
            self._stop_job = None

    def _try(self) -> None:
        stop_job = self._stop_job
        try:
            if stop_job is not None:
                stop_job()
        except JobError as fault:
            self._refused = fault
        finally:
            self._done.set()
