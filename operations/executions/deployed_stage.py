"""A stage as it is deployed: what its stack's outputs name."""

import argparse
import functools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.exceptions

from operations.executions.faults import OperationError
from operations.synthesis import PROJECT
from stacks.default_names import stack_name


@dataclass(frozen=True)
class DeployedStage:
    """One stage's stack.

    Attributes:
        stack: Its name.
        outputs: Its outputs by name.
        client: Gives the client of a service, such as ``s3``.
    """

    stack: str
    outputs: Mapping[str, str]
    client: Callable[[str], Any]

    @property
    def pipeline_name(self) -> str:
        """Name of the pipeline."""
        return self.output("PipelineName")

    @property
    def pipeline_arn(self) -> str:
        """ARN of the pipeline."""
        return self.output("PipelineArn")

    def output(self, name: str) -> str:
        """An output of the stack.

        Raises:
            OperationError: The stack has no such output.
        """
        if name not in self.outputs:
            raise OperationError(
                f"the stack {self.stack} has no output {name}: it was deployed from another "
                "version, or its deployment is not complete; deploy it again"
            )
        return self.outputs[name]

    def execution_arn(self, given: str) -> str:
        """The ARN of an execution, which may be given by its id.

        Raises:
            OperationError: It is one of another pipeline.
        """
        own = f"{self.pipeline_arn}/execution/"
        if not given.startswith("arn:"):
            return f"{own}{given}"
        if given.lower().startswith(own.lower()):
            return given
        raise OperationError(
            f"{given} is no execution of {self.pipeline_name}; name the STAGE that it belongs to"
        )


def add_stage(parser: argparse.ArgumentParser) -> None:
    """Let a command take the stage, and say its result as JSON."""
    parser.add_argument("--stage", help="a stage of cdk.json; default: cdk.json's own choice")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_execution(parser: argparse.ArgumentParser) -> None:
    """Let a command take an execution."""
    parser.add_argument(
        "execution",
        type=named("an EXECUTION, as `status` lists it"),
        help="id or ARN of the execution, as `status` lists it",
    )


def named(what: str) -> Callable[[str], str]:
    """A type of argument that isn't empty, as one is that make was not given.

    Args:
        what: What to name, for the message.
    """

    def check(text: str) -> str:
        if not text:
            raise argparse.ArgumentTypeError(f"name {what}")
        return text

    return check


def settings_of(stage: str | None) -> dict[str, Any]:
    """A stage's settings, as cdk.json has them.

    Args:
        stage: Its name. Default: that of cdk.json.

    Raises:
        OperationError: There is no such stage.
    """
    context = _context()
    stages, stage = context["stages"], _chosen(stage)
    if stage not in stages:
        raise OperationError(f"cdk.json has no stage {stage!r}; it has {', '.join(stages)}")
    settings: dict[str, Any] = stages[stage]
    return settings


def stack_of(stage: str | None) -> str:
    """Name of a stage's stack.

    Args:
        stage: Its name. Default: that of cdk.json.

    Raises:
        OperationError: There is no such stage.
    """
    return settings_of(stage).get("stack_name") or stack_name(_chosen(stage))


def deployed_stage(stage: str | None) -> DeployedStage:
    """Read the outputs of a stage's stack, with the user's credentials.

    Args:
        stage: Its name. Default: that of cdk.json.

    Raises:
        OperationError: There is no such stage, or it is not deployed.
    """
    stack = stack_of(stage)
    client = functools.lru_cache(maxsize=None)(client_of)
    try:
        [description] = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except botocore.exceptions.ClientError as fault:
        if "does not exist" in str(fault):
            raise OperationError(
                f"the stack {stack} of the stage {_chosen(stage)} is not deployed in this account "
                "and region; deploy it, or choose another STAGE or region"
            ) from fault
        raise
    outputs = {item["OutputKey"]: item["OutputValue"] for item in description.get("Outputs", [])}
    return DeployedStage(stack, outputs, client)


def client_of(service: str) -> Any:
    """A boto3 client of a service, in the region that the CDK CLI would deploy to."""
    return boto3.client(service, region_name=os.environ.get("AWS_REGION") or None)


def _context() -> dict[str, Any]:
    context: dict[str, Any] = json.loads((PROJECT / "cdk.json").read_text())["context"]
    return context


def _chosen(stage: str | None) -> str:
    return stage or str(_context()["stage"])
