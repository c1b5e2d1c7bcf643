"""Which file is the model."""

from __future__ import annotations

import contextlib
import os
import re
from typing import NamedTuple

from .announcement import UNANNOUNCED, Announcement
from .decompression import DECOMPRESSION_ERRORS, expand, new_decompressor
from .errors import BadInput, show
from .files import InputFile, is_regular, list_folder, tree
from .sizes import MIB
from .tar_format import BLOCK, is_tar_start

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


def is_archive(path: str, name: str, kind: str) -> bool:
    """Whether this is a tar archive, or is called one: reading it tells what is wrong with it."""
    return kind == "tar" or bool(ARCHIVE_SUFFIX.fullmatch(name)) or is_compressed_tar(path, kind)


def is_compressed_tar(path: str, kind: str) -> bool:
    """Whether a compressed file holds a tar archive: for files whose name does not say so."""
    head = b""
    with InputFile(path) as file, contextlib.suppress(*DECOMPRESSION_ERRORS):
        for piece in expand(new_decompressor(kind), file.read()):
            head += piece[: BLOCK - len(head)]
            if len(head) == BLOCK:
                break
    return is_tar_start(head)


def find_model(model_dir: str, announcement: Announcement = UNANNOUNCED) -> Archive | LooseFiles:
    """The announced archive or the one archive in ``model_dir``, or the loose files."""
    names = sorted(list_folder(model_dir, "the model input"))
    if not names:
        raise BadInput(
            f"the model input {show(model_dir)} is empty; "
            "give it a model.tar.gz or the model's files"
        )
    files = [name for name in names if is_regular(os.path.join(model_dir, name))]
    announced = announced_file(announcement, files)
    archives = [name for name in files if ARCHIVE_SUFFIX.fullmatch(name)]
    if announced:
        archives = [announced]
    elif not archives:
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
        came_along = bool(announced) and other.startswith(name)  # an S3 input is a prefix
        if not (came_along or (other in files and is_sidecar(other, name))):
            raise BadInput(
                f"the model input holds the archive {show(name)} and also {show(other)}, which is "
                "not part of it; put it into the archive, or give it as an extra input"
            )
    path = os.path.join(model_dir, name)
    kind = sniff(path)
    if kind not in READABLE or (announced and not is_archive(path, name, kind)):
        what = f"{kind} data" if kind not in (*READABLE, "unknown") else "no tar archive"
        if not os.path.getsize(path):
            what = "empty"
        one_object = ", and a model that is one object must be an archive" if announced else ""
        loose = (
            ", or end the model's S3 URI with a slash to package the loose files below it"
            if announced
            else ""
        )
        raise BadInput(
            f"the model {show(name)} is {what}{one_object}; "
            f"make it with tar -czf (tar.bz2, tar.xz and plain tar do as well){loose}"
        )
    return Archive(
        path, name, kind, os.path.getsize(path), ignored, expected_digests(model_dir, name, ignored)
    )


def announced_file(announcement: Announcement, files: list[str]) -> str | None:
    """The file that was announced, if one file was; another never stands in for it."""
    name = announcement.file
    if name is None or name in files:
        return name
    if announcement.etag is None and not ARCHIVE_SUFFIX.fullmatch(name):
        return None  # a folder, written without the slash at its end
    others = [other for other in files if other.startswith(name)]
    came = f"; {' and '.join(map(show, others[:4]))} came along, because the key begins alike"
    raise BadInput(
        f"the announced model {show(name)} is not there any more: it was deleted or renamed"
        + (came if others else "")
        + "; upload it again"
    )


def is_nameless_archive(model_dir: str, name: str, names: list[str]) -> bool:
    """Whether a file that is alone (but for its sidecars) is an archive under another name."""
    if not all(other == name or is_sidecar(other, name) for other in names):
        return False
    path = os.path.join(model_dir, name)
    kind = sniff(path)
    return kind in READABLE and is_archive(path, "", kind)


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
