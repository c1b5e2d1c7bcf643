"""Print what the packaging job of an execution logged."""

import argparse

from operations.executions.deployed_stage import add_execution, add_stage, deployed_stage
from operations.executions.faults import OperationError, telling_faults
from operations.executions.job_log import JobLog
from operations.executions.packagings import packaging
from operations.executions.tables import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_stage(parser)
    add_execution(parser)


@telling_faults
def run(options: argparse.Namespace) -> int:
    """Print the log.

    Returns:
        0; 1 if there is none.
    """
    stage = deployed_stage(options.stage)
    one = packaging(stage, options.execution)
    if one.cached_from:
        raise OperationError(
            f"the execution {one.execution_id} ran no job: it gave the package of "
            f"{one.cached_from} again; read that one's log"
        )
    if one.job is None:
        raise OperationError(
            f"the execution {one.execution_id} is {one.status} and has no job (yet)"
            + (f": {one.reason}" if one.reason else "")
        )
    lines = list(JobLog(stage, one.job).new_lines())
    if not lines:
        raise OperationError(
            f"the job {one.job} has logged nothing (yet): its container has not started"
            + (f"; {one.reason}" if one.reason else "")
        )
    if options.json:
        print_json({"execution": one.execution_id, "job": one.job, "lines": lines})
    else:
        print("\n".join(lines))
    return 0
