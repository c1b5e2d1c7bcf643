"""What a failing snapshot of a template or a definition says, in a run of pytest of its own."""

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import PROJECT
from tests.definitions import definition_of
from tests.explained_snapshots import ACCEPT, JsonFile

TEST = """
from pathlib import Path

from tests.explained_snapshots import JsonFile, hold

HERE = Path(__file__).parent


def test_it(snapshot):
    hold((HERE / "it.json").read_text(), snapshot.use_extension(JsonFile))
"""


_COLOUR = re.compile(r"\033\[[0-9;]*m")


def lines(old: Any, new: Any) -> str:
    """What is said when a snapshot does not hold."""
    before, after = (one and json.dumps(one, indent=2) for one in (old, new))
    return _COLOUR.sub("", "\n".join(JsonFile().diff_lines(after, before)))


def edited(template: dict[str, Any]) -> dict[str, Any]:
    """The template with another instance type, and a role that reads more."""
    text = re.sub(r"ml\.m5\.\w+", "ml.c5.large", json.dumps(template))
    changed: dict[str, Any] = json.loads(text.replace("/models/*", "/*"))
    return changed


def test_a_run_of_pytest_shows_the_whole_review_and_the_command_that_accepts_it(
    template: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "test_inner.py").write_text(TEST)
    (tmp_path / "it.json").write_text(json.dumps(edited(template), indent=2))
    snapshot = tmp_path / "__snapshots__" / "test_inner" / "test_it.json"
    snapshot.parent.mkdir(parents=True)
    snapshot.write_text(json.dumps(template, indent=2))

    words = ("-q", "-p", "no:cacheprovider", "--rootdir", ".", "-c", os.devnull)
    failed = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "test_inner.py"],
        cwd=tmp_path,
        # Not as in CI, where pytest cuts less.
        env={**os.environ, "PYTHONPATH": str(PROJECT), "CI": "", "BUILD_NUMBER": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert lines(template, edited(template)) in failed.stdout


def test_a_changed_template_is_reviewed(template: dict[str, Any]) -> None:
    said = lines(template, edited(template))
    assert said.startswith("What changes since the snapshot: ")
    assert "PackagingStep › ProcessingResources › ClusterConfig › InstanceType (" in said
    assert "can now read objects (s3:GetObject)" in " ".join(said.split())
    assert "Fn::Join" not in said
    assert said.endswith(f"\n\n{ACCEPT}")


def test_a_changed_definition_is_reviewed_step_by_step(template: dict[str, Any]) -> None:
    definition = definition_of(template)
    changed = copy.deepcopy(definition)
    changed["Steps"][0]["CacheConfig"]["Enabled"] = False
    said = lines(definition, changed)
    assert "PackagingStep › CacheConfig" in said
    assert said.endswith(f"\n\n{ACCEPT}")


def test_what_no_review_tells_is_shown_line_by_line(template: dict[str, Any]) -> None:
    backwards = {name: template[name] for name in sorted(template, reverse=True)}
    said = lines(template, backwards)
    assert '\n+   "Rules": {' in said
    assert said.endswith(f"\n\n{ACCEPT}")


def test_a_snapshot_that_is_not_there_yet_is_shown_whole(template: dict[str, Any]) -> None:
    said = lines("", template)
    assert '  "Resources": {' in said
    assert said.endswith(f"\n\n{ACCEPT}")


def test_make_snapshots_accepts_them() -> None:
    command = ACCEPT.rpartition(": ")[2]
    assert command == "make snapshots"
    task = re.search(r"^snapshots:.*\n\t@(.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert task is not None
    assert "tests/stacks" in task[1]
    assert "--snapshot-update" in task[1]
