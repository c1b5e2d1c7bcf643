"""The scikit-learn container of every region, read from the SDK's own table."""

import functools
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from model_packaging.step.sdk.offline import offline
from model_packaging.step.service_model import closest

FRAMEWORK: Final = "sklearn"
# Python 3.7 inside; mims_package.py needs 3.8.
_TOO_OLD: Final = frozenset({"0.20.0", "0.23-1"})


@functools.cache
def _versions() -> dict[str, Any]:
    # The file, not image_uris.config_for_framework, which reads the same one: importing the SDK
    # takes seconds, and the table is needed even where nothing is rendered.
    package = importlib.util.find_spec("sagemaker")
    assert package is not None  # noqa: S101  # a dependency
    for place in package.submodule_search_locations or ():
        file = Path(place) / "core" / "image_uri_config" / f"{FRAMEWORK}.json"
        if file.is_file():
            # The "inference" scope is the one that processing jobs use, as in SDK v2.
            versions: dict[str, Any] = json.loads(file.read_text())["inference"]["versions"]
            return versions
    raise FileNotFoundError(f"the SageMaker SDK has no table of {FRAMEWORK} containers")


def framework_versions() -> tuple[str, ...]:
    """Every version that the packaging script runs in, such as ``1.2-1``."""
    return tuple(sorted(set(_versions()) - _TOO_OLD))


def require_version(framework_version: str) -> None:
    """Check that the packaging script runs in a version of the container.

    Raises:
        ValueError: The SDK has no such version, or its Python is too old.
    """
    supported = framework_versions()
    if framework_version in _TOO_OLD:
        raise ValueError(
            f"{framework_version!r} has Python 3.7, and mims_package.py needs 3.8 or later; write "
            f"one of {', '.join(supported)}"
        )
    if framework_version not in supported:
        raise ValueError(
            f"{framework_version!r} is not in the SDK's table; write one of {', '.join(supported)}"
        )


def require_region(region: str, *, aliases: Sequence[str] = ()) -> None:
    """Check that the container is published in a region, in any version.

    Args:
        region: Such as ``eu-west-1``.
        aliases: Other names that the caller accepts, for the message.

    Raises:
        ValueError: It is not; names the region that was probably meant.
    """
    known = sorted({name for version in _versions().values() for name in version["registries"]})
    if region not in known:
        near = closest(region, known)
        hint = (
            f"did you mean {near!r}?" if near else f"write one of {', '.join([*aliases, *known])}"
        )
        raise ValueError(f"{region!r} has no scikit-learn container of SageMaker's; {hint}")


def image_accounts(framework_version: str) -> dict[str, str]:
    """AWS account of the container's registry, by region.

    Args:
        framework_version: Such as ``1.2-1``.

    Returns:
        Such as ``{"us-east-1": "683313688378", …}``, sorted by region.

    Raises:
        ValueError: The SDK has no such version, or its Python is too old.
    """
    require_version(framework_version)
    registries: dict[str, str] = _versions()[framework_version]["registries"]
    return dict(sorted(registries.items()))


def image_repository(framework_version: str) -> str:
    """Name of the container's repository, the same in every region.

    Raises:
        ValueError: The SDK has no such version, or its Python is too old.
    """
    require_version(framework_version)
    repository: str = _versions()[framework_version]["repository"]
    return repository


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
