#!/usr/bin/env python3
"""Adds inference code to a trained model: model.tar.gz in, model.tar.gz with ``code/`` out.

How a run ends: exit code, message file, signals.  What it does is the business of ``mims_engine``.
Runs alike as this file, as its folder and as a zip of the folder.

Standard library only; Python 3.8 to 3.13.  The scikit-learn containers of SageMaker that carry such
a Python: 1.0-1 and 1.2-1 (3.8 to 3.10), 1.4-2 (3.12); 0.23-1 has 3.7 and is too old.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import signal
import stat
import sys
import threading
from typing import Sequence

from mims_engine.atomic_file import AtomicFile
from mims_engine.command_line import argument_parser, checked_options
from mims_engine.contract import FAILED_EVENT, MESSAGE_LIMIT
from mims_engine.errors import BadInput, PackagingError, show
from mims_engine.job_request import model_uri, origin
from mims_engine.log import log
from mims_engine.run import package
from mims_engine.threads import keep_freed_memory
from mims_engine.verify import check

URI_LIMIT = 256  # characters: of the message's bytes, at least as many are left for the reason


def one_line(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """At most ``limit`` bytes of UTF-8 on one line: what SageMaker shows of the message file."""
    line = " ".join(text.split())
    return line.encode("utf-8", "backslashreplace")[:limit].decode("utf-8", "ignore")


def write_message(path: str, text: str) -> None:
    """Best effort: a message that cannot be written must not hide the failure itself."""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        # O_NONBLOCK: a FIFO that nobody reads must not hang.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        with os.fdopen(fd, "wb") as file:
            found = os.fstat(fd)
            if found.st_size > MESSAGE_LIMIT:  # no message of ours
                raise OSError(errno.EEXIST, "it is a file of another kind", path)
            if stat.S_ISREG(found.st_mode):
                file.truncate()
            file.write(one_line(text).encode())
    except OSError as error:
        log(f"mims_package: the message file could not be written: {error}")


def place(argv: Sequence[str], flag: str) -> str:
    """A path, even if the rest of the command line cannot be understood."""
    path = str(argument_parser().get_default(flag[2:].replace("-", "_")))
    for index, argument in enumerate(argv):
        name, equals, value = argument.partition("=")
        if name == flag:
            path = value if equals else next(iter(argv[index + 1 :]), "")
    return path


def fail(argv: Sequence[str], exit_code: int, reason: str) -> None:
    """Tells why, in the log, in the message file and on the error stream."""
    event = failure_event(argv, exit_code, reason)
    log(json.dumps(event))
    with contextlib.suppress(OSError):  # as in log()
        print(f"mims_package: error: {event['reason']}", file=sys.stderr, flush=True)
    write_message(place(argv, "--message-file"), str(event["reason"]))


def failure_event(argv: Sequence[str], exit_code: int, reason: str) -> dict[str, object]:
    """What failed and why; the reason names the model as S3 does, where the job tells it."""
    job_config_file = place(argv, "--job-config-file")
    uri = model_uri(job_config_file, place(argv, "--model-dir"))
    if uri:
        reason = f"{show(uri, URI_LIMIT)[1:-1]}: {reason}"
    return {
        "event": FAILED_EVENT,
        **origin(job_config_file),
        "exit_code": exit_code,
        "reason": one_line(reason),
    }


def stop_on_signals(argv: Sequence[str]) -> None:
    """SIGTERM, with which SageMaker stops jobs, and SIGINT end the process at once.

    An exception out of a signal handler could strike in the middle of a lock's bookkeeping and
    leave the threads waiting for each other.  So the handler itself discards what is unfinished,
    which takes a few system calls, and goes.  Once the package is there to stay, a signal changes
    nothing: the run is about to end by itself, and must not call a success a failure.
    """

    def stop(signum: int, frame: object) -> None:
        if AtomicFile.kept:
            return
        while AtomicFile.unfinished:
            AtomicFile.unfinished[-1].discard()
        event = failure_event(argv, 128 + signum, f"stopped by {signal.Signals(signum).name}")
        line = json.dumps(event) + "\n"
        # Not print: what the signal interrupted may be a print.
        with contextlib.suppress(OSError):
            os.write(1, line.encode())
        write_message(place(argv, "--message-file"), str(event["reason"]))
        os._exit(128 + signum)

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, stop)


def main(argv: Sequence[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):  # names must not fail where only ASCII is shown
            output.reconfigure(errors="backslashreplace")
    if threading.current_thread() is threading.main_thread():
        stop_on_signals(argv)
    try:
        options = checked_options(argv)
        keep_freed_memory()
        if options.check:
            check(options.check, options)
        else:
            package(options)
        return 0
    except PackagingError as error:
        reason, exit_code = str(error), error.exit_code
    except (PermissionError, FileNotFoundError) as error:
        what = show(os.fsdecode(error.filename)) if error.filename else "an input"
        reason = f"{what} cannot be read: {error.strerror}; give access, and let nothing change it"
        exit_code = BadInput.exit_code
    except Exception as error:
        sys.excepthook(*sys.exc_info())  # the traceback: this is our fault, not the input's
        reason = f"internal error, please report it: {type(error).__name__}: {error}"
        exit_code = PackagingError.exit_code
    fail(argv, exit_code, reason)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
