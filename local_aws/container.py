"""A container that runs on this machine: a folder for its file system, and a process in it.

What the process can see is what the container could: its inputs below ``/opt/ml``, its environment,
and the packages of what stands in for its image. The container's paths are mapped to the folder.
"""

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local_aws.images import Image

_ROOT = "/opt/ml/"
_MAX_MESSAGE = 1024
_POLL_SECONDS = 0.02
_STOP_SECONDS = 120  # "StopProcessingJob": from SIGTERM to SIGKILL; training jobs have as long


class JobError(Exception):
    """The job failed; the text is its failure reason."""


class JobStoppedError(JobError):
    """The job was stopped before its end."""


class Container:
    """A container of a job.

    Args:
        scratch: Empty folder that becomes its file system.
        log: File that collects what it prints.
        image: What stands in for its image.
    """

    def __init__(self, scratch: Path, log: Path, image: Image) -> None:
        self._scratch = scratch
        self._log = log
        self._image = image
        self._stopped = threading.Event()

    @property
    def is_stopped(self) -> bool:
        """Whether it has been told to end."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End the process, now or as soon as it runs."""
        self._stopped.set()

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        limit: float | None,
        directory: str | None = None,
    ) -> int | None:
        """Run a command.

        Args:
            command: The program and its arguments, with the container's paths.
            environment: Environment of the process.
            limit: Seconds that it may take.
            directory: Working directory. Default: the folder of its file system.

        Returns:
            Its exit code; None if it was ended because it took too long.

        Raises:
            JobError: It is no program of Python's.
        """
        program, *arguments = (self.mapped(word) for word in command)
        if program not in ("python", "python3"):
            raise JobError(f"ClientError: the local AWS runs python3, not {program!r}")
        with (
            self._log.open("ab") as log,
            subprocess.Popen(
                [*self._image.interpreter(), *arguments],
                cwd=self.local(directory) if directory else self._scratch,
                env={"PATH": "/usr/bin:/bin", **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            return self._wait(process, limit)

    def message(self, path: str) -> str:
        """What the program wrote to a file for SageMaker to show."""
        file = self.local(path)
        text = file.read_text(errors="replace").strip() if file.is_file() else ""
        return text[:_MAX_MESSAGE]

    def local(self, path: str) -> Path:
        """Where on this machine a path of the container is."""
        return Path(self.mapped(path))

    def mapped(self, word: str) -> str:
        """A word with this machine's path, if it is a path of the container's."""
        return f"{self._scratch}{word}" if word.startswith(_ROOT) else word

    def all_mapped(self, value: Any) -> Any:
        """The same JSON with this machine's paths."""
        if isinstance(value, Mapping):
            return {key: self.all_mapped(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.all_mapped(item) for item in value]
        return self.mapped(value) if isinstance(value, str) else value

    def _wait(self, process: "subprocess.Popen[bytes]", limit: float | None) -> int | None:
        deadline = None if limit is None else time.monotonic() + limit
        while process.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                process.kill()
                return None
            if self._stopped.wait(_POLL_SECONDS):
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
        return process.returncode
