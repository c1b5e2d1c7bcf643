"""What every kind of model answers about itself, so that nobody has to ask which kind it is."""

from abc import abstractmethod
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
        """Whoever binds in a way of its own is not rendered from what another is."""
        super().__init_subclass__(**kwargs)
        binds, answers = (
            next(place for place, base in enumerate(cls.__mro__) if name in vars(base))
            for name in ("bind", "rendered_from")
        )
        if binds < answers:
            cls.rendered_from = ModelOrigin.rendered_from  # type: ignore[method-assign]

    @property
    @abstractmethod
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

        A version that you change together with the code of ``bind`` belongs to it.

        Default: None. What the answer depends on is then not known, and every synth renders anew.
        """
        return None

    @abstractmethod
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

    def __str__(self) -> str:
        return f"{type(self).__name__} of models below {self.models.prefix}"

    @property
    @abstractmethod
    def event_pattern(self) -> dict[str, Any]:
        """The event pattern of the rule."""

    @property
    @abstractmethod
    def parameter_paths(self) -> dict[str, str]:
        """Value for each pipeline parameter: one whole path into the event, or a constant."""

    @property
    @abstractmethod
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

    @abstractmethod
    def matches_below(self, s3_prefix: str) -> bool:
        """Whether an object written below an S3 prefix could raise the event: a loop."""

    @abstractmethod
    def repeats(self, other: "ModelEvent") -> bool:
        """Whether one model could raise both this event and another."""
