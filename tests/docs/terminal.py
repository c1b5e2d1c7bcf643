"""A page's commands as its reader types them, at a stage that is deployed on a local AWS."""

import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import botocore.exceptions
import pytest

from local_aws.cloud import LocalCloud
from operations.__main__ import main
from tests.docs import aws_cli
from tests.docs.commands import check, recipes, require

# What the local AWS doesn't have: tests/docs/commands.py holds it to the API.
NOT_IMITATED = {
    ("cloudformation", "continue-update-rollback"),
    ("service-quotas", "list-service-quotas"),
    ("service-quotas", "request-service-quota-increase"),
}


class Terminal:
    """Where a reader types.

    Args:
        cloud: The local AWS.
        assembly: What `cdk` finds when it synthesizes.
        folder: Where commands run.
        reads: Reads what a command has printed.
    """

    def __init__(
        self, cloud: LocalCloud, assembly: Path, folder: Path, reads: Callable[[], str]
    ) -> None:
        self._cloud = cloud
        self._folder = folder
        self._reads = reads
        self.assembly = assembly
        self.exported: dict[str, str] = {}

    def types(self, words: list[str], filled_in: Mapping[str, str]) -> str:
        """Run a command; what it prints.

        Args:
            words: As they stand on the page.
            filled_in: What the reader writes for the words that stand for something.

        Raises:
            AssertionError: It fails.
        """
        words = [fill_in(word, filled_in) for word in words]
        program, *rest = words
        if program == "make":
            return self._make(rest)
        if program == "aws" and tuple(rest[:2]) not in NOT_IMITATED:
            try:
                return aws_cli.run(rest, self._cloud.client, self._folder)
            except botocore.exceptions.ClientError as fault:
                raise AssertionError(str(fault)) from fault
        check(words)  # what no local AWS can show: git, a release
        if program == "export":
            self.exported |= dict(word.split("=", 1) for word in rest)
        return ""

    def _make(self, words: list[str]) -> str:
        check(["make", *words])
        given = self.exported | dict(word.split("=", 1) for word in words if "=" in word)
        tasks = [word for word in words if "=" not in word]
        printed = ""
        for line in recipes(tasks, given).splitlines():
            if line.startswith("python -m operations "):
                printed += self._operations(shlex.split(line)[3:])
            elif line.startswith("cdk "):
                printed += self._cdk(shlex.split(line)[1:])
        return printed

    def _operations(self, words: list[str]) -> str:
        exit_code = main(words)
        printed = self._reads()
        require(exit_code == 0, printed)
        return printed

    def _cdk(self, words: list[str]) -> str:
        # It synthesizes for seconds what the tests have synthesized.
        words = shlex.split(re.sub(r" -c stage=\S+", "", shlex.join(words)))
        return self._cloud.cdk(*words, "--app", str(self.assembly))


def fill_in(text: str, filled_in: Mapping[str, str]) -> str:
    """A text with what its readers write for the words that stand for something."""
    for name in sorted(filled_in, key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(name)}\b", lambda _, name=name: filled_in[name], text)
    return text


def require_printed(expected: str, printed: str) -> None:
    """Hold what a command has printed to what the page shows of it.

    Each line that the page shows is one that was printed; `…` stands for anything, and a blank
    for any number of them.

    Raises:
        AssertionError: A line was not printed.
    """
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for shown in filter(None, (" ".join(line.split()) for line in expected.splitlines())):
        pattern = ".*".join(re.escape(part) for part in shown.split("…"))
        found = any(re.fullmatch(pattern, line) for line in lines)
        require(found, f"no line is {shown!r} among {lines}")


def in_the_environment_of(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process use the local AWS, as a reader's credentials would let it use AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in cloud.environment.items():
        if name.startswith("AWS_") or name == "NO_PROXY":
            monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers another environment
