"""Registration: each package becomes a version in the SageMaker Model Registry."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Aws, CfnMapping, RemovalPolicy, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct, IDependable

from model_packaging.definition_bridge import DefinitionBridge
from model_packaging.following.following_steps import BoundSteps
from model_packaging.following.package_context import PackageContext
from model_packaging.rendering_store import rendering_store
from model_packaging.roles import PackagingRoles
from model_packaging.step import (
    InvalidConfigError,
    ModelRegistrationConfig,
    ModelRegistrationStepBuilder,
)
from model_packaging.step.registration import inference_image


class ModelRegistration(Construct):
    """Registers each package as a version of a model package group: a kind of ``FollowingSteps``.

    Makes the group, unless its ARN is given. Lets the pipeline register in this group and in no
    other. A version is registered when all steps that stand before this one have succeeded; it
    tells the model's source and ETag, the SHA-256 of package and model, and the packager's version,
    as the package report has them.

    An execution that repeats another registers the same package once more, since the step has no
    cache: the metadata of both versions is the same.

    Args:
        config: Settings of the registration. May contain CDK tokens.
        removal_policy: What becomes of a group that is made here when the stack is deleted.
            Default: it stays. SageMaker deletes no group that has versions: with ``DESTROY``,
            delete the versions first.

    Attributes:
        group: The group that is made, or none.
        group_name: Name of the group.
        group_arn: Its ARN.

    Raises:
        InvalidConfigError: The group is in another region than the stack, or the SDK's tables have
            no such inference image.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: ModelRegistrationConfig,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, construct_id)
        self._config = config
        self.group_name = config.group_name
        self.group = None if config.group_is_given else self._build_group(removal_policy)
        self.group_arn = self._find_group_arn()
        self._image_uri = config.image_uri or self._find_image()

    @property
    def package_readers(self) -> Sequence[iam.IGrantable]:
        """None: what is registered is read when it is hosted, by the role of its host."""
        return ()

    @property
    def registers_package(self) -> bool:
        """It does."""
        return True

    @property
    def dependencies(self) -> Sequence[IDependable]:
        """The group, if it is made here."""
        return [self.group] if self.group else []

    def allow(self, roles: PackagingRoles) -> None:
        """Let the pipeline register versions of the group."""
        roles.grants.register_models(roles.pipeline_role, self.group_arn)
        if self.group is not None:
            roles.grants.ask_for_group(roles.pipeline_role, self.group_arn)

    def rendered_from(self, bridge: DefinitionBridge) -> Any:
        """All that the step depends on besides the package, as JSON."""
        return self._builder(bridge).rendered_from

    def bind(self, context: PackageContext) -> BoundSteps:
        """The registration step, behind all steps that were built before it."""
        builder = self._builder(context)
        return BoundSteps((builder.create_step(context.package, context.steps),))

    def _builder(self, hiding: DefinitionBridge | PackageContext) -> ModelRegistrationStepBuilder:
        return ModelRegistrationStepBuilder(
            self._config, image_uri=self._image_uri, hide=hiding.hide
        )

    def _build_group(self, removal_policy: RemovalPolicy) -> sagemaker.CfnModelPackageGroup:
        group = sagemaker.CfnModelPackageGroup(
            self,
            "Group",
            model_package_group_name=self.group_name,
            model_package_group_description="Packages of models with their inference scripts.",
        )
        group.apply_removal_policy(removal_policy)
        return group

    def _find_group_arn(self) -> str:
        stack, given = Stack.of(self), self._config.model_package_group
        if not self._config.group_is_given:
            return stack.format_arn(
                service="sagemaker", resource="model-package-group", resource_name=self.group_name
            )
        region = given.split(":")[3]
        if region != stack.region and not Token.is_unresolved([region, stack.region]):
            problem = (
                f"model_package_group: {given!r} is in {region!r}, and a pipeline registers in its "
                f"own region, {stack.region!r}; give a group there, or its name to make one"
            )
            raise InvalidConfigError([problem], what=type(self._config).__name__)
        return given

    def _find_image(self) -> str:
        image, store = inference_image(self._config), rendering_store(self)
        region = Stack.of(self).region
        if not Token.is_unresolved(region):
            return str(
                store.get(
                    {"inference image": image.as_json(), "region": region},
                    lambda: image.uri(region),
                )
            )
        known = store.get(
            {"inference image": image.as_json()},
            lambda: {"accounts": image.accounts(), "image": image.uri("us-east-1")},
        )
        mapping = CfnMapping(
            self,
            "InferenceRegistry",
            mapping={name: {"account": account} for name, account in known["accounts"].items()},
        )
        account = mapping.find_in_map(Aws.REGION, "account")
        # Repository and tag are the same in every region.
        name = known["image"].partition("/")[2]
        return f"{account}.dkr.ecr.{Aws.REGION}.{Aws.URL_SUFFIX}/{name}"
