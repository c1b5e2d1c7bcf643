"""The settings of one packaging step."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)

from model_packaging.step import contract, service_model
from model_packaging.step.packager import PROGRAM, is_packager, own_packager
from model_packaging.step.sdk import sklearn_image
from model_packaging.step.settings.invalid_config import InvalidConfigError
from model_packaging.step.settings.retry_policy import DEFAULT_RETRY_POLICIES, RetryPolicy
from model_packaging.step.settings.setting_types import (
    BucketName,
    Environment,
    InstancePreferences,
    InstanceType,
    Iso8601Duration,
    KmsKey,
    LiteralText,
    Location,
    Name,
    RelativePath,
    S3Uri,
    SageMakerShape,
    SecurityGroups,
    Subnets,
    Tags,
    TagValue,
    Version,
    extra_input_name,
)

# The predecessor's names of regions.
REGION_ALIASES: Final[Mapping[str, str]] = {
    "NA": "us-east-1",
    "EU": "eu-west-1",
    "FE": "us-west-2",
}


def _known_names(*known: str) -> AfterValidator:
    def check(names: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(names) - set(known)):
            raise ValueError(f"{unknown[0]!r} is not a name here; write {' or '.join(known)}")
        return names

    return AfterValidator(check)


def _default_location(settings: dict[str, Any]) -> str:
    """Where packages go if only the bucket is given."""
    if not settings.get("bucket"):
        return ""  # refused by its type
    parts = [settings["bucket"], "packaged", settings["pipeline_name"]]
    if version := settings.get("pipeline_version"):
        parts.append(version)
    return f"s3://{'/'.join(parts)}"


class PackageStepConfig(BaseModel):
    """Settings of the packaging step: which scripts ship, where the package goes, what runs it.

    Wherever a text stands that reaches AWS as it is, a CDK token may stand. What SageMaker limits
    is checked against its own service model as botocore has it.

    Raises:
        InvalidConfigError: Every setting that can't work, together, each with what was given and
            what to write instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    # --- The pipeline
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
    output_per_execution: bool = Field(
        default=True,
        description="Whether each execution writes below its own id. Without it, executions "
        "overwrite one another.",
    )

    # --- What is packaged
    source_dir: Path | None = Field(
        default=None,
        description="Folder of the inference scripts that ship in code/. Default: "
        "processing_source_dir, if that is given and has no `__main__.py`.",
    )
    inference_entry_point: RelativePath = Field(
        default="inference.py",
        description="Script in source_dir that the hosting container starts with.",
    )
    extra_inputs: dict[Annotated[str, AfterValidator(extra_input_name)], Location] = Field(
        default={},
        description="Further content of the package, by the folder it lands in: an S3 prefix, or "
        "a folder here.",
    )
    packaging_mode: Literal["auto", "splice", "stream"] = Field(
        default="auto",
        description="`splice` copies the compressed model, `stream` recompresses it, `auto` "
        "splices where it can.",
    )
    existing_code: Literal["replace", "overlay", "refuse"] = Field(
        default="replace",
        description="What becomes of files that the model already has in code/.",
    )

    # --- The processing job
    processing_source_dir: Path | None = Field(
        default=None,
        description="Folder of a packager of your own: it ships whole if it has a `__main__.py`, "
        "which then runs, else processing_entry_point alone. Default: source_dir if it holds "
        "processing_entry_point, else the library's own packager.",
    )
    processing_entry_point: RelativePath = Field(
        default=PROGRAM, description="The packaging script, in processing_source_dir."
    )
    processing_script_arguments: tuple[Annotated[str, SageMakerShape("ContainerArgument")], ...] = (
        Field(default=(), description="Further arguments for the packaging script.")
    )
    processing_instance_count: int = Field(
        default=1,
        ge=1,
        le=10,
        description="Instances of the processing job. The script works on one; more only repeat "
        "its work.",
    )
    processing_volume_size: int = Field(
        default=500, ge=10, le=1000, description="Volume of each instance, in GB."
    )
    processing_instance_type_large: InstanceType = Field(
        default="ml.m5.4xlarge", description="Instance type when the large one is chosen."
    )
    processing_instance_type_small: InstanceType = Field(
        default="ml.m5.2xlarge", description="Instance type otherwise."
    )
    use_large_processing_instance: bool = Field(
        default=False, description="Whether the job runs on the large instance type."
    )
    instance_preferences: InstancePreferences = Field(
        default=(),
        description="Instance types in order of preference: the first with capacity runs the job. "
        "Instead of the large and the small type.",
    )
    processing_framework_version: LiteralText = Field(
        default="1.2-1", description="Version of SageMaker's scikit-learn container."
    )
    max_runtime_in_seconds: (
        Annotated[int, SageMakerShape("ProcessingMaxRuntimeInSeconds")] | None
    ) = Field(default=None, description="When SageMaker stops the job. Default: after 24 hours.")
    environment: Environment = Field(
        default={}, description="Environment variables of the job. Names in MIMS_ are the step's."
    )
    input_names: Annotated[
        dict[str, Name], _known_names(contract.MODEL_INPUT, contract.INFERENCE_SCRIPTS_INPUT)
    ] = Field(
        default={
            contract.MODEL_INPUT: contract.MODEL_INPUT,
            contract.INFERENCE_SCRIPTS_INPUT: contract.INFERENCE_SCRIPTS_INPUT,
        },
        description="Name of each input in the definition.",
    )
    output_names: Annotated[
        dict[str, Name],
        _known_names(contract.PACKAGED_MODEL_OUTPUT, contract.PACKAGE_REPORT_OUTPUT),
    ] = Field(
        default={
            contract.PACKAGED_MODEL_OUTPUT: contract.PACKAGED_MODEL_OUTPUT,
            contract.PACKAGE_REPORT_OUTPUT: contract.PACKAGE_REPORT_OUTPUT,
        },
        description="Name of each output in the definition.",
    )
    tags: Tags = Field(default={}, description="Tags of the pipeline and of its jobs.")

    # --- Encryption and network
    volume_kms_key: KmsKey | None = Field(
        default=None,
        description="KMS key of the instances' volumes: its ARN or id. (An alias only without the "
        "construct: a policy can't name it.)",
    )
    output_kms_key: KmsKey | None = Field(
        default=None,
        description="KMS key of the package and the report: its ARN or id. (An alias only "
        "without the construct.)",
    )
    subnets: Subnets = Field(
        default=(), description="Subnets that the job runs in. Together with security_group_ids."
    )
    security_group_ids: SecurityGroups = Field(
        default=(), description="Security groups of the job. Together with subnets."
    )
    enable_network_isolation: bool = Field(
        default=True,
        description="Whether the container is cut off from every network. The script needs none.",
    )

    # --- Repeating and not repeating
    enable_caching_package_step: bool = Field(
        default=True,
        description="Whether SageMaker may reuse the result of an equal earlier execution.",
    )
    cache_expires_after: Iso8601Duration = Field(
        default="P30D", description="How old a reused result may be. An ISO 8601 duration."
    )
    retry_policies: tuple[RetryPolicy, ...] = Field(
        default=DEFAULT_RETRY_POLICIES,
        description="What SageMaker tries again, and when. Default: service faults, throttling "
        "and lack of capacity, with growing pauses.",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _explain(
        cls, settings: Any, handler: ModelWrapValidatorHandler["PackageStepConfig"]
    ) -> "PackageStepConfig":
        try:
            return handler(settings)
        except ValidationError as error:
            raise InvalidConfigError.of(cls, error) from None

    @field_validator("region")
    @classmethod
    def _region_has_a_container(cls, value: str | None) -> str | None:
        if value is not None:
            sklearn_image.require_region(
                REGION_ALIASES.get(value, value), aliases=tuple(REGION_ALIASES)
            )
        return value

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

    @model_validator(mode="after")
    def _settings_agree(self) -> "PackageStepConfig":
        problems = [
            *self._location_problems(),
            *self._source_problems(),
            *self._name_problems(),
            *self._job_problems(),
        ]
        if problems:
            raise InvalidConfigError(problems)
        return self

    def _location_problems(self) -> list[str]:
        bucket = self.pipeline_s3_loc.removeprefix("s3://").partition("/")[0]
        if self.bucket is not None and self.bucket != bucket:
            return [
                f"bucket: {self.bucket!r} is not the bucket of pipeline_s3_loc "
                f"{self.pipeline_s3_loc!r}; write one of the two settings"
            ]
        return []

    def _source_problems(self) -> list[str]:
        problems = [*self._inference_script_problems(), *self._packager_problems()]
        problems += [
            f"extra_inputs: {name!r} is the file {str(place)!r}; name a folder, whose content "
            f"lands in {name}/"
            for name, place in self.extra_inputs.items()
            if isinstance(place, Path) and not place.is_dir()
        ]
        return problems

    def _inference_script_problems(self) -> list[str]:
        scripts = self.source_dir or self.processing_source_dir
        if scripts is None:
            return ["source_dir: None is given; name the folder of the inference scripts"]
        if self.source_dir is None and is_packager(scripts):
            return [
                f"source_dir: None is given, and processing_source_dir {str(scripts)!r} is a "
                "packager, since it has a __main__.py; name the folder of the inference scripts"
            ]
        if not scripts.is_dir():
            return [
                f"source_dir: {str(scripts)!r} is not a folder; name the folder of the "
                "inference scripts"
            ]
        if not (scripts / self.inference_entry_point).is_file():
            return [
                f"inference_entry_point: {self.inference_entry_point!r} is not in "
                f"{str(scripts)!r}; add the script or name another one"
            ]
        if pattern := contract.left_out_by(self.inference_entry_point, _packageignore(scripts)):
            where = "of every package" if pattern in contract.LEFT_OUT else "by .packageignore"
            return [
                f"inference_entry_point: {self.inference_entry_point!r} does not ship, since "
                f"{pattern!r} is left out {where}; name another script"
            ]
        return []

    def _packager_problems(self) -> list[str]:
        remedy = "set processing_source_dir to the folder of the packaging script"
        try:
            script = self.get_script_path()
        except FileNotFoundError as error:
            return [f"processing_source_dir: None is given, but {error}"]
        if script.is_file():
            return []
        if self.processing_source_dir is not None:
            return [f"processing_entry_point: {str(script)!r} is not a file; {remedy}"]
        return [
            f"processing_entry_point: {self.processing_entry_point!r} is neither in source_dir nor "
            f"in the library's own packager; {remedy}"
        ]

    def _name_problems(self) -> list[str]:
        problems = []
        taken = [*self.input_names.values(), *self.extra_inputs, contract.SDK_CODE_INPUT]
        for setting, names in (
            ("input_names", taken),
            ("output_names", [*self.get_output_names().values()]),
        ):
            problems += [
                f"{setting}: the name {name!r} is taken twice; write another one"
                for name in sorted({name for name in names if names.count(name) > 1})
            ]
        return problems

    def _job_problems(self) -> list[str]:
        problems = []
        if self.instance_preferences:
            types = {
                "processing_instance_type_large",
                "processing_instance_type_small",
                "use_large_processing_instance",
            }
            problems += [
                f"instance_preferences: {list(self.instance_preferences)} and {name} "
                f"{getattr(self, name)!r} are both given; write one of the two settings"
                for name in sorted(types & self.model_fields_set)
                if getattr(self, name) != type(self).model_fields[name].default
            ]
        if len(tags := self.get_tags()) > (most := service_model.limits("TagList")[1] or 0):
            problems.append(
                f"tags: {len(tags)} are given, with author, current_date and pipeline_version; "
                f"SageMaker takes at most {most}"
            )
        if bool(self.subnets) != bool(self.security_group_ids):
            given, missing = "subnets", "security_group_ids"
            if not self.subnets:
                given, missing = missing, given
            problems.append(
                f"{missing}: none is given, but {given} {list(getattr(self, given))} is; write "
                "both, or neither"
            )
        return problems

    @property
    def aws_region(self) -> str | None:
        """The AWS region of ``region``, such as ``us-east-1`` for ``NA``."""
        return REGION_ALIASES.get(self.region, self.region) if self.region else None

    def get_input_names(self) -> dict[str, str]:
        """Name of each input in the definition, by its name in this library."""
        return dict(self.input_names)

    def get_output_names(self) -> dict[str, str]:
        """Name of each output in the definition, by its name in this library."""
        # The predecessor's configurations do not name the report.
        return {contract.PACKAGE_REPORT_OUTPUT: contract.PACKAGE_REPORT_OUTPUT, **self.output_names}

    def get_instance_type(self, size: Literal["large", "small"] | None = None) -> str:
        """Instance type of the processing job.

        Args:
            size: ``large`` or ``small``. Default: what ``use_large_processing_instance`` says.

        Returns:
            Such as ``ml.m5.2xlarge``.

        Raises:
            ValueError: ``size`` is neither.
        """
        size = size or ("large" if self.use_large_processing_instance else "small")
        if size not in ("large", "small"):
            raise ValueError(f"size is {size!r}; write 'large' or 'small'")
        if size == "large":
            return self.processing_instance_type_large
        return self.processing_instance_type_small

    def get_inference_source_dir(self) -> Path:
        """Folder of the inference scripts: ``source_dir``, or else ``processing_source_dir``."""
        folder = self.source_dir or self.processing_source_dir
        assert folder is not None  # noqa: S101  # checked when the configuration was made
        return folder

    def get_effective_source_dir(self) -> Path:
        """Folder of the packaging script.

        ``processing_source_dir``, or else ``source_dir`` if it holds the script (so that nobody's
        own script is replaced silently), or else the library's own packager.
        """
        if self.processing_source_dir is not None:
            return self.processing_source_dir
        if self.source_dir and (self.source_dir / self.processing_entry_point).is_file():
            return self.source_dir
        return own_packager()

    def get_script_path(self) -> Path:
        """The packaging script."""
        return self.get_effective_source_dir() / self.processing_entry_point

    def get_packaging_source(self) -> Path:
        """What ships as the packager: a folder or one file.

        Returns:
            The folder of the packaging script if it has a ``__main__.py``: it ships as one zip,
            which Python runs as it is (``python -m zipapp`` makes one as well). Else the packaging
            script alone.
        """
        folder = self.get_effective_source_dir()
        return folder if is_packager(folder) else self.get_script_path()

    def get_tags(self) -> dict[str, str]:
        """Tags of the pipeline and its jobs: ``tags``, and who, when and which version."""
        told = {
            "author": self.author,
            "configuration-date": self.current_date and self.current_date.isoformat(),
            "pipeline-version": self.pipeline_version,
        }
        return {name: value for name, value in told.items() if value} | self.tags


def _packageignore(folder: Path) -> str:
    file = folder / ".packageignore"
    return file.read_text(errors="replace") if file.is_file() else ""
