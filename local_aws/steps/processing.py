"""Processing steps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_aws.container import JobError
from local_aws.identities import RoleSession
from local_aws.images import Image
from local_aws.metrics import PROCESSING_LOG_GROUP
from local_aws.processing_job import ProcessingJob
from local_aws.sagemaker_events import processing_job_changed
from local_aws.sagemaker_requests import Resources
from local_aws.steps.jobs import Job, JobStep, Json


class ProcessingStep(JobStep):
    """A step that runs a processing job."""

    NOUN = "ProcessingJob"
    LOG_GROUP = PROCESSING_LOG_GROUP

    def arn(self, resources: Resources, name: str) -> str:
        """ARN of a job."""
        return resources.job("processing", name)

    def image(self, request: Json) -> str:
        """URI of the container's image."""
        return str(request["AppSpecification"]["ImageUri"])

    def make(
        self, request: Json, scratch: Path, log: Path, session: RoleSession, image: Image
    ) -> Job:
        """The job, about to run."""
        return ProcessingJob(request, scratch, log, session, image)

    def find(self, name: str) -> Any:
        """Moto's record of a job."""
        return self.context.backend.processing_jobs[name]

    def begin(self, found: Any, request: Json) -> None:
        """Let moto's record show what it drops of the request."""
        found.processing_resources = _chosen(request["ProcessingResources"])
        found.environment = request.get("Environment", {})

    def show(
        self, found: Any, status: str, reason: str | None = None, message: str | None = None
    ) -> None:
        """Let moto's record show how the job is, and EventBridge know it."""
        found.processing_job_status = status
        if reason is not None:
            found.failure_reason = reason
            found.exit_message = message
        processing_job_changed(self.context.backend, found.response_object)

    def check_written(self, job: Job) -> None:
        """Look for the property files.

        Raises:
            JobError: One is not there.
        """
        assert isinstance(job, ProcessingJob)  # noqa: S101  # narrows the type
        for file in self.step.get("PropertyFiles") or []:
            if not job.has_written(file["OutputName"], file["FilePath"]):
                raise JobError(
                    f"ClientError: the job wrote no {file['FilePath']!r} to its output "
                    f"{file['OutputName']!r}, where the property file "
                    f"{file['PropertyFileName']!r} is"
                )

    def property_files(self, properties: Json) -> Mapping[str, str]:
        """S3 URIs of the step's property files, in the outputs of the job that wrote them."""
        outputs = properties.get("ProcessingOutputConfig", {}).get("Outputs", [])
        uris = {output["OutputName"]: output["S3Output"]["S3Uri"] for output in outputs}
        return {
            file["PropertyFileName"]: f"{uris[file['OutputName']].rstrip('/')}/{file['FilePath']}"
            for file in self.step.get("PropertyFiles") or []
        }


def _chosen(resources: Mapping[str, Any]) -> dict[str, Any]:
    """A job's resources, which moto drops, with the first of its instance preferences chosen."""
    cluster = dict(resources["ClusterConfig"])
    if preferences := cluster.get("InstancePreferences"):
        cluster["SelectedInstanceType"] = preferences[0]["InstanceType"]
    return {**resources, "ClusterConfig": cluster}
