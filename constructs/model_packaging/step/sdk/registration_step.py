"""The SDK's step that registers a model, with a request that was written here."""

from collections.abc import Sequence
from typing import Any

from sagemaker.core.workflow.properties import Properties
from sagemaker.mlops.workflow.retry import StepRetryPolicy
from sagemaker.mlops.workflow.steps import ConfigurableRetryStep, Step, StepTypeEnum


class RegistrationStep(ConfigurableRetryStep):  # type: ignore[misc]  # the SDK has no types
    """A step of the type ``RegisterModel``.

    The SDK's own way, ``ModelStep`` with ``ModelBuilder.register()``, calls AWS while it renders.
    This is the class below it, with the same request: SDK v2's RegisterModel renders the same.

    Args:
        name: Name of the step.
        request: What ``CreateModelPackage`` is sent.
        depends_on: Steps that must have succeeded before.
        retry_policies: The SDK's, of steps: a registration is no job.
    """

    def __init__(
        self,
        name: str,
        request: dict[str, Any],
        depends_on: "Sequence[Step | str] | None" = None,
        retry_policies: Sequence[StepRetryPolicy] = (),
    ) -> None:
        super().__init__(
            name,
            StepTypeEnum.REGISTER_MODEL,
            depends_on=list(depends_on or ()) or None,
            retry_policies=list(retry_policies),
        )
        self._request = request
        self._properties = Properties(
            step_name=name, step=self, shape_name="DescribeModelPackageOutput"
        )

    @property
    def arguments(self) -> dict[str, Any]:
        """The request."""
        return self._request

    @property
    def properties(self) -> Any:
        """What ``DescribeModelPackage`` answers, such as ``ModelPackageArn``."""
        return self._properties
