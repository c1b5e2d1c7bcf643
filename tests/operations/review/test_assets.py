"""Which files of which asset changed, and how."""

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from operations.review.assemblies.assembly import Assembly
from operations.review.assets import Assets, compare
from operations.review.changes import Change
from operations.review.definition import Definitions, Side

OLD, NEW, OTHER = "a" * 64, "b" * 64, "c" * 64

Files = Mapping[str, bytes]


def assembly(folder: Path, digest: str, files: Files | None, *, named: bool = True) -> Assembly:
    """An assembly whose one step and whose one function use an asset."""
    asset = folder / digest
    for name, content in (files or {}).items():
        (asset / name).parent.mkdir(parents=True, exist_ok=True)
        (asset / name).write_bytes(content)
    step = {
        "Name": "Pack",
        "Type": "Processing",
        "CacheConfig": {"Enabled": True},
        "Arguments": {
            "ProcessingInputs": [
                {"InputName": "code", "S3Input": {"S3Uri": f"s3://b/{digest}.zip"}}
            ]
        },
    }
    body = json.dumps({"Parameters": [], "Steps": [step]})
    template = {
        "Resources": {
            "Pipeline": {
                "Type": "AWS::SageMaker::Pipeline",
                "Properties": {"PipelineDefinition": {"PipelineDefinitionBody": body}},
            },
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Code": {"S3Key": f"{digest}.zip"}},
            },
        }
    }
    assets = {} if files is None else {digest: asset}
    return Assembly(folder, "S", template, assets, None, {digest: "Scripts"} if named else {})


def told(old: Assembly, new: Assembly) -> list[Change]:
    pairs = Assets(old, new)
    before = Side(pairs.in_words(old.definition, old=True), old.template)
    after = Side(pairs.in_words(new.definition, old=False), new.template)
    definitions = Definitions(before, after)
    assert definitions.changes() == []
    return compare(pairs, definitions)


def change_of(folder: Path, old: Files | None, new: Files | None, **how: Any) -> Change:
    [change] = told(
        assembly(folder / "old", OLD, old, **how), assembly(folder / "new", NEW, new, **how)
    )
    assert change.kind == "asset"
    assert not re.search(r"[abc]{64}", repr(astuple(change)))
    return change


SCRIPT = b"import os\nprint(1)\n"
CRLF = SCRIPT.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({"a.py": b"import os\nx\ny\n"}, "a.py changed, 2 lines added and 1 line removed"),
        ({"a.py": SCRIPT, "b/c.py": b"x\n"}, "b/c.py is new (1 line)"),
        ({}, "a.py is gone (2 lines)"),
        ({"a.py": b"\x00\xff"}, "a.py changed, from 2 lines to 2 bytes"),
        ({"a.py": CRLF}, "a.py changed, 2 lines added and 2 lines removed"),
        ({"a.py": SCRIPT[:-1]}, "a.py changed, 1 line added and 1 line removed"),
        ({"b.py": SCRIPT}, "2 files differ: a.py is gone (2 lines) and b.py is new (2 lines)"),
    ],
)  # fmt: skip
def test_a_file_is_told_with_the_lines_that_were_added_and_removed(
    tmp_path: Path, new: Files, said: str
) -> None:
    (tmp_path / "new" / NEW).mkdir(parents=True)
    change = change_of(tmp_path, {"a.py": SCRIPT}, new)
    assert (change.level, change.where) == ("notice", "Scripts")
    assert change.meaning == (
        f"Scripts: {said}. Results of Pack that are cached no longer count: it runs anew, also for "
        "models that it packaged before."
    )


def test_the_lines_are_shown_apart(tmp_path: Path) -> None:
    change = change_of(
        tmp_path, {"a.py": SCRIPT, "b.bin": b"\xff"}, {"a.py": b"import os\n", "b.bin": b"\xfe"}
    )
    assert change.detail == "--- before/a.py\n+++ after/a.py\n@@ -1,2 +1 @@\n import os\n-print(1)"
    assert change.old == {"a.py": "2 lines", "b.bin": "1 byte"}
    assert change.new == {"a.py": "1 line", "b.bin": "1 byte"}


def test_of_many_files_some_are_named(tmp_path: Path) -> None:
    change = change_of(tmp_path, {"z": b"1\n"}, {"z": b"1\n"} | {f"f{n}": b"x\n" for n in range(7)})
    assert "7 files differ: f0 is new (1 line), " in change.meaning
    assert "f4 is new (1 line) and 2 more." in change.meaning
    assert set(change.new) == {f"f{n}" for n in range(7)}


def test_a_zip_is_told_by_the_files_in_it(tmp_path: Path) -> None:
    for folder, digest, text in (("old", OLD, "x = 1\n"), ("new", NEW, "x = 2\n")):
        (tmp_path / folder).mkdir()
        with zipfile.ZipFile(tmp_path / folder / digest, "w") as archive:
            archive.writestr("__main__.py", text)
    change = change_of(tmp_path, {}, {})
    assert "Scripts: __main__.py changed, 1 line added and 1 line removed." in change.meaning


def test_an_asset_that_is_packed_in_another_way_says_so(tmp_path: Path) -> None:
    change = change_of(tmp_path, {"a.py": SCRIPT}, {"a.py": SCRIPT})
    assert change.level == "info"
    assert change.meaning.startswith("Scripts is packed in another way; its files are the same.")


@pytest.mark.parametrize(("gone", "side"), [("old", "before"), ("new", "now")])
def test_files_that_are_not_there_can_not_be_compared(tmp_path: Path, gone: str, side: str) -> None:
    files = {name: None if name == gone else {"a.py": SCRIPT} for name in ("old", "new")}
    change = change_of(tmp_path, files["old"], files["new"])
    assert change.level == "warning"
    assert f"its files can't be compared: those {side} are not there." in change.meaning


def test_an_asset_without_a_name_goes_by_where_it_is_used(tmp_path: Path) -> None:
    change = change_of(tmp_path, {"a.py": b"1\n"}, {"a.py": b"2\n"}, named=False)
    assert change.where == "the input code of Pack"


def test_an_asset_that_comes_and_one_that_goes_are_told_with_their_files(tmp_path: Path) -> None:
    old = assembly(tmp_path / "old", OLD, {"a.py": SCRIPT})
    new = assembly(tmp_path / "new", OLD, {"a.py": SCRIPT})
    new.template["Resources"]["More"] = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"Code": {"S3Key": f"{OTHER}.zip"}},
    }
    [there], [back] = told(old, new), told(new, old)
    assert (there.where, there.new, back.old) == ("the asset of More", None, None)
    assert there.meaning == "The asset of More is new."
    assert back.meaning == "The asset of More is no longer used."
