"""What is compared: what is checked out, with a revision or with what is deployed."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from operations.review.assemblies import environments
from operations.review.assemblies.assembly import Assembly
from operations.review.assemblies.deployed import Deployed
from operations.review.assemblies.revisions import Repository
from operations.review.assemblies.synths import default_stage, started
from operations.synthesis import PROJECT


@dataclass(frozen=True)
class Sides:
    """Two assemblies.

    Attributes:
        old: The one before.
        new: The one after.
        against: What it is compared with, in a few words.
    """

    old: Assembly
    new: Assembly
    against: str


@contextmanager
def with_revision(base: str | None, stage: str | None) -> Iterator[Sides]:
    """What is checked out, edits that are not committed included, and a revision of it.

    Both are synthesized at once. The revision's files are below a temporary folder, which is gone
    after this context.

    Args:
        base: The revision. Default: the last one that is shared with the main branch.
        stage: The stage. Default: that of cdk.json as it is checked out.

    Raises:
        OperationError: There is no such revision here, or one of both can't be synthesized.
        AssemblyError: What was synthesized can't be compared.
    """
    repository = Repository(PROJECT)
    revision = repository.base(base)
    _tell(f"Comparing what is checked out with {revision.said}.")
    stage = stage or default_stage()
    with _temporary_folder() as folder, ExitStack() as running:
        project = repository.export(revision, folder / "revision")
        # The checkout's own synth goes on while another environment is made.
        after = running.enter_context(started(PROJECT, stage, folder / "after"))
        environment = PROJECT
        if not environments.has_same_locks(project):
            _tell("Its locks differ: making an environment of its own, a minute or two.")
            environments.set_up(project, revision.said)
            environment = project
        before = running.enter_context(
            started(
                *(project, stage, folder / "before"),
                said=revision.said,
                remedy="name another: BASE=revision",
                environment=environment,
            )
        )
        yield Sides(before.assembly(), after.assembly(), revision.said)


@contextmanager
def with_deployed(stage: str | None) -> Iterator[Sides]:
    """What is checked out, and what is deployed of its stage, read with the user's credentials.

    Args:
        stage: The stage. Default: that of cdk.json.

    Raises:
        OperationError: The stage is not deployed, or can't be synthesized.
        AssemblyError: What was synthesized can't be compared.
    """
    with _temporary_folder() as folder, started(PROJECT, stage, folder / "after") as after:
        before = Deployed(stage)
        (folder / "before").mkdir()
        new = after.assembly()
        old = before.assembly(new, folder / "before", _tell)
        yield Sides(old, new, "what is deployed")


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="review-") as folder:
        yield Path(folder).resolve()


def _tell(text: str) -> None:
    """Say it to those who wait, not to those who read the review."""
    print(text, file=sys.stderr, flush=True)
