"""What a configuration comes to in the definition: all that the step builder reads, and no more."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from model_packaging.step.settings.expressions import as_json, is_expression, parameters_in
from model_packaging.step.settings.package_step_config import PackageStepConfig
from model_packaging.step.settings.retry_policy import RetryPolicy


@dataclass(frozen=True)
class PackagingValues:
    """The values of one packaging step.

    Attributes have the names of the settings that they come from, but for these. In the place of
    some, an expression of the SDK may stand.

    Attributes:
        instance_type: The one that was chosen. None: ``instance_preferences`` are.
        extra_inputs: S3 URI of each extra input by its name.
        zipped_extras: Names of those that arrive as one zip of their files.
        environment: The configuration's variables; the model source adds its own.
        tags: All tags, those of author, date and version among them.
    """

    pipeline_name: str
    pipeline_s3_loc: str
    output_per_execution: bool
    inference_entry_point: str | None
    packaging_mode: str
    existing_code: str
    extra_inputs: Mapping[str, str]
    zipped_extras: tuple[str, ...]
    extra_input_paths: Mapping[str, str]
    processing_script_arguments: tuple[str, ...]
    processing_instance_count: int
    processing_volume_size: int
    instance_type: str | None
    instance_preferences: tuple[str, ...]
    processing_framework_version: str
    max_runtime_in_seconds: int | None
    environment: Mapping[str, str]
    input_names: Mapping[str, str]
    output_names: Mapping[str, str]
    tags: Mapping[str, str]
    volume_kms_key: str | None
    output_kms_key: str | None
    subnets: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    enable_network_isolation: bool
    enable_caching_package_step: bool
    cache_expires_after: str
    retry_policies: tuple[RetryPolicy, ...]

    @classmethod
    def of(
        cls,
        config: PackageStepConfig,
        extra_input_uris: Mapping[str, str],
        hide: Callable[[Any], Any],
    ) -> "PackagingValues":
        """The values of a configuration.

        Args:
            config: The configuration.
            extra_input_uris: S3 URI of each extra input that it names as a folder here.
            hide: Makes a value fit for the SDK, which can't read what is known at deployment only.
        """
        in_s3 = {
            name: place
            for name, place in config.extra_inputs.items()
            if isinstance(place, str) or is_expression(place)
        }
        told: dict[str, Any] = {
            **{name: getattr(config, name, None) for name in (field.name for field in fields(cls))},
            "extra_inputs": {**in_s3, **extra_input_uris},
            "zipped_extras": tuple(sorted(extra_input_uris)),
            "instance_type": None if config.instance_preferences else config.get_instance_type(),
            "input_names": config.get_input_names(),
            "output_names": config.get_output_names(),
            "tags": config.get_tags(),
        }
        return cls(**{name: hide(value) for name, value in told.items()})

    def as_json(self) -> dict[str, Any]:
        """The values as JSON: what a rendering of them depends on."""
        policies = [policy.model_dump(mode="json") for policy in self.retry_policies]
        return {**as_json(self._by_name()), "retry_policies": policies}

    @property
    def parameters(self) -> tuple[Any, ...]:
        """The pipeline parameters that stand for values, in the order of the settings."""
        return tuple(parameters_in(self._by_name()))

    def _by_name(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}
