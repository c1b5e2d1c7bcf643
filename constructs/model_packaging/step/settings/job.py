"""The processing job: its container, environment, names and tags."""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from model_packaging.step import contract
from model_packaging.step.sdk import sklearn_image
from model_packaging.step.settings.expressions import OrExpression
from model_packaging.step.settings.names import Name
from model_packaging.step.settings.sagemaker_shapes import Environment, SageMakerShape, Tags
from model_packaging.step.settings.settings_group import SettingsGroup
from model_packaging.step.settings.strict import StrictInteger
from model_packaging.step.settings.tokens import LiteralText

DEFAULT_RUNTIME_IN_SECONDS: Final = 86_400  # SageMaker's own ("ProcessingStoppingCondition")


def _known_names(*known: str) -> AfterValidator:
    def check(names: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(names) - set(known)):
            raise ValueError(f"{unknown[0]!r} is not a name here; write {' or '.join(known)}")
        return names

    return AfterValidator(check)


def _default_for_null(default: dict[str, str]) -> BeforeValidator:
    """The predecessor's saved configurations have null for names that nobody chose."""
    return BeforeValidator(lambda names: default if names is None else names)


_INPUT_NAMES: Final = {
    name: name for name in (contract.MODEL_INPUT, contract.INFERENCE_SCRIPTS_INPUT)
}
_OUTPUT_NAMES: Final = {
    name: name for name in (contract.PACKAGED_MODEL_OUTPUT, contract.PACKAGE_REPORT_OUTPUT)
}


class JobSettings(SettingsGroup):
    """The processing job: its container, environment, names and tags."""

    processing_framework_version: LiteralText = Field(
        default="1.2-1", description="Version of SageMaker's scikit-learn container."
    )
    max_runtime_in_seconds: (
        Annotated[
            StrictInteger,
            SageMakerShape("ProcessingMaxRuntimeInSeconds"),
            OrExpression("Integer"),
        ]
        | None
    ) = Field(default=None, description="When SageMaker stops the job. Default: after 24 hours.")
    environment: Environment = Field(
        default={}, description="Environment variables of the job. Names in MIMS_ are the step's."
    )
    input_names: Annotated[
        dict[str, Name], _known_names(*_INPUT_NAMES), _default_for_null(_INPUT_NAMES)
    ] = Field(default=_INPUT_NAMES, description="Name of each input in the definition.")
    output_names: Annotated[
        dict[str, Name], _known_names(*_OUTPUT_NAMES), _default_for_null(_OUTPUT_NAMES)
    ] = Field(default=_OUTPUT_NAMES, description="Name of each output in the definition.")
    tags: Tags = Field(default={}, description="Tags of the pipeline and of its jobs.")

    @field_validator("processing_framework_version")
    @classmethod
    def _version_has_a_container(cls, value: str) -> str:
        sklearn_image.require_version(value)
        return value

    @field_validator("environment")
    @classmethod
    def _variables_are_free(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := sorted(name for name in value if name.startswith("MIMS_")):
            raise ValueError(f"{taken[0]!r} is a name of the step's own; drop the prefix MIMS_")
        return value

    def get_input_names(self) -> dict[str, str]:
        """Name of each input in the definition, by its name in this library."""
        return dict(self.input_names)

    def get_output_names(self) -> dict[str, str]:
        """Name of each output in the definition, by its name in this library."""
        # The predecessor's configurations do not name the report.
        return {contract.PACKAGE_REPORT_OUTPUT: contract.PACKAGE_REPORT_OUTPUT, **self.output_names}
