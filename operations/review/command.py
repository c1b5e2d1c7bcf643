"""Tell what changes of a stack, for those who approve it.

What is checked out, edits that are not committed included, is compared with a revision of it or
with what is deployed, or one assembly with another.

Exit codes, as those of diff: 0 nothing changes, 1 something does, 2 they can't be compared; with
--fail-on, 3 if a change is at that level or above.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from operations.review.assemblies.assembly import Assembly, AssemblyError
from operations.review.changes import LEVELS
from operations.review.formats.as_json import as_json
from operations.review.formats.as_markdown import as_markdown
from operations.review.formats.as_text import as_text
from operations.review.formats.masking import masked
from operations.review.resources.replacements import CloudFormationDiffError
from operations.review.review import Review

SAME, DIFFERENT, TROUBLE, FAILED = 0, 1, 2, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "old",
        metavar="OLD",
        nargs="?",
        type=Path,
        help="the assembly before, as `cdk synth` writes it; default: that of the revision BASE",
    )
    parser.add_argument("new", metavar="NEW", nargs="?", type=Path, help="the assembly after")
    parser.add_argument("--stage", help="a stage of cdk.json; default: cdk.json's own choice")
    against = parser.add_mutually_exclusive_group()
    against.add_argument(
        "--base",
        metavar="REVISION",
        help="compare with this revision; default: the last one shared with the main branch",
    )
    against.add_argument(
        "--deployed",
        action="store_true",
        help="compare with what is deployed (your AWS credentials)",
    )
    add_format(parser)


def add_format(parser: argparse.ArgumentParser) -> None:
    """How a review is told, which commands have in common that find assemblies in other ways."""
    parser.add_argument(
        "--format", choices=("text", "markdown", "json"), default="text", help="default: text"
    )
    parser.add_argument(
        "--fail-on",
        choices=LEVELS,
        metavar="LEVEL",
        help=f"exit code 3 if a change is at this level or above: {', '.join(LEVELS)}",
    )
    parser.add_argument(
        "--mask",
        action="store_true",
        help="write account numbers, mail addresses and secrets as MASKED-…, the same alike",
    )
    parser.add_argument("--output", metavar="FILE", type=Path, help="write there, in UTF-8")
    parser.add_argument("--title", help="what is reviewed; default: the stack, by its name")


def run(options: argparse.Namespace) -> int:
    """Compare two folders, or what is checked out with something else.

    Returns:
        The exit code.
    """
    # For folders, none of what git, AWS and a synth take is imported.
    if options.old is None:
        from operations.executions.faults import telling_faults

        return telling_faults(_of_checkout, TROUBLE)(options)
    if options.new is None or options.stage or options.base or options.deployed:
        return trouble(
            AssemblyError(
                "to compare two assemblies, name both, and nothing else to compare: OLD NEW"
            )
        )
    try:
        old, new = Assembly.read(options.old), Assembly.read(options.new)
    except AssemblyError as fault:
        return trouble(fault)
    return review(old, new, options)


def _of_checkout(options: argparse.Namespace) -> int:
    from operations.review.assemblies.sides import with_deployed, with_revision

    try:
        with (
            with_deployed(options.stage)
            if options.deployed
            else with_revision(options.base, options.stage)
        ) as sides:
            name = sides.new.settings.get("name", sides.new.stack)
            options.title = options.title or f"Review of {name} against {sides.against}"
            return review(sides.old, sides.new, options)
    except AssemblyError as fault:
        return trouble(fault)


def review(old: Assembly, new: Assembly, options: argparse.Namespace) -> int:
    """Compare two assemblies, and print what changes.

    Args:
        old: The assembly before.
        new: The assembly after.
        options: What ``add_format`` adds.

    Returns:
        The exit code.
    """
    try:
        found = Review.of(old, new, options.title)
    except (AssemblyError, CloudFormationDiffError) as fault:
        return trouble(fault)
    if options.mask:
        found = masked(found)
    try:
        _write(_told(found, options), options.output)
    except BrokenPipeError:  # who reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as fault:
        return trouble(fault)
    if not found.changes:
        return SAME
    return FAILED if options.fail_on and found.has(options.fail_on) else DIFFERENT


def trouble(fault: Exception) -> int:
    """Say why there is no review.

    Returns:
        The exit code.
    """
    sys.stdout.flush()
    print(f"Failed: {fault}", file=sys.stderr)
    return TROUBLE


def _write(told: str, file: Path | None) -> None:
    if file:
        file.write_text(told, encoding="utf-8")
        return
    encoding = sys.stdout.encoding or "ascii"
    print(told.encode(encoding, "backslashreplace").decode(encoding), end="", flush=True)


def _told(found: Review, options: argparse.Namespace) -> str:
    if options.format == "json":
        return as_json(found)
    if options.format == "markdown":
        return as_markdown(found)
    if options.output or not sys.stdout.isatty():
        return as_text(found)
    # https://no-color.org: present and not empty, regardless of its value.
    coloured = not os.environ.get("NO_COLOR")
    return as_text(found, width=shutil.get_terminal_size().columns, coloured=coloured)
