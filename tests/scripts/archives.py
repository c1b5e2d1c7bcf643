"""Builds tar dialects and gzip framings byte by byte, the broken ones too.

Nothing here uses the product's code: what it writes must not be what checks it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping

BLOCK = 512
END = bytes(2 * BLOCK)

POSIX, GNU, V7 = b"ustar\x0000", b"ustar  \x00", bytes(8)


def octal(number: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, number)


def base256(number: int, width: int) -> bytes:
    """GNU's form for numbers that octal digits cannot say."""
    if number >= 0:
        return b"\x80" + number.to_bytes(width - 1, "big")
    return number.to_bytes(width, "big", signed=True)


def header(
    name: bytes | str,
    *,
    typeflag: bytes = b"0",
    size: int | bytes = 0,
    link: bytes | str = b"",
    magic: bytes = POSIX,
    prefix: bytes = b"",
    mode: bytes = b"0000644\0",
    uid: bytes = b"0000000\0",
    mtime: bytes = b"00000000000\0",
    checksum: str = "unsigned",
) -> bytes:
    """One header block; fields may be given raw."""
    name = name.encode() if isinstance(name, str) else name
    link = link.encode() if isinstance(link, str) else link
    size = octal(size, 12) if isinstance(size, int) else size
    block = struct.pack(
        "100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x",
        name,
        mode,
        uid,
        b"0000000\0",
        size,
        mtime,
        b" " * 8,
        typeflag,
        link,
        magic,
        b"" if magic == V7 else b"root",
        b"" if magic == V7 else b"root",
        b"",
        b"",
        prefix,
    )
    total = sum(block)
    if checksum == "signed":
        total = sum(byte - 256 if byte > 127 else byte for byte in block)
    elif checksum == "wrong":
        total += 1
    return block[:148] + b"%06o\0 " % total + block[156:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def file(name: bytes | str, data: bytes = b"weights", **fields: object) -> bytes:
    fields.setdefault("size", len(data))
    return header(name, **fields) + padded(data)  # type: ignore[arg-type]


def folder(name: bytes | str, **fields: object) -> bytes:
    return header(name, **{"typeflag": b"5", "mode": b"0000755\0", **fields})  # type: ignore[arg-type]


def symlink(name: bytes | str, target: bytes | str, **fields: object) -> bytes:
    return header(name, typeflag=b"2", link=target, **fields)  # type: ignore[arg-type]


def hard_link(name: bytes | str, target: bytes | str, **fields: object) -> bytes:
    return header(name, typeflag=b"1", link=target, **fields)  # type: ignore[arg-type]


def pax_record(key: bytes | str, value: bytes | str) -> bytes:
    key = key.encode() if isinstance(key, str) else key
    value = value.encode() if isinstance(value, str) else value
    length = len(key) + len(value) + 3
    while len(str(length)) + len(key) + len(value) + 3 != length:
        length = len(str(length)) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (length, key, value)


def pax(
    records: Mapping[str, bytes | str] | Iterable[tuple[str, bytes | str]] | bytes,
    typeflag: bytes = b"x",
) -> bytes:
    """An extended header: the records, or its raw body."""
    if isinstance(records, bytes):
        body = records
    else:
        pairs = records.items() if isinstance(records, Mapping) else records
        body = b"".join(pax_record(key, value) for key, value in pairs)
    return header("././@PaxHeader", typeflag=typeflag, size=len(body)) + padded(body)


def gnu_long(text: bytes, typeflag: bytes = b"L") -> bytes:
    body = text + b"\0"
    return header("././@LongLink", typeflag=typeflag, size=len(body), magic=GNU) + padded(body)


def tar(*entries: bytes, end: bytes = END) -> bytes:
    return b"".join(entries) + end


def listed(content: bytes) -> list[str]:
    """Kind and name of each entry, as the headers have them: tarfile would mend the names."""
    kinds, at, entries = {b"0": "file", b"5": "folder"}, 0, []
    while content[at : at + BLOCK] != bytes(BLOCK):
        block, at = content[at : at + BLOCK], at + BLOCK
        at += len(padded(bytes(int(block[124:135], 8))))
        if block[156:157] != b"x":  # an extended header, whose records do not matter here
            entries.append(f"{kinds[block[156:157]]} {block[:100].rstrip(bytes(1)).decode()}")
    return entries


FTEXT, FHCRC, FEXTRA, FNAME, FCOMMENT = 1, 2, 4, 8, 16


def gz_header(
    *,
    text: bool = False,
    extra: bytes | None = None,
    name: bytes | None = None,
    comment: bytes | None = None,
    crc: bool = False,
    method: int = 8,
    more_flags: int = 0,
) -> bytes:
    flags = (
        FTEXT * text
        | FEXTRA * (extra is not None)
        | FNAME * (name is not None)
        | FCOMMENT * (comment is not None)
        | FHCRC * crc
        | more_flags
    )
    head = b"\x1f\x8b" + bytes((method, flags)) + b"\x12\x34\x56\x78\x00\x03"
    if extra is not None:
        head += len(extra).to_bytes(2, "little") + extra
    for text_field in (name, comment):
        if text_field is not None:
            head += text_field + b"\0"
    if crc:
        head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    return head


def raw_deflate(content: bytes, level: int = 6, flush_every: int = 0) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    parts = []
    step = flush_every or max(len(content), 1)
    for start in range(0, len(content), step):
        parts.append(compressor.compress(content[start : start + step]))
        if flush_every:
            parts.append(compressor.flush(zlib.Z_SYNC_FLUSH))
    return b"".join(parts) + compressor.flush()


def gz(
    content: bytes,
    *,
    level: int = 6,
    flush_every: int = 0,
    head: bytes | None = None,
    crc: int | None = None,
    isize: int | None = None,
) -> bytes:
    """One gzip member; level 0 gives stored blocks."""
    trailer = struct.pack(
        "<II",
        zlib.crc32(content) if crc is None else crc,
        len(content) & 0xFFFFFFFF if isize is None else isize,
    )
    return (
        (gz_header() if head is None else head) + raw_deflate(content, level, flush_every) + trailer
    )


MODEL = tar(folder("./"), file("./model.bin", b"weights" * 300), file("./vocab.txt", b"a\nb\n"))
