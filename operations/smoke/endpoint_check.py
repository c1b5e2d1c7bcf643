"""A package on a serverless endpoint, which costs nothing but the request."""

import json
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.expressions import resolve
from model_packaging.step import contract
from operations.executions.deployed_stage import DeployedStage
from operations.executions.tables import duration
from operations.hosted_model import SERVERLESS, HostedModel, HostingError, RefusedError
from operations.model_requests import as_json
from operations.smoke.journal import Check, CheckError, Journal
from operations.smoke.packaging_checks import Packaged

POLL_SECONDS = 5.0
_SECONDS_TO_CREATE = 1200
_ROWS = [[0.0], [1.0]]


class EndpointCheck:
    """Hosts a package, asks it, and deletes all of that again.

    Args:
        stage: The stage.
        journal: Where it tells of it.
        role: ARN of the role that hosting takes; it must be allowed to read packages.
        name: Name of the SageMaker model, of the endpoint's configuration and of the endpoint.

    Attributes:
        left: What could not be deleted, and why.
    """

    def __init__(self, stage: DeployedStage, journal: Journal, *, role: str, name: str) -> None:
        self._stage = stage
        self._journal = journal
        self._role = role
        self._model = HostedModel(stage.client, name)
        self._told = ""
        self.left: list[str] = []

    def run(self, check: Check, packaged: Packaged) -> None:
        """Ask an endpoint of a package.

        Args:
            check: The check.
            packaged: The package, and the model that it was made of.

        Raises:
            CheckError: It can't be created, or answers otherwise than the model.
        """
        start = time.monotonic()
        try:
            self._bring_into_service(packaged)
            took = duration(time.monotonic() - start)
            answer = self._ask()
        finally:
            self._delete()
        if answer != [packaged.model.answer] * len(_ROWS):
            raise CheckError(
                f"the endpoint answered {answer}, and not {packaged.model.answer} to each row",
                "the stage's own scripts may answer in another form; then leave ENDPOINT out",
            )
        check.proved(
            f"the endpoint {self._model.name} was in service after {took} and answered {answer}, "
            "as the model does; it is deleted"
        )

    def _bring_into_service(self, packaged: Packaged) -> None:
        name = self._model.name
        try:
            self._model.create(
                packaged.package,
                role=self._role,
                image=self._image(packaged),
                entry_point=packaged.report["scripts"]["entry_point"].removeprefix("code/"),
                where=SERVERLESS,
            )
            self._model.wait(self._tell, _SECONDS_TO_CREATE, POLL_SECONDS)
        except HostingError as fault:
            raise CheckError(
                str(fault),
                f"read its log group /aws/sagemaker/Endpoints/{name}; the role {self._role} must "
                "be allowed to read the package, and to decrypt it",
            ) from fault

    def _ask(self) -> Any:
        try:
            body, _ = self._model.ask(as_json(_ROWS))
        except RefusedError as fault:
            raise CheckError(
                f"the endpoint {fault.lacks}: {fault}",
                f"read its log group /aws/sagemaker/Endpoints/{self._model.name}; scripts that "
                "load another file than model.joblib can't load this test's model: then leave "
                "ENDPOINT out",
            ) from fault
        return json.loads(body)

    def _delete(self) -> None:
        what = f"endpoint, its configuration or model {self._model.name}"
        try:
            self._model.delete()
        except KeyboardInterrupt:
            self.left.append(f"interrupted again: {what}")
            raise
        except (BotoCoreError, ClientError) as fault:
            self.left.append(f"{what}: {fault}")

    def _tell(self, status: str) -> None:
        if status != self._told:
            self._journal.say(f"    endpoint {self._model.name}: {status}")
            self._told = status

    def _image(self, packaged: Packaged) -> str:
        """The packaging job's own image, which is the one that hosts scikit-learn models too."""
        definition = json.loads(
            self._stage.client("sagemaker").describe_pipeline_definition_for_execution(
                PipelineExecutionArn=packaged.ended.arn
            )["PipelineDefinition"]
        )
        for step in definition["Steps"]:
            if step["Name"] == contract.PACKAGING_STEP:
                given = {
                    f"Parameters.{name}": text for name, text in packaged.started.parameters.items()
                }
                return str(resolve(step["Arguments"]["AppSpecification"]["ImageUri"], given))
        raise CheckError(
            f"the pipeline has no step {contract.PACKAGING_STEP}", "deploy the stage again"
        )
