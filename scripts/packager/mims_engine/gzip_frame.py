"""The gzip frame around a DEFLATE stream: header and trailer (RFC 1952)."""

from __future__ import annotations

import struct
import zlib

from .errors import BadInput, show

GZIP_MAGIC = b"\x1f\x8b"
DEFLATE = 8
FTEXT, FHCRC, FEXTRA, FNAME, FCOMMENT = 1, 2, 4, 8, 16
GZIP_TRAILER = struct.Struct("<II")  # CRC32, ISIZE

# A bare header (RFC 1952, 2.3): no name, no time, unknown system.  Nothing optional: CPython's
# stream reader fails on extra fields (CPython issue 107398).
GZIP_HEADER = GZIP_MAGIC + bytes((DEFLATE, 0, 0, 0, 0, 0, 0, 255))


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
