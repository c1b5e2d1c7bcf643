"""The step half: the packaging step as the SageMaker SDK builds it. Knows nothing of the CDK."""

from model_packaging.step.builder_base import StepBuilderBase
from model_packaging.step.model_source import (
    ModelSource,
    ModelUriParameter,
    StaleModelWarning,
    UploadOrUriParameters,
    UploadParameters,
)
from model_packaging.step.packaging import MIMSPackagingStepBuilder
from model_packaging.step.request import InvalidRequestError
from model_packaging.step.sdk.definition import render_definition
from model_packaging.step.sdk.offline import offline, offline_session
from model_packaging.step.settings.invalid_config import InvalidConfigError
from model_packaging.step.settings.package_step_config import PackageStepConfig
from model_packaging.step.settings.retry_policy import RetryPolicy

__all__ = [
    "InvalidConfigError",
    "InvalidRequestError",
    "MIMSPackagingStepBuilder",
    "ModelSource",
    "ModelUriParameter",
    "PackageStepConfig",
    "RetryPolicy",
    "StaleModelWarning",
    "StepBuilderBase",
    "UploadOrUriParameters",
    "UploadParameters",
    "offline",
    "offline_session",
    "render_definition",
]
