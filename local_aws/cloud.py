"""A local AWS for as long as a ``with`` block lasts, and the CDK CLI pointed at it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.session

PROJECT = Path(__file__).parent.parent
REGION = "us-east-1"
ACCOUNT = "123456789012"  # moto's

_STOP_SECONDS = 5


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


class LocalCloud:
    """A running local AWS.

    Attributes:
        endpoint: URL that every service answers on.
        directory: Folder of everything that it writes.
        environment: Environment for a process that is to talk to it and to nothing else.
    """

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self._clients: dict[str, Any] = {}
        self._making_a_client = (
            threading.Lock()
        )  # boto3's clients are thread-safe, its sessions not
        # Not 127.0.0.1: the CLI derives the template's URL from the host name.
        self.endpoint = f"http://localhost:{port}"
        self.environment = _environment(directory) | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "localhost,127.0.0.1",
        }

    def client(self, service: str) -> Any:
        """The boto3 client of a service, whatever the caller's own settings are."""
        with self._making_a_client:
            if service not in self._clients:  # it takes longer to make than most of its calls
                self._clients[service] = self._make_client(service)
            return self._clients[service]

    def _make_client(self, service: str) -> Any:
        # The caller's own profile and files are not even looked at.
        own_settings = {
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
        return boto3.Session(
            aws_access_key_id="local",
            aws_secret_access_key="local",
            region_name=REGION,
            botocore_session=botocore.session.Session(session_vars=own_settings),
        ).client(
            service,
            endpoint_url=self.endpoint,
            config=botocore.config.Config(proxies={}, s3={"addressing_style": "path"}),
        )

    def cdk(self, *arguments: str, directory: Path = PROJECT) -> str:
        """Run the CDK CLI against the local AWS.

        Args:
            *arguments: Such as ``deploy``, ``--app``, ``cdk.out``.
            directory: Working directory.

        Returns:
            What it printed.

        Raises:
            CommandError: It failed.
        """
        return run_cdk(
            arguments, self.environment, self.directory / f"cdk-{arguments[0]}.log", directory
        )

    def bootstrap(self) -> str:
        """Run ``cdk bootstrap`` for the account and region of the local AWS."""
        # From a folder without cdk.json, or the CLI would synthesize the app first.
        return self.cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}", directory=self.directory)

    def deploy(self, assembly: Path, stack: str, *options: str) -> str:
        """Run ``cdk deploy`` for a synthesized stack."""
        return self.cdk(
            "deploy", stack, "--app", str(assembly), "--require-approval", "never", *options
        )

    def outputs(self, stack: str) -> dict[str, str]:
        """The outputs of a deployed stack."""
        [description] = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return {item["OutputKey"]: item["OutputValue"] for item in description["Outputs"]}

    def wait_for_execution(self, pipeline: str, seconds: float = 120) -> dict[str, Any]:
        """Wait until the newest execution of a pipeline has ended.

        Args:
            pipeline: Name of the pipeline.
            seconds: How long to wait for it to start and end.

        Returns:
            What ``DescribePipelineExecution`` tells of it.

        Raises:
            TimeoutError: It did not start or did not end.
        """
        sagemaker = self.client("sagemaker")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            listed = sagemaker.list_pipeline_executions(PipelineName=pipeline)
            if executions := listed["PipelineExecutionSummaries"]:
                newest = max(executions, key=lambda item: item["StartTime"])
                if newest["PipelineExecutionStatus"] != "Executing":
                    description: dict[str, Any] = sagemaker.describe_pipeline_execution(
                        PipelineExecutionArn=newest["PipelineExecutionArn"]
                    )
                    return description
            time.sleep(0.1)
        raise TimeoutError(f"no execution of {pipeline} ended within {seconds:.0f} s")


@contextmanager
def local_cloud(directory: Path) -> Iterator[LocalCloud]:
    """Start a local AWS, and end it with the block, whatever happens in it.

    Args:
        directory: Empty or missing folder for everything that it writes.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "local-aws.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "local_aws.emulator"),
                *("--directory", str(directory / "executions"), "--region", REGION),
            ],
            cwd=PROJECT,
            env=_environment(directory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is for us; we end it
        )
    try:
        assert process.stdout is not None  # noqa: S101  # narrows the type
        line = process.stdout.readline()
        if not line.strip().isdigit():
            raise RuntimeError(f"the local AWS did not start; see {log}")
        yield LocalCloud(directory, int(line))
    finally:
        _end(process)


def synthesize(directory: Path, context: Mapping[str, str]) -> Path:
    """Run ``cdk synth`` without credentials or region.

    Args:
        directory: Folder for the assembly and the log.
        context: Context values for the app.

    Returns:
        The cloud assembly.

    Raises:
        CommandError: It failed.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    assembly = directory / "cdk.out"
    values = [word for name, value in context.items() for word in ("-c", f"{name}={value}")]
    run_cdk(
        ("synth", "--quiet", "--output", str(assembly), *values),
        _environment(directory),
        directory / "cdk-synth.log",
        PROJECT,
    )
    return assembly


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
            _end(process)
    printed = log.read_bytes()[start:].decode(errors="replace")
    if exit_code:
        raise CommandError(name, exit_code, printed, log)
    return printed


def _environment(directory: Path) -> dict[str, str]:
    """What child processes need, and nothing that could reach a real account."""
    scratch = directory / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    kept = ("JSII_NODE", "JSII_RUNTIME_PACKAGE_CACHE_ROOT", "LANG", "LC_ALL")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "PATH": os.pathsep.join(
            [
                str(PROJECT / "node_modules" / ".bin"),
                str(Path(sys.executable).parent),
                os.environ.get("PATH", os.defpath),
            ]
        ),
        # The CLI caches the account of an access key in its home.
        "HOME": str(directory / "home"),
        "CDK_HOME": str(directory / "home"),
        "TMPDIR": str(scratch),
        # This checkout's constructs, whichever checkout is installed.
        "PYTHONPATH": str(PROJECT / "constructs"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }


def _end(process: "subprocess.Popen[bytes]") -> None:
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
