"""A pipeline definition, rendered by the SageMaker SDK."""

import json
import re
from collections.abc import Sequence
from typing import Any

from model_packaging.step.request import check_requests
from model_packaging.step.sdk.offline import offline, offline_session


@offline()
def render_definition(
    pipeline_name: str,
    *,
    parameters: Sequence[Any],
    steps: Sequence[Any],
    unknown: re.Pattern[str] | None = None,
) -> dict[str, Any]:
    """Render what ``CreatePipeline`` takes as its definition.

    Args:
        pipeline_name: Name of the pipeline.
        parameters: SDK pipeline parameters.
        steps: SDK steps, made with the offline session.
        unknown: What stands for a text that is known at deployment only.

    Returns:
        The definition ("Amazon SageMaker Model Building Pipelines Pipeline Definition JSON
        Schema", version 2020-12-01), as parsed JSON.

    Raises:
        InvalidRequestError: SageMaker would refuse the job of a step.
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
    check_requests(definition, unknown=unknown)
    return definition
