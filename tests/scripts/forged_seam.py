"""An archive that is one thing to every reader, and another from a false sync mark on.

The file under ``code/`` ends in the four bytes of a sync mark, inside a stored block.  From there
on the same bytes are a second stream of DEFLATE blocks: the name of a pax header holds blocks of
its own, and the header's comment the rest, up to the entry that both readings end with.  Blocks
that hold nothing make the two readings equally long, and four bytes of the comment, found by
solving linear equations, give them the same CRC-32.  So the gzip trailer fits either.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from . import archives as a

COMMENT = 16384 - a.BLOCK  # bytes of the pax header's body
HIDDEN = 4096  # of it, bytes that the second reading takes for a file's data
END = bytes(4096)


def stored(length: int) -> bytes:
    """The header of a stored block."""
    return struct.pack("<BHH", 0, length, length ^ 0xFFFF)


def flushed(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


def idle_blocks(count: int) -> bytes:
    """Blocks of ``count`` bytes that hold nothing: five bytes stored, or six for the remainder."""
    sixes = count % 5
    return b"\0\0\0\xff\xff" * ((count - 6 * sixes) // 5) + b"\x02\0\0\0\xff\xff" * sixes


def compressible_header(name: str, size: int) -> bytes:
    """A v7 header with as few different bytes as can be."""
    block = bytearray(a.header(name, size=size, magic=a.V7))
    block[100:124], block[136:148], block[148:156] = bytes(24), bytes(12), b" " * 8
    return bytes(block[:148]) + b"%06o\0 " % sum(block) + bytes(block[156:])


def readings(said: bytes, hidden: bytes, solution: int, idle: int) -> tuple[bytes, bytes]:
    """What follows the false mark: as every reader sees it, and as blocks that start there."""
    decoy = compressible_header("decoy", HIDDEN)
    name = flushed(decoy) + stored(HIDDEN)
    pax = a.header(name, typeflag=b"x", size=COMMENT)
    key = b"%d comment=" % COMMENT
    filler = struct.pack("<I", solution)
    filler += b"f" * (HIDDEN - (a.BLOCK - len(name)) - len(key) - len(filler))
    waste = idle_blocks(idle)
    rest = 2000
    while True:  # the last entry's size stands in its own header
        inner = hidden + a.header("last", size=rest + len(said))
        fitting = COMMENT - len(key + filler + stored(0) + inner + waste + stored(0))
        if fitting == rest:
            break
        rest = fitting
    comment_end = b"g" * (rest - 1) + b"\n"
    tail = stored(rest + len(said)) + comment_end + said
    seen = pax + key + filler + stored(len(inner)) + inner + waste + tail
    second = decoy + pax[len(name) :] + key + filler + inner + comment_end + said
    return seen, second


def solve(error: Callable[[int], int]) -> int:
    """The 32 bits for which ``error``, which is affine over GF(2), is zero (Gauss)."""
    constant = error(0)
    basis: dict[int, tuple[int, int]] = {}

    def reduce(value: int, bits: int) -> tuple[int, int]:
        while value and value.bit_length() in basis:
            base, base_bits = basis[value.bit_length()]
            value, bits = value ^ base, bits ^ base_bits
        return value, bits

    for bit in range(32):
        value, bits = reduce(error(1 << bit) ^ constant, 1 << bit)
        if value:
            basis[value.bit_length()] = value, bits
    value, bits = reduce(constant, 0)
    assert value == 0
    return bits


def forged(said: bytes, hidden: bytes) -> bytes:
    """A gzipped tar that says ``said`` (entries), and ``hidden`` from the false mark on."""
    front = a.folder("code/") + a.file("code/old.py", b"#" * 508 + b"\0\0\xff\xff")
    said = a.tar(said)
    idle = 0
    while True:
        seen, second = readings(said, hidden, 0, idle)
        if len(seen) == len(second):
            break
        idle += len(second) - len(seen)

    def error(solution: int) -> int:
        seen, second = readings(said, hidden, solution, idle)
        return zlib.crc32(front + seen + END) ^ zlib.crc32(front + second + END)

    seen, _ = readings(said, hidden, solve(error), idle)
    content = front + seen
    blocks = stored(len(content)) + content + stored(len(END)) + END + b"\x03\0"
    content += END
    return a.gz_header() + blocks + struct.pack("<II", zlib.crc32(content), len(content))
