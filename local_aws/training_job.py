"""Runs a training job on this machine.

Three kinds of containers train: one whose entry point the request names; one of a framework, which
runs the script that hyperparameters name, as the SageMaker Training Toolkit does in AWS's images
("Adapting your own training container", "Script mode"); and one with an algorithm of its own, for
which a given archive stands in.
"""

import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local_aws.container import Container, JobError, JobStoppedError
from local_aws.identities import RoleSession
from local_aws.images import Image
from local_aws.job_data import S3Location, fetch, send
from local_aws.job_resources import check_keys, check_network, told_as_reason

# "How Amazon SageMaker AI Provides Training Information" and "… Processes Training Output"
_CODE = "/opt/ml/code"
_CONFIGURATION = "/opt/ml/input/config"
_DATA = "/opt/ml/input/data"
_FAILURE_FILE = "/opt/ml/output/failure"
_MODEL = "/opt/ml/model"
_OUTPUT = "/opt/ml/output/data"
_PROGRAM = "sagemaker_program"
_SUBMITTED = "sagemaker_submit_directory"


class TrainingJob:
    """One training job.

    Args:
        request: The arguments of ``CreateTrainingJob``, without expressions.
        scratch: Empty folder that becomes the job's file system.
        log: File that collects what the container prints.
        session: The job's role, in which data are fetched, the model sent and keys used.
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
        self._image = image
        self._container = Container(scratch, log, image)

    def stop(self) -> None:
        """End the program, now or as soon as it runs."""
        self._container.stop()

    def exit_message(self) -> str:
        """What the program wrote for SageMaker to show."""
        return self._container.message(_FAILURE_FILE) or "See job logs for more information"

    def run(self) -> None:
        """Fetch the data, train, send the model.

        Raises:
            JobStoppedError: It was stopped.
            JobError: A key, a network or data are missing, the job's role may not use them, nothing
                can train here, or the program failed.
        """
        with told_as_reason():
            self._run()

    def _run(self) -> None:
        output = self._request["OutputDataConfig"]
        if (compression := output.get("CompressionType", "GZIP")) != "GZIP":
            raise JobError(f"ClientError: the local AWS compresses models, not {compression}")
        volume_key = self._request["ResourceConfig"].get("VolumeKmsKeyId")
        check_keys(self._session, volume_key, output.get("KmsKeyId"))
        check_network(self._request.get("VpcConfig"))
        for channel in self._channels():
            source = channel["DataSource"]["S3DataSource"]
            fetch(self._s3, source, self._container.local(f"{_DATA}/{channel['ChannelName']}"))
        for folder in (_MODEL, _OUTPUT, _CONFIGURATION):
            self._container.local(folder).mkdir(parents=True)
        self._write_configuration()
        exit_code = self._train()
        if self._container.is_stopped:
            raise JobStoppedError("the job was stopped")
        if exit_code is None:
            limit = self._request["StoppingCondition"]["MaxRuntimeInSeconds"]
            raise JobError(f"ClientError: the job ran longer than MaxRuntimeInSeconds, {limit}")
        if exit_code != 0:
            raise JobError(f"AlgorithmError: {self.exit_message()}, exit code: {exit_code}")
        self._send(output)

    def _train(self) -> int | None:
        algorithm = self._request["AlgorithmSpecification"]
        if entry_point := algorithm.get("ContainerEntrypoint"):
            command = [*entry_point, *algorithm.get("ContainerArguments", [])]
            return self._execute(command, self._request.get("Environment", {}))
        if _PROGRAM in self._parameters():
            return self._run_script()
        if self._image.trained is None:
            raise JobError(
                f"ClientError: the local AWS can't pull {algorithm.get('TrainingImage')}, and the "
                f"job names no script ({_PROGRAM}, {_SUBMITTED}); give what it would have trained: "
                "LocalCloud.stand_in(image, trained=…)"
            )
        with tarfile.open(self._image.trained) as archive:
            archive.extractall(self._container.local(_MODEL), filter="data")
        return 0

    def _run_script(self) -> int | None:
        parameters = self._parameters()
        folder = str(parameters.get(_SUBMITTED, _CODE))
        if folder.startswith("s3://"):
            self._fetch_script(folder)
            folder = _CODE
        own = {name: value for name, value in parameters.items() if not _is_sagemakers(name)}
        arguments = [word for name, value in own.items() for word in (f"--{name}", _text(value))]
        return self._execute(
            ["python3", str(parameters[_PROGRAM]), *arguments],
            {**self._request.get("Environment", {}), **dict(self._script_environment(own))},
            folder,
        )

    def _fetch_script(self, uri: str) -> None:
        place, folder = S3Location.parse(uri), self._container.local(_CODE)
        folder.mkdir(parents=True)
        file = folder / "sourcedir.tar.gz"
        with file.open("wb") as target:
            body = self._s3.get_object(Bucket=place.bucket, Key=place.key)["Body"]
            shutil.copyfileobj(body, target)
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")

    def _script_environment(self, own: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The variables of the toolkit's that scripts read; their names are in its README."""
        names = [channel["ChannelName"] for channel in self._channels()]
        yield "SM_MODEL_DIR", self._container.mapped(_MODEL)
        yield "SM_OUTPUT_DATA_DIR", self._container.mapped(_OUTPUT)
        yield "SM_OUTPUT_DIR", self._container.mapped(_OUTPUT).removesuffix("/data")
        yield "SM_CHANNELS", json.dumps(names)
        yield "SM_HPS", json.dumps(own)
        for name in names:
            variable = f"SM_CHANNEL_{name.upper().replace('-', '_')}"
            yield variable, self._container.mapped(f"{_DATA}/{name}")
        for name, value in own.items():
            yield f"SM_HP_{name.upper().replace('-', '_')}", _text(value)

    def _execute(
        self, command: list[str], environment: Mapping[str, str], folder: str | None = None
    ) -> int | None:
        job = {"TRAINING_JOB_NAME": self._request["TrainingJobName"]}
        limit = self._request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
        return self._container.run(command, job | dict(environment), limit, folder)

    def _parameters(self) -> dict[str, Any]:
        """The hyperparameters, which the SDK writes as JSON or as plain text."""
        return {
            name: _decoded(value)
            for name, value in self._request.get("HyperParameters", {}).items()
        }

    def _channels(self) -> list[dict[str, Any]]:
        channels: list[dict[str, Any]] = self._request.get("InputDataConfig", [])
        return channels

    def _write_configuration(self) -> None:
        folder = self._container.local(_CONFIGURATION)
        for name, content in (
            ("hyperparameters", self._request.get("HyperParameters", {})),
            ("inputdataconfig", {one["ChannelName"]: one for one in self._channels()}),
            ("resourceconfig", {"current_host": "algo-1", "hosts": ["algo-1"]}),
        ):
            (folder / f"{name}.json").write_text(json.dumps(self._container.all_mapped(content)))

    def _send(self, output: Mapping[str, Any]) -> None:
        """Send the model, and the other output, if there is any, each as one archive."""
        packed = self._container.local("/opt/ml/packed")
        packed.mkdir()
        for folder, name in ((_MODEL, "model"), (_OUTPUT, "output")):
            files = sorted(self._container.local(folder).iterdir())
            if not files and folder == _OUTPUT:
                continue
            with tarfile.open(packed / f"{name}.tar.gz", "w:gz") as archive:
                for file in files:
                    archive.add(file, file.name)
        uri = f"{output['S3OutputPath'].rstrip('/')}/{self._request['TrainingJobName']}/output"
        send(self._s3, packed, uri, output.get("KmsKeyId"))


def _is_sagemakers(name: str) -> bool:
    return name.startswith("sagemaker_")


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
