"""Models that arrive either way: uploaded, or made by a training job."""

from dataclasses import dataclass, field, replace

from model_packaging.models.model_event import ModelEvent, ModelObjects
from model_packaging.models.model_upload import ModelUpload
from model_packaging.models.training_job import TrainingJobCompleted
from model_packaging.step import ModelSource, UploadOrUriParameters


@dataclass(frozen=True)
class UploadOrTrainingJob:
    """Uploads and training jobs that start one and the same pipeline.

    Attributes:
        uploads: The uploads that count.
        training_jobs: The training jobs that count.
        parameters: Names of the pipeline parameters that both fill, instead of their own.

    Raises:
        ValueError: The model of a training job would be an upload too, so that the pipeline would
            start twice for it.
    """

    uploads: ModelUpload
    training_jobs: TrainingJobCompleted
    parameters: UploadOrUriParameters = field(default_factory=UploadOrUriParameters)

    def __post_init__(self) -> None:
        refuse_repetition(self.uploads, self.training_jobs)

    @property
    def events(self) -> tuple[ModelEvent, ...]:
        """The events, each of which needs a rule of its own."""
        return (
            replace(self.uploads, parameters=self.parameters),
            replace(self.training_jobs, parameters=self.parameters),
        )

    @property
    def reads(self) -> tuple[ModelObjects, ...]:
        """All that the job's role must be able to read."""
        return self.uploads.models, self.training_jobs.models

    def model_source(self) -> ModelSource:
        """What the packaging step reads."""
        return self.parameters.model_source()

    def matches_below(self, s3_prefix: str) -> bool:
        """Whether an object written below an S3 prefix could raise one of the events.

        Args:
            s3_prefix: Such as ``s3://bucket/packaged``.
        """
        return any(event.matches_below(s3_prefix) for event in self.events)


def refuse_repetition(one: ModelEvent, other: ModelEvent) -> None:
    """Make sure that no model raises both of two events that start one pipeline.

    Raises:
        ValueError: One may.
    """
    if one.repeats(other):
        raise ValueError(
            f"{one} and {other} overlap in one bucket: the pipeline would start twice for the same "
            "model; keep one of the two, or choose prefixes of which neither begins with the other"
        )
