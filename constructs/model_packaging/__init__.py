"""CDK constructs that make a trained model deployable: model plus scripts, one archive."""

from model_packaging.artifact_bucket import ArtifactBucket
from model_packaging.model_upload import ModelUpload
from model_packaging.packaging_pipeline import PackagingPipeline
from model_packaging.pipeline_trigger import PipelineTrigger
from model_packaging.roles import PackagingRoles
from model_packaging.step import MIMSPackagingStepBuilder, PackageStepConfig, StepBuilderBase

__all__ = [
    "ArtifactBucket",
    "MIMSPackagingStepBuilder",
    "ModelUpload",
    "PackageStepConfig",
    "PackagingPipeline",
    "PackagingRoles",
    "PipelineTrigger",
    "StepBuilderBase",
]
