"""Stop an execution, and wait until it has stopped."""

import argparse
import time

from operations.executions.deployed_stage import add_execution, add_stage, deployed_stage
from operations.executions.faults import telling_faults
from operations.executions.packagings import RUNNING, packaging
from operations.executions.tables import print_json

POLL_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_stage(parser)
    add_execution(parser)


@telling_faults
def run(options: argparse.Namespace) -> int:
    """Stop it.

    Returns:
        0 if it is stopped, or had ended before; 1 if it can't be.
    """
    stage = deployed_stage(options.stage)
    one = packaging(stage, options.execution)
    was_running = one.status in RUNNING
    if was_running:
        stage.client("sagemaker").stop_pipeline_execution(PipelineExecutionArn=one.arn)
        while (one := packaging(stage, one.arn)).status in RUNNING:
            time.sleep(POLL_SECONDS)
    if options.json:
        print_json(
            {"execution": one.execution_id, "status": one.status, "was_running": was_running}
        )
    elif was_running:
        print(f"{one.execution_id} is {one.status}.")
    else:
        print(f"{one.execution_id} had ended already: {one.status}.")
    return 0
