"""Keep a local AWS running with a stage deployed, and show what happens on it.

Other commands work against it from another terminal, once that has its settings:

    source .local/cloud/env.sh

Ctrl-C ends it, and all that was on it is gone.
"""

import argparse
import shlex
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any, NoReturn

from local_aws.cdk_cli import CommandError
from local_aws.cloud import ACCOUNT, REGION, LocalCloud, local_cloud
from operations.executions.deployed_stage import settings_of, stack_of
from operations.executions.faults import OperationError, telling_faults
from operations.happenings import Happenings
from operations.own_folder import empty_folder
from operations.synthesis import PROJECT, synthesize

POLL_SECONDS = 0.5
EXPORTS = "env.sh"  # below its folder
_PORT = 4577
# The stack's construct in the app, which the CDK CLI calls it by.
_CONSTRUCT = "ModelPackaging"
# What would lead a shell's commands elsewhere than these settings do.
_UNSET = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"),
    *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
    *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
)
_UNSET_OF_SERVICES = """\
for name in $(env | sed -n 's/^\\(AWS_ENDPOINT_URL_[A-Z0-9_]*\\)=.*/\\1/p'); do unset "$name"; done
"""
# Programs read either, and what the shell had goes on to hold.
_NO_PROXY = """\
export NO_PROXY="localhost,127.0.0.1${NO_PROXY:+,$NO_PROXY}"
export no_proxy="localhost,127.0.0.1${no_proxy:+,$no_proxy}"
"""
_TASKS = {
    "smoke": "try it with small models",
    "status": "list the latest executions",
    "diff": "compare it with your changes",
    "deploy": "bring your changes to it",
    "destroy": "delete the stack",
    "start MODEL=s3://…": "package a model that is in S3",
}
NOT_IMITATED = (
    "your own permissions: whatever you call is allowed, unlike what the stack's roles call",
    "the role that hosting takes: an endpoint is served whatever it may",
    "containers: the packager runs in this machine's Python, with its standard library alone",
    "instances: their types, sizes, quotas and the minutes that a job takes to start",
    "the five minutes that S3 takes until it sends a new bucket's events",
    "encryption: keys have names, policies and states, and nothing is encrypted with them",
    "the network: a VPC, its subnets and endpoints are there, and nothing passes through them",
    "time: no lifecycle rule deletes, no queue and no log expires",
    "mail: an alarm changes its state and publishes nowhere outside",
    "drift: a deployment with `--revert-drift` puts back nothing that was changed by hand",
    "CloudWatch's metrics of queues, so the alarm on the dead-letter queue stays OK",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--stage", help="a stage of cdk.json; default: cdk.json's own choice")
    parser.add_argument(
        "--port", type=int, default=_PORT, help=f"where it listens, 0 for any; default: {_PORT}"
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=PROJECT / ".local" / "cloud",
        help="folder for all that it writes; it is emptied first, and removed at the end",
    )


@telling_faults
def run(options: argparse.Namespace) -> int:
    """Keep it running until someone interrupts it.

    Returns:
        0 when it was interrupted; 1 if it can't run.
    """
    _end_like_ctrl_c()
    account, region = _place_of(options.stage)
    directory = options.directory.resolve()
    taken = OperationError(
        f"a local AWS is running already, with all that it has in {directory}; use it, or "
        "end it with Ctrl-C in its terminal"
    )
    with empty_folder(directory, taken):
        _require_free(options.port)
        try:
            with local_cloud(directory, port=options.port, account=account, region=region) as cloud:
                _say(f"The local AWS answers at {cloud.endpoint}")
                _deploy(cloud, options.stage)
                _tell_how_to_use(cloud, options.stage)
                _show(cloud)
        except KeyboardInterrupt:
            _say("\nEnded, and all that was on it is gone.")
        except CommandError as fault:
            raise OperationError(f"{fault} (details: {fault.log})") from fault
        except RuntimeError as fault:
            raise OperationError(str(fault)) from fault
        shutil.rmtree(directory, ignore_errors=True)  # after a fault, its logs stay
    return 0


def _end_like_ctrl_c() -> None:
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, _stop)


def _stop(signal_number: int, _: Any) -> NoReturn:
    raise KeyboardInterrupt


def _place_of(stage: str | None) -> tuple[str, str]:
    """The account and the region that a stage is for, or any, so that it can be deployed.

    Raises:
        OperationError: There is no such stage.
    """
    settings = settings_of(stage)
    return settings.get("account") or ACCOUNT, settings.get("region") or REGION


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as fault:
            raise OperationError(
                f"the port {port} can't be had: {fault.strerror}; name another one, such as "
                f"PORT={port + 1}, or PORT=0 for any that is free"
            ) from fault


def _deploy(cloud: LocalCloud, stage: str | None) -> None:
    _say("Synthesizing the app …")
    assembly = synthesize(cloud.directory / "synth", {"stage": stage} if stage else {})
    _say("cdk bootstrap …")
    cloud.bootstrap()
    _say("cdk deploy …")
    cloud.deploy(assembly, _CONSTRUCT)


def _tell_how_to_use(cloud: LocalCloud, stage: str | None) -> None:
    exports = cloud.directory / EXPORTS
    exports.write_text(_exports(cloud))
    named = exports.relative_to(PROJECT) if exports.is_relative_to(PROJECT) else exports
    for_stage = f" STAGE={stage}" if stage else ""
    stack = stack_of(stage)
    _say(f"{stack} is deployed. Its outputs:")
    for name, value in cloud.outputs(stack).items():
        _say(f"    {name:<20} {value}")
    _say("In another terminal, this lets make and the AWS CLI talk to it:")
    _say(f"    source {shlex.quote(str(named))}")
    _say("Then, there:")
    for task, does in _TASKS.items():
        _say(f"    {f'make {task}{for_stage}':<40} {does}")
    _say("The file takes away what would lead elsewhere, and sets")
    for line in exports.read_text().splitlines():
        if line.startswith("export "):
            _say(f"    {line}")
    _say("What it does not imitate:")
    for what in NOT_IMITATED:
        _say(f"    - {what}")
    _say("Ctrl-C ends it, with all that is on it. What happens:")


def _exports(cloud: LocalCloud) -> str:
    kept = {
        name: value
        for name, value in cloud.environment.items()
        if name.startswith("AWS_") or name == "CDK_HOME"
    }
    return "".join(
        (
            "# Settings of the local AWS, for as long as it runs. A new shell is without them.\n",
            f"unset {' '.join(_UNSET)}\n",
            _UNSET_OF_SERVICES,
            *(f"export {name}={shlex.quote(value)}\n" for name, value in kept.items()),
            _NO_PROXY,
        )
    )


def _show(cloud: LocalCloud) -> None:
    happenings = Happenings(cloud, cloud.directory / "local-aws.log")
    for _ in happenings.new():
        pass  # what the deployment itself made happen
    while True:
        for line in happenings.new():
            _say(f"{time.strftime('%H:%M:%S')}  {line}")
        _wait(POLL_SECONDS)


def _wait(seconds: float) -> None:
    time.sleep(seconds)


def _say(text: str) -> None:
    print(text, flush=True)
