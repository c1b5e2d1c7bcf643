"""The settings of one registration: which group, which container, what else the registry knows."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from model_packaging.step import contract
from model_packaging.step.service_model import value_problem
from model_packaging.step.settings.sagemaker_shapes import SageMakerShape
from model_packaging.step.settings.settings_group import SettingsGroup
from model_packaging.step.settings.tokens import LiteralText, has_token

_GROUP_ARN = re.compile(r"arn:[^:]+:sagemaker:[^:]+:[^:]+:model-package-group/(?P<name>[^/]+)")
_DEFAULT_INSTANCE_TYPE = "ml.m5.large"
_DEFAULT_CONTENT_TYPES = ("text/csv", "application/json")


def _group(value: str) -> str:
    given = _GROUP_ARN.fullmatch(value)
    name = given["name"] if given else value
    if has_token(name):
        raise ValueError(
            f"{value!r} tells the group's name at deployment only, and the pipeline's policy has "
            "to name it; write the name, such as 'churn', or stack.format_arn(service='sagemaker', "
            "resource='model-package-group', resource_name='churn') of a group that is there"
        )
    if value_problem("EntityName", name):
        raise ValueError(
            f"{value!r} is no model package group; write its name, up to 63 letters, digits and "
            "inner hyphens, such as 'churn', or "
            "'arn:aws:sagemaker:<region>:<account>:model-package-group/<name>'"
        )
    return value


class ModelRegistrationConfig(SettingsGroup):
    """Settings of the step that registers each package as a version of a model package group.

    Raises:
        InvalidConfigError: Every setting that can't work, together, each with what was given and
            what to write instead.
    """

    model_package_group: Annotated[str, AfterValidator(_group)] = Field(
        description="Name of the model package group, which is made, or the ARN of one that is "
        "there."
    )
    framework: LiteralText | None = Field(
        default=None,
        description="Framework of the inference image, as the SageMaker SDK names it, such as "
        "`sklearn`, `xgboost` or `pytorch`.",
    )
    framework_version: LiteralText | None = Field(
        default=None, description="Its version in the SDK's table, such as `1.2-1`."
    )
    python_version: LiteralText | None = Field(
        default=None,
        description="Python of the inference image, such as `py310`, where the table has several.",
    )
    image_uri: Annotated[str, SageMakerShape("ContainerImage")] | None = Field(
        default=None, description="The inference image itself, instead of the framework."
    )
    inference_instance_types: tuple[
        Annotated[str, SageMakerShape("ProductionVariantInstanceType")], ...
    ] = Field(
        default=(_DEFAULT_INSTANCE_TYPE,),
        min_length=1,
        description="Instance types that endpoints may run on. The first one chooses between the "
        "images for CPU and GPU.",
    )
    transform_instance_types: tuple[
        Annotated[str, SageMakerShape("TransformInstanceType")], ...
    ] = Field(
        default=(_DEFAULT_INSTANCE_TYPE,),
        description="Instance types that transform jobs may run on. Empty: none is named.",
    )
    content_types: tuple[Annotated[str, SageMakerShape("ContentType")], ...] = Field(
        default=_DEFAULT_CONTENT_TYPES,
        min_length=1,
        description="MIME types of requests that the inference script takes.",
    )
    response_types: tuple[Annotated[str, SageMakerShape("ResponseMIMEType")], ...] = Field(
        default=_DEFAULT_CONTENT_TYPES,
        min_length=1,
        description="MIME types of its answers.",
    )
    approval_status: Literal["PendingManualApproval", "Approved", "Rejected"] = Field(
        default="PendingManualApproval", description="Approval status of a new version."
    )
    description: Annotated[str, SageMakerShape("EntityDescription")] | None = Field(
        default=None, min_length=1, description="Description of each version."
    )
    environment: dict[
        Annotated[str, SageMakerShape("EnvironmentKey")],
        Annotated[str, SageMakerShape("EnvironmentValue")],
    ] = Field(
        default={},
        description="Environment variables of the inference container, beside those that name the "
        "inference script.",
    )
    customer_metadata: dict[
        Annotated[str, SageMakerShape("CustomerMetadataKey")],
        Annotated[str, SageMakerShape("CustomerMetadataValue")],
    ] = Field(
        default={},
        description="Metadata of each version, beside what the package report tells.",
    )

    @property
    def group_is_given(self) -> bool:
        """Whether the model package group is there already: its ARN was given."""
        return self.model_package_group.startswith("arn:")

    @property
    def group_name(self) -> str:
        """Name of the model package group."""
        return self.model_package_group.rpartition("/")[2]

    def problems(self) -> list[str]:
        """See :meth:`SettingsGroup.problems`."""
        return [*super().problems(), *self._image_problems(), *self._metadata_problems()]

    def _image_problems(self) -> list[str]:
        of_the_table = {
            "framework": self.framework,
            "framework_version": self.framework_version,
            "python_version": self.python_version,
        }
        given = [name for name, value in of_the_table.items() if value is not None]
        if self.image_uri is not None:
            return [
                f"{name}: {of_the_table[name]!r} is given, and so is image_uri, which is the whole "
                "image; leave one of them out"
                for name in given
            ]
        return [
            f"{name}: None is given, and the inference image is not known without it; write "
            f"{example!r} or whatever your model needs, or the image_uri"
            for name, example in (("framework", "sklearn"), ("framework_version", "1.2-1"))
            if name not in given
        ]

    def _metadata_problems(self) -> list[str]:
        most = 50 - len(contract.REGISTRY_VALUES)  # botocore's model: CustomerMetadataMap
        problems = [
            f"customer_metadata: {name!r} is what the package report tells; rename it"
            for name in self.customer_metadata
            if name in contract.REGISTRY_VALUES
        ]
        if len(self.customer_metadata) > most:
            problems.append(
                f"customer_metadata: {len(self.customer_metadata)} are given; the registry takes "
                f"at most {most} beside what the package report tells"
            )
        return problems
