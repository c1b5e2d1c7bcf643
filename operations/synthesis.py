"""The cloud assembly of the product's app."""

import json
from collections.abc import Mapping
from pathlib import Path

from local_aws.cdk_cli import run_cdk
from local_aws.child_processes import isolated_environment

PROJECT = Path(__file__).parent.parent


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
    environment = isolated_environment(directory)
    # This checkout's constructs, whichever checkout is installed.
    environment["PYTHONPATH"] = str(PROJECT / "constructs")
    run_cdk(
        ("synth", "--quiet", "--output", str(assembly), *values),
        environment,
        directory / "cdk-synth.log",
        PROJECT,
    )
    return assembly


def stack_name(assembly: Path, construct: str) -> str:
    """The name that a stack of an assembly is deployed under.

    Args:
        assembly: The cloud assembly.
        construct: Id of the stack in the app.
    """
    manifest = json.loads((assembly / "manifest.json").read_text())
    name: str = manifest["artifacts"][construct]["properties"].get("stackName", construct)
    return name
