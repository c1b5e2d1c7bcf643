"""List the latest executions of a stage: model, outcome, package."""

import argparse

from model_packaging.step.s3_location import S3Location
from operations.executions.deployed_stage import add_stage, deployed_stage
from operations.executions.faults import telling_faults
from operations.executions.packagings import latest, package_report
from operations.executions.tables import duration, local_time, print_json, print_table, size

_COLUMNS = (
    *("execution", "started", "outcome", "took", "model", "size", "mode", "package"),
    "again from",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_stage(parser)
    parser.add_argument("--count", type=int, default=10, help="how many (default: 10)")


@telling_faults
def run(options: argparse.Namespace) -> int:
    """Print the latest executions.

    Returns:
        0; 1 if the stage can't be read.
    """
    stage = deployed_stage(options.stage)
    found = []
    for one in latest(stage, options.count):
        done = one.status == "Succeeded" and one.report is not None
        found.append((one, package_report(stage, one.report) if done and one.report else None))
    if options.json:
        print_json(
            [
                {
                    "execution": one.execution_id,
                    "status": one.status,
                    "started": one.started,
                    "seconds": round(one.seconds, 1),
                    "model": one.model,
                    "package": one.package if report else None,
                    "bytes": report["archive"]["bytes"] if report else None,
                    "mode": report["mode"] if report else None,
                    "cached_from": one.cached_from,
                    "reason": one.reason,
                }
                for one, report in found
            ]
        )
        return 0
    if not found:
        print(f"{stage.pipeline_name} has not run yet.")
        return 0
    rows = []
    for one, report in found:
        gone = "deleted" if one.status == "Succeeded" else ""
        rows.append(
            (
                one.execution_id,
                local_time(one.started),
                one.status,
                duration(one.seconds),
                one.model_key,
                size(report["archive"]["bytes"]) if report else "",
                report["mode"] if report else "",
                S3Location.parse(one.package).key if report and one.package else gone,
                one.cached_from or "",
            )
        )
    print_table(_COLUMNS, rows)
    return 0
