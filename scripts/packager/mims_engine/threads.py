"""Threads and their memory: zlib, hashlib and os release the GIL, so threads keep cores busy."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Callable, Generic, TypeVar

from .sizes import MIB

CONVEYOR_DEPTH = 8  # items that may wait between two threads
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # glibc's malloc.h
T = TypeVar("T")


class Conveyor(Generic[T]):
    """Calls ``work(item)`` in a thread of its own for every item put, in order.

    At most CONVEYOR_DEPTH items wait, so the threads run in lock-step and memory stays flat.  An
    error in ``work`` is raised at the next ``put`` or at the end of the ``with`` block.
    """

    def __init__(self, work: Callable[[T], object]) -> None:
        self._work = work
        self._items: queue.Queue[T | None] = queue.Queue(CONVEYOR_DEPTH)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while True:
            item = self._items.get()
            if item is None:
                return
            if self._error is None:  # after an error the rest is taken and dropped: put never hangs
                try:
                    self._work(item)
                except BaseException as error:
                    self._error = error

    def put(self, item: T) -> None:
        if self._error is not None:
            raise self._error
        self._items.put(item)

    def __enter__(self) -> Conveyor[T]:
        self._thread.start()
        return self

    def __exit__(self, exc_type: object, exc: BaseException | None, tb: object) -> None:
        if exc is not None and self._error is None:
            self._error = exc
        self._items.put(None)
        self._thread.join()
        if exc is None and self._error is not None:
            raise self._error


def keep_freed_memory() -> None:
    """Has glibc's malloc give freed pieces out again, instead of to the kernel and back.

    All data passes in pieces of some hundred kilobytes, which glibc by default maps anew, or trims
    away when freed, in an arena for each thread.  Faulting their pages in again and again takes a
    tenth of the time of stream mode.  Nothing depends on it: other C libraries have no mallopt.
    """
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import ctypes

        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)  # what one thread frees serves the others
        mallopt(M_MMAP_THRESHOLD, 4 * MIB)  # above every piece
        mallopt(M_TRIM_THRESHOLD, 16 * MIB)
