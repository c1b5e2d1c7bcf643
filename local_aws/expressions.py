"""Expressions of a pipeline definition: parameters, variables, properties, joins, JSON in files."""

from collections.abc import Mapping
from typing import Any

from local_aws.json_paths import PathError
from local_aws.step_results import StepResults


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


def resolve(value: Any, variables: Mapping[str, Any], results: StepResults | None = None) -> Any:
    """Replace every expression in a step's arguments by its value.

    Args:
        value: JSON of a definition.
        variables: Values by the path that ``Get`` names, such as ``Parameters.ModelKey``.
        results: What ``Get: Steps.…`` and ``Std:JsonGet`` read.

    Returns:
        The same JSON without expressions.

    Raises:
        ExpressionError: A path leads nowhere, or the expression's kind is unknown.
    """
    if isinstance(value, list):
        return [resolve(item, variables, results) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Get"}:
        return _get(value["Get"], variables, results)
    if set(value) == {"Std:Join"}:
        join = value["Std:Join"]
        return join["On"].join(str(resolve(item, variables, results)) for item in join["Values"])
    if set(value) == {"Std:JsonGet"} and results is not None:
        return _json_get(value["Std:JsonGet"], variables, results)
    if unknown := [key for key in value if key.startswith("Std:")]:
        raise ExpressionError(f"the local AWS doesn't know the expression {', '.join(unknown)}")
    return {key: resolve(item, variables, results) for key, item in value.items()}


def _get(path: str, variables: Mapping[str, Any], results: StepResults | None) -> Any:
    if path in variables:
        return variables[path]
    if results is None or not path.startswith("Steps."):
        raise ExpressionError(f"nothing is known at {path!r}")
    try:
        return results.get(path)
    except PathError as fault:
        raise ExpressionError(str(fault)) from fault


def _json_get(
    expression: Mapping[str, Any], variables: Mapping[str, Any], results: StepResults
) -> Any:
    read = dict(expression)
    if "S3Uri" in read:
        read["S3Uri"] = resolve(read["S3Uri"], variables, results)
    try:
        return results.json_get(read)
    except PathError as fault:
        raise ExpressionError(str(fault)) from fault
