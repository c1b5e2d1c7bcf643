"""What the job runs on: instances and their volumes."""

from typing import Annotated, Final, Literal

from pydantic import Field

from model_packaging.step.settings.expressions import OrExpression
from model_packaging.step.settings.sagemaker_shapes import InstancePreferences, InstanceType
from model_packaging.step.settings.settings_group import SettingsGroup
from model_packaging.step.settings.strict import StrictInteger, StrictTruth

DEFAULT_INSTANCE_TYPE: Final = "ml.m5.2xlarge"
DEFAULT_VOLUME_SIZE: Final = 500  # GB


_Type = Annotated[InstanceType, OrExpression("String")]


class InstanceSettings(SettingsGroup):
    """What the job runs on: instances and their volumes."""

    processing_instance_count: Annotated[
        StrictInteger, Field(ge=1, le=10), OrExpression("Integer")
    ] = Field(
        default=1,
        description="Instances of the processing job. The script works on one; more only repeat "
        "its work.",
    )
    processing_volume_size: Annotated[
        StrictInteger, Field(ge=10, le=1000), OrExpression("Integer")
    ] = Field(default=DEFAULT_VOLUME_SIZE, description="Volume of each instance, in GB.")
    processing_instance_type: _Type | None = Field(
        default=None, description="Instance type of the job. Default: the large or the small one."
    )
    processing_instance_type_large: _Type = Field(
        default="ml.m5.4xlarge", description="Instance type when the large one is chosen."
    )
    processing_instance_type_small: _Type = Field(
        default=DEFAULT_INSTANCE_TYPE, description="Instance type otherwise."
    )
    use_large_processing_instance: StrictTruth = Field(
        default=False, description="Whether the job runs on the large instance type."
    )
    instance_preferences: InstancePreferences = Field(
        default=(),
        description="Instance types in order of preference: the first with capacity runs the job. "
        "Instead of the large and the small type.",
    )

    def problems(self) -> list[str]:
        """See :meth:`SettingsGroup.problems`."""
        problems = super().problems()
        if not self.instance_preferences:
            return problems
        types = {
            "processing_instance_type",
            "processing_instance_type_large",
            "processing_instance_type_small",
            "use_large_processing_instance",
        }
        return problems + [
            f"instance_preferences: {list(self.instance_preferences)} and {name} "
            f"{getattr(self, name)!r} are both given; write one of the two settings"
            for name in sorted(types & self.model_fields_set)
            if getattr(self, name) != type(self).model_fields[name].default
        ]

    def get_instance_types(self) -> dict[str, str]:
        """Every instance type that may run the job, by the setting that names it."""
        if self.instance_preferences:
            return {
                f"instance_preferences[{place}]": name
                for place, name in enumerate(self.instance_preferences)
            }
        if self.processing_instance_type is not None:
            return {"processing_instance_type": self.processing_instance_type}
        size = "large" if self.use_large_processing_instance else "small"
        return {f"processing_instance_type_{size}": self.get_instance_type()}

    def get_instance_type(self, size: Literal["large", "small"] | None = None) -> str:
        """Instance type of the processing job.

        Args:
            size: ``large`` or ``small``. Default: ``processing_instance_type`` if it is given, else
                what ``use_large_processing_instance`` says.

        Returns:
            Such as ``ml.m5.2xlarge``.

        Raises:
            ValueError: ``size`` is neither.
        """
        if size is None and self.processing_instance_type is not None:
            return self.processing_instance_type
        size = size or ("large" if self.use_large_processing_instance else "small")
        if size not in ("large", "small"):
            raise ValueError(f"size is {size!r}; write 'large' or 'small'")
        if size == "large":
            return self.processing_instance_type_large
        return self.processing_instance_type_small
