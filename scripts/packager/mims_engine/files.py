"""Reading files and folders, which must not change meanwhile."""

from __future__ import annotations

import contextlib
import os
import queue
import stat
import threading
from typing import IO, Callable, Iterator, NamedTuple

from .archive_names import disk_name
from .errors import BadInput, show
from .log import Progress
from .sizes import CHUNK, PIECE
from .threads import CONVEYOR_DEPTH


class InputFile:
    """A regular file read once from front to back; a change meanwhile is an error."""

    def __init__(self, path: str, name: str = "", *, follow: bool = False) -> None:
        self.name = name or os.path.basename(path)
        # O_NONBLOCK: opening a FIFO put in the file's place must not hang.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
        try:
            self._fd = os.open(path, flags)
        except OSError as error:
            raise BadInput(f"{show(self.name)} cannot be opened: {error.strerror}") from error
        self._before = os.fstat(self._fd)
        if not stat.S_ISREG(self._before.st_mode):
            os.close(self._fd)
            raise BadInput(f"{show(self.name)} is not a regular file; give a file or a folder")
        self.size = self._before.st_size

    def read(self, count: int = CHUNK) -> bytes:
        """The next bytes: ``count`` of them, fewer only at the end of the file."""
        try:
            data = os.read(self._fd, count)
            while 0 < len(data) < count:  # a short read is not the end of the file
                more = os.read(self._fd, count - len(data))
                if not more:
                    break
                data += more
        except OSError as error:
            raise BadInput(
                f"{show(self.name)} cannot be read: {error.strerror}; upload it again"
            ) from error
        return data

    def fileno(self) -> int:
        return self._fd

    def check_unchanged(self) -> None:
        now = os.fstat(self._fd)
        if (now.st_size, now.st_mtime_ns) != (self._before.st_size, self._before.st_mtime_ns):
            raise BadInput(
                f"{show(self.name)} changed while it was read ({self._before.st_size} bytes "
                f"before, {now.st_size} after); run again when nothing writes to it"
            )

    def __enter__(self) -> InputFile:
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self._fd)


class ReadAhead:
    """Iterates over a file's chunks; a thread of its own reads them, some ahead, and hashes them.

    At most CONVEYOR_DEPTH chunks wait.  An error in reading is raised where its chunk was due.
    """

    def __init__(
        self, file: InputFile, update: Callable[[bytes], object], progress: Progress
    ) -> None:
        self._file = file
        self._update = update
        self._progress = progress
        self._chunks: queue.Queue[bytes | BaseException] = queue.Queue(CONVEYOR_DEPTH)
        self._ended = self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            data = b" "
            while data and not self._stopped:
                data = self._file.read()
                self._update(data)
                self._chunks.put(data)
                self._progress.done += len(data)
        except BaseException as error:
            self._chunks.put(error)

    def __iter__(self) -> ReadAhead:
        return self

    def __next__(self) -> bytes:
        if self._ended:
            raise StopIteration
        chunk = self._chunks.get()
        if isinstance(chunk, bytes) and chunk:
            return chunk
        self._ended = True
        if isinstance(chunk, BaseException):
            raise chunk
        raise StopIteration

    def __enter__(self) -> ReadAhead:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopped = True
        with contextlib.suppress(queue.Empty):  # makes room for what the thread may still put
            while True:
                self._chunks.get_nowait()
        self._thread.join()


def list_folder(path: str, what: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError as error:
        raise BadInput(
            f"{what} {show(path)} cannot be listed: {error.strerror}; look at the step's inputs"
        ) from error


def is_regular(path: str) -> bool:
    return stat.S_ISREG(os.lstat(path).st_mode)


def open_regular(path: str) -> IO[bytes]:
    """Opens a file that was regular when it was listed, and must still be."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise BadInput(f"{show(path)} is not a regular file any more; run again on inputs at rest")
    return os.fdopen(fd, "rb")


def file_pieces(open_file: Callable[[], IO[bytes]], size: int, path: str) -> Iterator[bytes]:
    """Exactly ``size`` bytes of a file."""
    left = size
    try:
        with open_file() as file:
            while left:
                data = file.read(min(left, PIECE))
                if not data:
                    break
                left -= len(data)
                yield data
            changed = bool(left) or bool(file.read(1))
    except BadInput:
        raise
    except Exception as error:  # zipfile has half a dozen kinds for a damaged archive
        raise BadInput(f"{show(path)} cannot be read: {error}; upload it again") from error
    if changed:
        raise BadInput(f"{show(path)} changed while it was read; run again on inputs at rest")


class DiskEntry(NamedTuple):
    path: str  # relative, "/" between the parts
    disk_path: str
    kind: str  # "file", "folder", "symlink", or "other"
    size: int
    executable: bool


def tree(root: str, what: str) -> Iterator[DiskEntry]:
    """Everything under ``root``, in an order that depends on the names alone, no link followed."""

    def names(below: str) -> Iterator[str]:
        listed = list_folder(os.path.join(root, below), what)
        return (os.path.join(below, name) for name in sorted(listed, key=os.fsencode))

    levels = [names("")]
    while levels:
        path = next(levels[-1], None)
        if path is None:
            levels.pop()
            continue
        disk_path = os.path.join(root, path)
        try:
            status = os.lstat(disk_path)
        except OSError as error:
            raise BadInput(f"{what} {show(path)} cannot be read: {error.strerror}") from error
        kind = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "symlink"}.get(
            stat.S_IFMT(status.st_mode), "other"
        )
        yield DiskEntry(
            disk_name(path, what), disk_path, kind, status.st_size, bool(status.st_mode & 0o100)
        )
        if kind == "folder":
            levels.append(names(path))
