"""Inference images of every region, from the SDK's own tables."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from model_packaging.step.sdk.offline import offline
from model_packaging.step.service_model import closest
from model_packaging.step.settings.invalid_config import InvalidConfigError


@dataclass(frozen=True)
class InferenceImage:
    """What chooses an inference image.

    Attributes:
        framework: As the SDK names it, such as ``sklearn``.
        version: Its version in the SDK's table, such as ``1.2-1``.
        python_version: Such as ``py310``, where the table has several.
        instance_type: Chooses between the images for CPU and for GPU.
    """

    framework: str
    version: str
    python_version: str | None = None
    instance_type: str = "ml.m5.large"

    def as_json(self) -> dict[str, Any]:
        """All that the image depends on, as JSON."""
        return asdict(self)

    @offline()
    def uri(self, region: str) -> str:
        """The image in one region.

        Raises:
            InvalidConfigError: The SDK's tables have no such framework, version or region.
        """
        from sagemaker.core import image_uris

        known = image_uris.list_frameworks()
        if self.framework not in known:
            near = closest(self.framework, known)
            hint = f"did you mean {near!r}?" if near else "write one that it has"
            raise _fault(
                f"framework: {self.framework!r} is none of the SDK's {len(known)}; {hint}, or the "
                "image_uri"
            )
        try:
            found: str = image_uris.retrieve(
                self.framework,
                region,
                version=self.version,
                py_version=self.python_version,
                instance_type=self.instance_type,
                image_scope="inference",
            )
        except (ValueError, KeyError, TypeError) as error:
            # Of some frameworks, such as huggingface, these settings choose no image.
            raise _fault(
                f"framework: {self.framework!r} in the version {self.version!r} has no inference "
                f"image in {region!r}: {error}; write what the SDK's table has, or the image_uri"
            ) from None
        return found

    @offline()
    def accounts(self) -> dict[str, str]:
        """AWS account of the image's registry, by region.

        Returns:
            Such as ``{"us-east-1": "683313688378", …}``, sorted by region.

        Raises:
            InvalidConfigError: The SDK's tables have no such framework or version.
        """
        from sagemaker.core import image_uris

        account, _, name = self.uri("us-east-1").partition(".")
        table = image_uris.config_for_framework(self.framework)
        versions = table.get("inference", table)
        version = versions.get("version_aliases", {}).get(self.version, self.version)
        found = versions.get("versions", {}).get(version, {})
        registries: dict[str, str] = found.get("registries", {})
        is_its_own = registries.get("us-east-1") == account
        if is_its_own and name.partition("/")[2].startswith(f"{found.get('repository')}:"):
            return dict(sorted(registries.items()))
        # Of some processors, the table has registries of their own: one region after the other.
        accounts = {}
        for region in sorted(set(_regions(table))):
            try:
                accounts[region] = self.uri(region).partition(".")[0]
            except InvalidConfigError:
                continue  # in the table for another version
        return accounts


def _fault(problem: str) -> InvalidConfigError:
    return InvalidConfigError([problem], what="ModelRegistrationConfig")


def _regions(table: Any) -> Iterator[str]:
    """The regions anywhere in a framework's table."""
    if isinstance(table, dict):
        yield from table.get("registries", ())
        for item in table.values():
            yield from _regions(item)
