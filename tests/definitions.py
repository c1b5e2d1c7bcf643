"""Reads what a template says, as CloudFormation would put it together."""

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import App, Stack

from model_packaging.definition_bridge import DefinitionBridge
from model_packaging.models.step_context import StepContext


def definition_of(template: dict[str, Any]) -> dict[str, Any]:
    """The decoded definition of a template's pipeline, unknown parts as ``<their name>``."""
    [pipeline] = (
        resource
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::SageMaker::Pipeline"
    )
    body = pipeline["Properties"]["PipelineDefinition"]["PipelineDefinitionBody"]
    return json.loads(resolve(body, {}))


def resolve(value: Any, values: Mapping[str, str]) -> Any:
    """Replace every intrinsic function in a part of a template.

    Args:
        value: The part.
        values: What a ``Ref`` or a ``Fn::GetAtt`` gives, by ``Name`` or ``Name.Attribute``.
            Anything else becomes ``<Name>`` or ``<Name.Attribute>``.
    """
    if isinstance(value, list):
        return [resolve(item, values) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(function, argument)] = value.items()
        if function == "Fn::Join":
            return argument[0].join(resolve(part, values) for part in argument[1])
        if function == "Fn::Sub":
            for name, known in values.items():
                argument = argument.replace(f"${{{name}}}", known)
            return argument
        if function in ("Ref", "Fn::GetAtt", "Fn::FindInMap"):
            parts = argument if isinstance(argument, list) else [argument]
            name = ".".join(str(resolve(part, values)) for part in parts)
            return values.get(name, f"<{name}>")
    return {key: resolve(item, values) for key, item in value.items()}


def context() -> StepContext:
    """What a model binds with, outside of any pipeline."""
    return StepContext(DefinitionBridge(Stack(App(), "Stack")))
