"""The CDK CLI, as a command that prints into a log."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local_aws.child_processes import end


class CommandError(Exception):
    """A command of the CDK CLI failed.

    Attributes:
        log: Everything that it printed.
    """

    def __init__(self, command: str, exit_code: int, output: str, log: Path) -> None:
        super().__init__(f"{command} ended with exit code {exit_code}: {_reason(output)}")
        self.log = log


def _reason(output: str) -> str:
    """The part of what the CLI printed that tells why it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if line.endswith("Resource updates failed:"):  # then the resource, then its reason
            return " ".join(lines[number + 1 : number + 3])
    exceptions = [line for line in lines if re.match(r"\w+(Error|Exception): ", line)]
    return (exceptions or lines or ["it printed nothing"])[-1]


def run_cdk(
    arguments: tuple[str, ...], environment: Mapping[str, str], log: Path, directory: Path
) -> str:
    """Run the CDK CLI and keep what it prints.

    Raises:
        CommandError: It failed, or there is no CDK CLI.
    """
    cdk = shutil.which("cdk", path=environment["PATH"])
    name = f"cdk {arguments[0]}"
    if cdk is None:
        raise CommandError(name, 127, "Error: there is no CDK CLI; `make setup` installs it", log)
    with log.open("ab") as output:
        start = output.tell()
        process = subprocess.Popen(
            [cdk, *arguments],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            exit_code = process.wait()
        finally:
            end(process)
    printed = log.read_bytes()[start:].decode(errors="replace")
    if exit_code:
        raise CommandError(name, exit_code, printed, log)
    return printed
