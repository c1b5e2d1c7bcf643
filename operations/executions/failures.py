"""List the executions that failed, grouped by their reason."""

import argparse
from collections import defaultdict

from model_packaging.step.s3_location import S3Location
from operations.executions.deployed_stage import add_stage, deployed_stage
from operations.executions.faults import telling_faults
from operations.executions.packagings import Packaging, latest
from operations.executions.tables import local_time, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_stage(parser)
    parser.add_argument(
        "--count", type=int, default=100, help="how many failures at most (default: 100)"
    )


@telling_faults
def run(options: argparse.Namespace) -> int:
    """Print the failures.

    Returns:
        0, also if there are some; 1 if the stage can't be read.
    """
    stage = deployed_stage(options.stage)
    groups: dict[str, list[Packaging]] = defaultdict(list)
    for one in latest(stage, options.count, status="Failed"):
        groups[_without_the_model(one)].append(one)
    if options.json:
        print_json(
            [
                {
                    "reason": reason,
                    "executions": [
                        {
                            "execution": one.execution_id,
                            "started": one.started,
                            "model": one.model,
                            "reason": one.reason,
                        }
                        for one in failed
                    ],
                }
                for reason, failed in groups.items()
            ]
        )
        return 0
    if not groups:
        print(f"No execution of {stage.pipeline_name} has failed.")
    for reason, failed in groups.items():
        print(f"{len(failed)} times: {reason}" if len(failed) > 1 else failed[0].reason)
        for one in failed:
            print(f"    {local_time(one.started)}  {one.execution_id}  {one.model or ''}")
    return 0


def _without_the_model(one: Packaging) -> str:
    """The reason with the model's name taken out, so that equal faults are one group."""
    reason = one.reason or ""
    if one.model:
        key = S3Location.parse(one.model).key
        reason = reason.replace(f"{one.model}: ", "")  # the packager's own beginning
        for name in (one.model, key, key.rpartition("/")[2]):
            reason = reason.replace(name, "<model>") if name else reason
    return reason
