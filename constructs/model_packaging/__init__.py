"""CDK constructs that make a trained model deployable: model plus scripts, one archive."""

import importlib
from typing import TYPE_CHECKING, Any

from model_packaging.step import (
    MIMSPackagingStepBuilder,
    PackageStepConfig,
    RetryPolicy,
    StepBuilderBase,
)

if TYPE_CHECKING:
    from model_packaging.artifact_bucket import ArtifactBucket
    from model_packaging.existing_pipeline import DeclaredParameters, ExistingPipeline
    from model_packaging.job_network import JobNetwork
    from model_packaging.models.model_objects import ModelObjects
    from model_packaging.models.model_origin import ModelEvent, ModelOrigin
    from model_packaging.models.model_upload import ModelUpload
    from model_packaging.models.step_context import StepContext
    from model_packaging.models.training_job import TrainingJobCompleted
    from model_packaging.models.upload_or_training_job import UploadOrTrainingJob
    from model_packaging.models.upstream_steps import UpstreamModel
    from model_packaging.monitoring.pipeline_monitoring import PipelineMonitoring
    from model_packaging.monitoring.processing_log_group import ProcessingLogGroup
    from model_packaging.operators_policy import OperatorsPolicy
    from model_packaging.packaging_pipeline import PackagingPipeline
    from model_packaging.pipeline_trigger import PipelineTrigger
    from model_packaging.roles import PackagingRoles

__all__ = [
    "ArtifactBucket",
    "DeclaredParameters",
    "ExistingPipeline",
    "JobNetwork",
    "MIMSPackagingStepBuilder",
    "ModelEvent",
    "ModelObjects",
    "ModelOrigin",
    "ModelUpload",
    "OperatorsPolicy",
    "PackageStepConfig",
    "PackagingPipeline",
    "PackagingRoles",
    "PipelineMonitoring",
    "PipelineTrigger",
    "ProcessingLogGroup",
    "RetryPolicy",
    "StepBuilderBase",
    "StepContext",
    "TrainingJobCompleted",
    "UploadOrTrainingJob",
    "UpstreamModel",
]

# Imported when asked for: the step half works without the CDK (the extra cdk) and its Node.
_CONSTRUCTS = {
    "ArtifactBucket": "artifact_bucket",
    "DeclaredParameters": "existing_pipeline",
    "ExistingPipeline": "existing_pipeline",
    "JobNetwork": "job_network",
    "ModelEvent": "models.model_origin",
    "ModelObjects": "models.model_objects",
    "ModelOrigin": "models.model_origin",
    "ModelUpload": "models.model_upload",
    "OperatorsPolicy": "operators_policy",
    "PackagingPipeline": "packaging_pipeline",
    "PackagingRoles": "roles",
    "PipelineMonitoring": "monitoring.pipeline_monitoring",
    "PipelineTrigger": "pipeline_trigger",
    "ProcessingLogGroup": "monitoring.processing_log_group",
    "StepContext": "models.step_context",
    "TrainingJobCompleted": "models.training_job",
    "UploadOrTrainingJob": "models.upload_or_training_job",
    "UpstreamModel": "models.upstream_steps",
}


def __getattr__(name: str) -> Any:
    if name not in _CONSTRUCTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"{__name__}.{_CONSTRUCTS[name]}")
    except ModuleNotFoundError as error:
        if error.name not in ("aws_cdk", "constructs"):
            raise
        raise ImportError(
            f"{name} is for CDK apps, and {error.name!r} is not installed; run: "
            "pip install 'model-packaging[cdk]'"
        ) from error
    return getattr(module, name)
