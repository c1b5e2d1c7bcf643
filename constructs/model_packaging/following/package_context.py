"""What steps behind the packaging step are built with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model_packaging.definition_bridge import DefinitionBridge
from model_packaging.models.step_context import StepContext
from model_packaging.step import PackagedModel

if TYPE_CHECKING:
    from sagemaker.mlops.workflow.steps import ProcessingStep


class PackageContext(StepContext):
    """What steps behind the packaging step need, and what they may refer to.

    Args:
        bridge: Hides deploy-time values from the SDK.
        package: The package.
        steps: The steps that were built behind the packaging step before these.
        kept: Whether what is rendered is kept, and used again without these steps being built.

    Attributes:
        package: The package: its ``uri``, its ``folder_uri`` and its ``report``.
        steps: The steps behind the packaging step that were built before these, in their order.
    """

    def __init__(
        self,
        bridge: DefinitionBridge,
        package: PackagedModel,
        steps: Sequence[Any] = (),
        *,
        kept: bool = False,
    ) -> None:
        super().__init__(bridge, kept=kept)
        self.package = package
        self.steps = tuple(steps)
        # What rendered_from has hidden is hidden also where nothing is rendered.
        self._known = bridge.hidden

    @property
    def packaging_step(self) -> "ProcessingStep":
        """The packaging step, with its ``properties``."""
        return self.package.step

    def _refuse_if_kept(self, was_hidden: bool, value: object) -> None:
        super()._refuse_if_kept(was_hidden and self._bridge.hidden != self._known, value)
