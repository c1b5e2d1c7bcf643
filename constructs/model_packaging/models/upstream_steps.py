"""A model that earlier steps of the same pipeline make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from aws_cdk import Token
from aws_cdk import aws_s3 as s3

from model_packaging.definition_bridge import DefinitionBridge
from model_packaging.models.model_event import ModelEvent, ModelObjects, check_filter
from model_packaging.step import ModelSource, offline, offline_session

if TYPE_CHECKING:
    from sagemaker.core.workflow.pipeline_context import PipelineSession

_T = TypeVar("_T")


class StepContext:
    """What steps of one's own need so that they render offline and with deploy-time values."""

    def __init__(self, bridge: DefinitionBridge) -> None:
        self._bridge = bridge

    @property
    def session(self) -> "PipelineSession":
        """The session for every SDK object: it has no credentials and opens no connection."""
        return offline_session()

    def hide(self, value: _T) -> _T:
        """Make a value that may contain CDK tokens fit for the SDK.

        Args:
            value: A text, or texts in a list, tuple or dictionary. Anything else is returned as
                it is.
        """
        return self._bridge.hide(value)

    def hide_role(self, role_arn: str) -> str:
        """Make a role's ARN fit for the SDK."""
        return self._bridge.hide_role(role_arn)


@dataclass(frozen=True)
class UpstreamModel:
    """A model that steps before the packaging step make, such as a training step.

    The pipeline's role may run the jobs of training and processing steps and pass the roles that
    they name. What steps of other types need, grant to ``roles.pipeline_role`` of the pipeline.

    Attributes:
        build: Called once, offline, with the :class:`StepContext`. Imports the SDK, builds the
            steps, and returns them together with the model's S3 URI, such as
            ``train.properties.ModelArtifacts.S3ModelArtifacts``.
        bucket: Bucket that the steps write the model to.
        prefix: Beginning of the keys that they write, such as ``training/``.
        parameters: SDK pipeline parameters that the steps use, by a function for the same reason.

    Raises:
        ValueError: The prefix is empty, or has a character that a policy reads otherwise.
    """

    build: Callable[[StepContext], tuple[Sequence[Any], Any]]
    bucket: s3.IBucket
    prefix: str
    parameters: Callable[[], Sequence[Any]] = tuple

    def __post_init__(self) -> None:
        check_filter("prefix", self.prefix, "the job could read every object of the bucket")

    @property
    def reads(self) -> tuple[ModelObjects, ...]:
        """All that the job's role must be able to read."""
        return (ModelObjects(self.bucket, self.prefix),)

    @property
    def events(self) -> tuple[ModelEvent, ...]:
        """None: the pipeline is started by whoever wants a new model."""
        return ()

    def matches_below(self, s3_prefix: str) -> bool:
        """No object starts the pipeline, wherever it is written."""
        return False

    def model_source(self, context: StepContext) -> ModelSource:
        """What the packaging step reads, and the steps that make it."""
        with offline():
            built = self.build(context)
            if not isinstance(built, tuple) or len(built) != 2:
                raise ValueError(
                    f"build returned {type(built).__name__}; return the steps and the model's S3 "
                    "URI, such as [train], train.properties.ModelArtifacts.S3ModelArtifacts"
                )
            steps, uri = built
            if isinstance(uri, str) and Token.is_unresolved(uri):
                raise ValueError(
                    "build returned a URI with a CDK token, which the SDK can't read; pass it "
                    "through context.hide"
                )
            return ModelSource(uri=uri, parameters=tuple(self.parameters()), steps=tuple(steps))
