"""Runs a processing job's container command on this machine, as SageMaker would in a container.

What the job can see is what the container could: its inputs below ``/opt/ml/processing``, its
environment, Python's standard library. The container's paths are mapped to a scratch folder.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions

_CONTAINER_ROOT = "/opt/ml/"
_MESSAGE_FILE = "/opt/ml/output/message"
# "How Amazon SageMaker Processing Configures Your Processing Container"
_CONFIGURATION_FILE = "/opt/ml/config/processingjobconfig.json"
_MAX_EXIT_MESSAGE = 1024


class JobError(Exception):
    """The job failed; the text is its failure reason."""


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
    """

    def __init__(self, request: Mapping[str, Any], scratch: Path, log: Path) -> None:
        self._request = request
        self._scratch = scratch
        self._log = log

    def run(self) -> None:
        """Fetch the inputs, run the entry point, send the outputs.

        Raises:
            JobError: A key, a network or an input is missing, or the entry point failed.
        """
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
        cluster = self._request["ProcessingResources"]["ClusterConfig"]
        outputs = self._request.get("ProcessingOutputConfig", {})
        for key in (cluster.get("VolumeKmsKeyId"), outputs.get("KmsKeyId")):
            if key is None:
                continue
            try:
                state = boto3.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
            except botocore.exceptions.ClientError as fault:
                raise JobError(f"ClientError: {fault.response['Error']['Message']}") from fault
            if state != "Enabled":
                raise JobError(f"ClientError: the KMS key {key} is {state}")

    def _check_network(self) -> None:
        vpc = self._request.get("NetworkConfig", {}).get("VpcConfig")
        if vpc is None:
            return
        ec2 = boto3.client("ec2")
        try:
            ec2.describe_subnets(SubnetIds=vpc["Subnets"])
            ec2.describe_security_groups(GroupIds=vpc["SecurityGroupIds"])
        except botocore.exceptions.ClientError as fault:
            raise JobError(f"ClientError: {fault.response['Error']['Message']}") from fault

    def _run_entry_point(self) -> int | None:
        """The entry point's exit code; None if it was stopped because it took too long."""
        application = self._request["AppSpecification"]
        command = [self._mapped(word) for word in application["ContainerEntrypoint"]]
        if command[0] != "python3":
            raise JobError(f"ClientError: the local AWS runs python3, not {command[0]!r}")
        arguments = [self._mapped(word) for word in application.get("ContainerArguments", [])]
        limit = self._request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
        with self._log.open("ab") as log:
            try:
                return subprocess.run(
                    # Neither site-packages nor the user's settings: the standard library alone.
                    [sys.executable, "-S", "-s", "-E", *command[1:], *arguments],
                    cwd=self._scratch,
                    env={"PATH": "/usr/bin:/bin", **self._request.get("Environment", {})},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=limit,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                return None

    def _fetch(self, s3_input: Mapping[str, Any]) -> None:
        """Bring the objects below a prefix to the input's folder.

        An S3Prefix input is every key that begins with it: ``…/model.tar.gz`` brings
        ``…/model.tar.gz.sha256`` too.
        """
        if (kind := s3_input.get("S3DataType", "S3Prefix")) != "S3Prefix":
            raise JobError(f"ClientError: the local AWS fetches S3Prefix inputs, not {kind}")
        location = S3Location.parse(s3_input["S3Uri"])
        folder = self._local(s3_input["LocalPath"])
        s3 = boto3.client("s3")
        keys = [
            item["Key"]
            for page in s3.get_paginator("list_objects_v2").paginate(
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
            s3.download_file(location.bucket, key, str(target))

    def _send(self, s3_output: Mapping[str, Any]) -> None:
        location = S3Location.parse(s3_output["S3Uri"])
        folder = self._local(s3_output["LocalPath"])
        s3 = boto3.client("s3")
        key_id = self._request["ProcessingOutputConfig"].get("KmsKeyId")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id} if key_id else {}
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            key = f"{location.key.rstrip('/')}/{file.relative_to(folder).as_posix()}"
            s3.upload_file(str(file), location.bucket, key, ExtraArgs=encryption)

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


def _relative_key(prefix: str, key: str) -> str:
    if key.startswith(f"{prefix.rstrip('/')}/"):
        return key[len(prefix.rstrip("/")) + 1 :]
    return key[prefix.rfind("/") + 1 :]
