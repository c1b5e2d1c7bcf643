"""Inflating a file's one gzip member while its compressed bytes are handed on."""

from __future__ import annotations

import zlib
from typing import Callable, Iterator, NamedTuple

from .decompression import damaged_data, expand, trailing_garbage, truncated
from .errors import CannotSplice
from .files import InputFile
from .gzip_frame import GZIP_MAGIC, GZIP_TRAILER


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
