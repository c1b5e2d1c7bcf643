"""What a shape of SageMaker's API describes: instance types, keys, subnets, tags."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from model_packaging.step import service_model
from model_packaging.step.settings.expressions import OrExpression
from model_packaging.step.settings.tokens import CDK_TOKEN, SAMPLE, has_token

_RESERVED_TAG = re.compile(r"aws:", re.IGNORECASE)


def _tag_key(value: str) -> str:
    if _RESERVED_TAG.match(value):
        raise ValueError(f"{value!r} begins with 'aws:', which AWS keeps for itself; rename it")
    return value


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
            if problem := service_model.value_problem(self.name, CDK_TOKEN.sub(SAMPLE, value)):
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
    texts = [value for value in values if isinstance(value, str)]
    if doubled := sorted({value for value in texts if texts.count(value) > 1}):
        raise ValueError(f"{doubled[0]!r} is given twice; write it once")
    return values


InstanceType = Annotated[str, SageMakerShape("ProcessingInstanceType")]

InstancePreferences = Annotated[
    tuple[InstanceType, ...],
    SageMakerShape("ProcessingInstancePreferenceList"),
    AfterValidator(_no_duplicates),
]

KmsKey = Annotated[str, Field(min_length=1), SageMakerShape("KmsKeyId"), OrExpression("String")]

Argument = Annotated[str, SageMakerShape("ContainerArgument"), OrExpression("String")]

Subnets = Annotated[
    tuple[Annotated[str, SageMakerShape("SubnetId"), OrExpression("String")], ...],
    SageMakerShape("Subnets"),
    AfterValidator(_no_duplicates),
]

SecurityGroups = Annotated[
    tuple[Annotated[str, SageMakerShape("SecurityGroupId"), OrExpression("String")], ...],
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
        Annotated[str, SageMakerShape("ProcessingEnvironmentValue"), OrExpression("String")],
    ],
    SageMakerShape("ProcessingEnvironmentMap"),
]
