"""Show what a stage is: its pipeline's definition, its roles and what starts it, in words.

What is checked out is shown, edits that are not committed included; no credentials are needed.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from operations.executions.faults import OperationError, telling_faults
from operations.review import permissions, triggers
from operations.review.assemblies.assembly import Assembly, AssemblyError
from operations.review.assemblies.synths import started
from operations.review.assets import Assets
from operations.review.definition import expressions
from operations.synthesis import PROJECT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "assembly",
        metavar="ASSEMBLY",
        nargs="?",
        type=Path,
        help="the assembly to show, as `cdk synth` writes it; default: what is checked out",
    )
    parser.add_argument("--stage", help="a stage of cdk.json; default: cdk.json's own choice")


@telling_faults
def run(options: argparse.Namespace) -> int:
    """Show an assembly.

    Returns:
        0; 1 if there is none.
    """
    try:
        if options.assembly:
            told = _told(Assembly.read(options.assembly))
        else:
            with tempfile.TemporaryDirectory(prefix="show-") as folder:
                scratch = Path(folder).resolve()
                with started(PROJECT, options.stage, scratch) as synth:
                    told = _told(synth.assembly())
    except AssemblyError as fault:
        raise OperationError(str(fault)) from fault
    print(told, end="")
    return 0


def _told(assembly: Assembly) -> str:
    return "\n".join(_lines(assembly)) + "\n"


def _lines(assembly: Assembly) -> Iterator[str]:
    name = assembly.settings.get("name", assembly.stack)
    yield f"The pipeline of {name}"
    yield ""
    definition = Assets(assembly, assembly).in_words(assembly.definition, old=False)
    yield json.dumps(expressions.plain(definition), indent=2, ensure_ascii=False)
    yield ""
    yield "What its roles can do"
    yield ""
    yield from permissions.roles_in_words(assembly.template)
    yield ""
    yield "What starts it"
    yield ""
    yield from triggers.in_words(assembly.template)
