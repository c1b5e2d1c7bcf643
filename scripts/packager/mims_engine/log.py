"""What a run tells: lines, events for metric filters, progress."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time


def log(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody listening is no reason to lose the package
        print(text, flush=True)


def log_event(event: str, **fields: object) -> None:
    """One line of JSON, for metric filters."""
    log(json.dumps({"event": event, **fields}))


def human(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


class Progress:
    """Says how far the work is: every 10 s in a log, as a bar on a terminal.

    A thread of its own, so that it also speaks while a read hangs.
    """

    LOG_SECONDS = 10.0
    BAR_SECONDS = 0.2

    def __init__(self, total: int) -> None:
        self.total = max(total, 1)
        self.done = 0
        self._started = time.monotonic()
        self._stop = threading.Event()
        self._bar = sys.stderr is not None and sys.stderr.isatty()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._bar:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def describe(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-9)
        rate = self.done / seconds
        left = f"{(self.total - self.done) / rate:.0f} s left" if rate else "time left unknown"
        return (
            f"{human(self.done)} of {human(self.total)} ({100 * self.done / self.total:.0f} %), "
            f"{human(rate)}/s, {left}"
        )

    def _run(self) -> None:
        while not self._stop.wait(self.BAR_SECONDS if self._bar else self.LOG_SECONDS):
            if self._bar:
                filled = min(30, 30 * self.done // self.total)
                bar = "#" * filled + "." * (30 - filled)
                print(f"\r\x1b[K[{bar}] {self.describe()}", end="", file=sys.stderr, flush=True)
            else:
                log(f"mims_package: progress: {self.describe()}")
