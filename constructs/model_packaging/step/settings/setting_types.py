"""Types of the settings: one rule each, with a message that says what to write instead."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import core_schema

from model_packaging.step import service_model
from model_packaging.step.s3_location import S3Location

# An unresolved CDK token: its value is known at deployment, so no rule can be applied to it.
_CDK_TOKEN = re.compile(r"\$\{Token\[[^\]]+\]\}")
# Stands in for a token while the text around it is checked; legal in every part of a name or URI.
_SAMPLE: Final = "token"

# "Bucket naming rules" in the Amazon S3 User Guide.
_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_RESERVED_PREFIXES: Final = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
# "IAM policy elements: Variables and tags".
_POLICY_SPECIAL = re.compile(r"[*?]|\$\{")
# ExpireAfter is an ISO 8601 duration ("Caching pipeline steps").
_ISO_8601_DURATION = re.compile(
    r"P(?=\d|T\d)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?"
)
_SHORTHAND_DURATION = re.compile(r"(\d+)\s*([dhmsw])[a-z]*", re.IGNORECASE)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESERVED_TAG = re.compile(r"aws:", re.IGNORECASE)
# One folder at the archive's root.
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def has_token(value: object) -> bool:
    """Whether a part of a text is known at deployment only."""
    return isinstance(value, str) and _CDK_TOKEN.search(value) is not None


def bucket_problem(bucket: str) -> str | None:
    """What S3 does not allow about a bucket's name, or none."""
    if not _BUCKET.fullmatch(bucket):
        return "a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens"
    if found := next((text for text in _RESERVED_PREFIXES if bucket.startswith(text)), None):
        return f"S3 keeps names that begin with {found!r} for itself"
    if found := next((text for text in _RESERVED_SUFFIXES if bucket.endswith(text)), None):
        return f"S3 keeps names that end with {found!r} for itself"
    return None


def s3_uri(value: str) -> str:
    """Check an S3 URI.

    Raises:
        ValueError: It is none, or S3 or the job's policy could not work with it.
    """
    if not value:
        raise ValueError("is required; write s3://<bucket>/<prefix>, or set bucket")
    if _CDK_TOKEN.fullmatch(value):
        raise ValueError(
            f"{value!r} is known at deployment only, as a whole; write 's3://' and then the bucket "
            "and the key, each of which may be"
        )
    sample = _CDK_TOKEN.sub(_SAMPLE, value)
    try:
        location = S3Location.parse(sample)
    except ValueError:
        raise ValueError(f"{value!r} is not an S3 URI; write s3://<bucket>/<prefix>") from None
    if problem := bucket_problem(location.bucket):
        raise ValueError(
            f"{value!r} names the bucket {location.bucket!r}, which S3 does not allow; {problem}"
        )
    if found := _POLICY_SPECIAL.search(sample):
        raise ValueError(
            f"{value!r} contains {found.group()!r}, which has a meaning in the job's policy; "
            "choose a prefix without it"
        )
    if len(location.key.encode()) > 1024:
        raise ValueError(f"{value!r} has a key of more than 1024 bytes, S3's limit; shorten it")
    return value


def _prefix(value: str) -> str:
    return s3_uri(value).rstrip("/")


def _bucket(value: str) -> str:
    if problem := bucket_problem(_CDK_TOKEN.sub(_SAMPLE, value)):
        raise ValueError(f"{value!r} is not a name that S3 allows; {problem}")
    return value


def _relative_path(value: str) -> str:
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts or path == PurePosixPath("."):
        raise ValueError(
            f"{value!r} is not a relative path; write one without '..', such as 'inference.py'"
        )
    return str(path)


def _tag_key(value: str) -> str:
    if _RESERVED_TAG.match(value):
        raise ValueError(f"{value!r} begins with 'aws:', which AWS keeps for itself; rename it")
    return value


def _literal(value: Any) -> Any:
    if has_token(value):
        raise ValueError(
            f"{value!r} is known at deployment only, but is needed before; write the value itself"
        )
    return value


def _version(value: str) -> str:
    if not _VERSION.fullmatch(_CDK_TOKEN.sub(_SAMPLE, value)):
        raise ValueError(
            f"{value!r} can't be part of an S3 key and a tag; write up to 64 letters, digits, "
            "dots, hyphens and underscores, such as '1.2.0'"
        )
    return value


def _iso_8601_duration(value: str) -> str:
    if _ISO_8601_DURATION.fullmatch(value) and re.search("[1-9]", value):
        return value
    hint = "write an ISO 8601 duration such as 'P30D' (30 days) or 'PT12H' (12 hours)"
    if shorthand := _SHORTHAND_DURATION.fullmatch(value):
        count, unit = shorthand.groups()
        hint = f"write {'P' if unit in 'dDwW' else 'PT'}{count}{unit.upper()}"
    raise ValueError(f"{value!r} is not a duration that SageMaker understands; {hint}")


def _location(value: str | Path) -> str | Path:
    if isinstance(value, str) and (value.startswith("s3:") or has_token(value)):
        return s3_uri(value)
    path = Path(value)
    if not path.exists():
        raise ValueError(f"{str(value)!r} does not exist; name an S3 URI, or a file or folder here")
    return path


def extra_input_name(name: str) -> str:
    """Check the name of an extra input: it becomes a folder beside ``code/``.

    Raises:
        ValueError: It is not the name of one folder, or it is taken.
    """
    if not _FOLDER.fullmatch(name):
        raise ValueError(
            f"{name!r} can't be a folder of the package; write letters, digits, dots, hyphens and "
            "underscores, a letter or digit first"
        )
    if name == "code":
        raise ValueError("'code' is the folder of the inference scripts; choose another name")
    return name


@dataclass(frozen=True)
class SageMakerShape:
    """Annotation of a text, number or collection that a shape of SageMaker's API describes.

    Attributes:
        name: Name of the shape, such as ``ProcessingInstanceType``.
    """

    name: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Check after the type itself."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Add what JSON Schema can say of the shape."""
        rendered = handler(schema)
        if known := service_model.choices(self.name):
            return {**rendered, "enum": list(known)}
        kind = rendered.get("type")
        least, most = {
            "string": ("minLength", "maxLength"),
            "array": ("minItems", "maxItems"),
            "object": ("minProperties", "maxProperties"),
        }.get(str(kind), ("minimum", "maximum"))
        bounds = zip((least, most), service_model.limits(self.name), strict=True)
        # A collection that is left empty is left out of the request.
        return {
            **rendered,
            **{name: bound for name, bound in bounds if bound and name != "minItems"},
        }

    def _check(self, value: Any) -> Any:
        if isinstance(value, str):
            if "#{Token[" in value:
                raise ValueError(
                    f"{value!r} is a list that is known at deployment only; write its elements, "
                    "Fn.select(0, …) for each"
                )
            if has_token(value) and service_model.choices(self.name):
                return value
            if problem := service_model.value_problem(self.name, _CDK_TOKEN.sub(_SAMPLE, value)):
                raise ValueError(f"{value!r} {problem}")
            return value
        least, most = service_model.limits(self.name)
        if isinstance(value, int):
            if (least is not None and value < least) or (most is not None and value > most):
                raise ValueError(f"{value} is out of range; write a number from {least} to {most}")
        elif most is not None and len(value) > most:
            raise ValueError(f"{len(value)} are given; SageMaker takes at most {most}")
        return value


def _no_duplicates(values: Sequence[str]) -> Sequence[str]:
    if doubled := sorted({value for value in values if values.count(value) > 1}):
        raise ValueError(f"{doubled[0]!r} is given twice; write it once")
    return values


S3Uri = Annotated[str, AfterValidator(_prefix)]
BucketName = Annotated[str, AfterValidator(_bucket)]
RelativePath = Annotated[str, BeforeValidator(_literal), AfterValidator(_relative_path)]
Version = Annotated[str, AfterValidator(_version)]
Iso8601Duration = Annotated[str, BeforeValidator(_literal), AfterValidator(_iso_8601_duration)]
LiteralText = Annotated[str, BeforeValidator(_literal)]
Name = Annotated[str, Field(min_length=1)]
Location = Annotated[str | Path, AfterValidator(_location)]
InstanceType = Annotated[str, SageMakerShape("ProcessingInstanceType")]
InstancePreferences = Annotated[
    tuple[InstanceType, ...],
    SageMakerShape("ProcessingInstancePreferenceList"),
    AfterValidator(_no_duplicates),
]
KmsKey = Annotated[str, Field(min_length=1), SageMakerShape("KmsKeyId")]
Subnets = Annotated[
    tuple[Annotated[str, SageMakerShape("SubnetId")], ...],
    SageMakerShape("Subnets"),
    AfterValidator(_no_duplicates),
]
SecurityGroups = Annotated[
    tuple[Annotated[str, SageMakerShape("SecurityGroupId")], ...],
    SageMakerShape("VpcSecurityGroupIds"),
    AfterValidator(_no_duplicates),
]
TagValue = Annotated[str, SageMakerShape("TagValue")]
Tags = Annotated[
    dict[
        Annotated[str, SageMakerShape("TagKey"), AfterValidator(_tag_key)],
        TagValue,
    ],
    SageMakerShape("TagList"),
]
Environment = Annotated[
    dict[
        Annotated[str, SageMakerShape("ProcessingEnvironmentKey")],
        Annotated[str, SageMakerShape("ProcessingEnvironmentValue")],
    ],
    SageMakerShape("ProcessingEnvironmentMap"),
]
