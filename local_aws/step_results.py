"""What the steps of an execution have made, for the expressions of those after them."""

import json
from collections.abc import Mapping
from typing import Any

import botocore.exceptions

from local_aws.container import JobError
from local_aws.identities import RoleSession
from local_aws.job_data import S3Location
from local_aws.json_paths import PathError, find


class StepResults:
    """The results of the steps that have run.

    Args:
        session: The pipeline's role, in which property files are read: "Pass data between steps"
            and "IAM access management" of Pipelines ask for ``s3:GetObject``.
    """

    def __init__(self, session: RoleSession) -> None:
        self._session = session
        self._properties: dict[str, Mapping[str, Any]] = {}
        self._files: dict[tuple[str, str], str] = {}  # URIs by step and property file

    def add(
        self, step: Mapping[str, Any], properties: Mapping[str, Any], file_uris: Mapping[str, str]
    ) -> None:
        """Keep what a step has made.

        Args:
            step: The step, as the definition has it.
            properties: What its ``Describe…`` call answers ("Step properties").
            file_uris: S3 URIs of its property files by their names.
        """
        self._properties[step["Name"]] = properties
        for name, uri in file_uris.items():
            self._files[step["Name"], name] = uri

    def get(self, path: str) -> Any:
        """The value of ``Get: Steps.NAME.…``.

        Raises:
            PathError: The step has not run, or has no such property.
        """
        _, name, rest = path.split(".", 2)
        if name not in self._properties:
            raise PathError(f"nothing is known at {path!r}")
        return find(self._properties[name], rest)

    def json_get(self, expression: Mapping[str, Any]) -> Any:
        """The value of ``Std:JsonGet``, whose own expressions are resolved.

        Raises:
            PathError: There is no such property file, it can't be read, or the path leads nowhere.
        """
        uri = expression.get("S3Uri") or self._uri(expression["PropertyFile"]["Get"])
        try:
            place = S3Location.parse(uri)
            body = self._session.client("s3").get_object(Bucket=place.bucket, Key=place.key)
            content = json.loads(body["Body"].read())
        except botocore.exceptions.ClientError as fault:
            error = fault.response["Error"]
            raise PathError(
                f"ClientError: Failed to read {uri}: {error['Code']}: {error['Message']}"
            ) from fault
        except (JobError, ValueError) as fault:
            raise PathError(f"ClientError: {uri} is no JSON: {fault}") from fault
        return find(content, expression["Path"])

    def _uri(self, path: str) -> str:
        _, step, _, name = path.split(".", 3)
        if (step, name) not in self._files:
            raise PathError(f"the step {step} has no property file {name!r}")
        return self._files[step, name]
