"""The pipeline: its name, who answers for it, and where its packages go."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

from pydantic import Field, field_validator

from model_packaging.step.s3_location import S3Location
from model_packaging.step.sdk import sklearn_image
from model_packaging.step.settings.names import Version
from model_packaging.step.settings.s3_names import BucketName, S3Uri
from model_packaging.step.settings.sagemaker_shapes import SageMakerShape, TagValue
from model_packaging.step.settings.settings_group import SettingsGroup
from model_packaging.step.settings.strict import StrictTruth
from model_packaging.step.settings.tokens import LiteralText

# The predecessor's names of regions.
REGION_ALIASES: Final[Mapping[str, str]] = {
    "NA": "us-east-1",
    "EU": "eu-west-1",
    "FE": "us-west-2",
}


def _default_location(settings: dict[str, Any]) -> str:
    """Where packages go if only the bucket is given."""
    if not settings.get("bucket"):
        return ""  # refused by its type
    parts = ["packaged", settings["pipeline_name"]]
    if version := settings.get("pipeline_version"):
        parts.append(version)
    return S3Location(settings["bucket"], "/".join(parts)).uri


class PipelineSettings(SettingsGroup):
    """The pipeline: its name, who answers for it, and where its packages go."""

    author: TagValue | None = Field(
        default=None, min_length=1, description="Who answers for the pipeline. Becomes a tag."
    )
    current_date: date | None = Field(
        default=None,
        description="Date of this configuration, as YYYY-MM-DD. Becomes a tag. No default: the "
        "clock must not change a template.",
    )
    region: LiteralText | None = Field(
        default=None,
        description="AWS region, or NA, EU or FE for us-east-1, eu-west-1 or us-west-2. Default: "
        "the stack's.",
    )
    pipeline_name: Annotated[str, SageMakerShape("PipelineName")] = Field(
        description="Name of the SageMaker pipeline. Up to 256 letters, digits and hyphens.",
    )
    pipeline_description: Annotated[str, SageMakerShape("PipelineDescription")] | None = Field(
        default=None, description="Description shown beside the pipeline."
    )
    pipeline_version: Version | None = Field(
        default=None,
        description="Version of the pipeline. Becomes a tag, and part of the default of "
        "pipeline_s3_loc.",
    )
    bucket: BucketName | None = Field(
        default=None, description="Bucket for packages, if pipeline_s3_loc is not given."
    )
    pipeline_s3_loc: S3Uri = Field(
        default_factory=_default_location,
        description="S3 prefix below which every execution writes its package. Default: "
        "s3://`bucket`/packaged/`pipeline_name`/`pipeline_version`.",
    )
    output_per_execution: StrictTruth = Field(
        default=True,
        description="Whether each execution writes below its own id. Without it, executions "
        "overwrite one another.",
    )

    @field_validator("region")
    @classmethod
    def _region_has_a_container(cls, value: str | None) -> str | None:
        if value is not None:
            sklearn_image.require_region(
                REGION_ALIASES.get(value, value), aliases=tuple(REGION_ALIASES)
            )
        return value

    def problems(self) -> list[str]:
        """See :meth:`SettingsGroup.problems`."""
        bucket = S3Location.parse(self.pipeline_s3_loc).bucket
        if self.bucket is None or self.bucket == bucket:
            return super().problems()
        return [
            *super().problems(),
            f"bucket: {self.bucket!r} is not the bucket of pipeline_s3_loc "
            f"{self.pipeline_s3_loc!r}; write one of the two settings",
        ]

    @property
    def aws_region(self) -> str | None:
        """The AWS region of ``region``, such as ``us-east-1`` for ``NA``."""
        return REGION_ALIASES.get(self.region, self.region) if self.region else None
