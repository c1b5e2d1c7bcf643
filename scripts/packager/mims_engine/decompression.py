"""Reading gzip, bzip2 and xz whole: every member or stream, and nothing behind them."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Any, Iterator

from .errors import BadInput, show
from .gzip_frame import GZIP_MAGIC, gzip_header_length
from .sizes import MIB, PIECE

# A decoder's own dictionary counts as memory: xz -9 asks for 65 MiB, more is refused.
XZ_MEMORY = 80 * MIB
DECOMPRESSION_ERRORS = (zlib.error, lzma.LZMAError, OSError, EOFError)  # OSError is bz2's


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


def trailing_garbage(name: str) -> BadInput:
    return BadInput(
        f"{show(name)} goes on after its compressed data ends, with bytes that some readers ignore "
        "and others refuse; compress it again"
    )
