"""How a command that asks AWS fails: with one line that says what and why."""

import argparse
import functools
import sys
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError


class OperationError(Exception):
    """A command can't do what it was asked; the text says why, and what to do."""


Run = Callable[[argparse.Namespace], int]


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
            reason = str(fault)
        sys.stdout.flush()
        print(f"Failed: {reason}", file=sys.stderr)
        return exit_code

    return told
