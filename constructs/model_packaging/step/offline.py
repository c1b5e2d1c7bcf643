"""The SageMaker SDK without network, credentials or ambient settings.

The SDK is made for a notebook: importing and using it asks for a region, looks for credentials,
reads configuration files, counts usage over the network and logs. At synth, none of that may
happen, or the template would depend on the machine.
"""

import contextlib
import functools
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

if TYPE_CHECKING:
    from sagemaker.core.workflow.pipeline_context import PipelineSession

# The region reaches no definition: the SDK's clients cannot be constructed without one.
PLACEHOLDER_REGION: Final = "us-east-1"

# SDK attribute -> what it would do at synth without the setting:
_ENVIRONMENT: Final[dict[str, str | None]] = {
    "AWS_DEFAULT_REGION": PLACEHOLDER_REGION,  # import sagemaker.mlops raises NoRegionError
    "AWS_REGION": PLACEHOLDER_REGION,
    "AWS_EC2_METADATA_DISABLED": "true",  # ProcessingStep asks 169.254.169.254 for credentials
    "AWS_CONFIG_FILE": os.devnull,  # a user's own region, endpoint or broken file
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_PROFILE": None,  # boto3 raises ProfileNotFound where the profile is missing
    "AWS_DEFAULT_PROFILE": None,
    "AWS_ENDPOINT_URL": None,
    "SAGEMAKER_VALIDATE_ROLE": "false",  # ModelTrainer simulates the role's policy through IAM
}
# Given instead of the SDK's configuration files, which it would look for below HOME and /etc.
_SDK_SETTINGS: Final = {
    "SchemaVersion": "1.0",
    "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}},
}


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Import and use the SDK inside this context, or in a function it decorates.

    The process's environment and log levels are set while it lasts and restored after it.
    """
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    settings = sys.modules.get("sagemaker.core.config.config_manager")
    # Its modules reset the level of their own loggers, so the threshold is set for all of them.
    threshold = logging.root.manager.disable
    _set_environment(_ENVIRONMENT)
    logging.disable(max(logging.WARNING, threshold))
    try:
        with warnings.catch_warnings(), _validated_once(settings):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(threshold)
        _set_environment(before)


@contextlib.contextmanager
def _validated_once(settings: Any) -> Iterator[None]:
    # The session has validated its settings. The SDK would do it again at each of the twenty
    # look-ups that a step makes, against a schema that it also validates: seconds for every synth.
    if settings is None:
        yield
        return
    with mock.patch.object(settings.SageMakerConfig, "validate_sagemaker_config"):
        yield


def _set_environment(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@functools.cache
def offline_session() -> "PipelineSession":
    """The session for every SDK object of a definition that is rendered offline.

    Steps that you add to a pipeline yourself must be made with it as well.

    Returns:
        A ``PipelineSession`` whose clients have no credentials: a call to AWS fails.
    """
    with offline():
        import boto3
        from sagemaker.core.workflow.pipeline_context import PipelineSession

        return PipelineSession(
            boto_session=boto3.Session(region_name=PLACEHOLDER_REGION),
            sagemaker_config=_SDK_SETTINGS,
        )
