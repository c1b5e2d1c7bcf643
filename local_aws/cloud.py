"""A local AWS for as long as a ``with`` block lasts."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.session

from local_aws.cdk_cli import run_cdk
from local_aws.child_processes import CHECKOUT, end, isolated_environment

REGION = "us-east-1"
ACCOUNT = "123456789012"  # moto's


class LocalCloud:
    """A running local AWS.

    Attributes:
        endpoint: URL that every service answers on.
        directory: Folder of everything that it writes.
        account: Id of the account.
        region: The region.
        environment: Environment for a process that is to talk to it and to nothing else.
    """

    def __init__(self, directory: Path, port: int, account: str, region: str) -> None:
        self.directory = directory
        self.account = account
        self.region = region
        self._clients: dict[str, Any] = {}
        self._making_a_client = (
            threading.Lock()
        )  # boto3's clients are thread-safe, its sessions not
        # Not 127.0.0.1: the CLI derives the template's URL from the host name.
        self.endpoint = f"http://localhost:{port}"
        self.environment = isolated_environment(directory) | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
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
            region_name=self.region,
            botocore_session=botocore.session.Session(session_vars=own_settings),
        ).client(
            service,
            endpoint_url=self.endpoint,
            config=botocore.config.Config(proxies={}, s3={"addressing_style": "path"}),
        )

    def cdk(self, *arguments: str, directory: Path = CHECKOUT) -> str:
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
        return self.cdk(
            "bootstrap", f"aws://{self.account}/{self.region}", directory=self.directory
        )

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
def local_cloud(
    directory: Path,
    serving_python: Path | None = None,
    *,
    port: int = 0,
    account: str = ACCOUNT,
    region: str = REGION,
) -> Iterator[LocalCloud]:
    """Start a local AWS, and end it with the block, whatever happens in it.

    Args:
        directory: Empty or missing folder for everything that it writes.
        serving_python: Interpreter of the environment that endpoints serve models in, with
            ``sagemaker-inference`` and ``multi-model-server``. Default: ours.
        port: Where it listens. Default: any port that is free.
        account: Id of its account.
        region: Its region.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "local-aws.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "local_aws.emulator"),
                *("--directory", str(directory), "--region", region),
                *("--port", str(port)),
                *(("--serving-python", str(serving_python)) if serving_python else ()),
            ],
            cwd=CHECKOUT,
            env=isolated_environment(directory) | {"MOTO_ACCOUNT_ID": account},
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
        yield LocalCloud(directory, int(line), account, region)
    finally:
        end(process)
