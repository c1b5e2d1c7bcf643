"""Models that arrive either way: uploaded, or made by a training job."""

from dataclasses import dataclass, field, replace

from model_packaging.models.model_objects import ModelObjects
from model_packaging.models.model_origin import ModelEvent, ModelOrigin
from model_packaging.models.model_upload import ModelUpload
from model_packaging.models.starts import refuse_repetition
from model_packaging.models.step_context import StepContext
from model_packaging.models.training_job import TrainingJobCompleted
from model_packaging.step import ModelSource, UploadOrUriParameters


@dataclass(frozen=True)
class UploadOrTrainingJob(ModelOrigin):
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

    @property
    def rendered_from(self) -> str:
        """The names of the parameters, and what their ETag is."""
        return f"{self.parameters!r} {self.uploads.knows_md5}"

    def bind(self, context: StepContext) -> ModelSource:
        """What the packaging step reads."""
        return self.parameters.model_source(etag_is_md5=self.uploads.knows_md5)
