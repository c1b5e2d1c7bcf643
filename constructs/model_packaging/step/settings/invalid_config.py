"""Faults of a configuration, in words that say which setting, what was given and what to write."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from model_packaging.step.service_model import closest
from model_packaging.step.settings import predecessor
from model_packaging.step.settings.expressions import is_expression

_SHORT_LIST = 25  # settings; more would bury the message
_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d*)?\s*")


class InvalidConfigError(ValueError):
    """Every fault of one configuration.

    Attributes:
        problems: One line for each, beginning with the setting's name.
    """

    def __init__(self, problems: Sequence[str], what: str = "PackageStepConfig") -> None:
        self.problems = tuple(problems)
        count = "1 fault" if len(self.problems) == 1 else f"{len(self.problems)} faults"
        super().__init__("\n  ".join([f"{what} has {count}:", *self.problems]))

    @classmethod
    def of(cls, model: type[BaseModel], error: ValidationError) -> "InvalidConfigError":
        """The faults that pydantic found.

        Args:
            model: The configuration's class.
            error: What validating it raised.
        """
        problems = [line for fault in error.errors() for line in _problems(model, fault)]
        return cls(list(dict.fromkeys(problems)), what=model.__name__)


def _problems(model: type[BaseModel], fault: ErrorDetails) -> Iterator[str]:
    context = fault.get("ctx", {})
    if fault["type"] == "default_factory_not_called":
        return  # the setting that it depends on is reported
    where, given = _path(fault["loc"]), fault["input"]
    field = _field_at(model, fault["loc"])
    if is_expression(given) and fault["type"] != "value_error":
        yield (
            f"{where}: {given.expr} is known when an execution runs, but is needed before; "
            "write the value itself"
        )
        return
    match fault["type"]:
        case "missing":
            yield f"{where}: is required"
        case "extra_forbidden":
            if len(fault["loc"]) == 1 and (went := predecessor.where_it_went(where)):
                yield f"{where}: {given!r} is given, which the predecessor had; {went}"
                return
            known = list(_model_at(model, fault["loc"][:-1]).model_fields)
            near = closest(str(fault["loc"][-1]), known)
            hint = f"did you mean {near!r}?" if near else "remove it"
            if len(known) <= _SHORT_LIST:
                hint += f" (there are {', '.join(known)})"
            yield f"{where}: {given!r} is given, but there is no such setting; {hint}"
        case "value_error":
            yield f"{where}: {context['error']}"
        case "literal_error":
            yield f"{where}: {given!r} is none of them; write one of {context['expected']}"
        case "string_too_short" | "too_short":
            if not given:  # else its elements are reported
                yield f"{where}: {given!r} is empty; write at least {context['min_length']}"
        case "greater_than_equal" | "less_than_equal":
            yield f"{where}: {given!r} is out of range; write {_range(field, context)}"
        case "int_parsing" | "int_type" | "int_from_float" | "float_parsing" | "float_type":
            bounds = _range(field, context)
            if isinstance(given, str) and _NUMBER.fullmatch(given):
                yield f"{where}: {given!r} is a text; write it without quotes: {bounds}"
            else:
                yield f"{where}: {given!r} is not a number that fits; write {bounds}"
        case "bool_parsing" | "bool_type":
            quotes = ", without quotes" if isinstance(given, str) else ""
            yield f"{where}: {given!r} is neither; write true or false{quotes}"
        case "string_type":
            yield f"{where}: {given!r} is not a text; write it in quotes"
        case "dict_type":
            yield f"{where}: {given!r} is no object; write names and values in braces"
        case "date_from_datetime_parsing" | "date_parsing" | "date_type":
            yield f"{where}: {given!r} is not a date; write it as YYYY-MM-DD"
        case _:
            yield f"{where}: {given!r} can't be used; {fault['msg'].lower()}"


def _field_at(model: type[BaseModel], location: tuple[int | str, ...]) -> FieldInfo | None:
    """The field of a setting, which may lie within other settings, or none."""
    names = [part for part in location if isinstance(part, str)]
    for number in range(len(names), 0, -1):
        within = _model_at(model, tuple(names[: number - 1]))
        if field := within.model_fields.get(names[number - 1]):
            return field
    return None


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model of the settings at a place, which may lie within other settings."""
    for part in location:
        if field := model.model_fields.get(str(part)):
            model = next(_models_in(field.annotation), model)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _path(location: tuple[int | str, ...]) -> str:
    """``('retry_policies', 0, 'max_attempts')`` as ``retry_policies[0].max_attempts``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part != "[key]" and not part.startswith(("function-", "literal[", "lax-or-strict")):
            text += f".{part}" if text else part
    return text


def _range(field: Any, context: Mapping[str, Any]) -> str:
    bounds = {
        name: getattr(item, name)
        for item in getattr(field, "metadata", ())
        for name in ("ge", "le")
        if hasattr(item, name)
    } or context
    match bounds:
        case {"ge": least, "le": most}:
            return f"a number from {least} to {most}"
        case {"ge": least}:
            return f"at least {least}"
        case {"le": most}:
            return f"at most {most}"
    return "a number"
