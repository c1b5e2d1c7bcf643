"""A package on an endpoint, by the calls of AWS's API alone, so that any account will do."""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from botocore.exceptions import ClientError

from operations.model_requests import ModelRequest

# Both, or the container doesn't find the script: docs/hosting.md.
PROGRAM = "SAGEMAKER_PROGRAM"
SUBMIT_DIRECTORY = "SAGEMAKER_SUBMIT_DIRECTORY"
CODE = "/opt/ml/model/code"

ON_AN_INSTANCE = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
# It costs what requests cost, and nothing between them.
SERVERLESS = {"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1}}
_VARIANT = "AllTraffic"
# In a traceback of AWS's serving toolkit: what failed is the model's loading, not its prediction.
_LOADING = "in validate_and_initialize"


class HostingError(Exception):
    """An endpoint can't come into service.

    Attributes:
        lacks: What can't be, in words.
    """

    lacks = "can't be served"


class RefusedError(Exception):
    """A model answered a request with an error.

    Attributes:
        told: All that it told.
        while_loading: Whether it could not be loaded at all.
        lacks: What can't be, in words.
    """

    def __init__(self, told: str) -> None:
        super().__init__(_last_error(told))
        self.told = told
        self.while_loading = _LOADING in told
        self.lacks = "can't be loaded" if self.while_loading else "can't answer"


class HostedModel:
    """A SageMaker model with an endpoint of its own.

    Args:
        client: Makes a boto3 client of a service, such as ``boto3.client``.
        name: Name of the model, of its endpoint configuration and of its endpoint.
    """

    def __init__(self, client: Callable[[str], Any], name: str) -> None:
        self._client = client
        self._sagemaker = client("sagemaker")
        self._undo: list[Callable[[], None]] = []
        self.name = name

    def create(
        self,
        package: str,
        *,
        role: str,
        image: str,
        entry_point: str,
        where: Mapping[str, Any] = ON_AN_INSTANCE,
    ) -> None:
        """Begin to bring a package into service.

        Args:
            package: Its S3 URI.
            role: ARN of the role that hosting takes; it must be allowed to read the package.
            image: The container's image.
            entry_point: Script below ``code/``.
            where: What serves it: the part of a production variant that says so.
        """
        sagemaker, name = self._sagemaker, self.name
        sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=role,
            PrimaryContainer={
                "Image": image,
                "ModelDataUrl": package,
                "Environment": {PROGRAM: entry_point, SUBMIT_DIRECTORY: CODE},
            },
        )
        self._undo.append(lambda: sagemaker.delete_model(ModelName=name))
        sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[{"VariantName": _VARIANT, "ModelName": name, **where}],
        )
        self._undo.append(lambda: sagemaker.delete_endpoint_config(EndpointConfigName=name))
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        self._undo.append(lambda: sagemaker.delete_endpoint(EndpointName=name))

    def wait(
        self, tell: Callable[[str], None], seconds: float, seconds_between: float = 0.1
    ) -> None:
        """Wait until the endpoint is in service.

        Args:
            tell: Told the endpoint's status.
            seconds: How long to wait.
            seconds_between: How often to look.

        Raises:
            HostingError: It failed, or took too long; with what the container printed last.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            endpoint = self._sagemaker.describe_endpoint(EndpointName=self.name)
            status = endpoint["EndpointStatus"]
            tell(status)
            if status == "InService":
                return
            if status == "Failed":
                printed = _last_error("\n".join(self.log()))
                reason = endpoint["FailureReason"]
                raise HostingError(f"{reason} It printed: {printed}" if printed else reason)
            time.sleep(seconds_between)
        raise HostingError(f"the endpoint {self.name} is not in service after {seconds:.0f} s")

    def ask(self, request: ModelRequest) -> tuple[bytes, str]:
        """Send a request.

        Returns:
            The answer, and its content type.

        Raises:
            RefusedError: The model answered with an error.
        """
        try:
            answer = self._client("sagemaker-runtime").invoke_endpoint(
                EndpointName=self.name,
                Body=request.body,
                ContentType=request.content_type,
                Accept=request.accept,
            )
        except ClientError as fault:
            if fault.response["Error"]["Code"] != "ModelError":
                raise
            raise RefusedError(str(fault.response.get("OriginalMessage"))) from fault
        return answer["Body"].read(), answer["ContentType"]

    def log(self) -> list[str]:
        """What the container has printed, as far as CloudWatch has it."""
        logs, group = self._client("logs"), f"/aws/sagemaker/Endpoints/{self.name}"
        # The group outlives an endpoint, and an earlier one may have had the name.
        made = self._sagemaker.describe_endpoint(EndpointName=self.name)["CreationTime"]
        start = int(made.timestamp() * 1000)
        try:
            events = logs.filter_log_events(logGroupName=group, startTime=start)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]

    def delete(self) -> None:
        """Delete all that ``create`` has made.

        Raises:
            ClientError: Something can't be deleted; what can be is deleted all the same.
        """
        with ExitStack() as undo:
            for delete in self._undo:
                undo.callback(delete)
            self._undo = []


def _last_error(text: str) -> str:
    """The line that names the last exception in a log or a traceback, or else the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [
        found[1]
        for line in lines
        if (found := re.search(r"(?:^| )(\w+(?:\.\w+)*(?:Error|Exception): .*)", line))
    ]
    return (named or lines or [""])[-1]
