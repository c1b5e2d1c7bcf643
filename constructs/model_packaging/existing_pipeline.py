"""A pipeline that is made elsewhere, as far as a trigger has to know it."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_cdk import Arn, ArnFormat, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker

if TYPE_CHECKING:
    from model_packaging.models.model_origin import ModelOrigin

_PIPELINE_ARN = re.compile(r"arn:[^:]+:sagemaker:[^:]+:\d{12}:pipeline/[^/:]+")


@dataclass(frozen=True)
class DeclaredParameters:
    """The parameters that a pipeline definition declares.

    Attributes:
        required: Names of those without a default.
        optional: Names of those with a default.
    """

    required: Collection[str]
    optional: Collection[str] = ()

    @classmethod
    def of(cls, pipeline: sagemaker.CfnPipeline) -> "DeclaredParameters":
        """Read them from a pipeline whose definition is inline."""
        definition = Stack.of(pipeline).resolve(pipeline.pipeline_definition)
        body = json.loads(_written(definition["PipelineDefinitionBody"]))
        parameters: list[Mapping[str, Any]] = body.get("Parameters", [])
        return cls(
            required=[item["Name"] for item in parameters if "DefaultValue" not in item],
            optional=[item["Name"] for item in parameters if "DefaultValue" in item],
        )

    def missing_from(self, values: Collection[str], pipeline_name: str) -> list[str]:
        """The names of those that a start must give, and that ``values`` doesn't.

        Raises:
            ValueError: A value is for a parameter that is not declared.
        """
        if unknown := sorted(set(values) - set(self.required) - set(self.optional)):
            raise ValueError(
                f"the pipeline {pipeline_name!r} declares no parameter {', '.join(unknown)}; it "
                f"declares {', '.join(sorted([*self.required, *self.optional])) or 'none'}"
            )
        return sorted(set(self.required) - set(values))


@dataclass(frozen=True)
class ExistingPipeline:
    """A pipeline that is made elsewhere and shall be started by events or by the clock.

    Attributes:
        pipeline_arn: Its ARN. May be a CDK token.
        model: The models that it packages. Its own role for jobs must be able to read them. None:
            it is started by other events.
        parameters: The parameters that its definition declares. Default: none.
        output_s3_uris: S3 prefixes that it writes to. An event that these could raise is refused.

    Raises:
        ValueError: The ARN is not that of a pipeline.
    """

    pipeline_arn: str
    model: "ModelOrigin | None" = None
    parameters: DeclaredParameters = DeclaredParameters(())
    output_s3_uris: Collection[str] = ()

    def __post_init__(self) -> None:
        arn = self.pipeline_arn
        if not Token.is_unresolved(arn) and not _PIPELINE_ARN.fullmatch(arn):
            raise ValueError(
                f"pipeline_arn {arn!r} is not the ARN of a SageMaker pipeline; write one such as "
                "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/churn"
            )

    @property
    def pipeline_name(self) -> str:
        """Its name."""
        name = Arn.split(self.pipeline_arn, ArnFormat.SLASH_RESOURCE_NAME).resource_name
        assert name is not None  # noqa: S101  # an ARN of this format has one
        return name

    def grant_start(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a principal start executions of this pipeline."""
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["sagemaker:StartPipelineExecution"],
            resource_arns=[self.pipeline_arn],
        )


def _written(value: Any) -> str:
    """A resolved value as CloudFormation will write it; ``x`` for what is not known yet."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(_written(part) for part in parts)
    return "x"
