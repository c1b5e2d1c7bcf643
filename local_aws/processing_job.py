"""Runs a processing job on this machine, as SageMaker would in a container.

Inputs come from S3, the entry point runs, outputs go to S3: all in the job's role.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_aws.container import Container, JobError, JobStoppedError
from local_aws.identities import RoleSession
from local_aws.images import Image
from local_aws.job_data import fetch, send
from local_aws.job_resources import check_keys, check_network, told_as_reason

_MESSAGE_FILE = "/opt/ml/output/message"
# "How Amazon SageMaker Processing Configures Your Processing Container"
_CONFIGURATION_FILE = "/opt/ml/config/processingjobconfig.json"


class ProcessingJob:
    """One processing job.

    Args:
        request: The arguments of ``CreateProcessingJob``, without expressions.
        scratch: Empty folder that becomes the job's file system.
        log: File that collects what the container prints.
        session: The job's role, in which inputs are fetched, outputs sent and keys used.
        image: What stands in for the container's image.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        scratch: Path,
        log: Path,
        session: RoleSession,
        image: Image,
    ) -> None:
        self._request = request
        self._session = session
        self._s3 = session.client("s3")
        self._container = Container(scratch, log, image)

    def stop(self) -> None:
        """End the entry point, now or as soon as it runs."""
        self._container.stop()

    def run(self) -> None:
        """Fetch the inputs, run the entry point, send the outputs.

        Raises:
            JobStoppedError: It was stopped.
            JobError: A key, a network or an input is missing, the job's role may not use it, or the
                entry point failed.
        """
        with told_as_reason():
            self._run()

    def _run(self) -> None:
        outputs = self._outputs()
        key = self._request.get("ProcessingOutputConfig", {}).get("KmsKeyId")
        volume_key = self._request["ProcessingResources"]["ClusterConfig"].get("VolumeKmsKeyId")
        check_keys(self._session, volume_key, key)
        check_network(self._request.get("NetworkConfig", {}).get("VpcConfig"))
        for job_input in self._request.get("ProcessingInputs", []):
            source = job_input["S3Input"]
            fetch(self._s3, source, self._container.local(source["LocalPath"]))
        for output in outputs:
            self._folder(output).mkdir(parents=True, exist_ok=True)
        self._container.local(_MESSAGE_FILE).parent.mkdir(parents=True, exist_ok=True)
        self._write_configuration()
        exit_code = self._run_entry_point()
        if self._container.is_stopped:
            raise JobStoppedError("the job was stopped")
        # Also after a failure: that nothing incomplete is left is the script's own duty.
        for output in outputs:
            send(self._s3, self._folder(output), output["S3Output"]["S3Uri"], key)
        if exit_code is None:
            seconds = self._request["StoppingCondition"]["MaxRuntimeInSeconds"]
            raise JobError(f"ClientError: the job ran longer than MaxRuntimeInSeconds, {seconds}")
        if exit_code != 0:
            raise JobError(f"AlgorithmError: {self.exit_message()}, exit code: {exit_code}")

    def exit_message(self) -> str:
        """What the script wrote for SageMaker to show."""
        return self._container.message(_MESSAGE_FILE) or "See job logs for more information"

    def _write_configuration(self) -> None:
        """What the container can read of its own job, its paths mapped as everywhere."""
        file = self._container.local(_CONFIGURATION_FILE)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self._container.all_mapped(self._request)))

    def has_written(self, output_name: str, path: str) -> bool:
        """Whether the script left a file in the folder of an output.

        Raises:
            JobError: The job has no output of that name.
        """
        for output in self._outputs():
            if output["OutputName"] == output_name:
                return (self._folder(output) / path).is_file()
        raise JobError(f"ClientError: the job has no output {output_name!r}")

    def _outputs(self) -> list[dict[str, Any]]:
        outputs: list[dict[str, Any]] = self._request.get("ProcessingOutputConfig", {}).get(
            "Outputs", []
        )
        return outputs

    def _folder(self, output: Mapping[str, Any]) -> Path:
        return self._container.local(output["S3Output"]["LocalPath"])

    def _run_entry_point(self) -> int | None:
        application = self._request["AppSpecification"]
        return self._container.run(
            [*application["ContainerEntrypoint"], *application.get("ContainerArguments", [])],
            self._request.get("Environment", {}),
            self._request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds"),
        )
