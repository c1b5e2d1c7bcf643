"""A revision of this project in git: which one to compare with, and its files.

Nothing of the checkout is changed by that, nor of its index.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from operations.executions.faults import OperationError

# What the main branch may be called, where the remote does not say (origin/HEAD).
_MAIN = ("origin/main", "main", "origin/master", "master")
_FETCH = "bring it with: git fetch --unshallow (in CI, let the checkout fetch all: depth 0)"


@dataclass(frozen=True)
class Revision:
    """A commit to compare with.

    Attributes:
        commit: Its id.
        chosen_by: What was asked for, such as ``v1.0.0`` or "where this left origin/main".
    """

    commit: str
    chosen_by: str

    @property
    def said(self) -> str:
        """It in a few words."""
        return f"{self.commit[:10]} ({self.chosen_by})"


class Repository:
    """The repository that a project is checked out from.

    Args:
        project: The project's folder, which may be one of several in the repository.

    Raises:
        OperationError: There is no git, or the project is not checked out from a repository.
    """

    def __init__(self, project: Path) -> None:
        self._directory = project
        try:
            top = self._git("rev-parse", "--show-toplevel")
        except FileNotFoundError:
            raise OperationError(
                "there is no git, which knows the revisions; install it, or compare two "
                "assemblies: python -m operations review OLD NEW"
            ) from None
        except subprocess.CalledProcessError as fault:
            raise OperationError(
                f"{project} is no checkout that git can read ({_reason(fault)}); review in a "
                "clone, or compare two assemblies: python -m operations review OLD NEW"
            ) from None
        self._inside = self._git("rev-parse", "--show-prefix")
        self._directory = Path(top)

    def base(self, given: str | None) -> Revision:
        """The revision to compare with.

        Args:
            given: Its name. Default: the last one that what is checked out shares with the main
                branch; on the main branch itself that is the last commit.

        Raises:
            OperationError: There is no such revision here.
        """
        if given is not None:
            commit = self._commit(given)
            if commit is None:
                raise OperationError(f"there is no revision {given} here; {self._remedy()}")
            return Revision(commit, given)
        if self._commit("HEAD") is None:
            raise OperationError("there is no commit to compare with yet; commit, then review")
        branch = self._main_branch()
        try:
            return Revision(self._git("merge-base", "HEAD", branch), f"where this left {branch}")
        except subprocess.CalledProcessError:
            raise OperationError(
                f"what is checked out shares no revision with {branch} here; {self._remedy()}"
            ) from None

    def export(self, revision: Revision, folder: Path) -> Path:
        """Write the project's files as they were.

        Args:
            revision: When.
            folder: Where to, a new folder.

        Returns:
            The folder of the project in it.

        Raises:
            OperationError: The project was not there, or an object of it is not here.
        """
        if self._inside and self._id(f"{revision.commit}:{self._inside}") is None:
            raise OperationError(
                f"there is no {self._inside.rstrip('/')} in {revision.said}; name a later revision"
            )
        index = folder.with_name(f"{folder.name}.index")
        files, tree = f"{folder}{os.sep}", f"{revision.commit}:{self._inside}"
        try:
            self._git("read-tree", tree, GIT_INDEX_FILE=str(index))
            self._git("checkout-index", "--all", f"--prefix={files}", GIT_INDEX_FILE=str(index))
        except subprocess.CalledProcessError as fault:
            raise OperationError(
                f"the files of {revision.said} can't be read ({_reason(fault)}); {self._remedy()}"
            ) from None
        return folder

    def _main_branch(self) -> str:
        for name in (self._remotes_choice(), *_MAIN):
            if name and self._commit(name) is not None:
                return name
        raise OperationError(
            f"there is none of the branches {', '.join(_MAIN)} to compare with; {self._remedy()}"
        )

    def _remotes_choice(self) -> str | None:
        try:
            return self._git("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
        except subprocess.CalledProcessError:
            return None

    def _commit(self, name: str) -> str | None:
        return self._id(f"{name}^{{commit}}")

    def _id(self, name: str) -> str | None:
        try:
            return self._git("rev-parse", "--verify", "--quiet", name)
        except subprocess.CalledProcessError:
            return None

    def _remedy(self) -> str:
        if self._git("rev-parse", "--is-shallow-repository") == "true":
            return f"this clone is shallow: {_FETCH}"
        return "fetch it, or name another: BASE=revision"

    def _git(self, *words: str, **environment: str) -> str:
        # A hook of git's names its own index, and a work tree that may be another.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE")
        }
        return subprocess.run(
            ["git", *words],
            cwd=self._directory,
            env=inherited | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.removesuffix("\n")


def _reason(fault: subprocess.CalledProcessError) -> str:
    lines = [line.strip() for line in fault.stderr.splitlines() if line.strip()]
    return lines[0].removeprefix("fatal: ") if lines else f"git ended with {fault.returncode}"
