"""The synth of a project's folder, by its own app, as the CDK CLI would run it.

Its Node packages take no part in that: the CLI is one of them, jsii's Node is not.
"""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_aws.child_processes import end, isolated_environment
from operations.executions.faults import OperationError
from operations.review.assemblies.assembly import Assembly
from operations.synthesis import PROJECT

_DEFINITION_STORE = "model_packaging:definition_store"
_MOST_LINES = 15


class Synth:
    """A synth that is under way.

    Args:
        project: The project's folder.
        stage: The stage; None: that of the project's cdk.json.
        scratch: A folder of its own, for the assembly and all that it writes else.
        said: What is synthesized, for messages.
        remedy: What to do if it can't be.
        environment: The project whose ``.venv`` it runs in.

    Raises:
        OperationError: The project has no such stage, or is none.
    """

    def __init__(
        self,
        project: Path,
        stage: str | None,
        scratch: Path,
        said: str,
        remedy: str,
        environment: Path,
    ) -> None:
        self._assembly = scratch / "cdk.out"
        self._said = said
        self._remedy = remedy
        settings = _settings(project, said)
        context = _context(project, settings)
        stage = stage or context.get("stage")
        if stage not in context.get("stages", {}):
            stages = ", ".join(context.get("stages", {})) or "none"
            raise OperationError(f"{said} has no stage {stage!r} in its cdk.json; it has {stages}")
        self._printed = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115
        self._process = subprocess.Popen(
            shlex.split(settings["app"]),
            cwd=project,
            env=_environment(scratch, project, environment)
            | {
                "CDK_OUTDIR": str(self._assembly),
                "CDK_CONTEXT_JSON": json.dumps(context | {"stage": stage}),
            },
            stdin=subprocess.DEVNULL,
            stdout=self._printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def assembly(self) -> Assembly:
        """Wait for it.

        Raises:
            OperationError: It failed.
        """
        if self._process.wait():
            self._printed.seek(0)
            printed = self._printed.read().decode(errors="replace").strip().splitlines()
            reason = "\n".join(printed[-_MOST_LINES:]) or "it printed nothing"
            raise OperationError(
                f"{self._said} can't be synthesized; {self._remedy}. Its last words:\n{reason}"
            )
        return Assembly.read(self._assembly)

    def end(self) -> None:
        """End it, if it is still under way."""
        end(self._process)
        self._printed.close()


@contextmanager
def started(
    project: Path,
    stage: str | None,
    scratch: Path,
    said: str = "what is checked out",
    remedy: str = "mend it first",
    environment: Path = PROJECT,
) -> Iterator[Synth]:
    """A synth that has been started, and is ended with this context.

    Args:
        project: The project's folder.
        stage: The stage; None: that of the project's cdk.json.
        scratch: A folder of its own, for the assembly and all that it writes else.
        said: What is synthesized, for messages.
        remedy: What to do if it can't be.
        environment: The project whose ``.venv`` it runs in.

    Raises:
        OperationError: The project has no such stage, or is none.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    synth = Synth(project, stage, scratch, said, remedy, environment)
    try:
        yield synth
    finally:
        synth.end()


def default_stage() -> str:
    """The stage that cdk.json chooses where nobody names one."""
    stage: str = _settings(PROJECT, "what is checked out")["context"]["stage"]
    return stage


def _settings(project: Path, said: str) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads((project / "cdk.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OperationError(f"{said} has no cdk.json, so it is no CDK app to compare") from None
    except ValueError as fault:
        raise OperationError(f"the cdk.json of {said} is no JSON: {fault}") from None
    return settings


def _context(project: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Context values as the CLI hands them on, those it has looked up in an account included."""
    looked_up = project / "cdk.context.json"
    context: dict[str, Any] = json.loads(looked_up.read_text()) if looked_up.exists() else {}
    context |= settings.get("context", {})
    if store := context.get(_DEFINITION_STORE):
        # It answers by all that a definition is made from, so that projects can share it.
        context[_DEFINITION_STORE] = str(PROJECT / store)
    return context


def _environment(scratch: Path, project: Path, environment: Path) -> dict[str, str]:
    variables = isolated_environment(scratch)
    programs = environment / ".venv" / "bin"
    if programs.exists():  # else the one that this runs in
        variables["PATH"] = f"{programs}{os.pathsep}{variables['PATH']}"
    node = environment / ".venv" / "node" / "bin" / "node"
    if node.exists():
        variables["JSII_NODE"] = str(node)
    # Else it would be unpacked anew in a home that is gone afterwards.
    variables.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(PROJECT / ".cache" / "jsii"))
    # The project's own constructs, whichever project is installed.
    variables["PYTHONPATH"] = str(project / "constructs")
    variables["PYTHONDONTWRITEBYTECODE"] = "1"
    return variables
