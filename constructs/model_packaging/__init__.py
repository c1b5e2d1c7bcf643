"""CDK constructs that make a trained model deployable: model plus scripts, one archive."""

import importlib
from typing import TYPE_CHECKING, Any

from model_packaging.step import MIMSPackagingStepBuilder, PackageStepConfig, StepBuilderBase

if TYPE_CHECKING:
    from model_packaging.artifact_bucket import ArtifactBucket
    from model_packaging.job_network import JobNetwork
    from model_packaging.model_upload import ModelUpload
    from model_packaging.packaging_pipeline import PackagingPipeline
    from model_packaging.pipeline_trigger import PipelineTrigger
    from model_packaging.roles import PackagingRoles
    from model_packaging.upstream_model import StepContext, UpstreamModel

__all__ = [
    "ArtifactBucket",
    "JobNetwork",
    "MIMSPackagingStepBuilder",
    "ModelUpload",
    "PackageStepConfig",
    "PackagingPipeline",
    "PackagingRoles",
    "PipelineTrigger",
    "StepBuilderBase",
    "StepContext",
    "UpstreamModel",
]

# Imported when asked for: the step half works without the CDK and its Node.
_CONSTRUCTS = {
    "ArtifactBucket": "artifact_bucket",
    "JobNetwork": "job_network",
    "ModelUpload": "model_upload",
    "PackagingPipeline": "packaging_pipeline",
    "PackagingRoles": "roles",
    "PipelineTrigger": "pipeline_trigger",
    "StepContext": "upstream_model",
    "UpstreamModel": "upstream_model",
}


def __getattr__(name: str) -> Any:
    if name not in _CONSTRUCTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_CONSTRUCTS[name]}"), name)
