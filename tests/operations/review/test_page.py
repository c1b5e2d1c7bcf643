"""docs/review.md shows what the command prints, and names all of it."""

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from operations.__main__ import main
from operations.review.changes import KINDS, LEVELS
from operations.review.formats.as_json import SCHEMA
from tests.docs import pages

Prepare = Callable[[str], tuple[Path, Path]]
PAGE = pages.DOCS / "review.md"


def test_its_examples_are_what_is_printed(
    prepared: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    [text] = pages.blocks("text", page=PAGE)
    main(["review", *map(str, prepared("new-parameter"))])
    assert capsys.readouterr().out == text.text
    [example] = pages.blocks("json", page=PAGE)
    main(["review", *map(str, prepared("instance-type")), "--format", "json"])
    assert json.loads(capsys.readouterr().out) == json.loads(example.text)


def test_its_tables_name_all_levels_kinds_keys_and_formats() -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.validate(json.loads(pages.blocks("json", page=PAGE)[0].text), schema)
    keys = pages.table(PAGE, "`level`")
    for name in schema["$defs"]["change"]["properties"]:
        assert f"`{name}`" in keys
    for name in KINDS:
        assert f"`{name}`" in keys
    levels = pages.table(PAGE, "`danger`")
    for level in LEVELS:
        assert f"`{level}`" in levels
    for form in ("text", "markdown", "json"):
        assert f"| `{form}` |" in pages.table(PAGE, "`text`")


def test_no_other_page_has_blocks_of_which_nobody_would_say_what_they_show() -> None:
    assert {block.page.name for block in pages.blocks("json")} == {"stages.md", "review.md"}
