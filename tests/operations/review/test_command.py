"""``python -m operations review OLD NEW``: what it prints, and how it ends."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operations.__main__ import main
from operations.review.changes import LEVELS
from operations.review.resources import replacements
from tests.conftest import PROJECT
from tests.operations.review.prepared import Prepared, edited

Prepare = Callable[[str], tuple[Path, Path]]
Printed = pytest.CaptureFixture[str]


def review(*words: str | Path) -> int:
    return main(["review", *map(str, words)])


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
@pytest.mark.parametrize("fail_on", LEVELS)
def test_the_same_twice_is_nothing_and_0(
    dev: Path, capsys: Printed, form: str, fail_on: str
) -> None:
    assert review(dev, dev, "--format", form, "--fail-on", fail_on) == 0
    nothing = {
        "text": "Review of ModelPackaging: nothing changes\n",
        "markdown": "### Review of ModelPackaging\n\nNothing changes.\n",
    }
    told = capsys.readouterr().out
    assert told == nothing[form] if form in nothing else json.loads(told)["changes"] == []


@pytest.mark.parametrize(
    ("name", "fail_on", "code"),
    [
        ("instance-type", None, 1),
        ("instance-type", "info", 3),
        ("instance-type", "notice", 3),
        ("instance-type", "warning", 1),
        ("permission-narrowed", "warning", 3),
        ("permission-narrowed", "danger", 1),
        ("network-isolation-off", "danger", 3),
        ("network-isolation-off", None, 1),
    ],
)
def test_the_exit_code_says_that_and_how_much_it_differs(
    prepared: Prepare, name: str, fail_on: str | None, code: int
) -> None:
    assert review(*prepared(name), *(["--fail-on", fail_on] if fail_on else [])) == code


def test_it_is_told_in_the_same_order_in_every_process(prepared: Prepare) -> None:
    def told(seed: str) -> str:
        words = [
            sys.executable,
            "-m",
            "operations",
            "review",
            *map(str, prepared("trigger-prefix")),
        ]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run(
            words, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True, check=False
        ).stdout

    first = told("0")
    assert first.count("danger  ") == 2
    assert [told(seed) for seed in ("1", "2", "3")] == [first] * 3


def test_three_formats_tell_the_same_changes(prepared: Prepare, capsys: Printed) -> None:
    folders = prepared("bucket-renamed")
    told = {}
    for form in ("text", "markdown", "json"):
        review(*folders, "--format", form)
        told[form] = capsys.readouterr().out
    changes = json.loads(told["json"])["changes"]
    assert len(changes) == 4
    for change in changes:
        for form in ("text", "markdown"):
            assert change["meaning"].split()[0] in told[form]
            assert change["where"] in told[form]


def manifest(folder: Path, artifacts: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


STACK = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "t.json"}}
STAGE = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-prod"}}
TREE = {"type": "cdk:tree", "properties": {"file": "tree.json"}}


def _file(folder: Path) -> Path:
    (folder / "file").write_text("no folder")
    return folder / "file"


def _broken(folder: Path) -> Path:
    (folder / "manifest.json").write_text("{")
    return folder


def _listed(folder: Path) -> Path:
    (folder / "manifest.json").write_text("[]")
    return folder


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: folder, "has no manifest.json, so it is no assembly; write one with cdk"),
        (lambda folder: folder / "nowhere", "has no manifest.json, so it is no assembly"),
        (_file, "is a file, not the folder of an assembly; name the folder that cdk synth"),
        (_broken, "manifest.json is no JSON: "),
        (_listed, "is no assembly: its manifest.json holds no object"),
        (lambda folder: manifest(folder, {"a": TREE}), "its manifest.json names none"),
        (
            lambda folder: manifest(folder, {"A": STACK, "B": STACK, "Tree": TREE}),
            "holds 2 stacks (A, B); a review compares one with one: give each stack an assembly",
        ),
        (
            lambda folder: manifest(folder, {"Prod": STAGE}),
            "holds no stack, but assemblies of stages; review one of them: ",
        ),
        (lambda folder: manifest(folder, {"A": STACK}), "has no t.json"),
    ],
)
@pytest.mark.parametrize("side", [0, 1])
def test_what_is_no_assembly_is_told_in_one_line(
    dev: Path,
    tmp_path: Path,
    capsys: Printed,
    make: Callable[[Path], Path],
    why: str,
    side: int,
) -> None:
    folders = [dev, dev]
    folders[side] = make(tmp_path)
    assert review(*folders) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"Failed: {folders[side]}")
    assert why in err
    assert err.count("\n") == 1


def test_a_definition_that_is_none_is_told_in_one_line(
    dev: Path, tmp_path: Path, capsys: Printed
) -> None:
    def spoil(template: dict[str, Any]) -> None:
        [pipeline] = [one for one in template.values() if one["Type"].endswith("::Pipeline")]
        pipeline["Properties"]["PipelineDefinition"] = {"PipelineDefinitionBody": "{"}

    Prepared(edited(spoil)).write(dev, tmp_path)
    assert review(dev, tmp_path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "has a definition that can't be read: " in err
    assert err.count("\n") == 1


def test_without_node_it_says_what_to_do(
    prepared: Prepare, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JSII_NODE", raising=False)
    monkeypatch.setattr(replacements, "_installed_node", lambda: None)
    assert review(*prepared("bucket-renamed")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "Failed: Node is needed to compare templates; run: make setup\n"


@pytest.mark.parametrize("words", [["--format", "yaml"], ["--fail-on", "error"]])
def test_a_wrong_word_is_trouble(dev: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        review(dev, dev, *words)


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"),
    [(True, None, True), (True, "", True), (True, "0", False), (False, None, False)],
)
def test_colours_are_for_terminals(
    prepared: Prepare,
    capsys: Printed,
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    no_color: str | None,
    coloured: bool,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    review(*prepared("instance-type"))
    assert ("\033[" in capsys.readouterr().out) == coloured
    for form in ("markdown", "json"):
        review(*prepared("instance-type"), "--format", form)
        assert "\033" not in capsys.readouterr().out


def test_a_terminal_is_used_in_its_width(
    prepared: Prepare, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    review(*prepared("permission-narrowed"))
    wide = [line for line in capsys.readouterr().out.splitlines() if len(line) > 60]
    assert wide == []


def test_a_file_is_written_instead(prepared: Prepare, tmp_path: Path, capsys: Printed) -> None:
    file = tmp_path / "review.md"
    folders = prepared("network-isolation-off")
    assert review(*folders, "--format", "markdown", "--output", file, "--title", "Stage dev") == 1
    assert capsys.readouterr().out == ""
    assert file.read_text(encoding="utf-8").startswith("### Stage dev\n\n🔴 **1 danger**")
    assert review(*folders, "--output", tmp_path / "nowhere" / "review.md") == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_file_that_may_not_be_read_is_told(
    dev: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    assert review(dev, dev) == 2
    assert capsys.readouterr().err == (
        f"Failed: {dev / 'manifest.json'} can't be read: Permission denied\n"
    )


def test_the_title_names_the_stack_of_the_new_one(dev: Path, prod: Path, capsys: Printed) -> None:
    review(dev, prod)
    assert capsys.readouterr().out.startswith("Review of ModelPackaging-prod: ")


# No credentials, no Node, no home: what is the same needs none of them.
NOTHING = {"PATH": "/nonexistent", "HOME": "/nonexistent"}


def test_a_reader_who_has_read_enough_is_no_trouble(dev: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "operations", "review", dev, dev],
        cwd=PROJECT,
        env=NOTHING,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_terminal_that_knows_few_letters_is_no_trouble(dev: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "operations", "review", dev, dev, "--title", "Prüfung › dev"],
        cwd=PROJECT,
        env=NOTHING | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"Pr\\xfcfung \\u203a dev: nothing changes\n"


def test_an_assembly_needs_nothing_beside_it(dev: Path, tmp_path: Path, capsys: Printed) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(dev, moved)
    assert review(dev, moved) == 0
