"""Reads a pipeline definition out of a template, as the service would receive it."""

import json
from typing import Any


def definition_of(template: dict[str, Any], **values: str) -> dict[str, Any]:
    """The decoded definition of a template's pipeline.

    Args:
        template: The CloudFormation template.
        **values: What a ``Ref`` or ``Fn::GetAtt`` gives, by logical id; the id itself otherwise.
    """
    [pipeline] = (
        resource
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::SageMaker::Pipeline"
    )
    body = pipeline["Properties"]["PipelineDefinition"]["PipelineDefinitionBody"]
    return json.loads(resolve(body, values))


def resolve(value: Any, values: dict[str, str]) -> str:
    """Put a text with intrinsic functions together, every unknown part as ``<its name>``."""
    if isinstance(value, str):
        return value
    [(function, argument)] = value.items()
    if function == "Fn::Join":
        return argument[0].join(resolve(part, values) for part in argument[1])
    if function == "Fn::Sub":
        return argument
    name = argument if isinstance(argument, str) else ".".join(map(str, argument[:1]))
    return values.get(name, f"<{name}>")
