"""How a command that asks AWS fails: with one line that says what and why."""

import argparse
import functools
import sys
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError


class OperationError(Exception):
    """A command can't do what it was asked; the text says why, and what to do."""


Run = Callable[[argparse.Namespace], int]

_ASKED_OF_THE_PIPELINE = ("ListPipelineExecutions", "StartPipelineExecution")


def telling_faults(run: Run, exit_code: int = 1) -> Run:
    """Let a command end with an exit code and a reason instead of a traceback.

    Args:
        run: The command. It may raise ``OperationError`` and boto3's errors.
        exit_code: The exit code.
    """

    @functools.wraps(run)
    def told(options: argparse.Namespace) -> int:
        try:
            return run(options)
        except OperationError as fault:
            reason = str(fault)
        except NoCredentialsError:
            reason = "there are no AWS credentials; log in, or set AWS_PROFILE"
        except NoRegionError:
            reason = "there is no AWS region; set AWS_REGION"
        except (BotoCoreError, ClientError) as fault:
            reason = _with_advice(fault)
        sys.stdout.flush()
        print(f"Failed: {reason}", file=sys.stderr)
        return exit_code

    return told


def _with_advice(fault: Exception) -> str:
    """What went wrong; if somebody has deleted the pipeline by hand, also what to do."""
    told = str(fault)
    if isinstance(fault, ClientError) and fault.operation_name in _ASKED_OF_THE_PIPELINE:
        code, message = fault.response["Error"]["Code"], fault.response["Error"]["Message"]
        if code == "ResourceNotFound" or "Could not find pipeline" in message:
            told = (
                f"{told.rstrip('.')}; the stack is there, so it was deleted by hand: see "
                "docs/runbook/delivery-failed.md"
            )
    return told
