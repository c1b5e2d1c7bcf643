"""A model that a training job has made: what the trigger waits for and what the step reads."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from aws_cdk import Token
from aws_cdk import aws_s3 as s3

from model_packaging.models.model_objects import ModelObjects, check_filter, overlap
from model_packaging.models.model_origin import ModelEvent
from model_packaging.models.step_context import StepContext
from model_packaging.step import ModelSource, ModelUriParameter, UploadOrUriParameters

# API reference of CreateTrainingJob: TrainingJobName. Here the beginning of one.
_JOB_NAME_PREFIX = re.compile(r"(?=.{1,63}$)[a-zA-Z0-9](-*[a-zA-Z0-9])*-*")

# "Amazon S3 paths": <S3OutputPath>/<job name>/output/model.tar.gz
MODEL_SUFFIX: Final = "/output/model.tar.gz"


def check_job_name_prefix(name: str) -> None:
    """Check that names of training jobs can begin so.

    Raises:
        ValueError: None can.
    """
    if not Token.is_unresolved(name) and not _JOB_NAME_PREFIX.fullmatch(name):
        raise ValueError(
            f"{name!r} is not the beginning of a training job's name; write 1 to 63 letters, "
            "digits and hyphens, the first not a hyphen"
        )


@dataclass(frozen=True)
class TrainingJobCompleted(ModelEvent):
    """Training jobs that complete and whose model lies below a prefix of a bucket.

    A job whose model lies elsewhere, where the packaging job may not read, does not match. A
    model's URI holds its training job's name, which no two jobs of an account share: so the step
    cache never takes one model for another, unless a job is deleted and its name given again.

    Jobs that pipelines start are called ``pipelines-<execution>-<step>-<random>``.

    Attributes:
        bucket: Bucket that the jobs write their models to.
        prefix: Beginning of the models' keys: what stands in the jobs' ``S3OutputPath`` after the
            bucket, such as ``training/``.
        job_name_prefix: Beginning of the jobs' names, such as ``churn-``.
        parameters: Name of the pipeline parameter.

    Raises:
        ValueError: The prefix has a character that a policy reads otherwise, or no training job's
            name begins with the job name prefix.
    """

    bucket: s3.IBucket
    prefix: str
    job_name_prefix: str
    parameters: ModelUriParameter | UploadOrUriParameters = field(default_factory=ModelUriParameter)

    def __post_init__(self) -> None:
        check_filter("prefix", self.prefix, "the job could read the whole bucket")
        try:
            check_job_name_prefix(self.job_name_prefix)
        except ValueError as error:
            raise ValueError(f"job_name_prefix {error}") from None

    def __str__(self) -> str:
        return f"training jobs {self.job_name_prefix}* with models below {self.prefix}"

    @property
    def event_pattern(self) -> dict[str, Any]:
        """The pattern of "SageMaker training job state change"."""
        return {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Training Job State Change"],
            "detail": {
                "TrainingJobName": [{"prefix": self.job_name_prefix}],
                "TrainingJobStatus": ["Completed"],
                "ModelArtifacts": {
                    "S3ModelArtifacts": [
                        {"prefix": f"s3://{self.bucket.bucket_name}/{self.prefix}"}
                    ]
                },
            },
        }

    @property
    def parameter_paths(self) -> dict[str, str]:
        """Path into the event for the pipeline parameter: one whole URI."""
        return self.parameters.uri_values("$.detail.ModelArtifacts.S3ModelArtifacts")

    @property
    def models(self) -> ModelObjects:
        """The models that it announces."""
        return ModelObjects(self.bucket, self.prefix, MODEL_SUFFIX)

    @property
    def rendered_from(self) -> str:
        """The names of the parameters."""
        return repr(self.parameters)

    def bind(self, context: StepContext) -> ModelSource:
        """What the packaging step reads."""
        return self.parameters.model_source()

    def matches_below(self, s3_prefix: str) -> bool:
        """Never: a package that is written is no training job.

        Args:
            s3_prefix: Such as ``s3://bucket/packaged``.
        """
        return False

    def repeats(self, other: ModelEvent) -> bool:
        """Whether one model could raise both this event and another."""
        if isinstance(other, TrainingJobCompleted) and not overlap(
            self.job_name_prefix, other.job_name_prefix
        ):
            return False
        models = getattr(other, "models", None)  # an approval has none
        return isinstance(models, ModelObjects) and self.models.overlaps(models)
