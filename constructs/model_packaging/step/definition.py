"""A pipeline definition, rendered by the SageMaker SDK."""

import json
from collections.abc import Sequence
from typing import Any

from model_packaging.step.offline import offline, offline_session


@offline()
def render_definition(
    pipeline_name: str, *, parameters: Sequence[Any], steps: Sequence[Any]
) -> dict[str, Any]:
    """Render what ``CreatePipeline`` takes as its definition.

    Args:
        pipeline_name: Name of the pipeline.
        parameters: SDK pipeline parameters.
        steps: SDK steps, made with the offline session.

    Returns:
        The definition ("Amazon SageMaker Model Building Pipelines Pipeline Definition JSON
        Schema", version 2020-12-01), as parsed JSON.
    """
    from sagemaker.mlops.workflow.pipeline import Pipeline

    pipeline = Pipeline(
        name=pipeline_name,
        parameters=list(parameters),
        steps=list(steps),
        # The SDK's default depends on the region and names an experiment per execution.
        pipeline_experiment_config=None,
        sagemaker_session=offline_session(),
    )
    definition: dict[str, Any] = json.loads(pipeline.definition())
    return definition
