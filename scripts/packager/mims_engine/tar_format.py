"""The tar format: blocks, magics, type flags and number fields.

References: POSIX.1-2017 pax (ustar and pax interchange formats); the GNU tar manual, "Basic Tar
Format" (GNU long names, base-256 numbers).
"""

from __future__ import annotations

import re
import zlib

from .errors import BadInput, show

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)
END_OF_ARCHIVE = 2 * ZERO_BLOCK
RECORD = 20 * BLOCK  # tar pads an archive to whole records
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

SPARSE = "a sparse file"
REFUSED_TYPES = {
    ord("3"): "a character device",
    ord("4"): "a block device",
    ord("6"): "a FIFO",
    ord("S"): SPARSE,
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

MAKE_AGAIN = "make the archive again with GNU tar, bsdtar or Python's tarfile"


def padding(size: int) -> bytes:
    """What fills up data of ``size`` bytes to whole blocks."""
    return bytes(-size % BLOCK)


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


def is_tar_start(head: bytes) -> bool:
    return len(head) == BLOCK and (head == ZERO_BLOCK or checksum_matches(head))


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
