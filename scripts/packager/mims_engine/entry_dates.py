"""The dates of the entries that are written here: from the content, never from the clock.

Python runs a compiled module in ``__pycache__`` if it was made from a source of the same date and
size (PEP 552, "timestamp-based pycs").  Were all dates the same, a package unpacked over an older
one could go on running the older one's code.
"""

from __future__ import annotations

import zlib
from typing import Iterable, Iterator

from .sizes import MIB

# 1980-01-02T00:00:00Z: zip can say no earlier year than 1980, and west of Greenwich its first day
# begins in 1979.
EARLIEST = 315619200
STEP = 2  # seconds, the finest that zip can say
STEPS = 1 << 29  # so that the latest is in January 2014, which no clock takes for the future
DATED_BY = 4 * MIB  # of a file; no source is longer


def dated(pieces: Iterable[bytes]) -> tuple[int, Iterator[bytes]]:
    """A file's date, and its pieces: read once, of which as many wait here as the date is from."""
    pieces = iter(pieces)
    first: list[bytes] = []
    crc = read = 0
    while read < DATED_BY:
        piece = next(pieces, b"")
        if not piece:
            break
        crc = zlib.crc32(piece, crc)
        read += len(piece)
        first.append(piece)
    return EARLIEST + STEP * (crc % STEPS), _chained(first, pieces)


def _chained(first: list[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from first
    first.clear()
    yield from rest
