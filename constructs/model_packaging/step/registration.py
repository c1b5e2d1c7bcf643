"""The registration step: it makes each package a version in the SageMaker Model Registry."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from model_packaging.step import contract
from model_packaging.step.builder_base import StepBuilderBase
from model_packaging.step.packaged_model import PackagedModel
from model_packaging.step.sdk.inference_image import InferenceImage
from model_packaging.step.sdk.offline import offline
from model_packaging.step.settings.model_registration_config import ModelRegistrationConfig

if TYPE_CHECKING:
    from sagemaker.mlops.workflow.retry import StepRetryPolicy
    from sagemaker.mlops.workflow.steps import Step

    from model_packaging.step.sdk.registration_step import RegistrationStep


class ModelRegistrationStepBuilder(StepBuilderBase[ModelRegistrationConfig]):
    """Builds the step that registers a package.

    RegisterModel takes no role of its own: the pipeline's role registers. It has no cache, and
    registers in the pipeline's own region.

    Args:
        config: The step's settings.
        region: Region whose inference image is registered, for a framework.
        image_uri: The inference image, where its region is known at deployment only.
        hide: Makes a setting fit for the SDK that holds what is known at deployment only: the CDK
            half's ``DefinitionBridge.hide``. Default: settings are given to the SDK as they are.
    """

    CONFIG = ModelRegistrationConfig

    def __init__(
        self,
        config: ModelRegistrationConfig,
        *,
        region: str | None = None,
        image_uri: str | None = None,
        hide: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        super().__init__(config)
        self.region = region
        self.image_uri = hide(image_uri or config.image_uri)
        self._hide = hide

    @property
    def rendered_from(self) -> dict[str, Any]:
        """All that the step depends on besides its package, as JSON."""
        return {
            "values": self._hide(self.config.model_dump(mode="json")),
            "region": self.region,
            "image_uri": self.image_uri,
            "step": self._get_step_name("Register"),
        }

    def validate_configuration(self) -> None:
        """Check what the step needs beyond a valid configuration.

        Raises:
            ValueError: The configuration was changed into one that can't work, or neither the
                image nor the region that it is published in is known.
        """
        self.CONFIG.model_validate(self.config.model_dump(warnings=False))
        if self.image_uri is None and self.region is None:
            raise ValueError(
                "region: None is given, and the inference image differs by region; pass the region "
                "or the image_uri to the builder, or write image_uri in the configuration"
            )

    def create_step(
        self,
        model_artifacts_input_source: PackagedModel,
        dependencies: "Sequence[Step | str] | None" = None,
    ) -> "RegistrationStep":
        """Build the step.

        Args:
            model_artifacts_input_source: The package: ``builder.packaged_model(step)`` of the
                packaging step's builder.
            dependencies: Steps, or their names, that must have succeeded before.

        Returns:
            A step of the SDK, ready for a ``Pipeline``.

        Raises:
            ValueError: What :meth:`validate_configuration` raises, or the SDK's tables have no
                such image.
        """
        self.validate_configuration()
        package = model_artifacts_input_source
        with offline():
            from model_packaging.step.sdk.registration_step import RegistrationStep

            return RegistrationStep(
                self._get_step_name("Register"),
                self._request(package),
                depends_on=dependencies,
                retry_policies=self._get_retry_policies(),
            )

    @staticmethod
    def _get_retry_policies() -> "list[StepRetryPolicy]":
        from sagemaker.mlops.workflow.retry import StepExceptionTypeEnum, StepRetryPolicy

        # As the packaging step: its other two policies are of jobs, and this is none.
        faults = [StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING]
        return [StepRetryPolicy(exception_types=faults, interval_seconds=5, max_attempts=5)]

    def _request(self, package: PackagedModel) -> dict[str, Any]:
        config, hide = self.config, self._hide
        environment = {**_program(package.inference_entry_point), **hide(config.environment)}
        container = _without_empty(
            Image=self.image_uri or self._image(),
            ModelDataUrl=package.uri,
            Environment=environment,
        )
        return _without_empty(
            ModelPackageGroupName=hide(config.model_package_group),
            ModelPackageDescription=hide(config.description),
            InferenceSpecification=_without_empty(
                Containers=[container],
                SupportedContentTypes=list(config.content_types),
                SupportedResponseMIMETypes=list(config.response_types),
                SupportedRealtimeInferenceInstanceTypes=list(config.inference_instance_types),
                SupportedTransformInstanceTypes=list(config.transform_instance_types),
            ),
            ModelApprovalStatus=config.approval_status,
            SkipModelValidation="None",
            CustomerMetadataProperties={
                **_told_by_the_report(package),
                **hide(config.customer_metadata),
            },
        )

    def _image(self) -> str:
        assert self.region is not None  # noqa: S101  # validate_configuration has seen to it
        return inference_image(self.config).uri(self.region)


def inference_image(config: ModelRegistrationConfig) -> InferenceImage:
    """What chooses the inference image of a configuration that names no image.

    Raises:
        ValueError: It names one.
    """
    framework, version = config.framework, config.framework_version
    if framework is None or version is None:
        raise ValueError(
            "image_uri: is given, so that no framework chooses the image; use it as it is"
        )
    return InferenceImage(
        framework, version, config.python_version, config.inference_instance_types[0]
    )


def _without_empty(**members: Any) -> dict[str, Any]:
    # Not by truth: an expression of the SDK has none.
    return {name: value for name, value in members.items() if value not in (None, [], {})}


def _program(inference_entry_point: str | None) -> Mapping[str, str]:
    """The variables by which AWS's containers find the script in the package."""
    if inference_entry_point is None:
        return {}
    path = PurePosixPath(inference_entry_point)
    # The containers import it: a script in a folder is a module of a package.
    program = path.name if len(path.parts) == 1 else ".".join(path.with_suffix("").parts)
    return {
        "SAGEMAKER_PROGRAM": program,
        "SAGEMAKER_SUBMIT_DIRECTORY": contract.HOSTED_CODE_DIR,
    }


def _told_by_the_report(package: PackagedModel) -> dict[str, Any]:
    return {
        name: package.report(f"{contract.REPORT_REGISTRY}.{name}")
        for name in contract.REGISTRY_VALUES
    }
