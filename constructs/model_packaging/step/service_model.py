"""What SageMaker accepts, read from botocore's model of the service."""

import difflib
import functools
import gzip
import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import regex  # AWS's patterns use \p{L}, which Python's re does not know

_SERVICE: Final = "sagemaker"


class UnknownText(str):
    """Stands for a value that is known later only: nothing of it is checked."""

    __slots__ = ()


@functools.cache
def _description() -> dict[str, Any]:
    # The file, not botocore's Loader, which reads the same one: importing botocore takes a tenth
    # of a second, and a model in the user's ~/.aws/models would take precedence.
    package = importlib.util.find_spec("botocore")
    assert package is not None  # noqa: S101  # a dependency
    for place in package.submodule_search_locations or ():
        versions = Path(place, "data", _SERVICE).glob("*/service-2.json*")
        if file := max(versions, default=None):
            read = gzip.decompress if file.suffix == ".gz" else bytes
            description: dict[str, Any] = json.loads(read(file.read_bytes()))
            return description
    raise FileNotFoundError(f"botocore has no model of {_SERVICE}")


def _shape(name: str) -> Mapping[str, Any]:
    shape: Mapping[str, Any] = _description()["shapes"][name]
    return shape


@functools.cache
def choices(shape: str) -> tuple[str, ...]:
    """The values of an enumeration, in the model's order, such as every instance type.

    Args:
        shape: Name of a shape in the API, such as ``ProcessingInstanceType``.

    Returns:
        None for a shape that is not an enumeration.
    """
    return tuple(_shape(shape).get("enum", ()))


def limits(shape: str) -> tuple[int | None, int | None]:
    """The least and the most of a shape: a number, or the length of a text or list.

    Args:
        shape: Name of a shape in the API, such as ``ProcessingMaxRuntimeInSeconds``.
    """
    return _shape(shape).get("min"), _shape(shape).get("max")


def pattern(shape: str) -> str | None:
    """The regular expression that a text must match as a whole, or none."""
    found: str | None = _shape(shape).get("pattern")
    return found


def closest(value: str, known: Sequence[str]) -> str | None:
    """The known value that a typing error most likely meant."""
    found = difflib.get_close_matches(value, known, n=max(1, len(known)), cutoff=0.75)
    # Of those that are equally close, what lacks its beginning (m5.xlarge) means ml.m5.xlarge.
    return next((near for near in found if near.endswith(value)), found[0] if found else None)


def value_problem(shape: str, value: str | int) -> str | None:
    """What is wrong with one text or number, with what to write instead.

    Args:
        shape: Name of a shape in the API.
        value: The text or number.

    Returns:
        A phrase that continues the value, such as ``has 300 characters; write at most 256``, or
        none.
    """
    if isinstance(value, str) and (known := choices(shape)):
        if value in known:
            return None
        near = closest(value, known)
        hint = f"did you mean {near!r}?" if near else f"write one such as {known[0]!r}"
        return f"is not one of SageMaker's {len(known)} values of {shape}; {hint}"
    least, most = limits(shape)
    size = len(value) if isinstance(value, str) else value
    unit = " characters" if isinstance(value, str) else ""
    if most is not None and size > most:
        given = f"has {size}{unit}" if unit else "is too large"
        return f"{given}; write at most {most}{unit}"
    if least is not None and size < least:
        given = f"has {size}{unit}" if unit else "is too small"
        return f"{given}; write at least {least}{unit}"
    expression = pattern(shape) if isinstance(value, str) else None
    if expression and not regex.fullmatch(expression, value):
        return f"does not match SageMaker's {expression}; {_remedy(shape)}"
    return None


# What the patterns mean, for those who do not read them.
_REMEDIES: Final[Mapping[str, str]] = {
    "PipelineName": "write letters, digits and single inner hyphens, such as 'churn-packaging'",
    "PipelineParameterName": "write letters, digits, hyphens and underscores",
    "KmsKeyId": "write a key id, an alias or an ARN",
    "SubnetId": "write an id such as 'subnet-0123456789abcdef0'",
    "SecurityGroupId": "write an id such as 'sg-0123456789abcdef0'",
    "ProcessingEnvironmentKey": "write letters, digits and underscores, not a digit first",
    "TagKey": "write letters, digits, spaces and . _ : / = + - @",
    "TagValue": "write letters, digits, spaces and . _ : / = + - @",
}


def _remedy(shape: str) -> str:
    return _REMEDIES.get(shape, "write one that does")


def request_problems(operation: str, request: Mapping[str, Any]) -> list[str]:
    """Everything that makes a request one that the service would refuse.

    botocore's own validation (types, required and unknown members, ranges) and, what botocore
    leaves to the service, enumerations, patterns and most lengths.

    Args:
        operation: Such as ``CreateProcessingJob``.
        request: Its parameters.

    Returns:
        One line for each, beginning with the path of the parameter; none if it is valid.
    """
    from botocore.model import ServiceModel
    from botocore.validate import ParamValidator

    shape = ServiceModel(_description(), _SERVICE).operation_model(operation).input_shape
    report = ParamValidator().validate(dict(request), shape)
    problems = report.generate_report().splitlines() if report.has_errors() else []
    problems = [problem for problem in problems if UnknownText.__name__ not in problem]
    return [*problems, *_value_problems(shape, request, "")]


def _value_problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    python_type = {"structure": dict, "map": dict, "list": list}.get(shape.type_name)
    if python_type and not isinstance(value, python_type):
        return  # botocore has said so
    if shape.type_name == "structure":
        for name, item in value.items():
            if name not in shape.members:
                continue
            yield from _value_problems(shape.members[name], item, f"{path}.{name}".lstrip("."))
        return
    if shape.type_name in ("list", "map"):
        _, most = limits(shape.name)
        if most is not None and len(value) > most:
            yield f"{path} has {len(value)} elements; SageMaker takes at most {most}"
    if shape.type_name == "list":
        for number, item in enumerate(value):
            yield from _value_problems(shape.member, item, f"{path}[{number}]")
    elif shape.type_name == "map":
        for name, item in value.items():
            yield from _value_problems(shape.key, name, f"{path} key")
            yield from _value_problems(shape.value, item, f"{path}[{name!r}]")
    elif isinstance(value, (str, int)) and not isinstance(value, (bool, UnknownText)):
        problem = value_problem(shape.name, value)
        if problem:
            yield f"{path}: {value!r} {problem}"
