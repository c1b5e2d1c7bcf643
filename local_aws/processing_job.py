"""Runs a processing job's container command on this machine, as SageMaker would in a container.

What the job can see is what the container could: its inputs below ``/opt/ml/processing``, its
environment, Python's standard library. The container's paths are mapped to a scratch folder.
"""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import boto3.exceptions
import botocore.exceptions

from local_aws.authorization import AccessDeniedError, authorize_key
from local_aws.identities import RoleSession

_CONTAINER_ROOT = "/opt/ml/"
_MESSAGE_FILE = "/opt/ml/output/message"
# "How Amazon SageMaker Processing Configures Your Processing Container"
_CONFIGURATION_FILE = "/opt/ml/config/processingjobconfig.json"
_MAX_EXIT_MESSAGE = 1024
_POLL_SECONDS = 0.02
_STOP_SECONDS = 120  # "StopProcessingJob": from SIGTERM to SIGKILL


class JobError(Exception):
    """The job failed; the text is its failure reason."""


class JobStoppedError(JobError):
    """The job was stopped before its end."""


@dataclass(frozen=True)
class S3Location:
    """A bucket and a key or prefix."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> "S3Location":
        """Take ``s3://bucket/key`` apart.

        Raises:
            JobError: It is no such URI.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket:
            raise JobError(f"ClientError: {uri!r} is not an S3 URI")
        return cls(bucket, key)


class ProcessingJob:
    """One processing job.

    Args:
        request: The arguments of ``CreateProcessingJob``, without expressions.
        scratch: Empty folder that becomes the job's file system.
        log: File that collects what the container prints.
        session: The job's role, in which inputs are fetched, outputs sent and keys used.
    """

    def __init__(
        self, request: Mapping[str, Any], scratch: Path, log: Path, session: RoleSession
    ) -> None:
        self._request = request
        self._scratch = scratch
        self._log = log
        self._session = session
        self._s3 = session.client("s3")
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the entry point, now or as soon as it runs."""
        self._stopped.set()

    def run(self) -> None:
        """Fetch the inputs, run the entry point, send the outputs.

        Raises:
            JobStoppedError: It was stopped.
            JobError: A key, a network or an input is missing, the job's role may not use it, or the
                entry point failed.
        """
        try:
            self._run()
        except botocore.exceptions.ClientError as fault:
            raise JobError(f"ClientError: {_told(fault)}") from fault
        except boto3.exceptions.S3UploadFailedError as fault:
            raise JobError(f"ClientError: {fault}") from fault
        except AccessDeniedError as fault:
            raise JobError(f"ClientError: AccessDeniedException: {fault}") from fault

    def _run(self) -> None:
        self._check_keys()
        self._check_network()
        for job_input in self._request.get("ProcessingInputs", []):
            self._fetch(job_input["S3Input"])
        outputs = self._outputs()
        for output in outputs:
            self._local(output["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
        self._local(_MESSAGE_FILE).parent.mkdir(parents=True, exist_ok=True)
        self._write_configuration()
        exit_code = self._run_entry_point()
        if self._stopped.is_set():
            raise JobStoppedError("the job was stopped")
        # Also after a failure: that nothing incomplete is left is the script's own duty.
        for output in outputs:
            self._send(output["S3Output"])
        if exit_code is None:
            seconds = self._request["StoppingCondition"]["MaxRuntimeInSeconds"]
            raise JobError(f"ClientError: the job ran longer than MaxRuntimeInSeconds, {seconds}")
        if exit_code != 0:
            raise JobError(f"AlgorithmError: {self.exit_message()}, exit code: {exit_code}")

    def exit_message(self) -> str:
        """What the script wrote for SageMaker to show."""
        file = self._local(_MESSAGE_FILE)
        text = file.read_text(errors="replace").strip() if file.is_file() else ""
        return text[:_MAX_EXIT_MESSAGE] or "See job logs for more information"

    def _write_configuration(self) -> None:
        """What the container can read of its own job, its paths mapped as everywhere."""
        file = self._local(_CONFIGURATION_FILE)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self._all_mapped(self._request)))

    def has_written(self, output_name: str, path: str) -> bool:
        """Whether the script left a file in the folder of an output.

        Raises:
            JobError: The job has no output of that name.
        """
        for output in self._outputs():
            if output["OutputName"] == output_name:
                return (self._local(output["S3Output"]["LocalPath"]) / path).is_file()
        raise JobError(f"ClientError: the job has no output {output_name!r}")

    def _outputs(self) -> list[dict[str, Any]]:
        outputs: list[dict[str, Any]] = self._request.get("ProcessingOutputConfig", {}).get(
            "Outputs", []
        )
        return outputs

    def _check_keys(self) -> None:
        """Use the keys that the job names, as itself.

        Source: "CreateProcessingJob API: Execution Role Permissions".
        """
        cluster = self._request["ProcessingResources"]["ClusterConfig"]
        outputs = self._request.get("ProcessingOutputConfig", {})
        granted = {"kms:GrantIsForAWSResource": "true"}
        for action, key, context in (
            ("kms:CreateGrant", cluster.get("VolumeKmsKeyId"), granted),
            ("kms:Encrypt", outputs.get("KmsKeyId"), {}),
        ):
            if key is None:
                continue
            metadata = boto3.client("kms").describe_key(KeyId=key)["KeyMetadata"]
            if metadata["KeyState"] != "Enabled":
                raise JobError(f"ClientError: the KMS key {key} is {metadata['KeyState']}")
            region = metadata["Arn"].split(":")[3]
            # "kms:ViaService" in the KMS Developer Guide names SageMaker's own.
            via = {"kms:ViaService": f"sagemaker.{region}.amazonaws.com"}
            authorize_key(self._session.caller, action, metadata["Arn"], region, context | via)

    def _check_network(self) -> None:
        vpc = self._request.get("NetworkConfig", {}).get("VpcConfig")
        if vpc is None:
            return
        ec2 = boto3.client("ec2")
        ec2.describe_subnets(SubnetIds=vpc["Subnets"])
        ec2.describe_security_groups(GroupIds=vpc["SecurityGroupIds"])

    def _run_entry_point(self) -> int | None:
        """The entry point's exit code; None if it was stopped because it took too long."""
        application = self._request["AppSpecification"]
        command = [self._mapped(word) for word in application["ContainerEntrypoint"]]
        if command[0] != "python3":
            raise JobError(f"ClientError: the local AWS runs python3, not {command[0]!r}")
        arguments = [self._mapped(word) for word in application.get("ContainerArguments", [])]
        limit = self._request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
        with (
            self._log.open("ab") as log,
            subprocess.Popen(
                # Neither site-packages nor the user's settings: the standard library alone.
                [sys.executable, "-S", "-s", "-E", *command[1:], *arguments],
                cwd=self._scratch,
                env={"PATH": "/usr/bin:/bin", **self._request.get("Environment", {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            return self._wait(process, limit)

    def _wait(self, process: "subprocess.Popen[bytes]", limit: float | None) -> int | None:
        deadline = None if limit is None else time.monotonic() + limit
        while process.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                process.kill()
                return None
            if self._stopped.wait(_POLL_SECONDS):
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
        return process.returncode

    def _fetch(self, s3_input: Mapping[str, Any]) -> None:
        """Bring the objects below a prefix to the input's folder.

        An S3Prefix input is every key that begins with it: ``…/model.tar.gz`` brings
        ``…/model.tar.gz.sha256`` too.
        """
        if (kind := s3_input.get("S3DataType", "S3Prefix")) != "S3Prefix":
            raise JobError(f"ClientError: the local AWS fetches S3Prefix inputs, not {kind}")
        location = S3Location.parse(s3_input["S3Uri"])
        folder = self._local(s3_input["LocalPath"])
        keys = [
            item["Key"]
            for page in self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=location.bucket, Prefix=location.key
            )
            for item in page.get("Contents", [])
            if not item["Key"].endswith("/")
        ]
        if not keys:
            raise JobError(
                f"ClientError: No S3 objects found under S3 URL {s3_input['S3Uri']!r} given in "
                "input data source"
            )
        for key in keys:
            target = folder / _relative_key(location.key, key)
            target.parent.mkdir(parents=True, exist_ok=True)
            # A refusal of GetObject has words, that of the HeadObject before a download has none.
            body = self._s3.get_object(Bucket=location.bucket, Key=key)["Body"]
            with target.open("wb") as file:
                shutil.copyfileobj(body, file, 1 << 20)

    def _send(self, s3_output: Mapping[str, Any]) -> None:
        location = S3Location.parse(s3_output["S3Uri"])
        folder = self._local(s3_output["LocalPath"])
        key_id = self._request["ProcessingOutputConfig"].get("KmsKeyId")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id} if key_id else {}
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            key = f"{location.key.rstrip('/')}/{file.relative_to(folder).as_posix()}"
            self._s3.upload_file(str(file), location.bucket, key, ExtraArgs=encryption)

    def _local(self, container_path: str) -> Path:
        return Path(self._mapped(container_path))

    def _mapped(self, word: str) -> str:
        if not word.startswith(_CONTAINER_ROOT):
            return word
        return f"{self._scratch}{word}"

    def _all_mapped(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self._all_mapped(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._all_mapped(item) for item in value]
        return self._mapped(value) if isinstance(value, str) else value


def _told(fault: botocore.exceptions.ClientError) -> str:
    error = fault.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def _relative_key(prefix: str, key: str) -> str:
    if key.startswith(f"{prefix.rstrip('/')}/"):
        return key[len(prefix.rstrip("/")) + 1 :]
    return key[prefix.rfind("/") + 1 :]
