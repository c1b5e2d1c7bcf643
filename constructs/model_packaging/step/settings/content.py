"""What is packaged: the scripts, further inputs, and how."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from model_packaging.step.settings.names import RelativePath, container_path, extra_input_name
from model_packaging.step.settings.s3_names import Location, Source
from model_packaging.step.settings.sagemaker_shapes import SageMakerShape
from model_packaging.step.settings.settings_group import SettingsGroup


class ContentSettings(SettingsGroup):
    """What is packaged: the scripts, further inputs, and how."""

    source_dir: Source | None = Field(
        default=None,
        description="Folder of the inference scripts that ship in code/: one here, or an S3 "
        "prefix. Default: processing_source_dir, if that is given and has no `__main__.py`.",
    )
    inference_entry_point: RelativePath | None = Field(
        default="inference.py",
        description="Script in source_dir that the hosting container starts with. None: the "
        "package gets no scripts.",
    )
    extra_inputs: dict[Annotated[str, AfterValidator(extra_input_name)], Location] = Field(
        default={},
        description="Further content of the package, by the folder it lands in: an S3 prefix, or "
        "a folder here, or what a step before has written.",
    )
    extra_input_paths: dict[
        Annotated[str, AfterValidator(extra_input_name)],
        Annotated[str, SageMakerShape("ProcessingLocalPath"), AfterValidator(container_path)],
    ] = Field(
        default={},
        description="Where a packaging script of your own looks for an extra input, by its name, "
        "such as `/opt/ml/processing/input/calibration`. Default: below "
        "`/opt/ml/processing/input/extra`, where the library's packager looks.",
    )
    packaging_mode: Literal["auto", "splice", "stream"] = Field(
        default="auto",
        description="`splice` copies the compressed model, `stream` recompresses it, `auto` "
        "splices where it can.",
    )
    existing_code: Literal["auto", "replace", "overlay", "refuse"] = Field(
        default="auto",
        description="What becomes of files that the model already has in code/. `auto` replaces "
        "them with a warning, but refuses where an MLmodel names them as the model's own code.",
    )

    def problems(self) -> list[str]:
        """See :meth:`SettingsGroup.problems`."""
        return [
            *super().problems(),
            *(
                f"extra_inputs: {name!r} is the file {str(place)!r}; name a folder, whose content "
                f"lands in {name}/"
                for name, place in self.extra_inputs.items()
                if isinstance(place, Path) and not place.is_dir()
            ),
            *(
                f"extra_input_paths: {path!r} is given for two inputs; write a folder for each"
                for path in sorted(set(self.extra_input_paths.values()))
                if [*self.extra_input_paths.values()].count(path) > 1
            ),
        ]
