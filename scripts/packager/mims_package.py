#!/usr/bin/env python3
"""Adds inference code to a trained model: model.tar.gz in, model.tar.gz with ``code/`` out.

The model is never recompressed if that can be helped.  A ``model.tar.gz`` is a tar archive inside a
DEFLATE stream inside a gzip frame, and all three can be prepended to:

* tar: entries stand one after another, so new entries may go in front;
* DEFLATE: a stream is a sequence of blocks; after a sync flush the next block starts at a byte
  boundary, so the original's blocks can follow as they are;
* gzip: the trailer's CRC-32 is linear over GF(2), so the CRC of (new entries + original) follows
  from the CRCs of the two; its ISIZE is the sum of the two sizes.

That is ``splice`` mode: one pass that inflates the original only to verify it, while the same bytes
are copied.  What cannot be spliced (loose files, an original with a ``code/`` of its own in the
middle, several gzip members, other compressions) takes ``stream`` mode: the tar entries that stay
are recompressed in parallel blocks.  Both write one ordinary gzip member, and nothing appears in
the output directory until it is complete.

Standard library only; Python 3.8 to 3.13.  The scikit-learn containers of SageMaker that carry such
a Python: 1.0-1 and 1.2-1 (3.8 to 3.10), 1.4-2 (3.12); 0.23-1 has 3.7 and is too old.

References: RFC 1951 (DEFLATE), RFC 1952 (gzip), POSIX.1-2017 pax (ustar and pax interchange
formats), the GNU tar manual, "Basic Tar Format" (GNU long names, base-256 numbers).
"""

from __future__ import annotations

import argparse
import array
import bz2
import collections
import contextlib
import errno
import fnmatch
import functools
import hashlib
import io
import itertools
import json
import lzma
import os
import queue
import re
import signal
import stat
import struct
import sys
import threading
import time
import zlib
from typing import (
    IO,
    TYPE_CHECKING,
    Any,
    Callable,
    ClassVar,
    Generic,
    Iterable,
    Iterator,
    NamedTuple,
    NoReturn,
    Sequence,
    Tuple,
    TypeVar,
)

if TYPE_CHECKING:
    # What only some runs need is imported where it is used: at run time these would cost as much
    # as verifying several megabytes of a model.
    import concurrent.futures

__version__ = "1.0.0"

REPORT_SCHEMA_VERSION = 1

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40

CHUNK = 256 * KIB  # read from a file at once
PIECE = 512 * KIB  # decompressed at once: a bomb is met piece by piece
CONVEYOR_DEPTH = 8  # items that may wait between two threads

ARCHIVE_NAME = "model.tar.gz"
CODE = "code"

# ==================================================================================================
# Errors: one line that says what was given, why it cannot work, what to do instead
# ==================================================================================================


class PackagingError(Exception):
    """A failure with a reason for the user; its class gives the exit code."""

    exit_code = 1


class UsageError(PackagingError):
    """The command line is wrong."""

    exit_code = 2


class BadInput(PackagingError):
    """The model, the scripts or an extra input cannot be packaged as they are."""

    exit_code = 3


class NoSpace(PackagingError):
    """The output does not fit."""

    exit_code = 4


class CannotSplice(Exception):
    """Splicing would not give the wanted archive; the message says why.  Not a failure: stream."""


NO_SPACE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def write_failure(error: OSError, what: str) -> PackagingError:
    """The error to report when writing fails."""
    if error.errno in NO_SPACE_ERRNOS:
        return NoSpace(
            f"{what} could not be written: {error.strerror}; "
            "give the processing step a larger volume (processing_volume_size)"
        )
    return PackagingError(f"{what} could not be written: {error}; look at the output's mount")


def show(name: str | bytes) -> str:
    """A name as it may stand in a log line: quoted, printable, not too long."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    shown = ascii(text) if not text.isprintable() else f"'{text}'"
    return shown if len(shown) <= 160 else f"{shown[:100]}…{shown[-50:]}"


# ==================================================================================================
# Command line
# ==================================================================================================


class ArgumentParser(argparse.ArgumentParser):
    """Raises instead of exiting, so that a usage error reaches the message file too."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see --help")


def size_argument(text: str) -> int:
    """A positive count of bytes (or of members), with an optional suffix K, M, G or T."""
    match = re.fullmatch(r"([0-9]+)([KMGT]?)", text)
    if not match or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(
            f"{show(text)} is not a size; write a whole number above 0, such as 1048576, 64M or 1T"
        )
    return int(match[1]) * {"": 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB}[match[2]]


def argument_parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="mims_package.py",
        description="Adds inference code to a trained model without recompressing the model.",
        allow_abbrev=False,
    )
    place = parser.add_argument_group("places")
    place.add_argument(
        "--model-dir",
        default="/opt/ml/processing/input/model",
        help="the model: one archive, or loose files (default: %(default)s)",
    )
    place.add_argument(
        "--scripts-dir",
        default="/opt/ml/processing/input/script",
        help="the inference scripts, or one .zip of them (default: %(default)s)",
    )
    place.add_argument(
        "--extra-dir",
        default="/opt/ml/processing/input/extra",
        help="each folder NAME in it lands under NAME/ (default: %(default)s)",
    )
    place.add_argument(
        "--output-dir",
        default="/opt/ml/processing/output",
        help="where model.tar.gz appears (default: %(default)s)",
    )
    place.add_argument(
        "--report-file",
        default="/opt/ml/processing/report/package_report.json",
        help="the report of a success (default: %(default)s)",
    )
    place.add_argument(
        "--message-file",
        default="/opt/ml/output/message",
        help="the reason of a failure, one line (default: %(default)s)",
    )
    place.add_argument(
        "--job-config-file",
        default="/opt/ml/config/processingjobconfig.json",
        help="where SageMaker tells the model's S3 URI, for the report (default: %(default)s)",
    )
    what = parser.add_argument_group("what is made")
    what.add_argument(
        "--inference-entry-point",
        default="inference.py",
        metavar="PATH",
        help="a file that the scripts must hold (default: %(default)s)",
    )
    what.add_argument(
        "--mode",
        choices=("auto", "splice", "stream"),
        default="auto",
        help="splice copies the compressed model, stream recompresses it; auto splices if it can",
    )
    what.add_argument(
        "--existing-code",
        choices=("replace", "overlay", "refuse"),
        default="replace",
        help="what happens to files that the model already has in code/ (default: %(default)s)",
    )
    what.add_argument(
        "--unzip-extra",
        action="append",
        default=[],
        metavar="NAME",
        help="this extra input is one .zip of its files (may be given again)",
    )
    what.add_argument(
        "--symlinks",
        choices=("keep", "refuse"),
        default="keep",
        help="symbolic links that stay inside the model (default: %(default)s)",
    )
    what.add_argument(
        "--paranoid", action="store_true", help="read the whole output back before it appears"
    )
    limit = parser.add_argument_group("limits (suffixes K, M, G, T)")
    limit.add_argument(
        "--max-content-bytes",
        type=size_argument,
        default=TIB,
        metavar="SIZE",
        help="unpacked model; default 1T, beyond the largest volume of a processing step",
    )
    limit.add_argument(
        "--max-members",
        type=size_argument,
        default=1_000_000,
        metavar="COUNT",
        help="entries of the model; default 1000000, what the name table holds in its memory",
    )
    limit.add_argument(
        "--max-header-bytes",
        type=size_argument,
        default=MIB,
        metavar="SIZE",
        help="one extended tar header; default 1M, 250 times the longest path Linux takes",
    )
    limit.add_argument(
        "--max-scripts-bytes",
        type=size_argument,
        default=2 * GIB,
        metavar="SIZE",
        help="unpacked scripts; default 2G, far above any real set of scripts",
    )
    parser.add_argument("--check", metavar="ARCHIVE", help="verify a package instead of making one")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def checked_options(argv: Sequence[str]) -> argparse.Namespace:
    options = argument_parser().parse_args(argv)
    entry_point = options.inference_entry_point
    parts = entry_point.split("/")
    if not all(part not in ("", ".", "..") for part in parts) or "\\" in entry_point:
        raise UsageError(
            f"--inference-entry-point {show(entry_point)} is not a plain relative path; "
            "write it relative to the scripts, such as inference.py or serving/inference.py"
        )
    if not options.check:
        check_places(options)
    return options


def check_places(options: argparse.Namespace) -> None:
    """What an earlier run left in the place of an output is removed: that must not be an input."""
    package = os.path.realpath(os.path.join(options.output_dir, ARCHIVE_NAME))
    report = os.path.realpath(options.report_file)
    if package == report:
        raise UsageError("--report-file is the package itself; name another file")
    for flag, place in (("--output-dir", package), ("--report-file", report)):
        for folder in (options.model_dir, options.scripts_dir, options.extra_dir):
            root = os.path.realpath(folder)
            if os.path.commonpath((root, place)) == root:
                raise UsageError(
                    f"{flag} leads into the input {show(folder)}; name a place outside all inputs"
                )


# ==================================================================================================
# Telling: log lines, progress
# ==================================================================================================


def log(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody listening is no reason to lose the package
        print(text, flush=True)


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


# ==================================================================================================
# Threads and their memory: zlib, hashlib and os release the GIL, so plain threads keep cores busy
# ==================================================================================================

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


# ==================================================================================================
# Reading files
# ==================================================================================================


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


def expand(decompressor: Any, data: bytes) -> Iterator[bytes]:
    """Feeds ``data`` and yields what it decompresses to, in pieces of at most PIECE bytes."""
    while True:
        piece = decompressor.decompress(data, PIECE)
        if piece:
            yield piece
        # zlib hands unused input back; bz2 and lzma keep it inside.
        data = getattr(decompressor, "unconsumed_tail", b"")
        if decompressor.eof or (len(piece) < PIECE and not data):
            return


# ==================================================================================================
# Names
# ==================================================================================================

MAX_NAME = 255  # NAME_MAX of every Linux file system
MAX_PATH = 4000  # PATH_MAX is 4096, and the archive is unpacked below some folder
DRIVE = re.compile(r"[A-Za-z]:").match


def archive_path(name: str, what: str) -> str:
    """``name`` as a clean relative path, "" for the root; refuses what leaves the root."""
    path = name
    if name.startswith("./") or "//" in name or "/./" in name or name.endswith(("/", "/.")):
        path = "/".join(part for part in name.split("/") if part not in ("", "."))
    elif name == ".":
        path = ""
    if name.startswith("/") and name != "/":  # that is the root entry of the SageMaker SDK's
        raise BadInput(
            f"{what} {show(name)} has an absolute path, which readers treat differently; "
            "archive it relative to the model's folder (tar -C FOLDER .)"
        )
    if "\\" in path or DRIVE(path):
        raise BadInput(
            f"{what} {show(name)} has a backslash or a drive letter in its name, which some "
            "readers strip or take for a folder; rename it"
        )
    if ".." in path and ".." in path.split("/"):
        raise BadInput(
            f"{what} {show(name)} climbs with '..'; archive it relative to the model's folder"
        )
    if len(path) > MAX_NAME // 4 and (
        len(path.encode()) > MAX_PATH
        or any(len(part.encode()) > MAX_NAME for part in path.split("/"))
    ):
        raise BadInput(f"{what} {show(name)} has a name too long to unpack; shorten it")
    return path


def utf8(raw: bytes, what: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(
            f"{what} {show(raw)} is not UTF-8, so readers give it different names; rename it"
        ) from None


def disk_name(name: str, what: str) -> str:
    """A name from the file system, where bytes that are not UTF-8 arrive as lone surrogates."""
    return utf8(os.fsencode(name), what)


def parents(path: str) -> Iterator[str]:
    """The folders above ``path``, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


FILE, LINK, FOLDER = 1, 2, 3  # what the name table knows of an entry


class NameTable:
    """Which names an archive has used, in 12 bytes a slot: a million names fit in 36 MB.

    Open addressing over two arrays: one slot holds the hash of the case-folded name (so that names
    that differ only in case meet) and a second hash of the exact name with the kind in its two low
    bits.  A Python set of a million strings would take 150 MB.  A false match needs a collision of
    94 bits of a keyed hash, and would refuse an archive, never let one pass.
    """

    KIND = 3

    def __init__(self) -> None:
        self._count = 0
        self._allocate(1 << 10)

    def _allocate(self, slots: int) -> None:
        self._mask = slots - 1
        self._folded = array.array("Q", bytes(8 * slots))
        self._exact = array.array("I", bytes(4 * slots))

    def _find(self, path: str) -> tuple[int, int, int, bool]:
        """(slot, folded hash, exact hash, a twin in other case was met)."""
        folded = hash(path.casefold()) & 0xFFFF_FFFF_FFFF_FFFF or 1  # 0 marks a free slot
        exact = hash((path,)) & 0xFFFF_FFFC
        slot, twin = folded & self._mask, False
        while self._folded[slot]:
            if self._folded[slot] == folded:
                if self._exact[slot] & ~self.KIND == exact:
                    break
                twin = True
            slot = (slot + 1) & self._mask
        return slot, folded, exact, twin

    def kind(self, path: str) -> int:
        """FILE, LINK or FOLDER; 0 for a name not seen."""
        slot = self._find(path)[0]
        return self._exact[slot] & self.KIND if self._folded[slot] else 0

    def add(self, path: str, kind: int) -> bool:
        """Adds a name that is not there yet; says whether one differing only in case is."""
        slot, folded, exact, twin = self._find(path)
        self._folded[slot], self._exact[slot] = folded, exact | kind
        self._count += 1
        if 3 * self._count > 2 * self._mask:
            self._grow()
        return twin

    def _grow(self) -> None:
        folded, exact = self._folded, self._exact
        self._allocate(2 * len(folded))
        for index, key in enumerate(folded):
            if key:
                slot = key & self._mask
                while self._folded[slot]:
                    slot = (slot + 1) & self._mask
                self._folded[slot], self._exact[slot] = key, exact[index]


# ==================================================================================================
# Inputs: which file is the model
# ==================================================================================================

ARCHIVE_SUFFIX = re.compile(r"(.+?)\.(tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz|zst|lz4|lzma|Z))", re.I)

MAGIC = (  # how a file begins, what it is
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x1f\x9d", "compress"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
)
READABLE = ("gzip", "bzip2", "xz", "tar")


class Archive(NamedTuple):
    """The model as one archive file."""

    path: str
    name: str
    format: str  # one of READABLE
    bytes: int
    ignored: list[str]  # files beside it that are not the model
    expected: dict[str, tuple[str, str]]  # algorithm -> (hex digest, the file that said so)


class LooseFiles(NamedTuple):
    """The model as files in a folder."""

    path: str
    bytes: int
    entries: int


def sniff(path: str) -> str:
    """What kind of file this is: one of MAGIC's names, "tar", or "unknown"."""
    with InputFile(path) as file:
        head = file.read(BLOCK)
    for magic, kind in MAGIC:
        if head.startswith(magic):
            return kind
    return "tar" if is_tar_start(head) else "unknown"


def is_tar_start(head: bytes) -> bool:
    return len(head) == BLOCK and (head == ZERO_BLOCK or checksum_matches(head))


def is_compressed_tar(path: str, kind: str) -> bool:
    """Whether a compressed file holds a tar archive: for files whose name does not say so."""
    head = b""
    with InputFile(path) as file, contextlib.suppress(*DECOMPRESSION_ERRORS):
        for piece in expand(new_decompressor(kind), file.read()):
            head += piece[: BLOCK - len(head)]
            if len(head) == BLOCK:
                break
    return is_tar_start(head)


def find_model(model_dir: str) -> Archive | LooseFiles:
    """The one archive in ``model_dir``, or the loose files."""
    names = sorted(list_folder(model_dir, "the model input"))
    if not names:
        raise BadInput(
            f"the model input {show(model_dir)} is empty; "
            "give it a model.tar.gz or the model's files"
        )
    files = [name for name in names if is_regular(os.path.join(model_dir, name))]
    archives = [name for name in files if ARCHIVE_SUFFIX.fullmatch(name)]
    if not archives:
        archives = [name for name in files if is_nameless_archive(model_dir, name, names)]
    if len(archives) > 1:
        raise BadInput(
            f"the model input holds {len(archives)} archives, "
            f"{' and '.join(show(name) for name in archives[:4])}; leave one: "
            "an S3 input is a prefix, so a longer key that starts alike comes along"
        )
    if not archives:
        return measure_loose_files(model_dir)
    name = archives[0]
    ignored = [other for other in names if other != name]
    for other in ignored:
        if other not in files or not is_sidecar(other, name):
            raise BadInput(
                f"the model input holds the archive {show(name)} and also {show(other)}, which is "
                "not part of it; put it into the archive, or give it as an extra input"
            )
    path = os.path.join(model_dir, name)
    kind = sniff(path)
    if kind not in READABLE:
        what = f"{kind} data" if kind != "unknown" else "no archive that can be read here"
        if not os.path.getsize(path):
            what = "empty"
        raise BadInput(
            f"{show(name)} is {what}; "
            "make it with tar -czf (tar.bz2, tar.xz and plain tar do as well)"
        )
    return Archive(
        path, name, kind, os.path.getsize(path), ignored, expected_digests(model_dir, name, ignored)
    )


def list_folder(path: str, what: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError as error:
        raise BadInput(
            f"{what} {show(path)} cannot be listed: {error.strerror}; look at the step's inputs"
        ) from error


def is_regular(path: str) -> bool:
    return stat.S_ISREG(os.lstat(path).st_mode)


def is_nameless_archive(model_dir: str, name: str, names: list[str]) -> bool:
    """Whether a file that is alone (but for its sidecars) is an archive under another name."""
    if not all(other == name or is_sidecar(other, name) for other in names):
        return False
    path = os.path.join(model_dir, name)
    kind = sniff(path)
    return kind == "tar" or (kind in READABLE and is_compressed_tar(path, kind))


def is_sidecar(other: str, archive: str) -> bool:
    """Whether ``other`` goes with the archive: its checksum, its signature, a manifest."""
    if ARCHIVE_SUFFIX.fullmatch(other):
        return False
    match = ARCHIVE_SUFFIX.fullmatch(archive)
    stem = match[1] if match else os.path.splitext(archive)[0]
    return other.startswith((archive + ".", stem + ".", stem + "-manifest")) or bool(
        re.fullmatch(r"manifest(\.\w+)?|_SUCCESS|\.DS_Store", other)
    )


def expected_digests(model_dir: str, name: str, ignored: list[str]) -> dict[str, tuple[str, str]]:
    """The digests that .sha256 and .md5 files beside the archive give for it."""
    expected = {}
    for other in ignored:
        algorithm = {".sha256": "sha256", ".md5": "md5"}.get(os.path.splitext(other)[1].lower())
        if algorithm is None:
            continue
        with InputFile(os.path.join(model_dir, other)) as file:
            text = file.read(MIB).decode("utf-8", "replace")
        digits = {"sha256": 64, "md5": 32}[algorithm]
        lines = [
            line
            for line in text.splitlines()
            if re.search(rf"\b[0-9a-f]{{{digits}}}\b", line, re.I)
        ]
        # sha256sum writes "digest  name", BSD's tools "SHA256 (name) = digest"; a single line
        # needs no name.
        named = [line for line in lines if name in line] or (lines if len(lines) == 1 else [])
        if len(named) != 1:
            raise BadInput(
                f"{show(other)} does not give one {algorithm} digest for {show(name)}; "
                f"make it with {algorithm}sum, or remove it"
            )
        digest = re.search(rf"\b[0-9a-f]{{{digits}}}\b", named[0], re.I)
        assert digest is not None  # the line was chosen for it
        expected[algorithm] = (digest[0].lower(), other)
    return expected


# ==================================================================================================
# Inputs: folders of files, the scripts, the extra inputs
# ==================================================================================================


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


def measure_loose_files(model_dir: str) -> LooseFiles:
    size = entries = files = 0
    for entry in tree(model_dir, "the model's"):
        entries += 1
        if entry.kind == "file":
            files += 1
            size += entry.size
    if not files:
        raise BadInput(
            f"the model input {show(model_dir)} holds no file; "
            "give it a model.tar.gz or the model's files"
        )
    return LooseFiles(model_dir, size, entries)


class Shipped(NamedTuple):
    """A file or folder that goes into the archive in front of the model."""

    path: str  # in the archive
    size: int  # 0 for a folder
    executable: bool
    open: Callable[[], IO[bytes]] | None  # None for a folder


class Folder(NamedTuple):
    """A top-level folder that the package owns: ``code`` or an extra input."""

    name: str
    entries: list[Shipped]
    left_out: list[str]

    @property
    def bytes(self) -> int:
        return sum(entry.size for entry in self.entries)

    @property
    def files(self) -> int:
        return sum(entry.open is not None for entry in self.entries)


ALWAYS_LEFT_OUT = (
    ".git",
    "__pycache__",
    "*.pyc",
    ".ipynb_checkpoints",
    ".env",
    ".DS_Store",
    ".packageignore",
)


class LeaveOut:
    """The patterns of files that do not ship: ALWAYS_LEFT_OUT and those of ``.packageignore``.

    One shell pattern a line.  Without a slash it is compared with every part of a path, with one
    (other than at the end) with the path from the scripts' root; a slash at the end means folders
    only.  ``#`` starts a comment.  A ``*`` also spans slashes.
    """

    def __init__(self, text: str = "") -> None:
        self._names = list(ALWAYS_LEFT_OUT)
        self._folder_names: list[str] = []
        self._paths: list[str] = []
        self._folder_paths: list[str] = []
        for line in text.splitlines():
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            if pattern.startswith("!"):
                raise BadInput(
                    f".packageignore: {show(pattern)} takes a pattern back, which is not "
                    "supported; list only what is to be left out"
                )
            folders_only = pattern.endswith("/")
            pattern = pattern.rstrip("/")
            if "/" in pattern:
                pattern = pattern.lstrip("/")
                (self._folder_paths if folders_only else self._paths).append(pattern)
            else:
                (self._folder_names if folders_only else self._names).append(pattern)

    def __call__(self, path: str, is_folder: bool) -> bool:
        folders = list(parents(path)) + ([path] if is_folder else [])
        folder_parts = path.split("/") if is_folder else path.split("/")[:-1]
        return (
            any(matches(part, self._names) for part in path.split("/"))
            or any(matches(part, self._folder_names) for part in folder_parts)
            or any(matches(whole, self._paths) for whole in [path, *parents(path)])
            or any(matches(whole, self._folder_paths) for whole in folders)
        )


def check_ignore_size(size: int) -> None:
    if size > MIB:
        raise BadInput(f".packageignore is {size} bytes, above the limit of {MIB}; shorten it")


def matches(text: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def collect_scripts(
    scripts_dir: str, entry_point: str, max_bytes: int, resources: contextlib.ExitStack
) -> Folder:
    """The files that ship in ``code/``: from a folder, or from the one .zip in it."""
    names = list_folder(scripts_dir, "the scripts input")
    path = os.path.join(scripts_dir, names[0]) if len(names) == 1 else ""
    if path.lower().endswith(".zip") and is_regular(path):
        found, ignore_text = files_from_zip(path, "the scripts'", resources)
    else:
        found, ignore_text = scripts_from_folder(scripts_dir)

    leave_out = LeaveOut(ignore_text)
    kept, left_out, total = [], [], 0
    for script, problem in found:
        if leave_out(script.path, script.open is None):
            if script.open is not None or problem:
                left_out.append(script.path)
            continue
        if problem:
            raise BadInput(problem)
        total += script.size
        path = archive_path(f"{CODE}/{script.path}", "the scripts'")
        kept.append(script._replace(path=path))
    if total > max_bytes:
        raise BadInput(
            f"the scripts are {total} bytes unpacked, above the limit of {max_bytes}; leave out "
            "what the model does not need with a .packageignore, or raise --max-scripts-bytes"
        )
    require_entry_point(entry_point, kept)
    return Folder(CODE, [Shipped(CODE, 0, True, None), *kept], left_out)


def require_entry_point(entry_point: str, scripts: list[Shipped]) -> None:
    files = [script.path[len(CODE) + 1 :] for script in scripts if script.open is not None]
    if entry_point in files:
        return
    import difflib

    near = difflib.get_close_matches(entry_point, files, n=1, cutoff=0.5)
    hint = f"the nearest is {show(near[0])}" if near else f"there are {len(files)} files"
    raise BadInput(
        f"the inference entry point {show(entry_point)} is not among the scripts ({hint}); "
        "add it, or name the right one with --inference-entry-point"
    )


Found = Iterable[Tuple[Shipped, str]]  # with the reason why it cannot ship, or ""


def scripts_from_folder(root: str) -> tuple[Found, str]:
    ignore_path = os.path.join(root, ".packageignore")
    ignore_text = ""
    if os.path.lexists(ignore_path):
        with InputFile(ignore_path) as file:
            check_ignore_size(file.size)
            ignore_text = file.read(MIB).decode("utf-8", "replace")

    def found() -> Iterator[tuple[Shipped, str]]:
        for entry in tree(root, "the scripts'"):
            problem = ""
            if entry.kind == "symlink":
                problem = (
                    f"the scripts hold the symbolic link {show(entry.path)}, which could show any "
                    "file of the instance; put the file itself in its place"
                )
            elif entry.kind == "other":
                problem = f"the scripts hold {show(entry.path)}, neither file nor folder; remove it"
            yield shipped_from_disk(entry, entry.path), problem

    return found(), ignore_text


def shipped_from_disk(entry: DiskEntry, path: str) -> Shipped:
    if entry.kind == "folder":
        return Shipped(path, 0, True, None)
    opener = functools.partial(open_regular, entry.disk_path)
    return Shipped(path, entry.size, entry.executable, opener)


def open_regular(path: str) -> IO[bytes]:
    """Opens a file that was regular when it was listed, and must still be."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise BadInput(f"{show(path)} is not a regular file any more; run again on inputs at rest")
    return os.fdopen(fd, "rb")


def files_from_zip(path: str, whose: str, resources: contextlib.ExitStack) -> tuple[Found, str]:
    """The files and folders of a zip, sorted, and its ``.packageignore``."""
    import zipfile

    name = os.path.basename(path)
    try:
        archive = resources.enter_context(zipfile.ZipFile(path))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BadInput(f"{whose} {show(name)} is no readable zip: {error}; zip it again") from error
    ignore_text = ""
    scripts: dict[str, tuple[Shipped, str]] = {}
    for info in archive.infolist():
        what = f"{whose} {show(name)}: entry"
        if "\0" in info.orig_filename:  # zipfile cuts the name there
            raise BadInput(f"{what} {show(info.orig_filename)} has a NUL in its name; zip it again")
        inside = archive_path(info.filename, what)
        mode = info.external_attr >> 16  # of Unix, else 0
        problem = ""
        if info.flag_bits & 0x1:
            problem = f"{what} {show(inside)} is encrypted; zip it without a password"
        elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            problem = (
                f"{what} {show(inside)} is a link or a device; put the file itself in its place"
            )
        elif inside in scripts:
            problem = f"{what} {show(inside)} is there twice; zip it again"
        if info.filename.endswith("/"):
            if inside:
                scripts[inside] = (Shipped(inside, 0, True, None), problem)
            continue
        if not inside:
            raise BadInput(f"{what} {show(info.filename)} is a file without a name; zip it again")
        scripts[inside] = (
            Shipped(
                inside, info.file_size, bool(mode & 0o100), functools.partial(archive.open, info)
            ),
            problem,
        )
        if inside == ".packageignore" and not problem:
            opener = functools.partial(archive.open, info)
            check_ignore_size(info.file_size)
            text = b"".join(file_pieces(opener, info.file_size, ".packageignore"))
            ignore_text = text[: info.file_size].decode("utf-8", "replace")
    for inside in list(scripts):
        for folder in parents(inside):
            above = scripts.setdefault(folder, (Shipped(folder, 0, True, None), ""))
            if above[0].open is not None:
                raise BadInput(
                    f"{whose} {show(name)}: {show(folder)} is both a file and a folder; "
                    "zip it again"
                )
    in_order = sorted(
        scripts.items(), key=lambda item: [part.encode() for part in item[0].split("/")]
    )
    return [found for _, found in in_order], ignore_text


def collect_extras(
    extra_dir: str, zipped: Sequence[str], resources: contextlib.ExitStack
) -> list[Folder]:
    """Every folder NAME in ``extra_dir``, to land under NAME/; those in ``zipped`` from a zip."""
    names = []
    if os.path.lexists(extra_dir):
        names = sorted(list_folder(extra_dir, "the extra inputs' folder"), key=os.fsencode)
    if missing := sorted(set(zipped) - set(names)):
        raise BadInput(
            f"the extra input {show(missing[0])} is not in {show(extra_dir)}; upload its zip, or "
            "drop --unzip-extra"
        )
    folders = []
    for name in names:
        shown = disk_name(name, "the extra input")
        root = os.path.join(extra_dir, name)
        if shown == CODE or shown.startswith("."):
            raise BadInput(
                f"the extra input {show(shown)} cannot have that name (code/ is the scripts' own, "
                "names with a dot are hidden); rename the input"
            )
        if os.path.islink(root) or not os.path.isdir(root):
            raise BadInput(
                f"the extra inputs' folder holds {show(shown)}, which is not a folder; "
                "every extra input is a folder, named as it shall be in the archive"
            )
        archive_path(shown, "the extra input")
        whose = f"the extra input {show(shown)}:"
        found = extra_from_zip(root, whose, resources) if name in zipped else tree(root, whose)
        entries = [Shipped(shown, 0, True, None)]
        for entry in found:
            if isinstance(entry, Shipped):
                entries.append(entry._replace(path=archive_path(f"{shown}/{entry.path}", whose)))
                continue
            if entry.kind not in ("file", "folder"):
                raise BadInput(
                    f"the extra input {show(shown)} holds {show(entry.path)}, a link or a device; "
                    "put the file itself in its place"
                )
            path = archive_path(f"{shown}/{entry.path}", whose)
            entries.append(shipped_from_disk(entry, path))
        folders.append(Folder(shown, entries, []))
    return folders


def extra_from_zip(root: str, whose: str, resources: contextlib.ExitStack) -> Iterator[Shipped]:
    names = list_folder(root, whose)
    path = os.path.join(root, names[0]) if len(names) == 1 else ""
    if not path.lower().endswith(".zip") or not is_regular(path):
        raise BadInput(
            f"{whose} holds {len(names)} files where one .zip was announced; upload the one zip, "
            "or drop --unzip-extra"
        )
    found, _ = files_from_zip(path, whose, resources)
    for shipped, problem in found:
        if problem:
            raise BadInput(problem)
        yield shipped


# ==================================================================================================
# Reading: the gzip frame (RFC 1952) and the other compressions
# ==================================================================================================

GZIP_MAGIC = b"\x1f\x8b"
DEFLATE = 8
FTEXT, FHCRC, FEXTRA, FNAME, FCOMMENT = 1, 2, 4, 8, 16
GZIP_TRAILER = struct.Struct("<II")  # CRC32, ISIZE

# What a sync flush ends with: an empty stored block less its three header bits (RFC 1951, 3.2.4).
SYNC_MARK = b"\x00\x00\xff\xff"


def gzip_header_length(head: bytes, name: str) -> int:
    """Where the DEFLATE stream begins; ``head`` is the start of the file."""
    damaged = BadInput(f"{show(name)} has a damaged gzip header; compress it again")
    if len(head) < 10 or not head.startswith(GZIP_MAGIC):
        raise damaged
    method, flags = head[2], head[3]
    if method != DEFLATE or flags & ~(FTEXT | FHCRC | FEXTRA | FNAME | FCOMMENT):
        raise damaged
    end = 10
    if flags & FEXTRA:
        end += 2 + int.from_bytes(head[end : end + 2], "little")
    for flag in (FNAME, FCOMMENT):
        if flags & flag:
            zero = head.find(b"\0", end)
            if zero < 0:
                raise damaged
            end = zero + 1
    if flags & FHCRC:
        if int.from_bytes(head[end : end + 2], "little") != zlib.crc32(head[:end]) & 0xFFFF:
            raise damaged
        end += 2
    if end > len(head):
        raise damaged
    return end


def damaged_data(name: str, kind: str, position: int, error: Exception) -> BadInput:
    return BadInput(
        f"{show(name)} is damaged: its {kind} data cannot be read near byte {position} ({error}); "
        "upload it again"
    )


def truncated(name: str, position: int) -> BadInput:
    return BadInput(
        f"{show(name)} is cut off: it ends after {position} bytes in the middle of its compressed "
        "data; upload it again"
    )


# A decoder's own dictionary counts as memory: xz -9 asks for 65 MiB, more is refused.
XZ_MEMORY = 80 * MIB


DECOMPRESSION_ERRORS = (zlib.error, lzma.LZMAError, OSError, EOFError)  # OSError is bz2's


def new_decompressor(kind: str) -> Any:
    if kind == "gzip":
        return zlib.decompressobj(
            wbits=31
        )  # 16 + 15: zlib reads the frame and checks CRC and ISIZE
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def decompressed(chunks: Iterator[bytes], name: str, kind: str) -> Iterator[bytes]:
    """The content of a whole file of ``kind``: all members or streams, one after another."""
    position = 0

    def read() -> bytes:
        nonlocal position
        data = next(chunks, b"")
        position += len(data)
        return data

    data = read()
    if kind == "tar":
        while data:
            yield data
            data = read()
        return
    if kind == "gzip":
        gzip_header_length(data, name)  # stricter than zlib: FHCRC, a bounded length
    while True:
        decompressor = new_decompressor(kind)
        try:
            while True:
                yield from expand(decompressor, data)
                if decompressor.eof:
                    break
                data = read()
                if not data:
                    raise truncated(name, position)
        except DECOMPRESSION_ERRORS as error:
            raise damaged_data(name, kind, position, error) from error
        data = decompressor.unused_data or read()
        padding = 0
        if kind != "bzip2":  # gzip members and xz streams may be followed by zeros
            while data and not data.strip(b"\0"):
                padding += len(data)
                data = read()
            padding += len(data) - len(data.lstrip(b"\0"))
            data = data.lstrip(b"\0")
            if kind == "xz" and padding % 4:  # the .xz file format, 2.2: stream padding
                raise trailing_garbage(name)
        if not data:
            return
        magic = {"gzip": GZIP_MAGIC, "bzip2": b"BZh", "xz": b"\xfd7zXZ\x00"}[kind]
        while len(data) < len(magic):
            more = read()
            if not more:
                break
            data += more
        if padding or not data.startswith(magic):
            raise trailing_garbage(name)


def trailing_garbage(name: str) -> BadInput:
    return BadInput(
        f"{show(name)} goes on after its compressed data ends, with bytes that some readers ignore "
        "and others refuse; compress it again"
    )


# ==================================================================================================
# Reading: the tar walk (POSIX pax, ustar, GNU, v7)
# ==================================================================================================

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)
END_OF_ARCHIVE = 2 * ZERO_BLOCK

POSIX_MAGIC, GNU_MAGIC, V7_MAGIC = b"ustar\x00", b"ustar  \x00", bytes(8)

# typeflag -> kind; "0", NUL (v7) and "7" (contiguous) are regular files to every reader
KINDS = {
    0x30: "file",
    0x00: "file",
    0x37: "file",
    0x31: "hard link",
    0x32: "symlink",
    0x35: "folder",
}
REFUSED_TYPES = {
    ord("3"): "a character device",
    ord("4"): "a block device",
    ord("6"): "a FIFO",
    ord("S"): "a GNU sparse file",
    ord("M"): "a part of a multi-volume archive",
    ord("V"): "a volume label",
    ord("D"): "a GNU directory dump",
    ord("N"): "an old GNU long name",
    ord("X"): "a Solaris extended header",
    ord("A"): "a Solaris access list",
}
PAX_NEXT, PAX_GLOBAL, GNU_LONG_NAME, GNU_LONG_LINK = ord("x"), ord("g"), ord("L"), ord("K")
EXTENSIONS = frozenset((PAX_NEXT, PAX_GLOBAL, GNU_LONG_NAME, GNU_LONG_LINK))

OCTAL = re.compile(rb" *([0-7]+)[ \0]*").fullmatch
NUL_FIELD = re.compile(rb"\0[ \0]*").fullmatch  # GNU tar refuses one that begins with a blank
PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,18}) ").match
PAX_NUMBER = re.compile(r"(-?[0-9]{1,100})(\.[0-9]*)?").fullmatch
HDRCHARSET = re.compile(rb"[0-9]+ hdrcharset=([^\n]*)").findall
PAX_SIZE = re.compile(r"[0-9]{1,100}").fullmatch
PAX_KEYWORD = re.compile(r"[^\0-\x20\x7f]+").fullmatch  # GNU tar skips blanks before a keyword
OCTAL_LIMIT = 8**11  # what eleven octal digits hold: 8 GiB, or a time in the year 2242

# The numeric fields whose value does not matter here, but which readers trip over when malformed.
OTHER_NUMBERS = (
    ("mode", 100, 108),
    ("uid", 108, 116),
    ("gid", 116, 124),
    ("mtime", 136, 148),
    ("devmajor", 329, 337),
    ("devminor", 337, 345),
)


class Entry(NamedTuple):
    path: str  # clean, relative; "" is the root
    kind: str  # "file", "hard link", "symlink" or "folder"
    size: int
    target: str  # of a link
    offset: int  # of its first header block, extensions and global headers before it included


def checksum_matches(header: bytes) -> bool:
    """The unsigned sum of all bytes, those of the field itself taken as spaces (POSIX ustar).

    Adler-32's low half is 1 + the sum of the bytes modulo 65521, which 256 bytes cannot reach: the
    sum comes from C this way, in a tenth of the time of sum(header).
    """
    match = OCTAL(header[148:156])
    if match is None:
        return False
    total = (zlib.adler32(header[:256]) & 0xFFFF) + (zlib.adler32(header[256:]) & 0xFFFF) - 2
    return int(match[1], 8) == total - sum(header[148:156]) + 8 * 0x20


def tar_number(field: bytes, what: str) -> int:
    """An octal number, or GNU's base-256 for what does not fit."""
    match = OCTAL(field)
    if match is not None:
        return int(match[1], 8)
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    if field[0] == 0xFF:
        return int.from_bytes(field, "big", signed=True)
    raise BadInput(f"{what} {show(field)}, which is no number; {MAKE_AGAIN}")


def check_range(field: str, number: int, what: str) -> None:
    """Readers fail on owners and times that their system calls do not take."""
    low, high = (-OCTAL_LIMIT, OCTAL_LIMIT) if field.endswith("time") else (0, 1 << 32)
    if field == "mode":
        high = 1 << 16
    if not low <= number < high:
        raise BadInput(f"{what} {show(str(number))}, which no system takes; {MAKE_AGAIN}")


SPARSE_KEYWORDS = ("GNU.sparse.", "SCHILY.realsize", "SUN.holesdata", "GNU.volume.", "GNU.dumpdir")
MAKE_AGAIN = "make the archive again with GNU tar, bsdtar or Python's tarfile"


def pax_records(body: bytes, where: str) -> dict[str, str]:
    """The records "length key=value" of a pax extended header, each ended by a newline."""
    records: dict[str, str] = {}
    # Python's tarfile looks for this one anywhere, be it in another one's value.
    if any(charset != b"ISO-IR 10646 2000 UTF-8" for charset in HDRCHARSET(body)):
        raise BadInput(f"{where} has names that are not UTF-8; rename the files")
    at = 0
    while at < len(body):
        match = PAX_LENGTH(body, at)
        end = at + int(match[1]) if match else 0
        if match is None or end > len(body) or body[end - 1 : end] != b"\n" or end <= match.end():
            raise BadInput(f"{where} has a malformed pax record; {MAKE_AGAIN}")
        key, equals, value = body[match.end() : end - 1].partition(b"=")
        if not key or not equals:
            raise BadInput(f"{where} has a malformed pax record; {MAKE_AGAIN}")
        name = utf8(key, f"{where}: the pax keyword")
        if not PAX_KEYWORD(name):
            raise BadInput(
                f"{where} has the pax keyword {show(name)}, with a blank or a control character, "
                f"which readers treat differently; {MAKE_AGAIN}, without extended attributes"
            )
        if name in ("uname", "gname") and b"\0" in value:
            raise BadInput(f"{where} has a pax {name} with a NUL; {MAKE_AGAIN}")
        if name in ("path", "linkpath", "size") and (
            name in records or not value or b"\0" in value
        ):
            raise BadInput(
                f"{where} has a pax {name} that is empty, given twice or holds a NUL, which "
                f"readers treat differently; {MAKE_AGAIN}"
            )
        # Vendor keywords (SCHILY.xattr…) may have binary values; only those used here are decoded.
        records[name] = (
            utf8(value, f"{where}: the pax {name}")
            if name in ("path", "linkpath")
            else value.decode("utf-8", "backslashreplace")
        )
        at = end
    for name, text in records.items():
        if name.startswith(SPARSE_KEYWORDS):
            raise BadInput(
                f"{where} is a sparse or multi-volume file, which not every reader unpacks; "
                "archive it without --sparse"
            )
        if name in ("mtime", "atime", "ctime", "uid", "gid"):
            number = PAX_NUMBER(text)
            if number is None:
                raise BadInput(f"{where} has a pax {name} that is no number; {MAKE_AGAIN}")
            check_range(name, int(number[1]), f"{where} has the pax {name}")
        if name == "size" and not PAX_SIZE(text):
            raise BadInput(f"{where} has a pax size that is no number; {MAKE_AGAIN}")
    return records


class TarWalk:
    """Goes through a tar archive as it streams by, and holds it to what all readers agree on.

    ``judge`` is asked about every entry and answers whether to keep it; the bytes of the kept ones,
    headers included, go to ``sink`` unchanged.  Whatever two common readers would extract
    differently is refused here; whether entries fit together is the judge's business.
    """

    def __init__(
        self,
        judge: Callable[[Entry], bool],
        *,
        max_header_bytes: int,
        max_content_bytes: int,
        sink: Callable[[bytes | memoryview], object] | None = None,
    ) -> None:
        self._judge = judge
        self._sink = sink
        self._max_header = max_header_bytes
        self._max_content = max_content_bytes
        self._position = 0  # of the next byte to be fed
        self._partial = bytearray()  # the begin of a block that the last piece cut
        self._wanted = BLOCK  # length of what is gathered: a header, or an extension's body
        self._data_left = 0  # of the current member, padding included
        self._keep = False
        self._entry_name = ""
        self._group: list[bytes] = []  # the blocks of the headers of the entry to come
        self._group_offset = 0
        self._global_offset: int | None = None  # of the global headers just before the group
        self._globals: list[bytes] = []  # their blocks, until an entry is kept
        self._global_bytes = 0  # of all global headers
        self.globals_matter = False  # whether one says more than a comment
        self._extension: tuple[int, int] | None = None  # typeflag and size of the body to come
        self._pax: dict[str, str] | None = None
        self._long: dict[int, str] = {}  # GNU_LONG_NAME, GNU_LONG_LINK -> text
        self._zero_blocks = 0
        self._numbers = b""  # of the last header that was checked

    def feed(self, data: bytes) -> None:
        at, size = 0, len(data)
        if self._position + size > self._max_content:
            raise BadInput(
                f"the model unpacks to more than {self._max_content} bytes; "
                "raise --max-content-bytes if that is meant"
            )
        while at < size:
            if self._data_left:
                step = min(self._data_left, size - at)
                if self._keep and self._sink is not None:
                    self._sink(memoryview(data)[at : at + step])
                self._data_left -= step
                at += step
            elif self._zero_blocks == 2:
                if data.count(0, at) != size - at:
                    raise BadInput(
                        "the archive goes on after its end-of-archive marker, with entries that "
                        f"some readers show and others do not; {MAKE_AGAIN}"
                    )
                break
            else:
                take = self._wanted - len(self._partial)
                block = data[at : at + take]
                at += take
                if self._partial or len(block) < take:
                    self._partial += block
                    if len(block) < take:
                        break
                    block = bytes(self._partial)
                    self._partial.clear()
                self._take(block, self._position + min(at, size))
        self._position += size

    @property
    def between_entries(self) -> bool:
        """Whether what was fed ends with a whole entry."""
        return not (
            self._data_left or self._partial or self._group or self._global_offset is not None
        )

    def close(self) -> None:
        """The archive must have ended properly: two zero blocks (POSIX ustar)."""
        if self._data_left or self._partial or self._extension or self._group:
            inside = f" in the middle of {show(self._entry_name)}" if self._data_left else ""
            raise BadInput(
                f"the tar archive is cut off{inside} after {self._position} bytes; "
                "it was cut before it was compressed: make it again"
            )
        if self._zero_blocks < 2:
            raise BadInput(
                "the tar archive has no end-of-archive marker (two zero blocks), so whatever wrote "
                "it did not finish; make it again"
            )

    def _take(self, block: bytes, end: int) -> None:
        """One header block, or the whole body of an extension; ``end`` is where it ends."""
        if self._extension is not None:
            self._group.append(block)
            self._take_extension(block)
            return
        if block == ZERO_BLOCK:
            if self._group or self._global_offset is not None:
                raise BadInput(f"the archive ends after an extended header; {MAKE_AGAIN}")
            self._zero_blocks += 1
            return
        if self._zero_blocks:
            raise BadInput(
                "the archive has a lone zero block in the middle, where some readers stop and "
                f"others go on; {MAKE_AGAIN}"
            )
        if not self._group:
            self._group_offset = end - BLOCK
        self._group.append(block)
        typeflag = block[156]
        if not checksum_matches(block):
            raise BadInput(
                f"the tar header at byte {end - BLOCK} of the unpacked archive has a wrong "
                "checksum; the archive is damaged or no tar archive: make it again"
            )
        numbers = block[100:124] + block[136:148] + block[329:345]
        if numbers != self._numbers:  # most headers repeat them
            self._numbers = numbers
            name = block[:100].partition(b"\0")[0]
            for field, start, stop in OTHER_NUMBERS:
                if not OCTAL(block[start:stop]) and not NUL_FIELD(block[start:stop]):
                    what = f"entry {show(name)} has the {field}"
                    check_range(field, tar_number(block[start:stop], what), what)
        if typeflag in EXTENSIONS:
            self._start_extension(block, typeflag)
        else:
            self._take_entry(block, typeflag)

    # -- extensions: pax headers (POSIX), long names (GNU) -----------------------------------------

    def _start_extension(self, block: bytes, typeflag: int) -> None:
        if block[257:263] != POSIX_MAGIC and block[257:265] not in (GNU_MAGIC, V7_MAGIC):
            raise BadInput(
                f"an extended header has an unknown magic {show(block[257:265])}; {MAKE_AGAIN}"
            )
        size = tar_number(block[124:136], "an extended header has the size")
        if size > self._max_header:
            raise BadInput(
                f"an extended tar header of {size} bytes, above the limit of {self._max_header}; "
                f"{MAKE_AGAIN}, or raise --max-header-bytes"
            )
        repeated = self._pax is not None if typeflag == PAX_NEXT else typeflag in self._long
        misplaced = typeflag == PAX_GLOBAL and len(self._group) > 1
        if size <= 0 or repeated or misplaced:
            raise BadInput(
                "an extended tar header is empty, repeated or out of place, which readers treat "
                f"differently; {MAKE_AGAIN}"
            )
        self._extension = typeflag, size
        self._wanted = -(-size // BLOCK) * BLOCK

    def _take_extension(self, block: bytes) -> None:
        assert self._extension is not None
        typeflag, size = self._extension
        body = block[:size]
        self._extension, self._wanted = None, BLOCK
        if typeflag == PAX_NEXT:
            self._pax = pax_records(body, "an entry's pax header")
        elif typeflag == PAX_GLOBAL:
            for name in pax_records(body, "the global pax header"):
                if name in ("path", "linkpath", "size"):
                    raise BadInput(
                        f"the global pax header sets {name} for all entries that follow; "
                        f"{MAKE_AGAIN}"
                    )
                self.globals_matter |= name != "comment"
            self._global_bytes += BLOCK + len(block)
            if self._global_bytes > self._max_header + RECORD:
                raise BadInput(
                    f"the global pax headers are longer than {self._max_header} bytes together; "
                    f"{MAKE_AGAIN}, or raise --max-header-bytes"
                )
            if self._global_offset is None:
                self._global_offset = self._group_offset
            self._globals += self._group
            self._group.clear()
            self._pax = None
        else:
            # Some readers stop at the NUL, some at the size: both must say the same.
            text, nul, rest = body.partition(b"\0")
            if not text or not nul or (rest + block[size:]).strip(b"\0"):
                raise BadInput(
                    "a GNU long name is empty, does not end in a NUL or holds another; "
                    f"{MAKE_AGAIN}"
                )
            self._long[typeflag] = utf8(text, "the long name")

    def _flush_group(self, keep: bool) -> None:
        if keep:
            if self._sink is not None:
                self._sink(b"".join(self._globals + self._group))
            self._globals.clear()
        self._group.clear()
        self._pax = None
        self._long.clear()

    # -- entries -----------------------------------------------------------------------------------

    def _take_entry(self, block: bytes, typeflag: int) -> None:
        raw_name = block[:100].partition(b"\0")[0]
        # v7 has no type for folders: a name that ends in a slash is one.  Python's tarfile looks at
        # the header's name only, others at the one that counts: both must say the same.
        folder_by_name = typeflag == 0 and raw_name.endswith(b"/")
        magic = block[257:265]
        if magic[:6] == POSIX_MAGIC:
            prefix, _, rest = block[345:].partition(b"\0")
            if prefix:
                raw_name = prefix + b"/" + raw_name
            # star keeps times behind a shorter prefix; the last twelve bytes are padding.
            if rest.strip(b"\0") or len(prefix) > 155:
                raise BadInput(
                    f"entry {show(raw_name)} has data behind its ustar prefix, which readers treat "
                    f"differently; {MAKE_AGAIN}"
                )
        elif magic in (GNU_MAGIC, V7_MAGIC):
            if block[345:].strip(b"\0"):
                raise BadInput(
                    f"entry {show(raw_name)} has data where ustar keeps a prefix, but is not "
                    f"ustar; {MAKE_AGAIN}"
                )
        else:
            raise BadInput(
                f"entry {show(raw_name)} has an unknown magic {show(magic)}; {MAKE_AGAIN}"
            )

        # Where an extension gives the name, the header's own may be cut in the middle of a
        # character, and is not looked at.
        pax = self._pax or {}
        if self._long and ("path" in pax or "linkpath" in pax):
            raise BadInput(f"entry {show(raw_name)} has a pax and a GNU long name; {MAKE_AGAIN}")
        name = pax.get("path") or self._long.get(GNU_LONG_NAME) or utf8(raw_name, "the entry name")
        link = ""
        if typeflag in (0x31, 0x32):
            given = pax.get("linkpath") or self._long.get(GNU_LONG_LINK)
            link = given or utf8(block[157:257].partition(b"\0")[0], "the link target")
        size = self._size(block, name)
        self._entry_name = name

        kind = KINDS.get(typeflag)
        if kind is None:
            what = REFUSED_TYPES.get(typeflag, f"of the unknown type {show(bytes((typeflag,)))}")
            raise BadInput(
                f"entry {show(name)} is {what}, which a model cannot hold; archive plain files"
            )
        if kind != "folder":
            if name.endswith("/") != folder_by_name or name.endswith("/."):
                raise BadInput(
                    f"entry {show(name)} is a {kind} named like a folder, or a folder like a file, "
                    f"which readers treat differently; {MAKE_AGAIN}"
                )
            if folder_by_name:
                kind = "folder"
        if "\0" in name or "\0" in link or (kind in ("symlink", "hard link") and not link):
            raise BadInput(f"entry {show(name)} has an empty target or a NUL; {MAKE_AGAIN}")
        if size and kind != "file":
            raise BadInput(
                f"entry {show(name)} is a {kind} with a size of {size}, which readers treat "
                f"differently; {MAKE_AGAIN}"
            )
        path = archive_path(name, "entry")
        if not path and (kind != "folder" or not name):
            raise BadInput(f"an entry that is a {kind} has no name ({show(name)}); {MAKE_AGAIN}")

        offset = self._group_offset if self._global_offset is None else self._global_offset
        self._global_offset = None
        self._keep = self._judge(Entry(path, kind, size, link, offset))
        self._flush_group(self._keep)
        self._data_left = -(-size // BLOCK) * BLOCK

    def _size(self, block: bytes, name: str) -> int:
        octal = OCTAL(block[124:136])
        if octal is not None and self._pax is None and int(octal[1], 8) <= self._max_content:
            return int(octal[1], 8)
        what = f"entry {show(name)} has the size"
        size = tar_number(block[124:136], what)
        if size < 0:
            raise BadInput(f"{what} below zero; {MAKE_AGAIN}")
        if self._pax is not None and "size" in self._pax:
            pax_size = int(self._pax["size"])
            # Only what octal cannot say needs the record; else both must agree, as not every reader
            # knows it.
            if pax_size != size and pax_size < OCTAL_LIMIT:
                raise BadInput(
                    f"{what} of {size} in its header and {pax_size} in its pax record; {MAKE_AGAIN}"
                )
            size = pax_size
        if size > self._max_content:
            raise BadInput(f"{what} of {size} bytes, above --max-content-bytes; {MAKE_AGAIN}")
        return size


# ==================================================================================================
# Verdicts: which entries stay, and whether they fit together
# ==================================================================================================


class Plan(NamedTuple):
    """What ships in front of the model, and what that means for the model's own entries."""

    folders: list[Folder]
    existing_code: str  # replace, overlay or refuse

    @property
    def owned(self) -> frozenset[str]:
        return frozenset(folder.name for folder in self.folders)


class Policy:
    """Decides by name whether one of the model's own entries stays."""

    def __init__(self, plan: Plan) -> None:
        self._owned = plan.owned
        self._existing = plan.existing_code
        self._shipped = {e.path: e.open is None for f in plan.folders for e in f.entries}

    def keeps(self, path: str) -> bool:
        if path.partition("/")[0] not in self._owned:
            return True
        if self._existing == "refuse":
            raise BadInput(
                f"the model already has {show(path)}, and --existing-code is refuse; package the "
                "model without it, or choose replace or overlay"
            )
        if self._existing == "replace":
            return False
        # overlay: what ships wins over the same name, and over a folder in the place of its file
        return path not in self._shipped and all(
            self._shipped.get(folder, True) for folder in parents(path)
        )


class Judge:
    """Sees every entry of the model, once, in order."""

    def __init__(
        self, plan: Plan, *, symlinks: str, max_members: int, may_drop: bool = True
    ) -> None:
        self._policy = Policy(plan)
        self._symlinks = symlinks
        self._max_members = max_members
        self._may_drop = may_drop
        self._names = NameTable()
        self._last_folder = ""
        self._members = 0
        self.files = self.folders = self.links = self.bytes = self.dropped = 0
        self.symlinks: list[str] = []  # the first of them
        self.case_twins: list[str] = []
        for folder in plan.folders:
            for entry in folder.entries:
                self._names.add(entry.path, FOLDER if entry.open is None else FILE)

    def __call__(self, entry: Entry) -> bool:
        self._members += 1
        if self._members > self._max_members:
            raise BadInput(
                f"the model has more than {self._max_members} entries; raise --max-members if meant"
            )
        path, kind = entry.path, entry.kind
        if not path:
            return True
        if not self._policy.keeps(path):
            if not self._may_drop:
                raise CannotSplice(f"the model has its own {show(path)}")
            self.dropped += 1
            return False
        folder = path.rpartition("/")[0]
        if folder != self._last_folder:
            self._enter(folder, path)
            self._last_folder = folder
        known = self._names.kind(path)
        if kind == "folder":
            if known and known != FOLDER:
                raise self._twice(path)
            self.folders += 1
            if not known:
                self._add(path, FOLDER)
            return True
        if known:
            raise self._twice(path)
        if kind == "file":
            self._add(path, FILE)
            self.files += 1
            self.bytes += entry.size
        elif kind == "symlink":
            self._check_symlink(entry)
            self._add(path, LINK)
        else:
            self._check_hard_link(entry)
            self._add(path, FILE)
            self.links += 1
        return True

    def has_file(self, path: str) -> bool:
        return self._names.kind(path) == FILE

    def check_complete(self) -> None:
        if not self.files:
            also = " besides what is replaced" if self.dropped else ""
            raise BadInput(f"the model holds no file{also}; look at what the training job wrote")

    def _add(self, path: str, kind: int) -> None:
        if self._names.add(path, kind) and len(self.case_twins) < 20:
            self.case_twins.append(path)

    def _enter(self, folder: str, path: str) -> None:
        """The folders above an entry must be folders, with an entry of their own or without."""
        while folder:
            known = self._names.kind(folder)
            if known == FOLDER:
                return
            if known:
                what = "a symbolic link" if known == LINK else "a file"
                raise BadInput(
                    f"entry {show(path)} lies below {show(folder)}, which is {what}; "
                    "archive the model's real folders"
                )
            self._add(folder, FOLDER)
            folder = folder.rpartition("/")[0]

    def _twice(self, path: str) -> BadInput:
        return BadInput(
            f"entry {show(path)} is in the archive twice, and readers disagree on which counts; "
            "make the archive again from one folder"
        )

    def _check_symlink(self, entry: Entry) -> None:
        if self._symlinks == "refuse":
            raise BadInput(
                f"entry {show(entry.path)} is a symbolic link, and --symlinks is refuse; "
                "archive with tar --dereference"
            )
        if len(entry.target.encode()) > MAX_PATH:
            raise BadInput(
                f"entry {show(entry.path)} is a symbolic link to a name too long to be one; "
                "archive with tar --dereference"
            )
        parts = [part for part in entry.target.split("/") if part not in ("", ".")]
        climbs = 0
        while climbs < len(parts) and parts[climbs] == "..":
            climbs += 1
        # ".." behind a name may climb out through another link, so it may stand at the front only.
        if entry.target.startswith("/") or climbs > entry.path.count("/") or ".." in parts[climbs:]:
            raise BadInput(
                f"entry {show(entry.path)} is a symbolic link to {show(entry.target)}, outside the "
                "model; archive with tar --dereference, or link by a relative path"
            )
        self.links += 1
        if len(self.symlinks) < 20:
            self.symlinks.append(entry.path)

    def _check_hard_link(self, entry: Entry) -> None:
        target = archive_path(entry.target, f"entry {show(entry.path)}: the link target")
        if not self._policy.keeps(target):
            raise BadInput(
                f"entry {show(entry.path)} is a hard link to {show(target)}, which is replaced; "
                "archive with tar --hard-dereference"
            )
        if self._names.kind(target) != FILE or entry.target.endswith(("/", "/.")):
            raise BadInput(
                f"entry {show(entry.path)} is a hard link to {show(entry.target)}, which is not a "
                "file before it in the archive; archive with tar --hard-dereference"
            )


# ==================================================================================================
# Writing: tar entries (POSIX ustar, with a pax header where ustar cannot say it)
# ==================================================================================================

MTIME = 315532800  # 1980-01-01T00:00:00Z, the earliest that zip, too, can say
RECORD = 20 * BLOCK  # tar pads an archive to whole records

TYPEFLAGS = {"file": b"0", "symlink": b"2", "folder": b"5"}


def tar_headers(
    path: str, kind: str, *, size: int = 0, executable: bool = False, target: str = ""
) -> bytes:
    """The header blocks of an entry.

    Written here because tarfile's differ between Python versions (the device fields), and the same
    inputs shall give the same bytes.
    """
    name = path + "/" if kind == "folder" else path
    records = b"".join(
        pax_record(key, text)
        for key, text, room in (("path", name, 100), ("linkpath", target, 100))
        if len(text.encode()) > room or not text.isascii()
    )
    if size >= OCTAL_LIMIT:
        records += pax_record("size", str(size))
    blocks = b""
    if records:
        header = ustar_header(b"././@PaxHeader", b"x", len(records), 0o644, b"")
        blocks = header + records + bytes(-len(records) % BLOCK)
    return blocks + ustar_header(
        name.encode("ascii", "replace")[:100],
        TYPEFLAGS[kind],
        size if size < OCTAL_LIMIT else 0,
        0o755 if executable else 0o644,
        target.encode("ascii", "replace")[:100],
    )


def pax_record(key: str, text: str) -> bytes:
    """One record, "length key=value" and a newline; the length counts its own digits."""
    body = f" {key}={text}\n".encode()
    length = len(body)
    while len(f"{length}".encode() + body) != length:
        length = len(f"{length}".encode() + body)
    return f"{length}".encode() + body


def ustar_header(name: bytes, typeflag: bytes, size: int, mode: int, target: bytes) -> bytes:
    header = struct.pack(
        "100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12x",
        name,
        b"%07o\0" % mode,
        b"%07o\0" % 0,
        b"%07o\0" % 0,
        b"%011o\0" % size,
        b"%011o\0" % MTIME,
        b" " * 8,
        typeflag,
        target,
        POSIX_MAGIC,
        b"00",
        b"root",
        b"root",
        b"%07o\0" % 0,
        b"%07o\0" % 0,
        b"",
    )
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def file_pieces(open_file: Callable[[], IO[bytes]], size: int, path: str) -> Iterator[bytes]:
    """Exactly ``size`` bytes of a file, and tar's padding."""
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
    yield bytes(-size % BLOCK)


def shipped_headers(entry: Shipped) -> bytes:
    kind = "folder" if entry.open is None else "file"
    return tar_headers(entry.path, kind, size=entry.size, executable=entry.executable)


def ship(folder: Folder, write: Callable[[bytes], object]) -> str:
    """Writes a folder's entries; their SHA-256, as tar entries, is the folder's digest."""
    digest = hashlib.sha256()

    def both(data: bytes) -> None:
        digest.update(data)
        write(data)

    for entry in folder.entries:
        both(shipped_headers(entry))
        if entry.open is not None:
            for piece in file_pieces(entry.open, entry.size, entry.path):
                both(piece)
    return digest.hexdigest()


# ==================================================================================================
# Writing: CRC-32 arithmetic
# ==================================================================================================

CRC_POLYNOMIAL = 0xEDB88320  # of CRC-32, bits reflected: bit 31 is x^0


def crc_multiply(a: int, b: int) -> int:
    """The product of two polynomials over GF(2), modulo the CRC's."""
    product = 0
    while a:
        if a & 0x80000000:
            product ^= b
        a = a << 1 & 0xFFFFFFFF
        b = b >> 1 ^ (CRC_POLYNOMIAL if b & 1 else 0)
    return product


def crc_shift(crc: int, length: int) -> int:
    """What ``crc`` contributes to the CRC-32 of a text in which ``length`` bytes follow.

    ``crc32(a + b) == crc_shift(crc32(a), len(b)) ^ crc32(b)``: appending a byte multiplies by x^8,
    so this multiplies by x^(8 * length), by repeated squaring.  zlib's crc32_combine, which Python
    does not offer.
    """
    power = 0x00800000  # x^8
    while length:
        if length & 1:
            crc = crc_multiply(power, crc)
        power = crc_multiply(power, power)
        length >>= 1
    return crc


# ==================================================================================================
# Writing: DEFLATE in parallel blocks (RFC 1951)
# ==================================================================================================

DEFLATE_BLOCK = (
    512 * KIB
)  # raw bytes compressed at once; fixed, so that the bytes do not depend on cores
SHORT_PART = 64 * KIB
SAMPLE = 8 * KIB
WINDOW = 32 * KIB
MAX_WORKERS = 8  # more would only wait for the one thread that inflates; and memory stays small

LAST_BLOCK = b"\x03\x00"  # an empty final block with fixed codes
FLUSH_BLOCK = b"\x00" + SYNC_MARK  # an empty stored block, from one byte boundary to the next


def stored_blocks(data: bytes) -> bytes:
    """Stored blocks: one zero byte (not final, type 0), LEN, NLEN, then up to 65535 bytes."""
    parts = []
    for start in range(0, len(data), 0xFFFF):
        part = data[start : start + 0xFFFF]
        parts += [struct.pack("<BHH", 0, len(part), len(part) ^ 0xFFFF), part]
    return b"".join(parts)


def deflate_block(block: bytes, window: bytes) -> bytes:
    """Compresses one block the way that suits it; it ends with a sync mark, at a byte boundary.

    Weights hold no repetitions, only skewed bytes: Huffman codes alone give the same size in a
    fraction of the time.  What hardly shrinks at all is stored, which also makes unpacking nearly
    free.  A sample from the middle tells which it is.
    """
    sample = block[len(block) // 2 : len(block) // 2 + SAMPLE]
    matched = len(zlib.compress(sample, 1))
    coded = len(deflate(sample, 1, zlib.Z_HUFFMAN_ONLY))
    if matched < 0.97 * coded:
        return deflate(block, 6, zlib.Z_DEFAULT_STRATEGY, window)
    if coded < 0.98 * len(sample):
        return deflate(block, 1, zlib.Z_HUFFMAN_ONLY)
    return stored_blocks(block) + FLUSH_BLOCK


def deflate(data: bytes, level: int, strategy: int, window: bytes = b"") -> bytes:
    compressor = (
        zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy, window)
        if window
        else zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    )
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


class BlockDeflater:
    """Compresses what is written in blocks, in parallel, and hands them on in order.

    Every block may refer to the 32 KiB before it, as in one continuous stream.  ``crc`` and
    ``size`` are those of everything written.
    """

    def __init__(self, emit: Callable[[bytes], object]) -> None:
        self.crc = self.size = 0
        self.emitted = 0
        self._hand_on = emit
        self._parts: list[bytes | memoryview] = []  # of the next block
        self._missing = DEFLATE_BLOCK  # bytes, to the next block
        self._window = b""
        self._workers = min(MAX_WORKERS, available_cores())
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None  # for more than one block
        self._pending: collections.deque[concurrent.futures.Future[bytes]] = collections.deque()

    def __enter__(self) -> BlockDeflater:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for future in self._pending:
            future.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def write(self, data: bytes | memoryview) -> None:
        self.crc = zlib.crc32(data, self.crc)
        self.size += len(data)
        view = memoryview(data)
        while len(view) >= self._missing:
            self._parts.append(view[: self._missing])
            view = view[self._missing :]
            self._submit(self._take_block())
        if view:
            # A view keeps all of the piece that it shows a part of: short ones are copied.
            self._parts.append(view if len(view) >= SHORT_PART else bytes(view))
            self._missing -= len(view)

    def _take_block(self) -> bytes:
        block = b"".join(self._parts)
        self._parts.clear()
        self._missing = DEFLATE_BLOCK
        return block

    def _submit(self, block: bytes) -> None:
        if self._pool is None:
            import concurrent.futures

            self._pool = concurrent.futures.ThreadPoolExecutor(self._workers)
        self._pending.append(self._pool.submit(deflate_block, block, self._window))
        self._window = block[-WINDOW:]
        while len(self._pending) > self._workers + 1:
            self._emit(self._pending.popleft().result())

    def flush(self) -> None:
        """Everything written so far is emitted, and nothing later refers to it."""
        while self._pending:
            self._emit(self._pending.popleft().result())
        if self._parts:
            self._emit(deflate_block(self._take_block(), self._window))
        self._window = b""

    def finish(self) -> None:
        self.flush()
        self._emit(LAST_BLOCK)

    def _emit(self, data: bytes) -> None:
        self.emitted += len(data)
        self._hand_on(data)


def available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: a container may be given some of the cores
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# ==================================================================================================
# Writing: files that appear complete or not at all
# ==================================================================================================


class AtomicFile:
    """A file without a name until ``publish`` gives it one; a kill leaves nothing behind.

    O_TMPFILE makes a file that no folder lists.  Where the file system has none, a hidden name
    beside the target stands in, and what a killed run left of it goes when the next run starts.

    What is written goes to the disk all along, in a thread of its own, so that the last fsync is
    short.
    """

    STRIDE = 32 * MIB  # from one fdatasync to the next
    unfinished: ClassVar[list[AtomicFile]] = []  # what a signal has to discard

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

    def discard(self) -> None:
        """Nothing of the file stays, published or not; also called from a signal handler."""
        for name in (self._partial, os.path.join(self._folder, self._name)):
            if name is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)
        AtomicFile.unfinished.remove(self)


# A bare header (RFC 1952, 2.3): no name, no time, unknown system.  Nothing optional: CPython's
# stream reader fails on extra fields (CPython issue 107398).
GZIP_HEADER = GZIP_MAGIC + bytes((DEFLATE, 0, 0, 0, 0, 0, 0, 255))


class Written(NamedTuple):
    """What the output file must turn out to hold."""

    front: int  # where the shipped entries end in the file, with a sync mark
    front_crc: int
    front_size: int  # of the shipped entries, unpacked
    crc: int
    size: int  # unpacked


def read_back(out: AtomicFile, written: Written) -> None:
    """Reads the written file's two ends, which are what this program made up itself.

    The front (header and shipped entries, up to 8 MiB of them) is inflated from the file and
    compared, and the trailer must give the CRC-32 and ISIZE that a reader will compute.  Those were
    computed from the very bytes that pass, like a reader's, while in splice mode the trailer's were
    derived from the original's trailer: so a fault in either shows.  Costs milliseconds, whatever
    the size.
    """
    fault = PackagingError(
        f"{show(out.path)} does not read back as it was written; "
        "the volume may be faulty: run again"
    )
    if out.size_on_disk() != out.size or out.read_at(0, 10) != GZIP_HEADER:
        raise fault
    if written.front <= 8 * MIB:
        inflater = zlib.decompressobj(wbits=-15)
        crc = size = 0
        try:
            for start in range(10, written.front, CHUNK):
                data = out.read_at(start, min(CHUNK, written.front - start))
                for piece in expand(inflater, data):
                    crc, size = zlib.crc32(piece, crc), size + len(piece)
        except zlib.error as error:
            raise fault from error
        if (crc, size) != (written.front_crc, written.front_size):
            raise fault
    if out.read_at(written.front - 4, 4) != SYNC_MARK:
        raise fault
    trailer = out.read_at(out.size - GZIP_TRAILER.size, GZIP_TRAILER.size)
    if trailer != GZIP_TRAILER.pack(written.crc, written.size & 0xFFFFFFFF):
        raise fault


# ==================================================================================================
# Packaging: what both modes share
# ==================================================================================================


class Job(NamedTuple):
    """One packaging run."""

    options: argparse.Namespace
    plan: Plan
    model: Archive | LooseFiles
    out: AtomicFile
    progress: Progress

    def new_judge(self, *, may_drop: bool) -> Judge:
        return Judge(
            self.plan,
            symlinks=self.options.symlinks,
            max_members=self.options.max_members,
            may_drop=may_drop,
        )


class Result(NamedTuple):
    mode: str
    why: str
    written: Written
    judge: Judge
    folder_digests: list[str]  # of the plan's folders
    model_digest: str


class Front(NamedTuple):
    """The shipped entries, as they stand at the start of the output."""

    digests: list[str]
    end: int  # in the file
    crc: int
    size: int


def new_walk(
    judge: Callable[[Entry], bool],
    options: argparse.Namespace,
    sink: Callable[[bytes | memoryview], object] | None = None,
) -> TarWalk:
    return TarWalk(
        judge,
        max_header_bytes=options.max_header_bytes,
        max_content_bytes=options.max_content_bytes,
        sink=sink,
    )


def write_front(plan: Plan, deflater: BlockDeflater) -> Front:
    deflater.write(filler(sum(tar_size(entry) for f in plan.folders for entry in f.entries)))
    digests = [ship(folder, deflater.write) for folder in plan.folders]
    deflater.flush()
    return Front(digests, len(GZIP_HEADER) + deflater.emitted, deflater.crc, deflater.size)


def tar_size(entry: Shipped) -> int:
    return len(shipped_headers(entry)) + -(-entry.size // BLOCK) * BLOCK


def filler(size: int) -> bytes:
    """A pax header with nothing but a comment that fills up ``size`` bytes to whole records.

    tar pads an archive to whole records and reads it by them.  Were the original's moved by part of
    one, its padding would start a record that tar never reads, and ``gzip -dc | tar -x`` would end
    with a broken pipe.
    """
    room = -size % RECORD
    if not room:
        return b""
    room = (room if room > BLOCK else room + RECORD) - BLOCK
    start = f"{room} comment=".encode()
    header = ustar_header(b"././@PaxHeader", b"x", room, 0o644, b"")
    return header + start + b" " * (room - len(start) - 1) + b"\n"


class InputDigests:
    """The model file's SHA-256, and whatever else a file beside it calls for."""

    def __init__(self, expected: dict[str, tuple[str, str]]) -> None:
        self._expected = expected
        self._digests = {name: hashlib.new(name) for name in {"sha256", *expected}}

    def update(self, data: bytes) -> None:
        for digest in self._digests.values():
            digest.update(data)

    def check(self, archive: str) -> str:
        """Compares with what was expected; returns the SHA-256."""
        for algorithm, (wanted, told_by) in self._expected.items():
            found = self._digests[algorithm].hexdigest()
            if found != wanted:
                raise BadInput(
                    f"{show(archive)} does not match {show(told_by)}: its {algorithm} is {found}, "
                    f"not {wanted}; upload both again"
                )
        return self._digests["sha256"].hexdigest()


# ==================================================================================================
# Packaging: splice
# ==================================================================================================


class Seam(NamedTuple):
    """Where the copied part of the original begins, and what stands before it."""

    offset: int  # in the file
    crc: int  # of the content before it, which is dropped
    size: int


class FirstKept(Exception):
    """Ends the search for the seam: the first entry that stays begins at this offset."""


def at_block_boundary(inflater: Any) -> bool:
    """Whether a new DEFLATE block begins here, at a byte boundary.

    Shown by an experiment on a copy: a final stored block (RFC 1951, 3.2.4) of bytes that no
    archive can foresee.  Inside a stored block its header would come out as data; elsewhere the
    bytes would have to come out of codes that were written before they were drawn.
    """
    nonce = os.urandom(16)
    probe = inflater.copy()
    try:
        out = probe.decompress(struct.pack("<BHH", 1, len(nonce), len(nonce) ^ 0xFFFF) + nonce)
    except zlib.error:
        return False
    return bool(probe.eof and out == nonce and not probe.unused_data)


def find_seam(archive: Archive, plan: Plan, options: argparse.Namespace) -> Seam:
    """Where to cut: right behind the gzip header, or behind an earlier package's shipped entries.

    Those end with a sync flush.  Its mark may as well be data, and what follows such data could be
    made to pass for the blocks of another archive, so the inflater is asked.  The whole entries
    before it must all be replaced; that none behind it is, and that no block behind it refers to
    data before it, shows when the rest is verified.
    """
    policy = Policy(plan)

    def stop_at_first_kept(entry: Entry) -> bool:
        if not entry.path or policy.keeps(entry.path):
            raise FirstKept(entry.offset)
        return False

    walk = new_walk(stop_at_first_kept, options)
    inflater = zlib.decompressobj(wbits=-15)
    crc = size = 0
    with InputFile(archive.path) as file:
        data = file.read()
        position = gzip_header_length(data, archive.name)
        data = data[position:]
        seam = Seam(position, 0, 0)
        try:
            while data:
                at = 0
                while at < len(data):
                    mark = data.find(SYNC_MARK, at)
                    # The last three bytes may be the start of a mark: they wait for the next ones.
                    end = mark + len(SYNC_MARK) if mark >= 0 else max(at, len(data) - 3)
                    for piece in expand(inflater, data[at:end]):
                        walk.feed(piece)
                        crc, size = zlib.crc32(piece, crc), size + len(piece)
                    position += end - at
                    at = end
                    if mark < 0:
                        break
                    whole = walk.between_entries and not walk.globals_matter
                    if whole and size > seam.size and at_block_boundary(inflater):
                        seam = Seam(position, crc, size)
                more = file.read()
                data = data[at:] + more if more else b""
        except FirstKept as found:
            if found.args[0] == seam.size:
                return seam
            raise CannotSplice(
                "the model's own entries under shipped names are not a package's"
            ) from None
        except zlib.error as error:
            raise damaged_data(archive.name, "gzip", position, error) from error
    raise CannotSplice("nothing but entries under shipped names was found")


def chunks_from(chunks: Iterator[bytes], offset: int) -> Iterator[bytes]:
    """A file's bytes from ``offset``."""
    for data in chunks:
        if offset < len(data):
            yield data[offset:] if offset else data
        offset = max(0, offset - len(data))


class Member(NamedTuple):
    crc: int  # as the trailer says
    isize: int


def inflate_member(
    chunks: Iterator[bytes],
    file: InputFile,
    raw: Callable[[bytes], None],
    content: Callable[[bytes], None],
) -> Member:
    """Reads the DEFLATE stream of a file's one gzip member, and its trailer.

    ``raw`` gets the stream as it is, ``content`` what it inflates to.
    """
    inflater = zlib.decompressobj(wbits=-15)
    position = 0
    for data in chunks:
        position += len(data)
        try:
            for piece in expand(inflater, data):
                content(piece)
        except zlib.error as error:
            raise damaged_data(file.name, "gzip", position, error) from error
        if inflater.eof:
            break
        raw(data)
    else:
        raise truncated(file.name, file.size)
    rest = inflater.unused_data
    raw(data[: len(data) - len(rest)])
    while len(rest) < GZIP_TRAILER.size + len(GZIP_MAGIC):
        more = next(chunks, b"")
        if not more:
            break
        rest += more
    if len(rest) < GZIP_TRAILER.size:
        raise truncated(file.name, file.size)
    crc, isize = GZIP_TRAILER.unpack_from(rest)
    rest = rest[GZIP_TRAILER.size :]
    if rest.startswith(GZIP_MAGIC):
        raise CannotSplice("it consists of several gzip members")
    while rest:  # zeros, as from tape blocks, are no content
        if rest.strip(b"\0"):
            raise trailing_garbage(file.name)
        rest = next(chunks, b"")
    return Member(crc, isize)


def splice(job: Job, archive: Archive, seam: Seam) -> Result:
    """Writes the shipped entries, then the original's blocks as they are, verifying them meanwhile.

    Four threads: one reads and hashes the input; this one inflates, which takes the longest; one
    computes the CRC and walks the tar; one writes and hashes the output.  What is verified is the
    very bytes that are written.
    """
    out = job.out
    out.write(GZIP_HEADER)
    with BlockDeflater(out.write) as deflater:
        front = write_front(job.plan, deflater)

    judge = job.new_judge(may_drop=False)
    walk = new_walk(judge, job.options)
    digests = InputDigests(archive.expected)
    crc, size = front.crc, front.size

    def verify(piece: bytes) -> None:
        nonlocal crc, size
        crc = zlib.crc32(piece, crc)
        size += len(piece)
        walk.feed(piece)

    with InputFile(archive.path) as file:
        reader = ReadAhead(file, digests.update, job.progress)
        with reader as chunks, Conveyor(out.write) as writer, Conveyor(verify) as verifier:
            member = inflate_member(
                chunks_from(chunks, seam.offset), file, writer.put, verifier.put
            )
        file.check_unchanged()
    walk.close()
    judge.check_complete()
    # Replacing the content before the seam changes the CRC by what that content contributed to it.
    kept = size - front.size
    trailer = Member(
        member.crc ^ crc_shift(seam.crc ^ front.crc, kept),
        (member.isize - seam.size + front.size) & 0xFFFFFFFF,
    )
    if trailer != (crc, size & 0xFFFFFFFF):
        raise BadInput(
            f"{show(archive.name)} is damaged: its content does not match the CRC-32 and size in "
            "its gzip trailer; upload it again"
        )
    model_digest = digests.check(archive.name)
    out.write(GZIP_TRAILER.pack(*trailer))
    written = Written(front.end, front.crc, front.size, crc, size)
    why = "the archive is gzip, and what it has under shipped names "
    why += "ends at a sync flush" if seam.size else "is nothing"
    return Result("splice", why, written, judge, front.digests, model_digest)


def try_splice(job: Job, archive: Archive) -> Result:
    seam = find_seam(archive, job.plan, job.options)
    log(
        f"mims_package: splicing {show(archive.name)} from byte {seam.offset}"
        + (f", in place of {seam.size} bytes that an earlier package shipped" if seam.size else "")
    )
    try:
        return splice(job, archive, seam)
    except BadInput as error:
        if seam.size:
            # Blocks that refer to data before the seam do not inflate without it.  If the archive
            # itself is bad, streaming will say so.
            raise CannotSplice("what an earlier package shipped cannot be cut off") from error
        raise


# ==================================================================================================
# Packaging: stream
# ==================================================================================================


def stream(job: Job, why: str) -> Result:
    """Writes the shipped entries, then those of the model that stay, compressed anew."""
    out, model = job.out, job.model
    judge = job.new_judge(may_drop=True)
    out.write(GZIP_HEADER)
    with Conveyor(out.write) as writer, BlockDeflater(writer.put) as deflater:
        front = write_front(job.plan, deflater)
        if isinstance(model, Archive):
            digest = stream_archive(job, model, judge, deflater)
        else:
            digest = stream_loose_files(job, model, judge, deflater)
        judge.check_complete()
        end = deflater.size + len(END_OF_ARCHIVE)
        deflater.write(END_OF_ARCHIVE + bytes(-end % RECORD))
        deflater.finish()
    out.write(GZIP_TRAILER.pack(deflater.crc, deflater.size & 0xFFFFFFFF))
    written = Written(front.end, front.crc, front.size, deflater.crc, deflater.size)
    return Result("stream", why, written, judge, front.digests, digest)


def stream_archive(job: Job, archive: Archive, judge: Judge, deflater: BlockDeflater) -> str:
    walk = new_walk(judge, job.options, deflater.write)
    digests = InputDigests(archive.expected)
    with InputFile(archive.path) as file:
        reader = ReadAhead(file, digests.update, job.progress)
        with reader as chunks, Conveyor(walk.feed) as walker:
            for piece in decompressed(chunks, file.name, archive.format):
                walker.put(piece)
        file.check_unchanged()
    walk.close()
    return digests.check(archive.name)


def stream_loose_files(job: Job, model: LooseFiles, judge: Judge, deflater: BlockDeflater) -> str:
    digest = hashlib.sha256()

    def write(data: bytes) -> None:
        digest.update(data)
        deflater.write(data)
        job.progress.done += len(data)

    for found in tree(model.path, "the model's"):
        if found.kind == "other":
            raise BadInput(f"the model's {show(found.path)} is neither file nor folder; remove it")
        archive_path(found.path, "the model's")  # for its length
        size = found.size if found.kind == "file" else 0
        target = ""
        if found.kind == "symlink":
            target = disk_name(os.readlink(found.disk_path), "the model's link target")
        if not judge(Entry(found.path, found.kind, size, target, 0)):
            continue
        write(
            tar_headers(
                found.path,
                found.kind,
                size=size,
                executable=found.executable or found.kind == "folder",
                target=target,
            )
        )
        if found.kind == "file":
            opener = functools.partial(open_regular, found.disk_path)
            for piece in file_pieces(opener, size, found.path):
                write(piece)
    return digest.hexdigest()


# ==================================================================================================
# Verifying a package: --check and --paranoid
# ==================================================================================================


class Contents(NamedTuple):
    sha256: str
    bytes: int
    crc: int
    size: int  # unpacked
    files: int


def read_package(path: str, name: str, options: argparse.Namespace) -> Contents:
    """Reads a whole package as strictly as a model is read; the entry point must be in it."""
    judge = Judge(
        Plan([], "replace"),
        symlinks=options.symlinks,
        # The shipped entries come on top of the model's.
        max_members=2 * options.max_members,
    )
    walk = new_walk(judge, options)
    digest = hashlib.sha256()
    crc = size = 0

    def verify(piece: bytes) -> None:
        nonlocal crc, size
        crc = zlib.crc32(piece, crc)
        size += len(piece)
        walk.feed(piece)

    with InputFile(path, name, follow=True) as file, Progress(file.size) as progress:
        reader = ReadAhead(file, digest.update, progress)
        try:
            with reader as chunks, Conveyor(verify) as verifier:
                first = next(chunks, b"")
                stream = itertools.chain([first[gzip_header_length(first, name) :]], chunks)
                member = inflate_member(stream, file, lambda raw: None, verifier.put)
        except CannotSplice as error:
            raise BadInput(
                f"{show(name)} is no package: {error}; a package is one gzip member"
            ) from None
        file.check_unchanged()
    walk.close()
    if member != (crc, size & 0xFFFFFFFF):
        raise BadInput(
            f"{show(name)} is damaged: its content does not match its gzip trailer; "
            "package it again"
        )
    if not judge.has_file(f"{CODE}/{options.inference_entry_point}"):
        raise BadInput(
            f"{show(name)} has no {CODE}/{options.inference_entry_point}, so nothing would serve "
            "the model; package it again, or name the right file with --inference-entry-point"
        )
    return Contents(digest.hexdigest(), file.size, crc, size, judge.files)


def check(options: argparse.Namespace) -> None:
    started = time.monotonic()
    path = options.check
    contents = read_package(path, os.path.basename(path), options)
    log_event(
        "mims_package.checked",
        archive=path,
        bytes=contents.bytes,
        sha256=contents.sha256,
        unpacked_bytes=contents.size,
        files=contents.files,
        seconds=round(time.monotonic() - started, 3),
    )


# ==================================================================================================
# The run
# ==================================================================================================


def log_event(event: str, **fields: object) -> None:
    """One line of JSON, for metric filters."""
    log(json.dumps({"event": event, **fields}))


def package(options: argparse.Namespace) -> None:
    started = time.monotonic()
    with contextlib.ExitStack() as resources:
        # Opened first: what an earlier run left must be gone even if this one fails.
        out = resources.enter_context(AtomicFile(os.path.join(options.output_dir, ARCHIVE_NAME)))
        report = resources.enter_context(AtomicFile(options.report_file))
        scripts = collect_scripts(
            options.scripts_dir, options.inference_entry_point, options.max_scripts_bytes, resources
        )
        extras = collect_extras(options.extra_dir, options.unzip_extra, resources)
        plan = Plan([scripts, *extras], options.existing_code)
        model = find_model(options.model_dir)
        announce(model, plan)
        check_space(model, plan, out)

        with Progress(model.bytes) as progress:
            result = run_mode(Job(options, plan, model, out, progress))
        out.sync()
        read_back(out, result.written)
        if options.paranoid:
            read_all_back(out, result.written, options)

        seconds = time.monotonic() - started
        facts = describe(options, model, plan, result, out, seconds)
        report.write((json.dumps(facts, indent=2) + "\n").encode())
        out.publish()
        report.publish()
        AtomicFile.unfinished.clear()  # from here on both stay; until here neither does
    log_event(
        "mims_package.done",
        mode=result.mode,
        archive_bytes=out.size,
        archive_sha256=out.digest,
        model_bytes=model.bytes,
        model_sha256=result.model_digest,
        scripts_digest=result.folder_digests[0],
        files=packaged_files(result, plan),
        seconds=round(seconds, 3),
        bytes_per_second=round(model.bytes / seconds),
    )


def announce(model: Archive | LooseFiles, plan: Plan) -> None:
    if isinstance(model, Archive):
        log(
            f"mims_package {__version__}: "
            f"model {show(model.name)}, {model.format}, {model.bytes} bytes"
            + (
                f"; ignored beside it: {', '.join(map(show, model.ignored))}"
                if model.ignored
                else ""
            )
        )
    else:
        log(
            f"mims_package {__version__}: model of {model.entries} loose files and folders, "
            f"{model.bytes} bytes"
        )
    for folder in plan.folders:
        left_out = f", {len(folder.left_out)} left out" if folder.left_out else ""
        log(f"mims_package: {folder.name}/: {folder.files} files, {folder.bytes} bytes{left_out}")


def check_space(model: Archive | LooseFiles, plan: Plan, out: AtomicFile) -> None:
    """The output must fit, if nothing shrinks; more than that only a bzip2 or xz model can need."""
    front = sum(folder.bytes + 2 * KIB * len(folder.entries) for folder in plan.folders)
    needed = model.bytes + front + MIB
    if isinstance(model, LooseFiles):
        needed += 2 * KIB * model.entries
    free = out.free_bytes()
    if free < needed:
        raise NoSpace(
            f"{show(out.path)} may need {needed} bytes and {free} are free; "
            "give the processing step a larger volume (processing_volume_size)"
        )


def run_mode(job: Job) -> Result:
    model, mode = job.model, job.options.mode
    if mode == "stream":
        why = "asked for"
    elif isinstance(model, LooseFiles):
        why = "the model is loose files"
    elif model.format != "gzip":
        why = f"the archive is {model.format}, not gzip"
    else:
        try:
            return try_splice(job, model)
        except CannotSplice as reason:
            why = str(reason)
            job.out.restart()
            job.progress.done = 0
    if mode == "splice":
        raise BadInput(f"the model cannot be spliced: {why}; use --mode auto or stream")
    log(f"mims_package: streaming: {why}")
    return stream(job, why)


def read_all_back(out: AtomicFile, written: Written, options: argparse.Namespace) -> None:
    """--paranoid: inflates the whole output, walks it, and hashes what is on the disk."""
    log("mims_package: reading the output back")
    # The limits are the model's; the shipped entries come on top.
    limits = {
        "max_members": sys.maxsize,
        "max_content_bytes": max(options.max_content_bytes, written.size),
        "max_header_bytes": options.max_header_bytes + RECORD,
    }
    options = argparse.Namespace(**{**vars(options), **limits})
    try:
        contents = read_package(out.reading_path, out.path, options)
    except BadInput as error:
        raise PackagingError(f"the output does not read back: {error}") from error
    if (contents.sha256, contents.crc, contents.size) != (out.digest, written.crc, written.size):
        raise PackagingError(
            f"{show(out.path)} does not read back as it was written; run again on another instance"
        )


def packaged_files(result: Result, plan: Plan) -> int:
    return result.judge.files + sum(folder.files for folder in plan.folders)


def model_uri(job_config_file: str, model_dir: str) -> str | None:
    """The model's S3 URI, from SageMaker's copy of the job's own request, where there is one."""
    try:
        with InputFile(job_config_file, follow=True) as file:
            inputs = json.loads(file.read(MIB))["ProcessingInputs"]
        places = [item.get("S3Input") or {} for item in inputs]
        uris = {place.get("LocalPath", "").rstrip("/"): place.get("S3Uri") for place in places}
        return uris.get(model_dir.rstrip("/"))
    except (BadInput, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # the report can do without


def describe(
    options: argparse.Namespace,
    model: Archive | LooseFiles,
    plan: Plan,
    result: Result,
    out: AtomicFile,
    seconds: float,
) -> dict[str, object]:
    """The report; between runs on the same inputs only seconds and bytes_per_second differ."""
    judge = result.judge
    warnings = []
    if judge.case_twins:
        names = ", ".join(map(show, judge.case_twins))
        warnings.append(f"names that differ from others only in case: {names}")
    if judge.symlinks:
        names = ", ".join(map(show, judge.symlinks))
        warnings.append(f"symbolic links inside the model, kept: {names}")
    for warning in warnings:
        log(f"mims_package: warning: {warning}")
    scripts, *extras = plan.folders
    scripts_digest, *extra_digests = result.folder_digests
    return {
        "schema_version": REPORT_SCHEMA_VERSION,
        "version": __version__,
        "source": {
            "uri": model_uri(options.job_config_file, options.model_dir),
            "etag": os.environ.get("MIMS_MODEL_ETAG"),
            "file": model.name if isinstance(model, Archive) else None,
        },
        "archive": {
            "file": ARCHIVE_NAME,
            "bytes": out.size,
            "sha256": out.digest,
            "unpacked_bytes": result.written.size,
            "files": packaged_files(result, plan),
        },
        "model": {
            "kind": model.format if isinstance(model, Archive) else "files",
            # Of the archive file; of loose files, of the tar entries made of them.
            "sha256": result.model_digest,
            "bytes": model.bytes,
            "unpacked_bytes": judge.bytes,
            "files": judge.files,
            "links": judge.links,
            "replaced_entries": judge.dropped,
        },
        "scripts": {
            "digest": scripts_digest,
            "bytes": scripts.bytes,
            "files": scripts.files,
            "entry_point": f"{CODE}/{options.inference_entry_point}",
            "left_out": len(scripts.left_out),
            "left_out_files": scripts.left_out[:20],
        },
        "mode": result.mode,
        "mode_reason": result.why,
        "existing_code": plan.existing_code,
        "extra_inputs": [
            {"name": folder.name, "digest": digest, "bytes": folder.bytes, "files": folder.files}
            for folder, digest in zip(extras, extra_digests)
        ],
        "ignored_inputs": model.ignored if isinstance(model, Archive) else [],
        "warnings": warnings,
        "seconds": round(seconds, 3),
        "bytes_per_second": round(model.bytes / seconds),
    }


# ==================================================================================================
# The program
# ==================================================================================================


MESSAGE_LIMIT = 1024


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


def message_file(argv: Sequence[str]) -> str:
    """Where the message goes, even if the rest of the command line cannot be understood."""
    path = str(argument_parser().get_default("message_file"))
    for index, argument in enumerate(argv):
        name, equals, value = argument.partition("=")
        if name == "--message-file":
            path = value if equals else next(iter(argv[index + 1 :]), "")
    return path


def fail(argv: Sequence[str], exit_code: int, reason: str) -> None:
    """Tells why, in the log, in the message file and on the error stream."""
    reason = one_line(reason)
    log(json.dumps(failure_event(exit_code, reason)))
    with contextlib.suppress(OSError):  # as in log()
        print(f"mims_package: error: {reason}", file=sys.stderr, flush=True)
    write_message(message_file(argv), reason)


def failure_event(exit_code: int, reason: str) -> dict[str, object]:
    return {"event": "mims_package.failed", "exit_code": exit_code, "reason": reason}


def stop_on_signals(argv: Sequence[str]) -> None:
    """SIGTERM, with which SageMaker stops jobs, and SIGINT end the process at once.

    An exception out of a signal handler could strike in the middle of a lock's bookkeeping and
    leave the threads waiting for each other.  So the handler itself discards what is unfinished,
    which takes a few system calls, and goes.
    """

    def stop(signum: int, frame: object) -> None:
        while AtomicFile.unfinished:
            AtomicFile.unfinished[-1].discard()
        reason = f"stopped by {signal.Signals(signum).name}"
        line = json.dumps(failure_event(128 + signum, reason)) + "\n"
        # Not print: what the signal interrupted may be a print.
        with contextlib.suppress(OSError):
            os.write(1, line.encode())
        write_message(message_file(argv), reason)
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
            check(options)
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
