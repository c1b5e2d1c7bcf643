"""What starts a pipeline: an event, and what of it fills the pipeline's parameters."""

from typing import Any, Protocol


class StartingEvent(Protocol):
    """A kind of event that a rule starts a pipeline for; every ``ModelEvent`` is one."""

    @property
    def event_pattern(self) -> dict[str, Any]:
        """The event pattern of the rule."""

    @property
    def parameter_paths(self) -> dict[str, str]:
        """Value for each pipeline parameter: one whole path into the event, or a constant."""

    def matches_below(self, s3_prefix: str) -> bool:
        """Whether an object written below an S3 prefix could raise the event: a loop."""

    def repeats(self, other: Any) -> bool:
        """Whether one occasion could raise both this event and another."""
