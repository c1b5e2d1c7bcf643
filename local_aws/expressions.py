"""Expressions of a pipeline definition: parameters, execution variables, properties and joins."""

from collections.abc import Mapping
from typing import Any


class ExpressionError(Exception):
    """An expression can't be resolved, or is of a kind that the local AWS doesn't know."""


def parameter_values(
    definition: Mapping[str, Any], given: list[dict[str, str]]
) -> dict[str, str | int | float | bool]:
    """Values of a pipeline's parameters in one execution.

    Args:
        definition: The pipeline's definition.
        given: ``PipelineParameters`` of ``StartPipelineExecution``.

    Returns:
        Every declared parameter with the given value or its default.

    Raises:
        ExpressionError: A value is missing, or one is given that the definition doesn't declare.
    """
    declared = {parameter["Name"]: parameter for parameter in definition.get("Parameters", [])}
    values = {item["Name"]: item["Value"] for item in given}
    if undeclared := sorted(set(values) - set(declared)):
        raise ExpressionError(f"the pipeline has no parameter {', '.join(undeclared)}")
    missing = [
        name
        for name, parameter in declared.items()
        if name not in values and "DefaultValue" not in parameter
    ]
    if missing:
        raise ExpressionError(f"the pipeline requires a value for {', '.join(missing)}")
    return {
        name: values.get(name, parameter.get("DefaultValue"))
        for name, parameter in declared.items()
    }


def resolve(value: Any, variables: Mapping[str, Any]) -> Any:
    """Replace every expression in a step's arguments by its value.

    Args:
        value: JSON of a definition.
        variables: Values by the path that ``Get`` names, such as ``Parameters.ModelKey``.

    Returns:
        The same JSON without expressions.

    Raises:
        ExpressionError: A path leads nowhere, or the expression's kind is unknown.
    """
    if isinstance(value, list):
        return [resolve(item, variables) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Get"}:
        if value["Get"] not in variables:
            raise ExpressionError(f"nothing is known at {value['Get']!r}")
        return variables[value["Get"]]
    if set(value) == {"Std:Join"}:
        join = value["Std:Join"]
        return join["On"].join(str(resolve(item, variables)) for item in join["Values"])
    if unknown := [key for key in value if key.startswith("Std:")]:
        raise ExpressionError(f"the local AWS doesn't know the expression {', '.join(unknown)}")
    return {key: resolve(item, variables) for key, item in value.items()}
