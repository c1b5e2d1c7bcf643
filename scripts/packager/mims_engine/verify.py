"""Verifying a package: what was written, and ``--check`` and ``--paranoid``."""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
import time
import zlib
from typing import NamedTuple

from .atomic_file import AtomicFile
from .contract import CHECKED_EVENT, CODE
from .decompression import expand
from .deflate import SYNC_MARK
from .errors import BadInput, CannotSplice, PackagingError, show
from .files import InputFile, ReadAhead
from .gzip_frame import GZIP_HEADER, GZIP_TRAILER, gzip_header_length
from .gzip_member import inflate_member
from .job import Written, new_walk
from .judge import Judge, Plan
from .log import Progress, log, log_event
from .options import Options
from .sizes import CHUNK, MIB
from .tar_format import RECORD
from .threads import Conveyor


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
    if written.front_size and out.read_at(written.front - 4, 4) != SYNC_MARK:
        raise fault
    trailer = out.read_at(out.size - GZIP_TRAILER.size, GZIP_TRAILER.size)
    if trailer != GZIP_TRAILER.pack(written.crc, written.size & 0xFFFFFFFF):
        raise fault


class Contents(NamedTuple):
    sha256: str
    bytes: int
    crc: int
    size: int  # unpacked
    files: int


def read_package(path: str, name: str, options: Options) -> Contents:
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
                rest = itertools.chain([first[gzip_header_length(first, name) :]], chunks)
                member = inflate_member(rest, file, lambda raw: None, verifier.put)
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
    entry_point = f"{CODE}/{options.inference_entry_point}"
    if not options.without_scripts and not judge.has_file(entry_point):
        raise BadInput(
            f"{show(name)} has no {entry_point}, so nothing would serve the model; package it "
            "again, or name the right file with --inference-entry-point"
        )
    return Contents(digest.hexdigest(), file.size, crc, size, judge.files)


def check(path: str, options: Options) -> None:
    """Reads a package whole and says what it is."""
    started = time.monotonic()
    contents = read_package(path, os.path.basename(path), options)
    log_event(
        CHECKED_EVENT,
        archive=path,
        bytes=contents.bytes,
        sha256=contents.sha256,
        unpacked_bytes=contents.size,
        files=contents.files,
        seconds=round(time.monotonic() - started, 3),
    )


def read_all_back(out: AtomicFile, written: Written, options: Options) -> None:
    """--paranoid: inflates the whole output, walks it, and hashes what is on the disk."""
    log("mims_package: reading the output back")
    # The limits are the model's; the shipped entries come on top.
    options = options._replace(
        max_members=sys.maxsize,
        max_content_bytes=max(options.max_content_bytes, written.size),
        max_header_bytes=options.max_header_bytes + RECORD,
    )
    try:
        contents = read_package(out.reading_path, out.path, options)
    except BadInput as error:
        raise PackagingError(f"the output does not read back: {error}") from error
    if (contents.sha256, contents.crc, contents.size) != (out.digest, written.crc, written.size):
        raise PackagingError(
            f"{show(out.path)} does not read back as it was written; run again on another instance"
        )
