"""What every kind of model answers about itself, so that nobody has to ask which kind it is."""

from typing import Any, Protocol

from model_packaging.models.model_objects import ModelObjects
from model_packaging.models.step_context import StepContext
from model_packaging.step import ModelSource


class ModelOrigin(Protocol):
    """Where the models of one pipeline come from.

    A kind of your own needs no more than this: derive from the protocol, and write what has no
    default here.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Whoever binds in a way of its own is not rendered from what its base is."""
        super().__init_subclass__(**kwargs)
        if "bind" in cls.__dict__ and "rendered_from" not in cls.__dict__:
            cls.rendered_from = ModelOrigin.rendered_from  # type: ignore[method-assign]

    @property
    def reads(self) -> tuple[ModelObjects, ...]:
        """All that the packaging job must be able to read."""

    @property
    def events(self) -> tuple["ModelEvent", ...]:
        """The events that announce a model, each of which needs a rule of its own. Default: none.

        Without one, the pipeline is started by whoever wants a new package.
        """
        return ()

    @property
    def rendered_from(self) -> Any:
        """All that :meth:`bind` makes its answer of, as JSON: rendered once, it can be kept.

        Default: None. What the answer depends on is then not known, and every synth renders anew.
        """
        return None

    def bind(self, context: StepContext) -> ModelSource:
        """Join the pipeline: the parameters that it declares, the steps that come first, the URI.

        Called once, offline: the SageMaker SDK may be imported here.

        Args:
            context: The session for steps, and the way to pass them deploy-time values.

        Returns:
            What the packaging step reads, as the definition expresses it.
        """


class ModelEvent(ModelOrigin, Protocol):
    """A kind of event that announces a model.

    One object owns the event pattern, the pipeline parameters, the values that fill them and the
    model source expression, so that the event and the definition can't disagree.
    """

    @property
    def event_pattern(self) -> dict[str, Any]:
        """The event pattern of the rule."""

    @property
    def parameter_paths(self) -> dict[str, str]:
        """Value for each pipeline parameter: one whole path into the event, or a constant."""

    @property
    def models(self) -> ModelObjects:
        """The models that it announces."""

    @property
    def reads(self) -> tuple[ModelObjects, ...]:
        """All that the packaging job must be able to read: the models."""
        return (self.models,)

    @property
    def events(self) -> tuple["ModelEvent", ...]:
        """The events that announce a model: this one."""
        return (self,)

    def matches_below(self, s3_prefix: str) -> bool:
        """Whether an object written below an S3 prefix could raise the event: a loop."""

    def repeats(self, other: "ModelEvent") -> bool:
        """Whether one model could raise both this event and another."""
