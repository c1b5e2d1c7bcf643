"""The one stack: a bucket, a pipeline, and the rule that connects them."""

from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from model_packaging import (
    ArtifactBucket,
    ModelUpload,
    PackageStepConfig,
    PackagingPipeline,
    PipelineTrigger,
)

PROJECT = Path(__file__).parent.parent


class ModelPackagingStack(Stack):
    """Packages every model that is uploaded below ``models/`` of its bucket.

    Args:
        inference_scripts: Folder of the scripts that ship in ``code/``.
        pipeline_name: Name of the pipeline. Default: ``model-packaging``.

    Attributes:
        artifacts: The bucket for models and packages.
        pipeline: The pipeline.
        trigger: What starts it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        inference_scripts: Path,
        pipeline_name: str = "model-packaging",
        **stack: Any,
    ) -> None:
        super().__init__(scope, construct_id, **stack)
        self.artifacts = ArtifactBucket(self, "Artifacts", access_logs=False)
        uploads = ModelUpload(self.artifacts.bucket, prefix="models/")
        self.pipeline = PackagingPipeline(
            self,
            "Packaging",
            config=PackageStepConfig(
                pipeline_name=pipeline_name,
                pipeline_description="Joins a trained model with its inference scripts.",
                pipeline_s3_loc=self.artifacts.bucket.s3_url_for_object(
                    f"packaged/{pipeline_name}"
                ),
                source_dir=inference_scripts,
                processing_source_dir=PROJECT / "scripts",
            ),
            model=uploads,
        )
        self.trigger = PipelineTrigger(self, "Trigger", pipeline=self.pipeline)
        self._add_outputs(uploads)

    def _add_outputs(self, uploads: ModelUpload) -> None:
        outputs = {
            "ModelUploadUri": (
                uploads.bucket.s3_url_for_object(uploads.prefix),
                "Upload a model.tar.gz below this prefix to package it.",
            ),
            "PackagedModelUri": (
                self.pipeline.packaged_s3_uri,
                "Each execution writes its package below this prefix.",
            ),
            "PipelineName": (self.pipeline.pipeline_name, "The SageMaker pipeline."),
            "DeadLetterQueueUrl": (
                self.trigger.dead_letter_queue.queue_url,
                "Uploads that could not start the pipeline.",
            ),
        }
        for name, (value, description) in outputs.items():
            CfnOutput(self, name, value=value, description=description)
