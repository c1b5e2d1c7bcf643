"""The scikit-learn container of every region, read from the SDK's own table."""

import functools
from typing import Any, Final

from model_packaging.step.offline import offline

FRAMEWORK: Final = "sklearn"
# Python 3.7 inside; mims_package.py needs 3.8.
_TOO_OLD: Final = {"0.20.0", "0.23-1"}


@functools.cache
def _versions() -> dict[str, Any]:
    with offline():
        from sagemaker.core import image_uris

        # The table's "inference" scope is the one that processing jobs use, as in SDK v2.
        table = image_uris.config_for_framework(FRAMEWORK)["inference"]
    versions: dict[str, Any] = table["versions"]
    return versions


def _version(framework_version: str) -> dict[str, Any]:
    supported = sorted(set(_versions()) - _TOO_OLD)
    if framework_version in _TOO_OLD:
        raise ValueError(
            f"processing_framework_version: {framework_version!r} has Python 3.7, and "
            f"mims_package.py needs 3.8 or later; write one of {', '.join(supported)}"
        )
    if framework_version not in supported:
        raise ValueError(
            f"processing_framework_version: {framework_version!r} is not in the SDK's table; "
            f"write one of {', '.join(supported)}"
        )
    version: dict[str, Any] = _versions()[framework_version]
    return version


def image_accounts(framework_version: str) -> dict[str, str]:
    """AWS account of the container's registry, by region.

    Args:
        framework_version: Such as ``1.2-1``.

    Returns:
        Such as ``{"us-east-1": "683313688378", …}``, sorted by region.

    Raises:
        ValueError: The SDK has no such version, or its Python is too old.
    """
    registries: dict[str, str] = _version(framework_version)["registries"]
    return dict(sorted(registries.items()))


def image_repository(framework_version: str) -> str:
    """Name of the container's repository, the same in every region.

    Raises:
        ValueError: The SDK has no such version, or its Python is too old.
    """
    repository: str = _version(framework_version)["repository"]
    return repository


def image_tag(framework_version: str) -> str:
    """Tag of the container, the same in every region, such as ``1.2-1-cpu-py3``.

    Raises:
        ValueError: The SDK has no such version, or its Python is too old.
    """
    return image_uri(framework_version, next(iter(image_accounts(framework_version)))).partition(
        f"{image_repository(framework_version)}:"
    )[2]


def image_uri(framework_version: str, region: str) -> str:
    """The container's URI in one region, as the SDK resolves it.

    Raises:
        ValueError: The SDK has no such version or region, or its Python is too old.
    """
    if region not in image_accounts(framework_version):
        raise ValueError(
            f"region: SageMaker's scikit-learn container is not published in {region!r}; deploy "
            f"to one of {', '.join(image_accounts(framework_version))}"
        )
    with offline():
        from sagemaker.core import image_uris

        uri: str = image_uris.retrieve(
            FRAMEWORK,
            region,
            version=framework_version,
            py_version="py3",
            # Any type with the CPU does: it selects the processor, not the instance.
            instance_type="ml.m5.xlarge",
        )
    return uri
