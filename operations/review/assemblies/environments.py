"""The environment that a revision is synthesized in: the checkout's, or one of its own."""

import os
import subprocess
from pathlib import Path

from local_aws.child_processes import end
from operations.executions.faults import OperationError
from operations.synthesis import PROJECT

# What set-up installs for a synth: the CDK CLI, which package-lock.json has, takes no part in it.
_LOCKS = ("requirements.txt", "requirements-dev.txt")
_OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")


def has_same_locks(project: Path) -> bool:
    """Whether a project can be synthesized in the checkout's own environment.

    Args:
        project: Its folder.
    """
    return all(_content(project / lock) == _content(PROJECT / lock) for lock in _LOCKS)


def set_up(project: Path, said: str) -> None:
    """Make the environment of a project in its folder, as its own Makefile says.

    Args:
        project: Its folder.
        said: What it is, for messages.

    Raises:
        OperationError: It can't be made.
    """
    variables = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    # What the checkout has downloaded need not be downloaded again.
    variables.setdefault("UV_CACHE_DIR", str(PROJECT / ".cache" / "uv"))
    variables.setdefault("npm_config_cache", str(PROJECT / ".cache" / "npm"))
    log = project.with_name(f"{project.name}.setup.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", ".venv/.ready"],  # without the CDK CLI
            cwd=project,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            exit_code = process.wait()
        finally:
            end(process)
    if exit_code:
        lines = log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
        told = [line for line in lines if line.startswith("Set-up failed")] or lines
        raise OperationError(
            f"the locks of {said} differ from those that are checked out, and its own make can't "
            f"set its environment up: {told[-1]}; compare with a revision of the same locks, or "
            "two assemblies: python -m operations review OLD NEW"
        )


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None
