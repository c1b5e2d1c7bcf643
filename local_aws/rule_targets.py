"""What a rule's target makes of an event: the parameters that it starts a pipeline with."""

import json
from collections.abc import Mapping
from typing import Any

from local_aws import json_paths


def resolve(value: str, event: Mapping[str, Any]) -> str:
    """The value of a target's parameter.

    Args:
        value: A JSON path, which is the whole value ("Dynamic path parameters" in the
            EventBridge User Guide), or a constant.
        event: The event that the path leads into.

    Returns:
        What the path leads to; a constant as it is.

    Raises:
        ValueError: The path leads nowhere.
    """
    if not value.startswith("$."):
        return value
    found = find(value, event)
    return found if isinstance(found, str) else json.dumps(found)


def find(path: str, event: Mapping[str, Any]) -> Any:
    """What a JSON path leads to.

    Raises:
        ValueError: It leads nowhere.
    """
    try:
        return json_paths.find(event, path)
    except json_paths.PathError:
        raise ValueError(f"the event has nothing at {path}") from None


def pipeline_parameters(
    target: Mapping[str, Any], event: Mapping[str, Any]
) -> list[dict[str, str]]:
    """The ``PipelineParameters`` that a rule's target starts a pipeline with.

    Args:
        target: The target, as ``ListTargetsByRule`` tells it.
        event: The event that its JSON paths lead into.

    Raises:
        ValueError: A path leads nowhere.
    """
    parameters = target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList", [])
    return [
        {"Name": parameter["Name"], "Value": resolve(parameter["Value"], event)}
        for parameter in parameters
    ]
