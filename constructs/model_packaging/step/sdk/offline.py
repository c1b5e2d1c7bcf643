"""The SageMaker SDK without network, credentials or ambient settings.

The SDK is made for a notebook: importing and using it asks for a region, looks for credentials,
reads configuration files, counts usage over the network and logs. At synth, none of that may
happen, or the template would depend on the machine.
"""

import contextlib
import functools
import gc
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import boto3
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
            _environment(kept | _ENVIRONMENT),
            _uncollected(),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            import boto3
            from sagemaker.core import _studio
            from sagemaker.core.config.config_manager import SageMakerConfig

            with (
                # Importing the SDK and building a step make sessions beside the one below. One
                # that boto3 keeps as its default would outlive this context.
                _replaced(boto3, "Session", _frugal_session()),
                _replaced(boto3, "DEFAULT_SESSION", None),
                # The session has validated its settings. The SDK would do it again at each of
                # the twenty look-ups of a step, which takes seconds.
                _replaced(
                    SageMakerConfig, "validate_sagemaker_config", staticmethod(lambda *_: None)
                ),
                # In a folder of a Studio project, the SDK adds the project's tags.
                _replaced(_studio, "_find_config", lambda *_: None),
            ):
                yield
    finally:
        logging.disable(threshold)


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Let the process see these variables and no others."""
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(values)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage: what an import makes stays, and looking takes a fifth of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Let an attribute of a module or class have another value; it must be there."""
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


class _OnDemand:
    """Stands for a client of boto3's until something of it is asked for.

    boto3 reads a service's whole model to make a client, and the SDK makes eleven, of which
    rendering uses none.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = functools.cache(make)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copying and pickling ask for these
            raise AttributeError(name)
        # Offline, since a client takes the credentials of the environment that it is made in.
        with offline():
            made = self._make()
        return getattr(made, name)


@functools.cache
def _frugal_session() -> "type[boto3.Session]":
    import boto3

    class FrugalSession(boto3.Session):  # type: ignore[misc]  # boto3 has no types
        """A boto3 session that makes a client when something of it is asked for."""

        def client(self, *args: Any, **options: Any) -> Any:
            return _OnDemand(functools.partial(super().client, *args, **options))

        def resource(self, *args: Any, **options: Any) -> Any:
            return _OnDemand(functools.partial(super().resource, *args, **options))

    return FrugalSession


@functools.cache
def offline_session() -> "PipelineSession":
    """The session for every SDK object of a definition that is rendered offline.

    Steps that you add to a pipeline yourself must be made with it as well.

    Returns:
        A ``PipelineSession`` whose clients have no credentials: a call to AWS fails.
    """
    with offline():
        from sagemaker.core.workflow.pipeline_context import PipelineSession

        return PipelineSession(
            boto_session=_frugal_session()(region_name=PLACEHOLDER_REGION),
            sagemaker_config=_SDK_SETTINGS,
        )
