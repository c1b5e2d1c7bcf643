"""The SageMaker SDK without network, credentials or ambient settings.

The SDK is made for a notebook: importing and using it asks for a region, looks for credentials,
reads configuration files, counts usage over the network and logs. At synth, none of that may
happen, or the template would depend on the machine.
"""

import contextlib
import functools
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from unittest import mock

if TYPE_CHECKING:
    from sagemaker.core.workflow.pipeline_context import PipelineSession

# The region reaches no definition: the SDK's clients cannot be constructed without one.
PLACEHOLDER_REGION: Final = "us-east-1"

# What the process keeps of its environment while the SDK runs: nothing that the SDK or boto3
# reads. Both know too many variables to name those that must go. Without TZ, the process would
# stay in another time zone: the C library remembers what it read.
_KEPT: Final = frozenset({"LANG", "LC_ALL", "PATH", "PYTHONHASHSEED", "TMPDIR", "TZ"})
_ENVIRONMENT: Final = {
    "AWS_DEFAULT_REGION": PLACEHOLDER_REGION,  # import sagemaker.mlops raises NoRegionError
    "AWS_EC2_METADATA_DISABLED": "true",  # ProcessingStep asks 169.254.169.254 for credentials
    "HOME": os.devnull,  # ProcessingStep reads the user's settings of the SDK and of boto3
    "SAGEMAKER_VALIDATE_ROLE": "false",  # ModelTrainer simulates the role's policy through IAM
    "XDG_CONFIG_DIRS": os.devnull,  # where the SDK looks for the machine's settings
}
# Given instead of the SDK's configuration files, which it would look for below HOME and /etc.
_SDK_SETTINGS: Final = {
    "SchemaVersion": "1.0",
    "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}},
}

_LOCK: Final = threading.RLock()


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Import and use the SDK inside this context, or in a function it decorates.

    The process's environment and log levels are set while it lasts and restored after it.
    """
    # The process has one environment: a second thread waits until the first has restored it.
    with _LOCK, _offline():
        yield


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    kept = {name: value for name, value in os.environ.items() if name in _KEPT}
    # Its modules reset the level of their own loggers, so the threshold is set for all of them.
    threshold = logging.root.manager.disable
    logging.disable(max(logging.WARNING, threshold))
    try:
        with (
            mock.patch.dict(os.environ, kept | _ENVIRONMENT, clear=True),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            from sagemaker.core import _studio
            from sagemaker.core.config.config_manager import SageMakerConfig

            with (
                # The session has validated its settings. The SDK would do it again at each of
                # the twenty look-ups of a step, which takes seconds.
                mock.patch.object(SageMakerConfig, "validate_sagemaker_config"),
                # In a folder of a Studio project, the SDK adds the project's tags.
                mock.patch.object(_studio, "_find_config", return_value=None),
            ):
                yield
    finally:
        logging.disable(threshold)


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
