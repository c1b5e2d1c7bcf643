"""Writing tar entries: ustar, with a pax header where ustar cannot say it."""

from __future__ import annotations

import struct

from .entry_dates import EARLIEST
from .tar_format import BLOCK, OCTAL_LIMIT, POSIX_MAGIC, RECORD

TYPEFLAGS = {"file": b"0", "symlink": b"2", "folder": b"5"}


def tar_headers(
    path: str,
    kind: str,
    *,
    size: int = 0,
    executable: bool = False,
    target: str = "",
    mtime: int = EARLIEST,
) -> bytes:
    """The header blocks of an entry.

    Written here because tarfile's differ between Python versions (the device fields), and the same
    inputs shall give the same bytes.
    """
    name = path + "/" if kind == "folder" else path
    records = b"".join(
        pax_record(key, text)
        for key, text, room in (("path", name, 100), ("linkpath", target, 100))
        if len(text.encode()) > room or not text.isascii()
    )
    if size >= OCTAL_LIMIT:
        records += pax_record("size", str(size))
    blocks = b""
    if records:
        header = ustar_header(b"././@PaxHeader", b"x", len(records), 0o644, b"")
        blocks = header + records + bytes(-len(records) % BLOCK)
    return blocks + ustar_header(
        name.encode("ascii", "replace")[:100],
        TYPEFLAGS[kind],
        size if size < OCTAL_LIMIT else 0,
        0o755 if executable else 0o644,
        target.encode("ascii", "replace")[:100],
        mtime,
    )


def pax_record(key: str, text: str) -> bytes:
    """One record, "length key=value" and a newline; the length counts its own digits."""
    body = f" {key}={text}\n".encode()
    length = len(body)
    while len(f"{length}".encode() + body) != length:
        length = len(f"{length}".encode() + body)
    return f"{length}".encode() + body


def ustar_header(
    name: bytes, typeflag: bytes, size: int, mode: int, target: bytes, mtime: int = EARLIEST
) -> bytes:
    header = struct.pack(
        "100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12x",
        name,
        b"%07o\0" % mode,
        b"%07o\0" % 0,
        b"%07o\0" % 0,
        b"%011o\0" % size,
        b"%011o\0" % mtime,
        b" " * 8,
        typeflag,
        target,
        POSIX_MAGIC,
        b"00",
        b"root",
        b"root",
        b"%07o\0" % 0,
        b"%07o\0" % 0,
        b"",
    )
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def filler(size: int) -> bytes:
    """A pax header with nothing but a comment that fills up ``size`` bytes to whole records.

    tar pads an archive to whole records and reads it by them.  Were the original's moved by part of
    one, its padding would start a record that tar never reads, and ``gzip -dc | tar -x`` would end
    with a broken pipe.
    """
    room = -size % RECORD
    if not room:
        return b""
    room = (room if room > BLOCK else room + RECORD) - BLOCK
    start = f"{room} comment=".encode()
    header = ustar_header(b"././@PaxHeader", b"x", room, 0o644, b"")
    return header + start + b" " * (room - len(start) - 1) + b"\n"
