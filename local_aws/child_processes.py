"""Processes that can reach nothing but this machine, and their end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent  # with the CDK CLI in node_modules
_STOP_SECONDS = 5


def isolated_environment(directory: Path) -> dict[str, str]:
    """What child processes need, and nothing that could reach a real account."""
    scratch = directory / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    kept = ("JSII_NODE", "JSII_RUNTIME_PACKAGE_CACHE_ROOT", "LANG", "LC_ALL")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "PATH": os.pathsep.join(
            [
                str(CHECKOUT / "node_modules" / ".bin"),
                str(Path(sys.executable).parent),
                os.environ.get("PATH", os.defpath),
            ]
        ),
        # The CLI caches the account of an access key in its home.
        "HOME": str(directory / "home"),
        "CDK_HOME": str(directory / "home"),
        "TMPDIR": str(scratch),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all that it started."""
    if process.stdin is not None:
        process.stdin.close()
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signal_number)
            process.wait(_STOP_SECONDS)
        except (ProcessLookupError, PermissionError):
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
