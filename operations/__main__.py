"""``python -m operations COMMAND``: ``--help`` lists the commands, and needs no credentials."""

import argparse
import sys
from collections.abc import Sequence

try:  # the imports take a second or two
    from operations import demo, findings, local
    from operations.executions import (
        cancel,
        failures,
        logs,
        package_report,
        redrive,
        start,
        status,
        verify,
    )
    from operations.review import command as review
    from operations.review import show
    from operations.smoke import command as smoke
except KeyboardInterrupt:
    print("\nInterrupted.", file=sys.stderr)
    sys.exit(130)

COMMANDS = {
    "demo": demo,
    "findings": findings,
    "review": review,
    "show": show,
    "local": local,
    "smoke": smoke,
    "start": start,
    "status": status,
    "failures": failures,
    "logs": logs,
    "cancel": cancel,
    "package-report": package_report,
    "verify": verify,
    "redrive": redrive,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Its name and what it takes. Default: those of the process.

    Returns:
        The exit code; 130 if the user interrupts it.
    """
    parser = argparse.ArgumentParser(
        prog="python -m operations", description="Commands for the people who run the product."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        description = (module.__doc__ or "").strip()
        command = commands.add_parser(
            name,
            help=description.splitlines()[0].rstrip("."),
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    try:
        exit_code: int = options.run(options)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    return exit_code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        sys.exit(130)
