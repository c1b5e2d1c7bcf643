"""What every step builder shares: names that AWS accepts, and the role and session."""

import hashlib
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from model_packaging.step import contract
from model_packaging.step.sdk.offline import offline_session
from model_packaging.step.settings.package_step_config import PackageStepConfig
from model_packaging.step.settings.settings_group import SettingsGroup

if TYPE_CHECKING:
    from sagemaker.core.workflow.pipeline_context import PipelineSession

_Config = TypeVar("_Config", bound=SettingsGroup)


class StepBuilderBase(ABC, Generic[_Config]):
    """Builds one SageMaker pipeline step from its configuration.

    Args:
        config: The step's settings.
        sagemaker_session: Session of the SDK objects. Default: the offline session.
        role: ARN of the role that the step's job assumes.
        notebook_root: Folder that relative paths of the configuration start from. Default: the
            working directory, which they also start from where they lead nowhere from here.

    Raises:
        ValueError: The configuration is of another kind.
    """

    STEP_NAMES: ClassVar[Mapping[str, str]] = {
        "Package": contract.PACKAGING_STEP,
        "Register": contract.REGISTRATION_STEP,
    }
    CONFIG: ClassVar[type[SettingsGroup]] = PackageStepConfig

    def __init__(
        self,
        config: _Config,
        sagemaker_session: "PipelineSession | None" = None,
        role: str | None = None,
        notebook_root: Path | str | None = None,
    ) -> None:
        if not isinstance(config, self.CONFIG):
            kind = self.CONFIG.__name__
            raise ValueError(
                f"config: {type(config).__name__} is given; write {kind}(…), or "
                f"{kind}.model_validate_json(text) for a saved one"
            )
        self.config = config
        self.role = role
        self.notebook_root = Path(notebook_root or "")
        self._session = sagemaker_session

    @property
    def session(self) -> "PipelineSession":
        """Session of the SDK objects."""
        return self._session or offline_session()

    @abstractmethod
    def validate_configuration(self) -> None:
        """Check what the builder needs of its configuration.

        Raises:
            ValueError: What is missing or can't work.
        """

    @abstractmethod
    def create_step(
        self, model_artifacts_input_source: Any, dependencies: list[Any] | None = None
    ) -> Any:
        """Build the step."""

    def _local(self, path: Path) -> Path:
        """A path of the configuration, from ``notebook_root`` on."""
        below = self.notebook_root / path
        return below if below.exists() else path

    def _get_step_name(self, step: str) -> str:
        """Name of a step in the definition: ``Package`` gives ``PackagingStep``.

        Raises:
            ValueError: The step has no name here.
        """
        try:
            return self.STEP_NAMES[step]
        except KeyError:
            known = ", ".join(sorted(self.STEP_NAMES))
            raise ValueError(f"{step!r} is not a step of this library; it has: {known}") from None

    @staticmethod
    def _sanitize_name_for_sagemaker(name: str, max_length: int = 63) -> str:
        """A SageMaker name (``[a-zA-Z0-9](-*[a-zA-Z0-9])*``) as close to ``name`` as it gets.

        Args:
            name: Any text.
            max_length: Most characters of the result, 1 or more.

        Returns:
            1 to ``max_length`` ASCII letters, digits and single inner hyphens. A text without a
            single usable character gives a short name derived from its digest.

        Raises:
            ValueError: ``max_length`` is less than 1.
        """
        if max_length < 1:
            raise ValueError(f"max_length is {max_length}; a SageMaker name has 1 or more")
        ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        usable = re.sub(r"[^a-zA-Z0-9]+", "-", ascii_name).strip("-")
        if not usable:
            digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
            usable = f"x{digest[:8]}"
        return usable[:max_length].rstrip("-")
