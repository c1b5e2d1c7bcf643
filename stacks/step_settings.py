"""What a stage's packaging step is told: by the setting ``packaging``, and by the stack itself."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from model_packaging.step import InvalidConfigError, PackageStepConfig

if TYPE_CHECKING:
    from stacks.stage import StageSettings

PROJECT: Final = Path(__file__).parent.parent

# What the stack says of the step, by the stage's settings that it says it from. All else that
# PackageStepConfig takes, a stage may say.
OWNED: Final[Mapping[str, tuple[str, ...]]] = {
    "pipeline_name": ("pipeline_name",),
    "region": ("region",),
    "bucket": ("bucket",),
    "pipeline_s3_loc": ("pipeline_name",),
    "source_dir": ("inference_scripts",),
    "processing_instance_type": ("sizes.instance_type",),
    "processing_instance_type_large": ("sizes.instance_type",),
    "processing_instance_type_small": ("sizes.instance_type",),
    "use_large_processing_instance": ("sizes.instance_type",),
    "processing_volume_size": ("sizes.volume_size",),
    "max_runtime_in_seconds": ("sizes.max_runtime_in_seconds",),
    "tags": ("owner", "cost_centre"),
    "volume_kms_key": ("customer_key",),
    "output_kms_key": ("customer_key",),
    "subnets": ("network.subnets",),
    "security_group_ids": ("network",),
}

_DESCRIPTION: Final = "Joins a trained model with its inference scripts."
# Settings of the library within a message; one without an underscore may be a word like any other.
_NAMES: Final = re.compile(rf"\b({'|'.join(name for name in OWNED if '_' in name)})\b")
# Stand in for what the stack makes, while the rest is checked.
_SAMPLE_KEY: Final = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000"
_SAMPLE_GROUP: Final = "sg-00000000"


def step_config(
    settings: "StageSettings",
    *,
    location: str,
    tags: Mapping[str, str],
    key: str | None = None,
    subnets: Sequence[str] = (),
    security_groups: Sequence[str] = (),
) -> PackageStepConfig:
    """The settings of a stage's packaging step.

    Args:
        settings: The stage's.
        location: S3 prefix of the packages.
        tags: Tags of everything.
        key: ARN of the customer key, if there is one.
        subnets: Subnets that the job runs in.
        security_groups: Its security groups.

    Raises:
        InvalidConfigError: A setting of ``packaging`` can't work.
    """
    told = {name: _in_project(name, value) for name, value in settings.packaging.items()}
    own: dict[str, Any] = {
        "pipeline_name": settings.pipeline_name,
        "pipeline_s3_loc": location,
        "processing_volume_size": settings.sizes.volume_size,
        "max_runtime_in_seconds": settings.sizes.max_runtime_in_seconds,
        "tags": dict(tags),
        "output_kms_key": key,
        "volume_kms_key": key,
        "subnets": tuple(subnets),
        "security_group_ids": tuple(security_groups),
    }
    if told.get("inference_entry_point", "") is not None:  # else the package gets no scripts
        own["source_dir"] = _here_or_in_s3(settings.inference_scripts)
    if not told.get("instance_preferences"):
        own["processing_instance_type"] = settings.sizes.instance_type
    return PackageStepConfig(**{"pipeline_description": _DESCRIPTION} | told | own)


def step_problems(settings: "StageSettings") -> list[str]:
    """What the packaging step has against a stage's settings, by the names that the stage has."""
    refused = [
        f"packaging.{name}: {value!r} is given, but the stack makes this of the stage's own "
        f"{' and '.join(OWNED[name])}; leave it out here"
        for name, value in settings.packaging.items()
        if name in OWNED
    ]
    if settings.packaging.get("instance_preferences") and (
        "instance_type" in settings.sizes.model_fields_set
    ):
        refused.append(
            f"sizes.instance_type: {settings.sizes.instance_type!r} and "
            "packaging.instance_preferences are both given; write one of the two"
        )
    told = {name: value for name, value in settings.packaging.items() if name not in OWNED}
    network = settings.network
    try:
        step_config(
            settings.model_copy(update={"packaging": told}),
            location=f"s3://bucket-of-the-stack/packaged/{settings.pipeline_name}",
            tags=settings.tags("stage"),
            key=_SAMPLE_KEY if settings.customer_key else None,
            subnets=network.subnets if network else (),
            security_groups=(_SAMPLE_GROUP,) if network else (),
        )
    except InvalidConfigError as error:
        refused += [_as_the_stage_says(problem) for problem in error.problems]
    return refused


def _in_project(name: str, value: Any) -> Any:
    """Folders here are relative to the project, from wherever it is synthesized."""
    if name == "processing_source_dir":
        return _here_or_in_s3(value)
    if name == "extra_inputs" and isinstance(value, dict):
        return {folder: _here_or_in_s3(place) for folder, place in value.items()}
    return value


def _here_or_in_s3(place: Any) -> Any:
    return PROJECT / place if isinstance(place, str) and not place.startswith("s3:") else place


def _as_the_stage_says(problem: str) -> str:
    setting, _, text = problem.partition(":")
    name = re.split(r"[.\[]", setting)[0]
    if name in OWNED:
        setting = OWNED[name][0] + setting.removeprefix(name)
    else:
        setting = f"packaging.{setting}"
    return f"{setting}:{_NAMES.sub(lambda found: OWNED[found[0]][0], text)}"
