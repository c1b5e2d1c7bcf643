"""A local AWS that `make local` keeps running, and a shell that has its settings."""

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from operations import local
from operations.__main__ import main
from tests.conftest import PROJECT, Make, synthesize

STAGE = "prod"
# As a stage may name them in cdk.json.
ACCOUNT, REGION = "111122223333", "eu-west-1"
REGISTRATION = {
    "model_package_group": "churn",
    "framework": "sklearn",
    "framework_version": "1.2-1",
}


class Desk:
    """`operations local` in a thread, until someone interrupts it.

    Args:
        directory: Its folder.
        assembly: What it deploys, which it need not synthesize.
    """

    def __init__(self, directory: Path, assembly: Path) -> None:
        self.directory = directory
        self.exit_code: int | None = None
        self._assembly = assembly
        self._said: list[str] = []
        self._interrupted = threading.Event()
        self._patches = pytest.MonkeyPatch()
        for name, replacement in {
            "synthesize": lambda directory, context: assembly,
            "_say": self._said.append,
            "_wait": self._wait,
            "POLL_SECONDS": 0.1,
            "_end_like_ctrl_c": lambda: None,  # only a main thread may handle signals
            "settings_of": lambda stage: {"account": ACCOUNT, "region": REGION},
        }.items():
            self._patches.setattr(local, name, replacement)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.wait_until_said("What happens:")

    def said(self) -> str:
        return "\n".join(self._said)

    def wait_until_said(self, pattern: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.said()):
            assert self._thread.is_alive(), self.said()
            assert time.monotonic() < deadline, f"{pattern!r} was not said:\n{self.said()}"
            time.sleep(0.02)

    def interrupt(self) -> None:
        """Type Ctrl-C."""
        self._interrupted.set()
        self._thread.join(30)
        self._patches.undo()

    def settings(self, **before: str) -> dict[str, str]:
        """What a shell has that has read env.sh, whatever it had before."""
        printed = subprocess.run(
            ["bash", "-c", f"source '{self.directory}/env.sh' && env"],
            env={"PATH": "/usr/bin:/bin", **before},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return dict(line.split("=", 1) for line in printed.splitlines())

    def cdk(self, command: str, *options: str) -> str:
        """What the CDK CLI prints in such a shell."""
        done = subprocess.run(
            ["cdk", command, "ModelPackaging", "--app", str(self._assembly), *options],
            env={**self.settings(), "PATH": f"{PROJECT}/node_modules/.bin:{os.environ['PATH']}"},
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def _run(self) -> None:
        words = ["--stage", STAGE, "--port", "0", "--directory", str(self.directory)]
        self.exit_code = main(["local", *words])

    def _wait(self, seconds: float) -> None:
        if self._interrupted.wait(seconds):
            raise KeyboardInterrupt


@pytest.fixture(scope="session")
def registering(once: Callable[[str, Make], Path]) -> Path:
    """The assembly of the stage prod when it registers its packages."""

    def make(outdir: Path) -> None:
        stages = json.loads((PROJECT / "cdk.json").read_text())["context"]["stages"]
        prod = stages["prod"] | {"registration": REGISTRATION}
        synthesize(outdir, stage="prod", stages={"prod": prod})

    return once("registering-prod", make)


@pytest.fixture(scope="session")
def desk(registering: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A local AWS with the stage prod, for the tests of what is done with it, until it is gone."""
    desk = Desk(tmp_path_factory.mktemp("desk") / "cloud", registering)
    try:
        yield desk
        settings = desk.settings()
        cloudformation = boto3.client(
            "cloudformation",
            region_name=REGION,
            endpoint_url=settings["AWS_ENDPOINT_URL"],
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
        )
        cloudformation.update_termination_protection(
            StackName="ModelPackaging-prod", EnableTerminationProtection=False
        )
        assert "destroyed" in desk.cdk("destroy", "--force")
    finally:
        desk.interrupt()
        assert desk.exit_code == 0
        assert "Ended, and all that was on it is gone" in desk.said()
        assert list(desk.directory.parent.iterdir()) == []


@pytest.fixture
def shell(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let this process have the settings that `make local` prints."""
    settings = {
        name: value
        for name, value in desk.settings().items()
        if name.startswith("AWS_") or name == "NO_PROXY"
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers another environment
    return settings
