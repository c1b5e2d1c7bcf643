"""CDK constructs that make a trained model deployable: model plus scripts, one archive."""

import importlib
from typing import TYPE_CHECKING, Any

from model_packaging.step import (
    MIMSPackagingStepBuilder,
    ModelRegistrationConfig,
    ModelRegistrationStepBuilder,
    PackagedModel,
    PackageStepConfig,
    RetryPolicy,
    StepBuilderBase,
)

if TYPE_CHECKING:
    from model_packaging.artifact_bucket import ArtifactBucket
    from model_packaging.existing_pipeline import DeclaredParameters, ExistingPipeline
    from model_packaging.following.approval_rule import ApprovalRule
    from model_packaging.following.following_steps import BoundSteps, FollowingSteps
    from model_packaging.following.model_registration import ModelRegistration
    from model_packaging.following.package_context import PackageContext
    from model_packaging.following.steps_behind import StepsBehind
    from model_packaging.job_network import JobNetwork
    from model_packaging.models.model_approved import ModelApproved
    from model_packaging.models.model_objects import ModelObjects
    from model_packaging.models.model_origin import ModelEvent, ModelOrigin
    from model_packaging.models.model_upload import ModelUpload
    from model_packaging.models.starting_event import StartingEvent
    from model_packaging.models.step_context import StepContext
    from model_packaging.models.training_job import TrainingJobCompleted
    from model_packaging.models.upload_or_training_job import UploadOrTrainingJob
    from model_packaging.models.upstream_steps import UpstreamModel
    from model_packaging.monitoring.execution_notifications import ExecutionNotifications
    from model_packaging.monitoring.pipeline_monitoring import PipelineMonitoring
    from model_packaging.monitoring.processing_log_group import ProcessingLogGroup
    from model_packaging.operators_policy import OperatorsPolicy
    from model_packaging.packaging_pipeline import PackagingPipeline
    from model_packaging.pipeline_schedule import PipelineSchedule
    from model_packaging.pipeline_trigger import PipelineTrigger
    from model_packaging.roles import PackagingRoles

__all__ = [
    "ApprovalRule",
    "ArtifactBucket",
    "BoundSteps",
    "DeclaredParameters",
    "ExecutionNotifications",
    "ExistingPipeline",
    "FollowingSteps",
    "JobNetwork",
    "MIMSPackagingStepBuilder",
    "ModelApproved",
    "ModelEvent",
    "ModelObjects",
    "ModelOrigin",
    "ModelRegistration",
    "ModelRegistrationConfig",
    "ModelRegistrationStepBuilder",
    "ModelUpload",
    "OperatorsPolicy",
    "PackageContext",
    "PackageStepConfig",
    "PackagedModel",
    "PackagingPipeline",
    "PackagingRoles",
    "PipelineMonitoring",
    "PipelineSchedule",
    "PipelineTrigger",
    "ProcessingLogGroup",
    "RetryPolicy",
    "StartingEvent",
    "StepBuilderBase",
    "StepContext",
    "StepsBehind",
    "TrainingJobCompleted",
    "UploadOrTrainingJob",
    "UpstreamModel",
]

# Imported when asked for: the step half works without the CDK (the extra cdk) and its Node.
_CONSTRUCTS = {
    "ApprovalRule": "following.approval_rule",
    "ArtifactBucket": "artifact_bucket",
    "BoundSteps": "following.following_steps",
    "DeclaredParameters": "existing_pipeline",
    "ExecutionNotifications": "monitoring.execution_notifications",
    "ExistingPipeline": "existing_pipeline",
    "FollowingSteps": "following.following_steps",
    "JobNetwork": "job_network",
    "ModelApproved": "models.model_approved",
    "ModelEvent": "models.model_origin",
    "ModelObjects": "models.model_objects",
    "ModelOrigin": "models.model_origin",
    "ModelRegistration": "following.model_registration",
    "ModelUpload": "models.model_upload",
    "OperatorsPolicy": "operators_policy",
    "PackageContext": "following.package_context",
    "PackagingPipeline": "packaging_pipeline",
    "PackagingRoles": "roles",
    "PipelineMonitoring": "monitoring.pipeline_monitoring",
    "PipelineSchedule": "pipeline_schedule",
    "PipelineTrigger": "pipeline_trigger",
    "ProcessingLogGroup": "monitoring.processing_log_group",
    "StartingEvent": "models.starting_event",
    "StepContext": "models.step_context",
    "StepsBehind": "following.steps_behind",
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
