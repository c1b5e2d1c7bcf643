"""Where an archive can be cut, so that its blocks can be copied."""

from __future__ import annotations

import os
import struct
import zlib
from typing import Any, NamedTuple

from .decompression import damaged_data, expand
from .deflate import SYNC_MARK
from .errors import CannotSplice
from .files import InputFile
from .gzip_frame import gzip_header_length
from .job import new_walk
from .judge import Plan, Policy
from .model_input import Archive
from .options import Options
from .tar_walk import Entry


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


def find_seam(archive: Archive, plan: Plan, options: Options) -> Seam:
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
