"""Starts multi-model-server, and ends it with all its workers when standard input ends.

Run by its path, in the environment that the model is served in, which has none of this package. It
leads a process group of its own; whoever holds the other end of standard input can't die without
ending all of it.
"""

import os
import shutil
import signal
import sys
import threading


def _end_with_standard_input() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock would be held when the server ends by itself
        pass
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    del sys.path[0]  # this file's own folder, whose names would hide others
    threading.Thread(target=_end_with_standard_input, daemon=True).start()

    from mms.model_server import start

    start()
