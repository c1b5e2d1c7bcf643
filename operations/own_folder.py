"""A folder that one command at a time writes to."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def empty_folder(directory: Path, taken: Exception) -> Iterator[None]:
    """Have a folder to ourselves, and empty, for as long as a block lasts.

    Args:
        directory: The folder, which the block makes. Beside it lies a lock meanwhile.
        taken: What to raise if another process has it.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # closing the file releases it
        except BlockingIOError as fault:
            raise taken from fault
        shutil.rmtree(directory, ignore_errors=True)
        try:
            yield
        finally:
            Path(lock.name).unlink()
