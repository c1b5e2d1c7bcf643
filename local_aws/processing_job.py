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

_CONTAINER_ROOT = "/opt/ml/"
_MESSAGE_FILE = "/opt/ml/output/message"
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
            JobError: An input is missing or the entry point failed.
        """
        for job_input in self._request.get("ProcessingInputs", []):
            self._fetch(job_input["S3Input"])
        outputs = self._request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        for output in outputs:
            self._local(output["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
        self._local(_MESSAGE_FILE).parent.mkdir(parents=True, exist_ok=True)
        self._write_configuration()
        exit_code = self._run_entry_point()
        # Also after a failure: that nothing incomplete is left is the script's own duty.
        for output in outputs:
            self._send(output["S3Output"])
        if exit_code != 0:
            raise JobError(f"AlgorithmError: {self.exit_message()}, exit code: {exit_code}")

    def exit_message(self) -> str:
        """What the script wrote for SageMaker to show."""
        file = self._local(_MESSAGE_FILE)
        text = file.read_text(errors="replace").strip() if file.is_file() else ""
        return text[:_MAX_EXIT_MESSAGE] or "See job logs for more information"

    def _write_configuration(self) -> None:
        """Tell the container its own request, as SageMaker does."""
        file = self._local(_CONFIGURATION_FILE)
        file.parent.mkdir(parents=True, exist_ok=True)
        inputs = [
            {**item, "S3Input": {**place, "LocalPath": self._mapped(place["LocalPath"])}}
            for item in self._request.get("ProcessingInputs", [])
            for place in [item["S3Input"]]
        ]
        file.write_text(json.dumps({**self._request, "ProcessingInputs": inputs}))

    def _run_entry_point(self) -> int:
        application = self._request["AppSpecification"]
        command = [self._mapped(word) for word in application["ContainerEntrypoint"]]
        if command[0] != "python3":
            raise JobError(f"ClientError: the local AWS runs python3, not {command[0]!r}")
        arguments = [self._mapped(word) for word in application.get("ContainerArguments", [])]
        with self._log.open("ab") as log:
            return subprocess.run(
                # Neither site-packages nor the user's settings: the standard library alone.
                [sys.executable, "-S", "-s", "-E", *command[1:], *arguments],
                cwd=self._scratch,
                env={"PATH": "/usr/bin:/bin", **self._request.get("Environment", {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode

    def _fetch(self, s3_input: Mapping[str, Any]) -> None:
        """Bring the objects below a prefix to the input's folder.

        An S3Prefix input is every key that begins with it: ``…/model.tar.gz`` brings
        ``…/model.tar.gz.sha256`` too.
        """
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
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            key = f"{location.key.rstrip('/')}/{file.relative_to(folder).as_posix()}"
            s3.upload_file(str(file), location.bucket, key)

    def _local(self, container_path: str) -> Path:
        return Path(self._mapped(container_path))

    def _mapped(self, word: str) -> str:
        if not word.startswith(_CONTAINER_ROOT):
            return word
        return f"{self._scratch}{word}"


def _relative_key(prefix: str, key: str) -> str:
    if key.startswith(f"{prefix.rstrip('/')}/"):
        return key[len(prefix.rstrip("/")) + 1 :]
    return key[prefix.rfind("/") + 1 :]
