"""What a rule waits for, in words: "uploads to `${Bucket}` with a key like `models/*`"."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from operations.review.template.names import Names
from operations.review.template.starts import Start, Template, starts
from operations.review.template.wording import listed
from operations.review.triggers.patterns import alternatives

_OPERATORS = {
    "cidr": "in the network",
    "equals-ignore-case": "in upper or lower case",
    "prefix": "beginning with",
    "suffix": "ending in",
    "wildcard": "like",
}


def uploads(pattern: Mapping[str, Any]) -> bool:
    """Whether a pattern is about objects that are written to S3, and nothing else."""
    return pattern.get("source") == ["aws.s3"] and pattern.get("detail-type") == ["Object Created"]


def waits_for(pattern: Mapping[str, Any]) -> str:
    """What a pattern matches, as the subject of a sentence."""
    if not _is_plain(pattern):
        return f"events that match {json.dumps(pattern, ensure_ascii=False)}"
    return " or ".join(map(_waits_for, alternatives(pattern)))


def _waits_for(pattern: Mapping[str, Any]) -> str:
    detail = pattern.get("detail", {})
    fields = dict(_fields(detail)) if isinstance(detail, Mapping) else {"detail": detail}
    if uploads(pattern):
        buckets, keys = fields.pop("bucket.name", None), fields.pop("object.key", None)
        said = ["uploads", f"to {_tests(buckets)}" if buckets else "to any bucket"]
        said += [f"with a key {_tests(keys)}"] if keys else []
    else:
        named = {name: wanted for name, wanted in pattern.items() if name != "detail"}
        said = ["events"]
        fields = dict(_fields(named)) | fields
    said += [
        f"where {listed([f'{name} is {_tests(tests)}' for name, tests in fields.items()])}"
    ] * (bool(fields))
    return " ".join(said)


def _is_plain(wanted: Any) -> bool:
    """Whether something is a pattern as the user guide has them, whatever its operators."""
    if not isinstance(wanted, Mapping):
        return False
    for name, inner in wanted.items():
        if name == "$or":
            if not isinstance(inner, list) or not inner or not all(map(_is_plain, inner)):
                return False
        elif isinstance(inner, list):
            if not all(map(_is_test, inner)):
                return False
        elif not _is_plain(inner):
            return False
    return True


def _is_test(test: Any) -> bool:
    if not isinstance(test, Mapping):
        return not isinstance(test, list)
    [*operands] = test.values()
    return len(operands) == 1 and (not isinstance(operands[0], Mapping) or len(operands[0]) == 1)


def in_words(template: Template) -> list[str]:
    """What starts the pipeline of a template, and with what, as lines of text.

    Args:
        template: The template.

    Returns:
        For each rule its name, and below it, indented, a line for each thing.
    """
    lines = []
    names = Names(template)
    for logical_id, start in sorted(starts(template).items(), key=lambda item: item[1].name):
        lines += [names.of(logical_id), *(f"  {line}" for line in _lines(start))]
    return lines


def _lines(start: Start) -> Iterator[str]:
    if not start.enabled:
        yield "is switched off"
    if start.pattern:
        yield f"starts the pipeline on {waits_for(start.pattern)}"
    if start.schedule:
        yield f"starts the pipeline by the schedule {start.schedule}"
    for name, value in start.fills.items():
        yield f"fills {name} with {value}"


def _fields(wanted: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Sequence[Any]]]:
    """The fields of an event that a pattern tests, and the tests."""
    for name, tests in wanted.items():
        if isinstance(tests, Mapping):
            yield from _fields(tests, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", tests


def _tests(tests: Sequence[Any]) -> str:
    return " or ".join(map(_test, tests))


def _test(test: Any) -> str:
    if not isinstance(test, Mapping):
        return f"`{test}`" if isinstance(test, str) else json.dumps(test)
    [(name, operand)] = test.items()
    if name == "exists":
        return "there" if operand else "not there"
    if name == "anything-but":
        others = operand if isinstance(operand, list) else [operand]
        return f"anything but {' or '.join(map(_test, others))}"
    if isinstance(operand, list) and name != "numeric":
        return " or ".join(_test({name: one}) for one in operand)
    if isinstance(operand, Mapping):  # {"prefix": {"equals-ignore-case": "models/"}}
        [inner] = operand.values()
        return f"{_OPERATORS.get(name, name)} `{inner}` in upper or lower case"
    if name == "equals-ignore-case":
        return f"`{operand}` {_OPERATORS[name]}"
    if name == "numeric":
        return " ".join(map(str, operand))
    return f"{_OPERATORS.get(name, name)} `{operand}`"
