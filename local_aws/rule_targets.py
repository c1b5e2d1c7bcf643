"""What a rule's target makes of an event: the parameters that it starts a pipeline with."""

import json
import re
from collections.abc import Mapping
from typing import Any


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
    found: Any = event
    for name in re.findall(r"[^.\[\]]+", value[2:]):
        try:
            found = found[int(name) if isinstance(found, list) else name]
        except (LookupError, TypeError, ValueError):
            raise ValueError(f"the event has nothing at {value}") from None
    return found if isinstance(found, str) else json.dumps(found)


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
