"""Files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from typing import ClassVar, Iterator

from .errors import UsageError, show, write_failure
from .files import is_regular
from .sizes import MIB
from .threads import Conveyor


class AtomicFile:
    """A file without a name until ``publish`` gives it one; a kill leaves nothing behind.

    O_TMPFILE makes a file that no folder lists.  Where the file system has none, a hidden name
    beside the target stands in, and what a killed run left of it goes when the next run starts.

    What is written goes to the disk all along, in a thread of its own, so that the last fsync is
    short.
    """

    STRIDE = 32 * MIB  # from one fdatasync to the next
    unfinished: ClassVar[list[AtomicFile]] = []  # what a signal has to discard
    kept: ClassVar[bool] = False  # whether what was published stays, whatever comes

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = 0
        self._folder, self._name = os.path.split(os.path.abspath(path))
        self._partial: str | None = None
        self._digest = hashlib.sha256()
        with self._failing():
            os.makedirs(self._folder, exist_ok=True)
            self._remove_leftovers()
            self._fd = self._open()
        self._flushed = 0
        self._flusher = Conveyor(getattr(os, "fdatasync", os.fsync))  # macOS has no fdatasync

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise write_failure(error, show(self.path)) from error

    def _remove_leftovers(self) -> None:
        for name in os.listdir(self._folder):
            if name == self._name or re.fullmatch(
                rf"\.{re.escape(self._name)}\.\d+\.partial", name
            ):
                path = os.path.join(self._folder, name)
                if not (is_regular(path) or os.path.islink(path)):
                    raise UsageError(f"{show(path)} is no file; name another place to write to")
                os.unlink(path)

    def _open(self) -> int:
        try:
            if not hasattr(os, "O_TMPFILE"):  # Linux only
                raise OSError(errno.EOPNOTSUPP, "no O_TMPFILE")
            fd = os.open(self._folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o644)
            if os.path.exists(f"/proc/self/fd/{fd}"):  # publish needs it
                return fd
            os.close(fd)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
                raise
        self._partial = os.path.join(self._folder, f".{self._name}.{os.getpid()}.partial")
        return os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o644)

    def __enter__(self) -> AtomicFile:
        AtomicFile.kept = False
        AtomicFile.unfinished.append(self)
        self._flusher.__enter__()
        return self

    def __exit__(self, exc_type: object, exc: BaseException | None, tb: object) -> None:
        try:
            with self._failing():
                self._flusher.__exit__(exc_type, exc, tb)
        finally:
            os.close(self._fd)
            if self in AtomicFile.unfinished:
                self.discard()

    @property
    def reading_path(self) -> str:
        return self._partial or f"/proc/self/fd/{self._fd}"

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def free_bytes(self) -> int:
        status = os.fstatvfs(self._fd)
        return status.f_bavail * status.f_frsize

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        with self._failing():
            while view:
                view = view[os.write(self._fd, view) :]
            self._digest.update(data)
            self.size += len(data)
            if self.size - self._flushed >= self.STRIDE:
                self._flusher.put(self._fd)
                self._flushed = self.size

    def size_on_disk(self) -> int:
        return os.fstat(self._fd).st_size

    def read_at(self, position: int, count: int) -> bytes:
        with self._failing():
            return os.pread(self._fd, count, position)

    def restart(self) -> None:
        """Forgets what was written."""
        with self._failing():
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
        self._digest, self.size, self._flushed = hashlib.sha256(), 0, 0

    def sync(self) -> None:
        with self._failing():
            os.fsync(self._fd)

    def publish(self) -> None:
        """The file appears under its name."""
        self.sync()
        with self._failing():
            if self._partial is None:
                # linkat(AT_SYMLINK_FOLLOW), which Python calls only when a directory fd is given.
                folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.link(
                        f"/proc/self/fd/{self._fd}",
                        self._name,
                        dst_dir_fd=folder,
                        follow_symlinks=True,
                    )
                finally:
                    os.close(folder)
            else:
                os.rename(self._partial, os.path.join(self._folder, self._name))
                self._partial = None
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    @classmethod
    def keep_all(cls) -> None:
        """From here on every published file stays; until here none does."""
        cls.kept = True  # first: a signal between the two lines must not discard one of them
        cls.unfinished.clear()

    def discard(self) -> None:
        """Nothing of the file stays, published or not; also called from a signal handler."""
        for name in (self._partial, os.path.join(self._folder, self._name)):
            if name is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)
        AtomicFile.unfinished.remove(self)
