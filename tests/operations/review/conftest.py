"""Assemblies to compare."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from operations.review import show
from operations.review.assemblies import environments, sides, synths
from operations.review.resources import replacements
from tests.operations.review.checkouts import Checkout
from tests.operations.review.prepared import PREPARED


@pytest.fixture(scope="session")
def prepared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Path, Path]]:
    """The assemblies before and after a prepared change, by its name."""
    folders: dict[str, tuple[Path, Path]] = {}

    def made(name: str) -> tuple[Path, Path]:
        if name not in folders:
            change = PREPARED[name]
            before: Path = request.getfixturevalue(change.stage)
            after = tmp_path_factory.mktemp(name)
            change.write(before, after)
            folders[name] = before, after
        return folders[name]

    return made


@pytest.fixture(scope="session", autouse=True)
def one_node() -> Iterator[None]:
    """Ask all questions of one Node, which takes half a second to load what it knows of AWS.

    Questions to another script, or another Node, are asked as the product does.
    """
    node, script, ask = os.environ.get("JSII_NODE", ""), replacements._SCRIPT, replacements._answer
    started: list[subprocess.Popen[str]] = []

    def answer(asked: str, by: Path, question: str) -> str:
        if (asked, by) != (node, script):
            return ask(asked, by, question)
        if not started:
            started.append(
                subprocess.Popen(
                    [node, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
        [process] = started
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{question}\n")
        process.stdin.flush()
        return process.stdout.readline()

    with mock.patch.object(replacements, "_answer", answer):
        yield
    for process in started:
        process.communicate()
        assert process.returncode == 0


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Lets the commands be those of another checkout."""

    def chosen(folder: Path) -> None:
        for module in (environments, show, sides, synths):
            monkeypatch.setattr(module, "PROJECT", folder)

    return chosen


@pytest.fixture
def checkout(
    tmp_path: Path, use: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Checkout]:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    made = Checkout(tmp_path / "checkout")
    use(made.folder)
    yield made
    assert list(temporary.iterdir()) == []  # whatever became of the review
