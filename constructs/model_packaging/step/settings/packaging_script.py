"""Which packager runs, and what it is told."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from model_packaging.step.packager import PROGRAM
from model_packaging.step.settings.names import RelativePath
from model_packaging.step.settings.s3_names import Source
from model_packaging.step.settings.sagemaker_shapes import Argument
from model_packaging.step.settings.settings_group import SettingsGroup


class PackagingScriptSettings(SettingsGroup):
    """Which packager runs, and what it is told."""

    processing_source_dir: Source | None = Field(
        default=None,
        description="Folder of a packager of your own, here or in S3: it ships whole if it is here "
        "and has a `__main__.py`, which then runs, else processing_entry_point alone. Default: "
        "source_dir if it holds processing_entry_point, else the library's own packager.",
    )
    processing_entry_point: RelativePath = Field(
        default=PROGRAM, description="The packaging script, in processing_source_dir."
    )
    processing_script_arguments: Annotated[
        tuple[Argument, ...],
        # The predecessor's saved configurations have null where there are none.
        BeforeValidator(lambda arguments: () if arguments is None else arguments),
    ] = Field(default=(), description="Further arguments for the packaging script.")
