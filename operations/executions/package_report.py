"""Print the report of a package: what is in it, what it was made of, and how."""

import argparse
from typing import Any

from operations.executions.deployed_stage import add_execution, add_stage, deployed_stage
from operations.executions.faults import OperationError, telling_faults
from operations.executions.packagings import package_report, packaging
from operations.executions.tables import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_stage(parser)
    add_execution(parser)


@telling_faults
def run(options: argparse.Namespace) -> int:
    """Print it.

    Returns:
        0; 1 if there is none.
    """
    stage = deployed_stage(options.stage)
    one = packaging(stage, options.execution)
    report = package_report(stage, one.report) if one.report else None
    if report is None:
        raise OperationError(
            f"the execution {one.execution_id} is {one.status} and has no report at {one.report}"
            + (f": {one.reason}" if one.reason else "")
            + ("; it was deleted since" if one.status == "Succeeded" else "")
        )
    if options.json:
        print_json(report)
    else:
        for name, value in _lines(report):
            print(f"{name:<28}{value}")
    return 0


def _lines(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """The leaves of a report, each by its path."""
    if isinstance(value, dict):
        return [
            line
            for name, item in value.items()
            for line in _lines(item, f"{prefix}.{name}" if prefix else name)
        ]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [
            line
            for number, item in enumerate(value)
            for line in _lines(item, f"{prefix}[{number}]")
        ]
    return [(prefix, ", ".join(map(str, value)) if isinstance(value, list) else value)]
