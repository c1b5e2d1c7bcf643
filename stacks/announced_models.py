"""Which models start the pipeline, as a stage's setting ``trigger`` says."""

from aws_cdk import aws_s3 as s3

from model_packaging import ModelOrigin, ModelUpload, TrainingJobCompleted, UploadOrTrainingJob
from model_packaging.step import UploadOrUriParameters, UploadParameters
from stacks.stage import Trigger

_SIZE = "ModelSize"


def announced_models(trigger: Trigger, bucket: s3.IBucket) -> ModelOrigin:
    """The kind of model that a stage waits for.

    Args:
        trigger: The stage's setting.
        bucket: Bucket that models arrive in.
    """
    size = _SIZE if trigger.check_size else None
    uploads = ModelUpload(
        bucket,
        prefix=trigger.prefix,
        suffix=trigger.suffix,
        parameters=UploadParameters(size=size),
    )
    if trigger.training_job_name_prefix is None:
        return uploads
    jobs = TrainingJobCompleted(
        bucket,
        prefix=trigger.training_prefix,
        job_name_prefix=trigger.training_job_name_prefix,
    )
    return (
        jobs
        if trigger.kind == "training-job"
        else UploadOrTrainingJob(uploads, jobs, UploadOrUriParameters(size=size))
    )
