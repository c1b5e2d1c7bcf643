"""SDK expressions in settings: pipeline parameters, and properties of steps before.

What they stand for is known when an execution runs, so only their kind can be checked here, and a
parameter's default. They are told by what the SDK promises of them, without importing it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

_WRITTEN_AS = {"String": "ParameterString", "Integer": "ParameterInteger"}


def is_expression(value: object) -> bool:
    """Whether a value is one of the SDK's pipeline variables."""
    return hasattr(type(value), "expr")


def parameters_in(value: Any) -> Iterator[Any]:
    """The SDK's pipeline parameters in a setting, also those that an expression joins."""
    if hasattr(value, "parameter_type"):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from parameters_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from parameters_in(item)
    elif is_expression(value):  # a Join has its parts
        yield from parameters_in(getattr(value, "values", None))


def as_json(value: Any) -> Any:
    """A setting as JSON that tells expressions apart, a parameter's default among it."""
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if is_expression(value):
        declared = [parameter.to_request() for parameter in parameters_in(value)]
        return {"expression": value.expr, "parameters": declared}
    return value


@dataclass(frozen=True)
class OrExpression:
    """Annotation of a value in whose place an SDK expression may stand.

    Attributes:
        type: What a pipeline parameter must be: ``String``, ``Integer`` or ``Boolean``.
    """

    type: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Check an expression by itself, and anything else as the type does."""
        return core_schema.no_info_wrap_validator_function(
            self._check,
            handler(source),
            serialization=core_schema.wrap_serializer_function_ser_schema(_write, info_arg=True),
        )

    def _check(self, value: Any, check: core_schema.ValidatorFunctionWrapHandler) -> Any:
        if not is_expression(value):
            return check(value)
        if kind := getattr(value, "parameter_type", None):
            if kind.value != self.type:
                written = _WRITTEN_AS.get(self.type, f"a Parameter of type {self.type}")
                raise ValueError(
                    f"the pipeline parameter {value.name!r} is {kind.value}, and this needs "
                    f"{self.type}; write {written}"
                )
            if value.default_value is not None:
                check(value.default_value)
        return value


def _write(
    value: Any,
    write: core_schema.SerializerFunctionWrapHandler,
    info: core_schema.SerializationInfo,
) -> Any:
    if not is_expression(value):
        return write(value)
    if info.mode == "json":
        raise ValueError(
            f"{value.expr} is known when an execution runs, and can't be written to a file; "
            "write the value itself, or keep the configuration in code"
        )
    return value
