"""Training steps."""

import datetime
from pathlib import Path
from typing import Any

from local_aws.identities import RoleSession
from local_aws.images import Image
from local_aws.sagemaker_requests import Resources
from local_aws.steps.jobs import Job, JobStep, Json
from local_aws.training_job import TrainingJob


class TrainingStep(JobStep):
    """A step that runs a training job.

    Its end is no event here: no document says whether SageMaker's has the model's URI.
    """

    NOUN = "TrainingJob"
    LOG_GROUP = "/aws/sagemaker/TrainingJobs"

    def arn(self, resources: Resources, name: str) -> str:
        """ARN of a job."""
        return resources.job("training", name)

    def image(self, request: Json) -> str:
        """URI of the container's image."""
        return str(request["AlgorithmSpecification"].get("TrainingImage", ""))

    def make(
        self, request: Json, scratch: Path, log: Path, session: RoleSession, image: Image
    ) -> Job:
        """The job, about to run."""
        return TrainingJob(request, scratch, log, session, image)

    def find(self, name: str) -> Any:
        """Moto's record of a job."""
        return self.context.backend.training_jobs[name]

    def begin(self, found: Any, request: Json) -> None:
        """Let moto's record show what it drops of the request, and none of what it makes up."""
        found.environment = request.get("Environment", {})
        found.final_metric_data_list = None
        found.algorithm_specification = request["AlgorithmSpecification"]

    def show(
        self, found: Any, status: str, reason: str | None = None, message: str | None = None
    ) -> None:
        """Let moto's record show how the job is."""
        found.training_job_status = status
        found.secondary_status = "Training" if status == "InProgress" else status
        found.failure_reason = reason
        found.training_end_time = datetime.datetime.now(datetime.timezone.utc)
