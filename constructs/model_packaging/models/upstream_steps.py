"""A model that earlier steps of the same pipeline make."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Token
from aws_cdk import aws_s3 as s3

from model_packaging.models.model_objects import ModelObjects, check_filter
from model_packaging.models.model_origin import ModelOrigin
from model_packaging.models.step_context import StepContext
from model_packaging.step import ModelSource, offline


@dataclass(frozen=True)
class UpstreamModel(ModelOrigin):
    """A model that steps before the packaging step make, such as a training step.

    The pipeline's role may run the jobs of training and processing steps and pass the roles that
    they name. What steps of other types need, grant to ``roles.pipeline_role`` of the pipeline.

    Attributes:
        build: Called once, offline, with the :class:`StepContext`. Imports the SDK, builds the
            steps, and returns them together with the model's S3 URI, such as
            ``train.properties.ModelArtifacts.S3ModelArtifacts``. What else they make for the
            package is a third value: S3 URIs by the folder of the package that they land in, such
            as ``{"calibration": calibrate.properties…}``.
        bucket: Bucket that the steps write the model to.
        prefix: Beginning of the keys that they write, such as ``training/``.
        parameters: SDK pipeline parameters that the steps use, by a function for the same reason.

    Raises:
        ValueError: The prefix is empty, or has a character that a policy reads otherwise.
    """

    build: Callable[
        [StepContext],
        tuple[Sequence[Any], Any] | tuple[Sequence[Any], Any, Mapping[str, Any]],
    ]
    bucket: s3.IBucket
    prefix: str
    parameters: Callable[[], Sequence[Any]] = tuple

    def __post_init__(self) -> None:
        check_filter("prefix", self.prefix, "the job could read every object of the bucket")

    @property
    def reads(self) -> tuple[ModelObjects, ...]:
        """All that the job's role must be able to read."""
        return (ModelObjects(self.bucket, self.prefix),)

    def bind(self, context: StepContext) -> ModelSource:
        """What the packaging step reads, and the steps that make it."""
        with offline():
            built = self.build(context)
            if not isinstance(built, tuple) or len(built) not in (2, 3):
                raise ValueError(
                    f"build returned {type(built).__name__}; return the steps and the model's S3 "
                    "URI, such as [train], train.properties.ModelArtifacts.S3ModelArtifacts"
                )
            steps, uri, *extras = built
            extra_inputs = dict(extras[0]) if extras else {}
            if any(
                isinstance(made, str) and Token.is_unresolved(made)
                for made in (uri, *extra_inputs.values())
            ):
                raise ValueError(
                    "build returned a URI with a CDK token, which the SDK can't read; pass it "
                    "through context.hide"
                )
            return ModelSource(
                uri=uri,
                parameters=tuple(self.parameters()),
                steps=tuple(steps),
                extra_inputs=extra_inputs,
            )
