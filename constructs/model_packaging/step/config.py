"""The settings of one packaging step."""

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from model_packaging.step import contract

# An unresolved CDK token: its value is known at deployment, so no rule can be applied to it.
_CDK_TOKEN = re.compile(r"\$\{Token\[[^\]]+\]\}")
# Stands in for a token while the text around it is checked; legal in every part of an S3 URI.
_SAMPLE = "token"

# "Bucket naming rules" in the Amazon S3 User Guide.
_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
# "IAM policy elements: Variables and tags".
_POLICY_SPECIAL = re.compile(r"[*?]|\$\{")
# ExpireAfter is an ISO 8601 duration ("Caching pipeline steps").
_ISO_8601_DURATION = re.compile(
    r"P(?=\d|T\d)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?"
)
# The SDK adds the packaging script as an input of this name.
_SDK_CODE_INPUT = "code"
_SHORTHAND_DURATION = re.compile(r"(\d+)\s*([dhm])", re.IGNORECASE)


def _s3_uri(value: str) -> str:
    sample = _CDK_TOKEN.sub(_SAMPLE, value)
    scheme, separator, rest = sample.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not separator:
        raise ValueError(f"{value!r} is not an S3 URI; write s3://<bucket>/<prefix>")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(
            f"{value!r} names the bucket {bucket!r}, which S3 does not allow; a bucket name has "
            "3 to 63 lower-case letters, digits, dots and hyphens"
        )
    if found := _POLICY_SPECIAL.search(sample):
        raise ValueError(
            f"{value!r} contains {found.group()!r}, which has a meaning in the job's policy; "
            "choose a prefix without it"
        )
    if len(key.encode()) > 1024:
        raise ValueError(f"{value!r} has a key of more than 1024 bytes, S3's limit; shorten it")
    return value.rstrip("/")


def _relative_path(value: str) -> str:
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts or path == PurePosixPath("."):
        raise ValueError(f"{value!r} must be a relative path without '..', such as 'inference.py'")
    return str(path)


def _iso_8601_duration(value: str) -> str:
    if _ISO_8601_DURATION.fullmatch(value):
        return value
    hint = "write an ISO 8601 duration such as 'P30D' (30 days) or 'PT12H' (12 hours)"
    if shorthand := _SHORTHAND_DURATION.fullmatch(value):
        count, unit = shorthand.groups()
        hint = f"write {'P' if unit in 'dD' else 'PT'}{count}{unit.upper()}"
    raise ValueError(f"{value!r} is not a duration that SageMaker understands; {hint}")


def _known_names(*known: str) -> AfterValidator:
    def check(names: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(names) - set(known)):
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(known)}")
        taken = [*names.values(), _SDK_CODE_INPUT]
        if doubled := sorted({name for name in taken if taken.count(name) > 1}):
            raise ValueError(f"the name {doubled[0]!r} is taken twice; write another one")
        return names

    return AfterValidator(check)


S3Uri = Annotated[str, AfterValidator(_s3_uri)]
RelativePath = Annotated[str, AfterValidator(_relative_path)]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$|\$\{Token\[")]
Iso8601Duration = Annotated[str, AfterValidator(_iso_8601_duration)]


class PackageStepConfig(BaseModel):
    """Settings of the packaging step: which scripts ship, where the package goes, what runs it.

    Raises:
        pydantic.ValidationError: Every setting that can't work, together, each with what was
            given and what to write instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline_name: str = Field(
        pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}$",
        description="Name of the SageMaker pipeline. Up to 256 letters, digits and hyphens.",
    )
    pipeline_description: str | None = Field(
        default=None, max_length=3072, description="Description shown beside the pipeline."
    )
    pipeline_s3_loc: S3Uri = Field(
        description="S3 prefix below which every execution writes its package."
    )
    source_dir: Path = Field(description="Folder of the inference scripts that ship in code/.")
    inference_entry_point: RelativePath = Field(
        default="inference.py",
        description="Script in source_dir that the hosting container starts with.",
    )
    processing_source_dir: Path | None = Field(
        default=None, description="Folder of the packaging script. Default: source_dir."
    )
    processing_entry_point: RelativePath = Field(
        default="mims_package.py", description="The packaging script, in processing_source_dir."
    )
    processing_script_arguments: tuple[str, ...] = Field(
        default=(), description="Further arguments for the packaging script."
    )
    processing_instance_count: int = Field(
        default=1, ge=1, le=10, description="Instances of the processing job."
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
    processing_framework_version: str = Field(
        default="1.2-1", description="Version of SageMaker's scikit-learn container."
    )
    input_names: Annotated[
        dict[str, str], _known_names(contract.MODEL_INPUT, contract.INFERENCE_SCRIPTS_INPUT)
    ] = Field(
        default={
            contract.MODEL_INPUT: contract.MODEL_INPUT,
            contract.INFERENCE_SCRIPTS_INPUT: contract.INFERENCE_SCRIPTS_INPUT,
        },
        description="Name of each input in the definition.",
    )
    output_names: Annotated[dict[str, str], _known_names(contract.PACKAGED_MODEL_OUTPUT)] = Field(
        default={contract.PACKAGED_MODEL_OUTPUT: contract.PACKAGED_MODEL_OUTPUT},
        description="Name of each output in the definition.",
    )
    enable_caching_package_step: bool = Field(
        default=True,
        description="Whether SageMaker may reuse the result of an equal earlier execution.",
    )
    cache_expires_after: Iso8601Duration = Field(
        default="P30D", description="How old a reused result may be. An ISO 8601 duration."
    )
    output_per_execution: bool = Field(
        default=True,
        description="Whether each execution writes below its own id. Without it, executions "
        "overwrite one another.",
    )

    @model_validator(mode="after")
    def _scripts_are_there(self) -> "PackageStepConfig":
        if not self.source_dir.is_dir():
            raise ValueError(
                f"source_dir: {str(self.source_dir)!r} is not a folder; name the folder of the "
                "inference scripts"
            )
        if not (self.source_dir / self.inference_entry_point).is_file():
            raise ValueError(
                f"inference_entry_point: {self.inference_entry_point!r} is not in "
                f"{str(self.source_dir)!r}; add the script or name another one"
            )
        if not self.get_script_path().is_file():
            raise ValueError(
                f"processing_entry_point: {str(self.get_script_path())!r} is not a file; "
                "set processing_source_dir to the folder of the packaging script"
            )
        return self

    def get_input_names(self) -> dict[str, str]:
        """Name of each input in the definition, by its name in this library."""
        return dict(self.input_names)

    def get_output_names(self) -> dict[str, str]:
        """Name of each output in the definition, by its name in this library."""
        return dict(self.output_names)

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

    def get_effective_source_dir(self) -> Path:
        """Folder of the packaging script."""
        return self.processing_source_dir or self.source_dir

    def get_script_path(self) -> Path:
        """The packaging script."""
        return self.get_effective_source_dir() / self.processing_entry_point
