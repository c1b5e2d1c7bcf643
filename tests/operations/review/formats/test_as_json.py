"""What programs get."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from operations.review.assemblies.assembly import Assembly
from operations.review.changes import KINDS, LEVELS, Change
from operations.review.formats.as_json import SCHEMA, as_json
from operations.review.review import Review
from tests.operations.review.made import change, review
from tests.operations.review.prepared import PREPARED

Prepare = Callable[[str], tuple[Path, Path]]


@pytest.fixture(scope="module")
def schema() -> Any:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


@pytest.mark.parametrize("name", PREPARED)
def test_what_is_told_is_as_the_schema_says(prepared: Prepare, name: str, schema: Any) -> None:
    found = Review.of(*map(Assembly.read, prepared(name)))
    told = json.loads(as_json(found))
    jsonschema.validate(told, schema)
    assert [Change(**one) for one in told["changes"]] == list(found.changes)
    assert sum(told["summary"].values()) == len(found.changes)


def test_nothing_is_told_as_the_schema_says(schema: Any) -> None:
    told = json.loads(as_json(review()))
    jsonschema.validate(told, schema)
    assert told == {"summary": dict.fromkeys(LEVELS, 0), "changes": []}


def test_the_schema_names_every_level_and_kind_and_no_other(schema: Any) -> None:
    properties = schema["$defs"]["change"]["properties"]
    assert properties["level"]["enum"] == list(LEVELS)
    assert properties["kind"]["enum"] == list(KINDS)
    assert set(schema["properties"]["summary"]["properties"]) == set(LEVELS)
    assert list(properties) == list(Change.__dataclass_fields__)


@pytest.mark.parametrize(
    "wrong",
    [
        {"level": "error"},
        {"kind": "policy"},
        {"where": ""},
        {"meaning": None},
        {"running": "yes"},
        {"colour": "red"},
    ],
)
def test_the_schema_refuses_what_is_never_told(wrong: dict[str, Any], schema: Any) -> None:
    told = json.loads(as_json(review(change())))
    told["changes"][0] |= wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, schema)


def test_any_text_is_told() -> None:
    odd = 'half of a pair \ud800, "quotes", a line\nand ›'
    told = as_json(review(change(meaning=odd)))
    told.encode()
    assert json.loads(told)["changes"][0]["meaning"] == odd
