"""What is checked out against a revision."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.__main__ import main
from operations.review.assemblies.synths import Synth
from tests.operations.review.checkouts import Checkout

Use = Callable[[Path], None]

Types = Callable[..., tuple[str, str]]


@pytest.fixture
def types(capsys: pytest.CaptureFixture[str]) -> Types:
    """Types the command; what it prints on stdout and stderr."""

    def typed(*words: str, expect: int) -> tuple[str, str]:
        exit_code = main(["review", *words])
        out, err = capsys.readouterr()
        assert exit_code == expect, out + err
        return out, err

    return typed


def test_edits_that_are_not_committed_are_compared_with_the_last_commit(
    checkout: Checkout, types: Types
) -> None:
    commit = checkout.git("rev-parse", "HEAD")
    out, err = types(expect=0)
    assert out == (
        f"Review of ModelPackaging against {commit[:10]} (where this left main): nothing changes\n"
    )
    assert err == (f"Comparing what is checked out with {commit[:10]} (where this left main).\n")
    checkout.template(sizes=["small", "large"])
    out, _ = types(expect=1)
    assert 'is "small, large" now; it was "small".' in out
    types("--fail-on", "warning", expect=1)
    types("--fail-on", "notice", expect=3)


def test_a_branch_is_compared_with_where_it_left_the_main_branch(
    checkout: Checkout, types: Types
) -> None:
    left = checkout.git("rev-parse", "HEAD")
    checkout.git("switch", "--quiet", "--create", "larger")
    checkout.template(sizes=["small", "large"])
    checkout.commit("larger")
    checkout.git("switch", "--quiet", "main")
    checkout.template(sizes=["small", "tiny"])
    checkout.commit("what others did meanwhile")
    checkout.git("switch", "--quiet", "larger")
    out, err = types(expect=1)
    assert f"{left[:10]} (where this left main)" in err
    assert 'is "small, large" now; it was "small".' in out
    out, _ = types("--base", "main", expect=1)
    assert 'is "small, large" now; it was "small, tiny".' in out


def test_the_branch_that_the_remote_calls_its_main_one_is_the_main_branch(
    checkout: Checkout, types: Types, tmp_path: Path, use: Use
) -> None:
    checkout.git("branch", "--move", "main", "trunk")
    checkout.git("clone", "--quiet", str(checkout.folder), str(tmp_path / "clone"))
    use(tmp_path / "clone")
    _, err = types(expect=0)
    assert "(where this left origin/trunk)" in err


def test_the_stage_is_the_same_on_both_sides(checkout: Checkout, types: Types) -> None:
    checkout.write("cdk.json", (checkout.folder / "cdk.json").read_text().replace("dev", "live"))
    _, err = types(expect=2)
    assert "(where this left main) has no stage 'live' in its cdk.json" in err
    assert "it has dev, prod\n" in err
    types("--stage", "prod", expect=0)


def test_files_and_index_of_the_checkout_stay_as_they_are(checkout: Checkout, types: Types) -> None:
    checkout.write("scripts/inference.py", "# staged\n")
    checkout.git("add", "scripts")
    checkout.write("scripts/inference.py", "# edited\n")
    checkout.write("scripts/new.py", "# untracked\n")
    git = checkout.folder / ".git"
    before = checkout.git("status", "--porcelain"), sorted(git.rglob("*"))
    types(expect=0)
    assert (checkout.git("status", "--porcelain"), sorted(git.rglob("*"))) == before
    assert (checkout.folder / "scripts" / "inference.py").read_text() == "# edited\n"


def test_a_project_in_a_folder_of_its_repository_is_compared(
    checkout: Checkout, types: Types, use: Use
) -> None:
    inner = checkout.folder / "services" / "packaging"
    inner.mkdir(parents=True)
    for name in ("app.py", "assembly", "cdk.json", "requirements-dev.txt"):
        shutil.move(checkout.folder / name, inner / name)
    checkout.commit("move")
    use(inner)
    types(expect=0)
    _, err = types("--base", "HEAD~1", expect=2)
    assert f"there is no services/packaging in {checkout.git('rev-parse', 'HEAD~1')[:10]}" in err


def test_other_locks_have_an_environment_that_the_revisions_own_make_makes(
    checkout: Checkout, types: Types
) -> None:
    python = f'#!/bin/sh\\nOF_ITS_OWN=yes exec {sys.executable} "$$@"\\n'
    recipe = f"mkdir -p .venv/bin; printf '{python}' > .venv/bin/python3; chmod +x .venv/bin/*"
    checkout.write("Makefile", f".venv/.ready:\n\t@{recipe}\n")
    checkout.commit("with its own make")
    assert types(expect=0)[1].count("\n") == 1
    checkout.write("requirements-dev.txt", "one==2\n")
    out, err = types(expect=1)
    assert "Its locks differ: making an environment of its own" in err
    assert (
        'is "stage dev, environment shared" now; it was "stage dev, environment yes".'
        in " ".join(out.split())
    )


def test_an_environment_that_cannot_be_made_is_told_in_makes_words(
    checkout: Checkout, types: Types
) -> None:
    message = "Set-up failed: the package index can't be reached"
    checkout.write("Makefile", f'.venv/.ready:\n\t@echo "{message}"; exit 1\n')
    checkout.commit("with its own make")
    checkout.write("requirements-dev.txt", "one==2\n")
    _, err = types(expect=2)
    assert f"set its environment up: {message}; compare with a revision of the same locks" in err


def test_a_revision_that_cannot_be_synthesized_is_told_with_its_last_words(
    checkout: Checkout, types: Types
) -> None:
    checkout.write("broken", "")
    _, err = types(expect=2)
    assert "what is checked out can't be synthesized; mend it first. Its last words:" in err
    assert err.endswith("\nSettingError: stages.dev.sizes: there is no such size\n")
    checkout.commit("broken")
    (checkout.folder / "broken").unlink()
    _, err = types(expect=2)
    assert "(where this left main) can't be synthesized; name another: BASE=revision." in err


def shallow(checkout: Checkout, folder: Path) -> Path:
    checkout.template(sizes=["large"])
    checkout.commit("second")
    origin = checkout.folder.as_uri()
    checkout.git("clone", "--quiet", "--depth", "1", origin, str(folder / "clone"))
    return folder / "clone"


def test_a_shallow_clone_says_how_to_bring_what_it_lacks(
    checkout: Checkout, types: Types, tmp_path: Path, use: Use
) -> None:
    use(shallow(checkout, tmp_path))
    _, err = types("--base", "HEAD~1", expect=2)
    assert (
        "there is no revision HEAD~1 here; this clone is shallow: bring it with: git fetch" in err
    )
    types(expect=0)


def test_what_git_cannot_tell_is_one_message_with_the_remedy(
    checkout: Checkout, types: Types, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, err = types("--base", "v1.0.0", expect=2)
    assert err == (
        "Failed: there is no revision v1.0.0 here; fetch it, or name another: BASE=revision\n"
    )
    checkout.git("branch", "--move", "main", "trunk")
    _, err = types(expect=2)
    assert "none of the branches origin/main, main, origin/master, master" in err
    checkout.git("switch", "--quiet", "--orphan", "main")
    checkout.git("commit", "--quiet", "--allow-empty", "--message", "another beginning")
    checkout.git("switch", "--quiet", "trunk")
    _, err = types(expect=2)
    assert "shares no revision with main here; fetch it, or name another" in err
    shutil.rmtree(checkout.folder / ".git")
    _, err = types(expect=2)
    assert "is no checkout that git can read (not a git repository" in err
    assert "python -m operations review OLD NEW" in err
    monkeypatch.setenv("PATH", "/nonexistent")
    _, err = types(expect=2)
    assert "there is no git, which knows the revisions; install it" in err


def test_a_repository_without_a_commit_has_nothing_to_compare_with(
    checkout: Checkout, types: Types
) -> None:
    shutil.rmtree(checkout.folder / ".git")
    checkout.git("init", "--quiet")
    assert "there is no commit to compare with yet" in types(expect=2)[1]


def test_an_interrupted_review_leaves_no_file_and_no_process(
    checkout: Checkout, types: Types, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[subprocess.Popen[bytes]] = []

    def interrupted(synth: Synth) -> None:
        running.append(synth._process)
        raise KeyboardInterrupt

    checkout.write("app.py", "import time; time.sleep(60)\n")
    checkout.commit("slow")
    monkeypatch.setattr(Synth, "assembly", interrupted)
    assert types(expect=130)[1].endswith("\nInterrupted.\n")
    assert [process.poll() is None for process in running] == [False]


@pytest.mark.parametrize(
    "words", [("one",), ("one", "two", "--base", "main"), ("one", "two", "--deployed")]
)
def test_two_folders_are_compared_with_nothing_else(words: tuple[str, ...], types: Types) -> None:
    assert "name both, and nothing else to compare: OLD NEW" in types(*words, expect=2)[1]
