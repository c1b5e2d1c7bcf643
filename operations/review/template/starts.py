"""The rules of a template that start its pipeline: what they wait for, and what they hand over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operations.review.template.names import Names

Template = Mapping[str, Any]

# What tells one upload under a key from the next: "Using EventBridge", the S3 user guide's list of
# the fields of "Object Created".
_CONTENT = ("$.detail.object.etag", "$.detail.object.version-id", "$.detail.object.sequencer")
_KEY = "$.detail.object.key"


@dataclass(frozen=True)
class Start:
    """One rule.

    Attributes:
        name: What it is called.
        pattern: Its event pattern, tokens as text; empty without one.
        schedule: Its schedule expression; empty without one.
        enabled: Whether it starts anything at all.
        fills: By the pipeline's parameters what it fills them with.
        target: The rest of what is said of its target.
    """

    name: str
    pattern: Mapping[str, Any]
    schedule: str
    enabled: bool
    fills: Mapping[str, Any]
    target: Mapping[str, Any]

    @property
    def keys(self) -> set[str]:
        """The parameters that say which object was uploaded."""
        return {name for name, value in self.fills.items() if value == _KEY}

    @property
    def contents(self) -> set[str]:
        """The parameters that differ when another object is uploaded under the same key."""
        return {name for name, value in self.fills.items() if value in _CONTENT}


def starts(template: Template) -> dict[str, Start]:
    """The rules that start a pipeline, by their logical ids."""
    names = Names(template)
    found = {}
    for logical_id, resource in template.get("Resources", {}).items():
        if resource["Type"] != "AWS::Events::Rule":
            continue
        properties = names.plain(resource.get("Properties", {}))
        for target in _objects(properties.get("Targets")):
            if "SageMakerPipelineParameters" in target or ":pipeline/" in str(target.get("Arn")):
                found[logical_id] = _start(names.of(logical_id), properties, target)
                break
    return found


def _start(name: str, properties: Mapping[str, Any], target: Mapping[str, Any]) -> Start:
    given = target.get("SageMakerPipelineParameters")
    listed = given.get("PipelineParameterList") if isinstance(given, Mapping) else None
    pattern = properties.get("EventPattern")
    return Start(
        name,
        pattern if isinstance(pattern, Mapping) else {},
        properties.get("ScheduleExpression", ""),
        properties.get("State", "ENABLED") != "DISABLED",
        {str(one.get("Name")): one.get("Value") for one in _objects(listed)},
        {key: value for key, value in target.items() if key != "SageMakerPipelineParameters"},
    )


def _objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects in a list; none if it is none."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
