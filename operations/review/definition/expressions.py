"""What a pipeline's definition computes, in words: ``s3://${Parameters.ModelBucket}/models``.

Properties, parameters and functions by "JSON schema" of SageMaker Pipelines' definitions:
https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_PARAMETER = "Parameters."
_STEP = "Steps."


def is_expression(value: Any) -> bool:
    """Whether a value is computed while the pipeline runs."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    [name] = value
    return name == "Get" or str(name).startswith("Std:")


def text(value: Any) -> str:
    """A value as one line, what is computed as ``${…}``."""
    if isinstance(value, str):
        return value
    if not is_expression(value):
        return json.dumps(plain(value), ensure_ascii=False)
    [(function, argument)] = value.items()
    if function == "Get" and isinstance(argument, str):
        return f"${{{argument}}}"
    if function == "Std:Join" and isinstance(argument, Mapping):
        values = argument.get("Values", [])
        if isinstance(values, list):
            return str(argument.get("On", "")).join(map(text, values))
    if function == "Std:JsonGet" and isinstance(argument, Mapping):
        # The file has a name if the step has property files, else a URI of its own.
        read = argument.get("PropertyFile", argument.get("S3Uri", ""))
        return f"${{{text(argument.get('Path', ''))} in {text(read)}}}"
    return f"${{{function.removeprefix('Std:')}({json.dumps(argument, ensure_ascii=False)})}}"


def plain(value: Any) -> Any:
    """The same value with every expression in it replaced by its text."""
    if is_expression(value):
        return text(value)
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def parameters_in(value: Any) -> set[str]:
    """The names of the pipeline's parameters that a value is computed from."""
    return {name.removeprefix(_PARAMETER) for name in _got(value) if name.startswith(_PARAMETER)}


def steps_in(value: Any) -> set[str]:
    """The names of the steps that a value is computed from."""
    return {
        name.removeprefix(_STEP).partition(".")[0] for name in _got(value) if name.startswith(_STEP)
    }


def with_names(value: Any, names: Mapping[str, str]) -> Any:
    """The same value, what it is computed from renamed.

    Args:
        value: Any part of a definition.
        names: The new names by the old ones, such as ``Parameters.ModelKey``.
    """
    if isinstance(value, list):
        return [with_names(inner, names) for inner in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) == {"Get"} and isinstance(value["Get"], str):
        first, dot, name = value["Get"].partition(".")
        name, *attributes = name.split(".") if first == _STEP[:-1] else [name]
        renamed = names.get(f"{first}{dot}{name}", f"{first}{dot}{name}")
        return {"Get": ".".join((renamed, *attributes))}
    return {key: with_names(inner, names) for key, inner in value.items()}


def _got(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "Get" and isinstance(inner, str):
                yield inner
            else:
                yield from _got(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _got(inner)
