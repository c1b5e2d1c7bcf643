"""A model that arrives as an upload: what the trigger waits for and what the step reads."""

from dataclasses import dataclass, field
from typing import Any

from aws_cdk import aws_s3 as s3

from model_packaging.models.model_objects import ModelObjects, check_filter
from model_packaging.models.model_origin import ModelEvent
from model_packaging.models.step_context import StepContext
from model_packaging.s3_managed_encryption import takes_s3_managed_encryption_only
from model_packaging.step import ModelSource, UploadOrUriParameters, UploadParameters


@dataclass(frozen=True)
class ModelUpload(ModelEvent):
    """Archives uploaded to a bucket.

    One object owns the event pattern, the pipeline parameters, the paths that fill them and the
    model source expression, so that the event and the definition can't disagree.

    Attributes:
        bucket: Bucket that sends its events to EventBridge.
        prefix: Beginning of the keys that count, such as ``models/``.
        suffix: End of the keys that count.
        parameters: Names of the pipeline parameters.
        etag_is_md5: Whether the ETag of every upload is an MD5, or made of those of its parts: the
            packager then refuses a model that another was uploaded over since. True only where no
            upload can have another encryption than SSE-S3. Default: what the bucket's policy
            says, where this app makes the bucket; False for an imported one.

    Raises:
        ValueError: The prefix or the suffix has a character that a filter reads otherwise.
    """

    bucket: s3.IBucket
    prefix: str = "models/"
    suffix: str = ".tar.gz"
    parameters: UploadParameters | UploadOrUriParameters = field(default_factory=UploadParameters)
    etag_is_md5: bool | None = None

    def __post_init__(self) -> None:
        for name in ("prefix", "suffix"):
            check_filter(name, getattr(self, name), "every upload would start the pipeline")

    def __str__(self) -> str:
        return f"uploads of {self.prefix}*{self.suffix}"

    @property
    def event_pattern(self) -> dict[str, Any]:
        """The pattern of "Amazon S3 event notifications with EventBridge"."""
        return {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {
                "bucket": {"name": [self.bucket.bucket_name]},
                "object": {"key": [{"wildcard": f"{self.prefix}*{self.suffix}"}]},
            },
        }

    @property
    def parameter_paths(self) -> dict[str, str]:
        """Value for each pipeline parameter: one whole path into the event, or a constant."""
        return self.parameters.upload_values(
            bucket="$.detail.bucket.name",
            location=f"s3://{self.bucket.bucket_name}/",
            key="$.detail.object.key",
            etag="$.detail.object.etag",
            size="$.detail.object.size",
        )

    @property
    def models(self) -> ModelObjects:
        """The models that it announces."""
        return ModelObjects(self.bucket, self.prefix, self.suffix)

    @property
    def rendered_from(self) -> str:
        """The names of the parameters, and what their ETag is."""
        return f"{self.parameters!r} {self.knows_md5}"

    @property
    def knows_md5(self) -> bool:
        """Whether the ETag of every upload is known to be an MD5."""
        if self.etag_is_md5 is None:
            return takes_s3_managed_encryption_only(self.bucket, self.prefix)
        return self.etag_is_md5

    def bind(self, context: StepContext) -> ModelSource:
        """What the packaging step reads."""
        return self.parameters.model_source(etag_is_md5=self.knows_md5)

    def matches_below(self, s3_prefix: str) -> bool:
        """Whether an object below an S3 prefix could match the pattern.

        Args:
            s3_prefix: Such as ``s3://bucket/packaged``.
        """
        return self.models.may_lie_below(s3_prefix)

    def repeats(self, other: ModelEvent) -> bool:
        """Whether one model could raise both this event and another."""
        models = getattr(other, "models", None)  # an approval has none
        return isinstance(models, ModelObjects) and self.models.overlaps(models)
