"""An environment of its own that a model is served in: AWS's serving toolkit and what it needs."""

import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

_TOOLKIT = ("sagemaker-inference", "multi-model-server")
# In what uv prints when it can't reach the package index.
_NO_NETWORK = re.compile(r"error sending request|client error \(Connect\)|dns error|timed out")


class RequirementsError(Exception):
    """What is asked for can't be installed."""


def serving_environment(requirements: Path, directory: Path, also: Sequence[str] = ()) -> Path:
    """Install what a file asks for, beside the serving toolkit, apart from this project's own.

    What was installed once is there the next time, without a network. The package index is the one
    that pip or uv is configured for.

    Args:
        requirements: The file, as pip has them.
        directory: Folder for such environments: each list of requirements has one of its own,
            so that none sees what another has asked for.
        also: Distributions of which the environment gets the version that is installed here.

    Returns:
        Its Python interpreter.

    Raises:
        RequirementsError: There is no network, or no such package.
    """
    pinned = [f"{name}=={version(name)}" for name in (*_TOOLKIT, *also)]
    key = "\n".join([platform.python_version(), *pinned, requirements.read_text()])
    place = directory / hashlib.sha256(key.encode()).hexdigest()[:16]
    python = place / "bin" / "python"
    if not python.exists():
        _uv("venv", "--clear", "--python", sys.executable, str(place))
    index = _index()
    _uv(
        *("pip", "install", "--python", str(python), "--requirements", str(requirements)),
        *(("--default-index", index) if index else ()),
        *pinned,
    )
    return python


def _index() -> str:
    """The package index of pip's settings, which uv doesn't read; nothing if it has none."""
    if "UV_DEFAULT_INDEX" in os.environ or "UV_NO_INDEX" in os.environ:
        return ""
    return os.environ.get("PIP_INDEX_URL") or _run("pip", "config", "get", "global.index-url")[0]


def _uv(*arguments: str) -> None:
    _, failure = _run("uv", "--quiet", *arguments)
    if not failure:
        return
    lines = [line.strip() for line in failure.splitlines() if line.strip()]
    if _NO_NETWORK.search(failure):
        raise RequirementsError(
            "the package index can't be reached, and what REQUIREMENTS names is installed from it; "
            f"is there a network? ({lines[-1]})"
        )
    causes = [line.partition("cause: ")[2] for line in lines if "cause: " in line]
    raise RequirementsError(f"what REQUIREMENTS names can't be installed: {(causes or lines)[-1]}")


def _run(module: str, *arguments: str) -> tuple[str, str]:
    """What a program printed; and what it said of its failure, if it failed."""
    ran = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False
    )
    return ran.stdout.strip(), (ran.stderr or "it printed nothing") if ran.returncode else ""
