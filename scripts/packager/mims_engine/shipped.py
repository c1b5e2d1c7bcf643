"""What goes into the archive in front of the model, from a folder or a zip."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
from typing import IO, Callable, Iterable, NamedTuple, Tuple

from .archive_names import archive_path, parents
from .entry_dates import EARLIEST, dated
from .errors import BadInput, show
from .files import DiskEntry, file_pieces, open_regular
from .leave_out import check_ignore_size
from .tar_format import padding
from .tar_headers import tar_headers


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


Found = Iterable[Tuple[Shipped, str]]  # with the reason why it cannot ship, or ""


def shipped_from_disk(entry: DiskEntry, path: str) -> Shipped:
    if entry.kind == "folder":
        return Shipped(path, 0, True, None)
    opener = functools.partial(open_regular, entry.disk_path)
    return Shipped(path, entry.size, entry.executable, opener)


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
            ignore_text = text.decode("utf-8", "replace")
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


def shipped_headers(entry: Shipped, mtime: int = EARLIEST) -> bytes:
    kind = "folder" if entry.open is None else "file"
    return tar_headers(entry.path, kind, size=entry.size, executable=entry.executable, mtime=mtime)


def tar_size(entry: Shipped) -> int:
    """How much an entry takes, whatever its date: all dates have the same length."""
    return len(shipped_headers(entry)) + entry.size + len(padding(entry.size))


def ship(folder: Folder, write: Callable[[bytes], object]) -> str:
    """Writes a folder's entries; their SHA-256, as tar entries, is the folder's digest."""
    digest = hashlib.sha256()

    def both(data: bytes) -> None:
        digest.update(data)
        write(data)

    for entry in folder.entries:
        if entry.open is None:
            both(shipped_headers(entry))
            continue
        mtime, pieces = dated(file_pieces(entry.open, entry.size, entry.path))
        both(shipped_headers(entry, mtime))
        for piece in pieces:
            both(piece)
        both(padding(entry.size))
    return digest.hexdigest()
