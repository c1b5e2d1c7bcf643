"""What steps of one's own are built with."""

from typing import TYPE_CHECKING, TypeVar

from model_packaging.definition_bridge import DefinitionBridge
from model_packaging.step import offline_session

if TYPE_CHECKING:
    from sagemaker.core.workflow.pipeline_context import PipelineSession

_T = TypeVar("_T")


class StepContext:
    """What steps of one's own need so that they render offline and with deploy-time values.

    Args:
        bridge: Hides deploy-time values from the SDK.
        kept: Whether what is rendered is kept, and used again without these steps being built.
    """

    def __init__(self, bridge: DefinitionBridge, *, kept: bool = False) -> None:
        self._bridge = bridge
        self._kept = kept

    @property
    def session(self) -> "PipelineSession":
        """The session for every SDK object: it has no credentials and opens no connection."""
        return offline_session()

    def hide(self, value: _T) -> _T:
        """Make a value that may contain CDK tokens fit for the SDK.

        Args:
            value: A text, or texts in a list, tuple or dictionary. Anything else is returned as
                it is.

        Raises:
            ValueError: The value has a token, but the definition is to be kept.
        """
        hidden = self._bridge.hide(value)
        self._refuse_if_kept(hidden != value, value)
        return hidden

    def hide_role(self, role_arn: str) -> str:
        """Make a role's ARN fit for the SDK.

        Raises:
            ValueError: The ARN has a token, but the definition is to be kept.
        """
        hidden = self._bridge.hide_role(role_arn)
        self._refuse_if_kept(hidden != role_arn, role_arn)
        return hidden

    def _refuse_if_kept(self, was_hidden: bool, value: object) -> None:
        if was_hidden and self._kept:
            raise ValueError(
                f"{value!r} is known at deployment only, but rendered_from promises that the "
                "definition can be kept and used again without asking; let rendered_from be None"
            )
