"""Writes the golden files anew, in an environment of their own below ``.cache/golden``.

    python -m tests.rendered_by_sdk_2.regenerate

Needs the package index on first use, later no network. The product never depends on SDK v2.
"""

import subprocess
import sys
import venv
from pathlib import Path

from tests.rendered_by_sdk_2.configurations import SDK_VERSION

PROJECT = Path(__file__).parents[2]
ENVIRONMENT = PROJECT / ".cache" / "golden"
REQUIREMENT = f"sagemaker=={SDK_VERSION}"


def python_with_v2() -> Path:
    """The Python of an environment with SDK v2; made if it is not there."""
    python = ENVIRONMENT / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    # Written last, so that an environment that was left half made is made again.
    ready = ENVIRONMENT / f"{REQUIREMENT}.ready"
    if not ready.exists():
        print(f"installing {REQUIREMENT} into {ENVIRONMENT}", flush=True)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
        if subprocess.run([*pip, REQUIREMENT], check=False).returncode:
            sys.exit(f"{REQUIREMENT} can't be installed; is the package index reachable?")
        ready.touch()
    return python


def main() -> None:
    renderer = [python_with_v2(), "-m", "tests.rendered_by_sdk_2.render_with_v2"]
    sys.exit(subprocess.run(renderer, cwd=PROJECT, check=False).returncode)


if __name__ == "__main__":
    main()
