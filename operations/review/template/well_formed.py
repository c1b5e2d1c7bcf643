"""Whether a template has the shape of one, which all who compare templates rely on."""

from collections.abc import Iterator, Mapping
from typing import Any

_SECTIONS = ("Conditions", "Mappings", "Outputs", "Parameters", "Resources", "Rules")


def faults(template: Any) -> Iterator[str]:
    """What is no template of CloudFormation's, as sentences without their full stops.

    "Template anatomy" and "Template sections" in the CloudFormation user guide. It says nothing
    of what a resource's properties may be.

    Args:
        template: What is to be a template, as JSON has it.
    """
    if not isinstance(template, Mapping):
        yield f"it is {_kind(template)}, no object"
        return
    for section in _SECTIONS:
        if not isinstance(template.get(section, {}), Mapping):
            yield f"{section} is {_kind(template[section])}, no object"
            return
    for path in _nulls(template):
        yield f"{path} is null, which CloudFormation refuses"
    for name, resource in template.get("Resources", {}).items():
        if not isinstance(resource, Mapping):
            yield f"the resource {name} is {_kind(resource)}, no object"
        elif not isinstance(resource.get("Type"), str):
            yield f"the resource {name} has no Type"
        else:
            yield from _of_resource(name, resource)


def _of_resource(name: str, resource: Mapping[str, Any]) -> Iterator[str]:
    for part in ("Properties", "Metadata"):
        if not isinstance(resource.get(part, {}), Mapping):
            yield f"{part} of the resource {name} is {_kind(resource[part])}, no object"
    if not isinstance(_path_of(resource), str):
        yield f"the construct path of the resource {name} is no text"
    waits = resource.get("DependsOn", [])
    if not all(isinstance(one, str) for one in (waits if isinstance(waits, list) else [waits])):
        yield f"DependsOn of the resource {name} names no resources"


def _path_of(resource: Mapping[str, Any]) -> Any:
    metadata = resource.get("Metadata", {})
    return metadata.get("aws:cdk:path", "") if isinstance(metadata, Mapping) else ""


def _nulls(value: Any, path: str = "") -> Iterator[str]:
    if value is None:
        yield path
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _nulls(inner, f"{path}/{name}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _nulls(inner, f"{path}/{place}")


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(
        type(value), str(value)
    )
