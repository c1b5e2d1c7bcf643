"""Endpoints that answer: moto's are in service at once, and answer what was put into them.

Creating an endpoint starts a thread that fetches the model's archive, unpacks it and starts AWS's
serving toolkit on it (``model_server.py``). InvokeEndpoint is a request to that server.

Reasons and errors are in the service's own words, as its users quote them: no document lists them.
"""

import datetime
import json
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
from moto.core.responses import ActionResult
from moto.sagemaker import models, urls
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import sagemaker_backends
from moto.sagemakerruntime import urls as runtime_urls
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from local_aws import metrics
from local_aws.container import JobError
from local_aws.executions import LocalSageMakerBackend, LocalSageMakerResponse
from local_aws.job_data import S3Location
from local_aws.model_server import ModelServer, ServingError, unpack
from local_aws.moto_seams import replace, use_backend, use_responses

logger = logging.getLogger(__name__)

LOG_GROUP = "/aws/sagemaker/Endpoints"  # and the endpoint's name, "Logs and Metrics"
# What is not the archive of one model, in a container's definition.
_NOT_HOSTED = ("AdditionalModelDataSources", "ModelDataSource", "ModelPackageName")
_HEADERS = ("Accept", "Content-Type", "X-Amzn-SageMaker-Custom-Attributes")
_STARTUP_SECONDS = 120
_ANSWERING = ("InService", "Updating")

_directory = Path()
_python = Path()
_hosted: dict[str, "_Hosted"] = {}  # by the endpoint's ARN


def install(directory: Path, python: Path) -> None:
    """Make moto's endpoints serve.

    Args:
        directory: Where each endpoint gets a folder, with its unpacked model and a log.
        python: Interpreter of the environment that models are served in, as a container's image
            has one.
    """
    global _directory, _python
    _directory, _python = directory, python
    use_backend(sagemaker_backends, HostingBackend)
    use_responses(urls, HostingResponse)
    use_responses(runtime_urls, LocalRuntimeResponse)
    # moto's backends make their records of endpoints from this class.
    replace(models, "FakeEndpoint", LocalEndpoint)


def end_all() -> None:
    """End the server of every endpoint."""
    for hosted in list(_hosted.values()):
        hosted.end()


class LocalEndpoint(models.FakeEndpoint):  # type: ignore[misc]  # moto is not checked
    """moto's record of an endpoint, which would show it in service at once."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.endpoint_status = "Creating"


class HostingBackend(LocalSageMakerBackend):
    """The local AWS's, whose endpoints serve."""

    def create_model(self, *args: Any, **arguments: Any) -> Any:
        """Look for the archive, as the service does."""
        container = arguments.get("primary_container") or {}
        unknown = [name for name in _NOT_HOSTED if container.get(name)]
        if arguments.get("containers") or container.get("Mode") == "MultiModel":
            unknown.append("more than one model")
        if unknown or not container.get("ModelDataUrl"):
            raise ValidationError(
                message="The local AWS hosts a PrimaryContainer with the ModelDataUrl of one "
                f"archive, without {', '.join(unknown or _NOT_HOSTED)}."
            )
        url = container["ModelDataUrl"]
        try:
            place = S3Location.parse(url)
            _s3(arguments["execution_role_arn"]).head_object(Bucket=place.bucket, Key=place.key)
        except (JobError, botocore.exceptions.ClientError) as fault:
            raise ValidationError(message=f"Could not find model data at {url}.") from fault
        return super().create_model(*args, **arguments)

    def create_endpoint_config(self, *args: Any, **arguments: Any) -> Any:
        """Refuse to divide requests among models."""
        if len(arguments["production_variants"]) != 1:
            raise ValidationError(message="The local AWS hosts one production variant.")
        return super().create_endpoint_config(*args, **arguments)

    def create_endpoint(self, endpoint_name: str, *args: Any, **arguments: Any) -> Any:
        """Start serving in a thread."""
        if endpoint_name in self.endpoints:
            arn = self.endpoints[endpoint_name].arn
            raise ValidationError(message=f'Cannot create already existing endpoint "{arn}".')
        endpoint = super().create_endpoint(endpoint_name, *args, **arguments)
        hosted = _hosted[endpoint.arn] = self._host(endpoint, endpoint.endpoint_config_name)
        threading.Thread(target=hosted.run, daemon=True).start()
        return endpoint

    def update_endpoint(self, endpoint_name: str, configuration: str) -> Any:
        """Serve from another configuration as soon as that is in service ("UpdateEndpoint")."""
        endpoint = self.endpoints.get(endpoint_name)
        if endpoint is None:
            raise ValidationError(message=f'Could not find endpoint "{endpoint_name}".')
        if configuration not in self.endpoint_configs:
            raise ValidationError(
                message=f'Could not find endpoint configuration "{configuration}".'
            )
        if (status := endpoint.endpoint_status) != "InService":
            # Of a failed one, no document says what becomes of it. Here it is made anew.
            raise ValidationError(message=f"Cannot update endpoint {endpoint.arn}: it is {status}.")
        endpoint.endpoint_status = "Updating"
        hosted = self._host(endpoint, configuration)
        threading.Thread(target=hosted.run, args=(configuration,), daemon=True).start()
        return endpoint

    def _host(self, endpoint: Any, configuration: str) -> "_Hosted":
        [variant] = self.endpoint_configs[configuration].production_variants
        return _Hosted(endpoint, variant, self.describe_model(variant["ModelName"]))

    def delete_endpoint(self, endpoint_name: str) -> None:
        """Stop serving."""
        endpoint = self.endpoints.get(endpoint_name)
        super().delete_endpoint(endpoint_name)
        _hosted.pop(endpoint.arn).end()


class HostingResponse(LocalSageMakerResponse):
    """The local AWS's, with the action that moto lacks."""

    def update_endpoint(self) -> Any:
        """``UpdateEndpoint``."""
        endpoint = self.sagemaker_backend.update_endpoint(
            self._get_param("EndpointName"), self._get_param("EndpointConfigName")
        )
        return ActionResult({"EndpointArn": endpoint.arn})


class LocalRuntimeResponse(SageMakerRuntimeResponse):  # type: ignore[misc]  # moto is not checked
    """moto's, with a model behind it."""

    use_raw_body = True

    def invoke_endpoint(self) -> Any:
        """``InvokeEndpoint``."""
        name = self.path.split("/")[2]
        endpoint = sagemaker_backends[self.current_account][self.region].endpoints.get(name)
        if endpoint is None or endpoint.endpoint_status not in _ANSWERING:
            message = f"Endpoint {name} of account {self.current_account} not found."
            return _error(400, "ValidationError", {"Message": message})
        headers = {key: self.headers[key] for key in _HEADERS if key in self.headers}
        return _hosted[endpoint.arn].answer(self.raw_body, headers)

    def invoke_endpoint_async(self) -> Any:
        """``InvokeEndpointAsync``, which moto would answer with something made up."""
        message = "The local AWS has no asynchronous inference."
        return _error(400, "ValidationError", {"Message": message})


def _error(status: int, code: str, members: Mapping[str, Any]) -> Any:
    # moto reads the status from among the headers.
    headers = {"status": status, "Content-Type": "application/json", "x-amzn-ErrorType": code}
    return status, headers, json.dumps(members)


def _s3(role_arn: str) -> Any:
    """The S3 client that a model's execution role reads the archive with."""
    return boto3.client("s3")


class _Hosted:
    """What serves an endpoint, from the archive in S3 to the server's end."""

    def __init__(self, endpoint: Any, variant: Mapping[str, Any], model: Any) -> None:
        self._endpoint = endpoint
        self._variant = variant
        self._container = model.primary_container
        self._role = model.execution_role_arn
        self._folder = _directory / f"{endpoint.endpoint_name}-{secrets.token_hex(4)}"
        self._folder.mkdir(parents=True)
        self._log = self._folder / "server.log"
        self._logged = 0
        self._stream = f"{variant['VariantName']}/i-{secrets.token_hex(8)}"
        self._server = ModelServer(self._folder, _python, self._environment(), self._log)
        self._changing = threading.Lock()  # nothing starts what has been ended
        self._ended = False

    def run(self, configuration: str | None = None) -> None:
        """Bring the endpoint into service, or say why it can't be.

        Args:
            configuration: What the endpoint is updated to: until it is in service, and if it can't
                be, the endpoint serves what it served before ("Use automatic rollback").
        """
        status, reason = "InService", None
        try:
            self._fetch()
            self._start()
        except ServingError as fault:
            status, reason = "Failed", str(fault)
        except Exception as fault:
            logger.exception("endpoint %s broke", self._endpoint.endpoint_name)
            status, reason = "Failed", f"Internal error of the local AWS: {fault!r}"
        if status == "Failed":
            self._server.stop()
        self._write_log()
        if configuration is not None:
            if status == "InService":
                _hosted[self._endpoint.arn].end()
                _hosted[self._endpoint.arn] = self
                self._endpoint.endpoint_config_name = configuration
            status = "InService"
        self._endpoint.last_modified_time = datetime.datetime.now(datetime.timezone.utc)
        self._endpoint.failure_reason = reason
        self._endpoint.endpoint_status = status

    def answer(self, body: bytes, headers: Mapping[str, str]) -> Any:
        """What InvokeEndpoint returns for a request, from the server or about its failure."""
        try:
            answer = self._server.ask(body, headers)
        except ServingError as fault:
            return self._model_error(500, str(fault))
        if answer.status >= 400:
            return self._model_error(answer.status, answer.body.decode(errors="replace"))
        variant = {"x-Amzn-Invoked-Production-Variant": self._variant["VariantName"]}
        return answer.status, {"Content-Type": answer.content_type, **variant}, answer.body

    def end(self) -> None:
        """End the server, also one that is about to start."""
        with self._changing:
            self._ended = True
            self._server.stop()
        shutil.rmtree(self._server.model_directory, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        session = boto3.Session()
        credentials, region = session.get_credentials(), session.region_name
        return {
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": boto3.client("sagemaker").meta.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            **self._container.get("Environment", {}),
        }

    def _fetch(self) -> None:
        url = self._container["ModelDataUrl"]
        place, archive = S3Location.parse(url), self._folder / "model.tar.gz"
        try:
            _s3(self._role).download_file(place.bucket, place.key, str(archive))
        except botocore.exceptions.ClientError as fault:
            raise ServingError(
                f'Failed to download model data for container "container_1" from URL: "{url}". '
                "Please ensure that there is an object located at the URL and that the role passed "
                "to CreateModel has permissions to download the object."
            ) from fault
        try:
            unpack(archive, self._server.model_directory)
        except ServingError as fault:
            raise ServingError(
                f'Failed to extract model data archive for container "container_1" from URL '
                f'"{url}". Please ensure that the object located at the URL is a valid tar.gz '
                "archive."
            ) from fault
        archive.unlink()

    def _start(self) -> None:
        with self._changing:
            if self._ended:
                raise ServingError("The endpoint was deleted.")
            try:
                self._server.start()
            except ServingError as fault:  # the container would print it, and end
                self._log.write_text(f"{fault}\n")
        limit = self._variant.get("ContainerStartupHealthCheckTimeoutInSeconds", _STARTUP_SECONDS)
        deadline = time.monotonic() + limit
        while not self._server.is_healthy():
            if self._server.has_ended() or time.monotonic() > deadline:
                raise ServingError(
                    f"The primary container for production variant {self._variant['VariantName']} "
                    "did not pass the ping health check. Please check CloudWatch logs for this "
                    "endpoint."
                )
            time.sleep(0.05)

    def _model_error(self, status: int, message: str) -> Any:
        self._write_log()
        account, region = self._endpoint.arn.split(":")[4], self._endpoint.arn.split(":")[3]
        group = f"{LOG_GROUP}/{self._endpoint.endpoint_name}"
        console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        kind = "client" if status < 500 else "server"
        return _error(
            424,
            "ModelError",
            {
                "Message": f'Received {kind} error ({status}) from primary with message "{message}'
                f'". See {console}#logEventViewer:group={group} in account {account} for more '
                "information.",
                "OriginalStatusCode": status,
                "OriginalMessage": message,
                "LogStreamArn": f"arn:aws:logs:{region}:{account}:log-group:{group}",
            },
        )

    def _write_log(self) -> None:
        """Bring what the server has printed since the last time to CloudWatch."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        new, self._logged = lines[self._logged :], len(lines)
        group = f"{LOG_GROUP}/{self._endpoint.endpoint_name}"
        metrics.write_log(group, self._stream, new)
