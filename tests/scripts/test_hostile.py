"""Hostile and broken inputs: each with its verdict and the reason given.

What two common readers would extract differently is refused; every case says which trick it is.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from . import archives as a
from .conftest import Bench, Main

GOOD = a.file("model.bin")


@pytest.fixture(params=["modules", "zip"])
def main(request: pytest.FixtureRequest, mains: dict[str, Main]) -> Main:
    """Every case meets the modules and the zip of them that ships."""
    return mains[request.param]


@dataclass
class Case:
    """A model file that must be refused for ``reason``, or taken (``reason`` is None)."""

    name: str
    data: bytes
    reason: str | None
    file_name: str = "model.tar.gz"
    arguments: tuple[str, ...] = ()


def gz_case(name: str, content: bytes, reason: str | None, *arguments: str) -> Case:
    """A tar that is wrong inside a gzip frame that is right."""
    return Case(name, a.gz(content), reason, arguments=arguments)


def tar_case(
    name: str, *entries: bytes, reason: str | None, arguments: tuple[str, ...] = ()
) -> Case:
    """Entries that are wrong, beside a good one, in a tar that ends well."""
    return Case(name, a.gz(a.tar(*entries, GOOD)), reason, arguments=arguments)


PLAIN = a.gz(a.tar(GOOD))
SECOND = a.gz(a.tar(a.file("second.bin")))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 0x10,)) + data[at + 1 :]


def padding_as_prefix(block: bytes) -> bytes:
    """A header whose last twelve bytes, which belong to no field, are not zero."""
    block = block[:148] + b" " * 8 + block[156:500] + b"d" * 12
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


FRAMES = [
    Case("empty file", b"", "is empty"),
    Case("text", b"<Error>AccessDenied</Error>" * 40, "no tar archive"),
    Case("zip under a tar's name", b"PK\x03\x04" + bytes(600), "is zip data"),
    Case("zstd", b"\x28\xb5\x2f\xfd" + bytes(600), "is zstd data", "model.tar.zst"),
    Case("header only", PLAIN[:10], "is cut off"),
    Case("half a header", PLAIN[:5], "damaged gzip header"),
    Case("cut in the data", PLAIN[: len(PLAIN) // 2], "is cut off: it ends after"),
    Case("cut in the trailer", PLAIN[:-3], "is cut off"),
    Case("cut before the trailer", PLAIN[:-8], "is cut off"),
    Case("wrong CRC-32", a.gz(a.tar(GOOD), crc=12345), "is damaged: its"),
    Case("wrong ISIZE", a.gz(a.tar(GOOD), isize=12345), "is damaged: its"),
    Case("flipped bit in the data", flipped(a.gz(a.tar(GOOD), level=0), 700), "damaged"),
    Case("no DEFLATE method", a.gz(a.tar(GOOD), head=a.gz_header(method=7)), "damaged gzip header"),
    Case(
        "reserved header flag",
        a.gz(a.tar(GOOD), head=a.gz_header(more_flags=0x20)),
        "damaged gzip header",
    ),
    Case(
        "wrong header CRC",
        flipped(a.gz(a.tar(GOOD), head=a.gz_header(name=b"x", crc=True)), 12),
        "damaged gzip header",
    ),
    Case(
        "endless header name",
        a.gz(a.tar(GOOD), head=a.gz_header(name=b"n" * 400_000)),
        "damaged gzip header",
    ),
    Case("reserved block type", a.gz_header() + b"\x07" + bytes(600), "damaged"),
    Case("text behind the end", PLAIN + b"garbage", "goes on after its compressed data"),
    Case("a member behind zeros", PLAIN + bytes(100) + SECOND, "goes on after its compressed data"),
    Case("half a member behind the end", PLAIN + SECOND[:40], "damaged|cut off"),
    Case("a second archive behind the first", PLAIN + SECOND, "after its end-of-archive marker"),
    Case("an empty second member", PLAIN + a.gz(b""), None),
    Case("zero padding", PLAIN + bytes(5000), None),
    Case("gzip of nothing", a.gz(b""), "no end-of-archive marker"),
    Case("gzip of gzip", a.gz(PLAIN), "wrong checksum|cut off"),
    Case("bzip2, cut", bz2.compress(a.tar(GOOD))[:-9], "is cut off", "model.tar.bz2"),
    Case("bzip2, garbage behind", bz2.compress(a.tar(GOOD)) + b"x", "goes on", "model.tar.bz2"),
    Case("xz, cut", lzma.compress(a.tar(GOOD))[:-9], "is cut off", "model.tar.xz"),
    Case("xz, garbage behind", lzma.compress(a.tar(GOOD)) + b"x", "goes on", "model.tar.xz"),
    Case("xz, padded", lzma.compress(a.tar(GOOD)) + bytes(8), None, "model.tar.xz"),
    Case("xz, padded oddly", lzma.compress(a.tar(GOOD)) + bytes(3), "goes on", "model.tar.xz"),
    Case(
        "xz, a dictionary of a gigabyte",
        lzma.compress(
            a.tar(GOOD), filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
        ),
        "damaged: its xz data cannot be read",
        "model.tar.xz",
    ),
    Case(
        "plain tar, cut", a.tar(GOOD)[:700], "is cut off in the middle of 'model.bin'", "model.tar"
    ),
]

STRUCTURE = [
    gz_case("no end-of-archive", GOOD, "no end-of-archive marker"),
    gz_case("one zero block at the end", GOOD + bytes(512), "no end-of-archive marker"),
    gz_case("zero block in the middle", GOOD + bytes(512) + a.tar(GOOD), "a lone zero block"),
    gz_case("an entry after the end", a.tar(GOOD) + a.file("late.bin"), "after its end-of-archive"),
    gz_case("a byte after the end", a.tar(GOOD) + b"\1", "after its end-of-archive"),
    gz_case("long zero padding", a.tar(GOOD) + bytes(100_000), None),
    gz_case("odd zero padding", a.tar(GOOD) + bytes(77), None),
    gz_case("cut in a member", a.file("x", bytes(5000))[:3000], "in the middle of 'x'"),
    gz_case("cut in a header", GOOD + a.file("x")[:200], "is cut off"),
    gz_case(
        "ends after a pax header", a.pax({"path": "x"}) + a.END, "ends after an extended header"
    ),
    gz_case("only zeros", bytes(10240), "holds no file"),
    gz_case("only folders", a.tar(a.folder("a/"), a.folder("a/b/")), "holds no file"),
    gz_case("only code", a.tar(a.file("code/inference.py")), "no file besides what is replaced"),
    tar_case("wrong header checksum", a.header("x", checksum="wrong"), reason="wrong checksum"),
    tar_case("signed header checksum", a.header("é", checksum="signed"), reason="wrong checksum"),
    tar_case("unknown magic", a.header("x", magic=b"star\0\0\0\0"), reason="unknown magic"),
]

NAMES = [
    tar_case("absolute name", a.file("/etc/passwd"), reason="has an absolute path"),
    tar_case("climbing name", a.file("../evil"), reason="climbs with '..'"),
    tar_case("climbing in the middle", a.file("a/../../evil"), reason="climbs with '..'"),
    tar_case("climbing harmlessly", a.file("a/../b"), reason="climbs with '..'"),
    tar_case("climbing folder", a.folder(".."), reason="climbs with '..'"),
    tar_case("dots in a name", a.file("a..b/..c"), reason=None),
    tar_case("backslash", a.file("\\model"), reason="a backslash or a drive letter"),
    tar_case("drive letter", a.file("C:model"), reason="a backslash or a drive letter"),
    tar_case("no name", a.file(""), reason="has no name"),
    tar_case("a file named like the root", a.file("./."), reason="named like a folder"),
    tar_case("the root behind a slash", a.folder("/."), reason="absolute path"),
    tar_case("a file named dot", a.file("."), reason="has no name"),
    tar_case("Latin-1 name", a.file(b"mod\xe8le"), reason="is not UTF-8"),
    tar_case("UTF-8 name", a.file("modèle"), reason=None),
    tar_case("component too long", a.pax({"path": "x" * 256}) + GOOD, reason="too long to unpack"),
    tar_case("path too long", a.pax({"path": "x/" * 2500 + "y"}) + GOOD, reason="too long"),
    tar_case("newline in a name", a.file("a\nb"), reason=None),
    tar_case(
        "a file twice", a.file("x"), a.file("x", b"other"), reason="'x' is in the archive twice"
    ),
    tar_case("a file twice, spelled twice", a.file("x"), a.file("./x"), reason="twice"),
    tar_case("a folder twice", a.folder("d/"), a.folder("./d"), reason=None),
    tar_case("a file, then a folder", a.file("x"), a.folder("x/"), reason="twice"),
    tar_case("a folder, then a file", a.folder("x/"), a.file("x"), reason="twice"),
    tar_case(
        "a file below a file", a.file("x"), a.file("x/y"), reason="below 'x', which is a file"
    ),
    tar_case("a file where a folder is implied", a.file("x/y"), a.file("x"), reason="twice"),
    tar_case("file named like a folder", a.file("x/", b"data"), reason="named like a folder"),
    tar_case(
        "v7 folder",
        a.header("x/", typeflag=b"\0", magic=a.V7),
        a.file("x/y", magic=a.V7),
        reason=None,
    ),
    tar_case(
        "v7 folder with a size",
        a.file("x/", b"data", typeflag=b"\0", magic=a.V7),
        reason="is a folder with a size",
    ),
    tar_case(
        "GNU magic with a ustar prefix",
        a.header("x", magic=a.GNU, prefix=b"dir"),
        reason="where ustar keeps a prefix",
    ),
    tar_case("v7 with a ustar prefix", a.header("x", magic=a.V7, prefix=b"d"), reason="a prefix"),
    tar_case(
        "times behind the prefix",
        a.header("x", prefix=b"d\0" + b"0" * 20),
        reason="data behind its ustar prefix",
    ),
    tar_case(
        "prefix that runs into the padding",
        padding_as_prefix(a.header("x", prefix=b"d" * 155)),
        reason="data behind its ustar prefix",
    ),
    tar_case("ustar prefix", a.file("x", prefix=b"some/dir"), reason=None),
    tar_case("climbing prefix", a.file("x", prefix=b".."), reason="climbs"),
    tar_case("absolute prefix", a.file("x", prefix=b"/etc"), reason="absolute"),
]

LINKS = [
    tar_case("symlink inside", a.file("d/x"), a.symlink("d/l", "x"), reason=None),
    tar_case("symlink up, inside", a.file("x"), a.symlink("d/l", "../x"), reason=None),
    tar_case("dangling symlink inside", a.symlink("l", "nothing"), reason=None),
    tar_case("symlink to the outside", a.symlink("l", "../x"), reason="outside the model"),
    tar_case("symlink climbing from deep", a.symlink("a/b/l", "../../../x"), reason="outside"),
    tar_case("absolute symlink", a.symlink("l", "/etc/passwd"), reason="outside the model"),
    tar_case(
        "climbing out through another link",
        a.symlink("a/l", ".."),
        a.symlink("m", "a/l/.."),
        reason="outside the model",
    ),
    tar_case(
        "symlink to an endless name",
        a.pax({"linkpath": "z" * 5000}) + a.symlink("l", "z"),
        reason="too long to be one",
    ),
    tar_case(
        "hard link to a file's dot", a.file("x"), a.hard_link("y", "x/."), reason="not a file"
    ),
    tar_case("empty symlink", a.symlink("l", ""), reason="empty target"),
    tar_case(
        "file through a symlink", a.symlink("l", "d"), a.file("l/x"), reason="a symbolic link"
    ),
    tar_case("folder becomes a symlink", a.file("l/x"), a.symlink("l", "d"), reason="twice"),
    tar_case("symlink overwritten by a file", a.symlink("l", "x"), a.file("l"), reason="twice"),
    tar_case("symlink with data", a.symlink("l", "x", size=512), reason="with a size of 512"),
    tar_case(
        "symlink where they are disliked",
        a.symlink("l", "x"),
        reason="--symlinks is refuse",
        arguments=("--symlinks", "refuse"),
    ),
    tar_case("hard link to a file before it", a.file("x"), a.hard_link("y", "x"), reason=None),
    tar_case(
        "hard link forward", a.hard_link("y", "x"), a.file("x"), reason="not a file before it"
    ),
    tar_case("hard link to nothing", a.hard_link("y", "x"), reason="not a file before it"),
    tar_case("hard link to a folder", a.folder("d/"), a.hard_link("y", "d"), reason="not a file"),
    tar_case(
        "hard link to a symlink", a.symlink("s", "x"), a.hard_link("y", "s"), reason="not a file"
    ),
    tar_case("hard link outside", a.hard_link("y", "../x"), reason="climbs"),
    tar_case("absolute hard link", a.hard_link("y", "/etc/passwd"), reason="absolute path"),
    tar_case(
        "hard link with data", a.file("x"), a.hard_link("y", "x", size=7), reason="with a size"
    ),
    tar_case(
        "hard link to shipped code",
        a.hard_link("y", "code/inference.py"),
        reason="hard link to 'code/inference.py', which is replaced",
    ),
]

TYPES = [
    tar_case("character device", a.header("x", typeflag=b"3"), reason="a character device"),
    tar_case("block device", a.header("x", typeflag=b"4"), reason="a block device"),
    tar_case("FIFO", a.header("x", typeflag=b"6"), reason="a FIFO"),
    tar_case("contiguous file", a.file("x", typeflag=b"7"), reason=None),
    tar_case(
        # As GNU tar writes it: the map of the holes stands where ustar keeps a prefix.
        "old GNU sparse file",
        a.header("x", typeflag=b"S", magic=a.GNU, prefix=bytes(41) + b"00014000000\0" + b"1" * 12),
        reason="entry 'x' is a sparse file, which not every reader unpacks; archive it without",
    ),
    tar_case("volume label", a.header("x", typeflag=b"V", magic=a.GNU), reason="a volume label"),
    tar_case("part of a volume", a.header("x", typeflag=b"M", magic=a.GNU), reason="multi-volume"),
    tar_case("unknown type", a.header("x", typeflag=b"Z"), reason="of the unknown type 'Z'"),
    tar_case("folder with data", a.folder("d/", size=512), reason="a folder with a size"),
    tar_case(
        "pax sparse file",
        a.pax({"GNU.sparse.major": "1", "GNU.sparse.name": "x"}) + a.file("GNUSparseFile.0/x"),
        reason="entry 'x' is a sparse file",
    ),
    tar_case(
        "pax sparse file of the first form",
        a.pax({"GNU.sparse.size": "1", "GNU.sparse.numblocks": "0"}) + a.file("x"),
        reason="entry 'x' is a sparse file",
    ),
    tar_case(
        "sparse files from here on",
        a.pax({"SCHILY.realsize": "1"}, b"g") + a.file("x"),
        reason="what follows a global pax header is a sparse file",
    ),
    tar_case(
        "part of a volume in a pax header",
        a.pax({"GNU.volume.label": "1"}) + a.file("x"),
        reason="entry 'x' is a part of a multi-volume archive, which a model cannot hold",
    ),
]

TYPES += [
    tar_case(
        "Solaris sparse file",
        a.pax({"SUN.holesdata": " 0 100 200"}) + a.file("x", bytes(300)),
        reason="entry 'x' is a sparse file",
    ),
    tar_case("file named like a folder's dot", a.file("x/."), reason="named like a folder"),
    tar_case(
        # Python's tarfile goes by the header's name, and reads the data as entries.
        "file with a folder's name in the header only",
        a.pax({"path": "x"}) + a.file("y/", a.file("code/inference.py"), typeflag=b"\0"),
        reason="a folder like a file",
    ),
    tar_case(
        "file with a folder's name before its GNU long name",
        a.gnu_long(b"x") + a.file("y/", a.file("code/inference.py"), typeflag=b"\0", magic=a.GNU),
        reason="a folder like a file",
    ),
]

NUMBERS = [
    tar_case(
        "size is no number", a.header("x", size=b"0000000zz00\0"), reason="which is no number"
    ),
    tar_case("size is blank", a.header("x", size=bytes(12)), reason="which is no number"),
    tar_case("size with a sign", a.header("x", size=b"-0000000007\0"), reason="which is no number"),
    tar_case(
        "negative base-256 size", a.header("x", size=a.base256(-512, 12)), reason="below zero"
    ),
    tar_case(
        "base-256 size", a.header("x", size=a.base256(7, 12)) + a.padded(b"weights"), reason=None
    ),
    tar_case("enormous base-256 size", a.header("x", size=a.base256(1 << 80, 12)), reason="above"),
    tar_case(
        "malformed base-256 size", a.header("x", size=b"\x90" + bytes(11)), reason="no number"
    ),
    tar_case("uid is no number", a.header("x", uid=b"root\0\0\0\0"), reason="has the uid"),
    tar_case(
        "enormous mtime", a.file("x", mtime=a.base256(1 << 80, 12)), reason="which no system takes"
    ),
    tar_case("mode of 32 bits", a.file("x", mode=a.base256((1 << 32) - 1, 8)), reason="no system"),
    tar_case("mode of blanks", a.file("x", mode=b" " * 8), reason="has the mode"),
    tar_case("mode of NULs", a.file("x", mode=bytes(8)), reason=None),
    tar_case("negative uid", a.file("x", uid=a.base256(-2, 8)), reason="which no system takes"),
    tar_case("uid of 32 bits", a.file("x", uid=a.base256((1 << 32) - 2, 8)), reason=None),
    tar_case("mtime before 1970", a.file("x", mtime=a.base256(-5, 12)), reason=None),
    gz_case("eight gigabytes that are not there", a.header("x", size=8 << 30), "no number|cut off"),
    gz_case(
        "more members than allowed",
        a.tar(*(a.file(str(i)) for i in range(11))),
        "more than 10 entries",
        *("--max-members", "10"),
    ),
    gz_case(
        "more content than allowed",
        a.tar(a.file("x", bytes(3_000_000))),
        "of 3000000 bytes, above",
        *("--max-content-bytes", "1M"),
    ),
    gz_case(
        "a bomb of zeros",
        a.tar(GOOD) + bytes(30_000_000),
        "unpacks to more than",
        *("--max-content-bytes", "10M"),
    ),
]

EXTENSIONS = [
    tar_case("pax path", a.pax({"path": "ö/" * 60 + "x"}) + a.file("short"), reason=None),
    tar_case("pax path climbs", a.pax({"path": "../x"}) + GOOD, reason="climbs"),
    tar_case("pax path is absolute", a.pax({"path": "/x"}) + GOOD, reason="absolute"),
    tar_case("pax path with a NUL", a.pax({"path": "a\0b"}) + a.file("x"), reason="holds a NUL"),
    tar_case("pax path is empty", a.pax({"path": ""}) + a.file("x"), reason="empty"),
    tar_case("pax path twice", a.pax([("path", "x"), ("path", "y")]) + GOOD, reason="given twice"),
    tar_case("pax path is not UTF-8", a.pax({"path": b"\xff"}) + GOOD, reason="is not UTF-8"),
    tar_case(
        "pax path into code", a.pax({"path": "code/inference.py"}) + a.file("innocent"), reason=None
    ),
    tar_case(
        "pax linkpath to the outside",
        a.pax({"linkpath": "/etc/passwd"}) + a.symlink("l", "x"),
        reason="outside the model",
    ),
    tar_case("pax size disagrees", a.pax({"size": "1"}) + a.file("x"), reason="in its pax record"),
    tar_case("pax size agrees", a.pax({"size": "7"}) + a.file("x"), reason=None),
    tar_case("pax size is negative", a.pax({"size": "-7"}) + a.file("x"), reason="no number"),
    tar_case("pax mtime is no number", a.pax({"mtime": "soon"}) + a.file("x"), reason="no number"),
    tar_case("pax mtime far off", a.pax({"mtime": "9" * 30}) + GOOD, reason="no system takes"),
    tar_case("pax uid far off", a.pax({"uid": str(1 << 32)}) + GOOD, reason="no system takes"),
    # GNU tar skips blanks before a keyword, so that " path" is path to it, and to it only.
    tar_case("pax path behind a blank", a.pax({" path": "y"}) + a.file("x"), reason="a blank or"),
    tar_case("pax size behind a tab", a.pax({"\tsize": "0"}) + a.file("x"), reason="a blank or"),
    tar_case("global path behind a blank", a.pax({" path": "y"}, b"g"), reason="a blank or"),
    tar_case("pax keyword with a NUL", a.pax({"a\0b": "z"}) + a.file("x"), reason="a blank or"),
    tar_case("pax mtime", a.pax({"mtime": "1700000000.123"}) + a.file("x"), reason=None),
    tar_case(
        "binary pax attribute",
        a.pax({"SCHILY.xattr.user.x": b"\xff\0\n"}) + a.file("x"),
        reason=None,
    ),
    tar_case(
        "pax charset inside a comment",
        a.pax({"comment": b"x\n9 hdrcharset=\xff\n"}) + a.file("x"),
        reason="not UTF-8",
    ),
    tar_case("pax owner with a NUL", a.pax({"uname": "a\0b"}) + a.file("x"), reason="with a NUL"),
    tar_case("pax size without end", a.pax({"size": "9" * 5000}) + GOOD, reason="no number"),
    tar_case(
        "pax header of an unknown magic",
        a.header("p", typeflag=b"x", size=10, magic=b"GARBAGE!") + a.padded(b"10 path=z\n") + GOOD,
        reason="an unknown magic",
    ),
    tar_case("pax charset", a.pax({"hdrcharset": "BINARY"}) + a.file("x"), reason="not UTF-8"),
    tar_case("malformed pax record", a.pax(b"9999 path=x\n") + a.file("x"), reason="malformed pax"),
    tar_case("pax record without a length", a.pax(b"path=x\n") + a.file("x"), reason="malformed"),
    tar_case("pax record without a value", a.pax(b"7 path\n") + a.file("x"), reason="malformed"),
    tar_case("empty pax header", a.pax(b"") + a.file("x"), reason="is empty, repeated"),
    tar_case(
        "two pax headers", a.pax({"path": "x"}) + a.pax({"path": "y"}) + GOOD, reason="repeated"
    ),
    tar_case(
        "pax header bomb",
        a.header("x", typeflag=b"x", size=5 << 30 & ~511),
        reason="extended tar header of 5368709120 bytes",
    ),
    tar_case(
        "long name bomb", a.header("x", typeflag=b"L", size=2_000_000), reason="extended tar header"
    ),
    tar_case(
        "extended header with a negative size",
        a.header("x", typeflag=b"x", size=a.base256(-512, 12)),
        reason="is empty",
    ),
    tar_case("global comment", a.pax({"comment": "of git archive"}, b"g"), reason=None),
    gz_case(
        "global header at the end",
        GOOD + a.pax({"comment": "x"}, b"g") + a.END,
        "ends after an extended header",
    ),
    tar_case(
        "global headers without end",
        *[a.pax({"comment": "x" * 400}, b"g")] * 1200,
        reason="bytes together",
    ),
    tar_case("global path", a.pax({"path": "evil"}, b"g"), reason="sets path for all entries"),
    tar_case("global linkpath", a.pax({"linkpath": "evil"}, b"g"), reason="sets linkpath"),
    tar_case("global size", a.pax({"size": "0"}, b"g"), reason="sets size"),
    tar_case(
        "global header between header and entry",
        a.pax({"path": "x"}) + a.pax({"comment": "x"}, b"g"),
        reason="out of place",
    ),
    tar_case(
        "GNU long name", a.gnu_long(b"d/" * 80 + b"x") + a.file("d", magic=a.GNU), reason=None
    ),
    tar_case(
        "GNU long name climbs", a.gnu_long(b"../x") + a.file("d", magic=a.GNU), reason="climbs"
    ),
    tar_case(
        "GNU long name hides its end", a.gnu_long(b"x\0/../y") + GOOD, reason="or holds another"
    ),
    tar_case(
        "GNU long name beyond its size",
        a.header("././@LongLink", typeflag=b"L", size=3, magic=a.GNU) + a.padded(b"weights") + GOOD,
        reason="does not end in a NUL",
    ),
    tar_case(
        "extended header with a malformed time",
        a.header("././@LongLink", typeflag=b"L", size=2, mtime=b"a0000000000\0")
        + a.padded(b"b\0")
        + GOOD,
        reason="has the mtime",
    ),
    tar_case("two GNU long names", a.gnu_long(b"x") + a.gnu_long(b"y") + GOOD, reason="repeated"),
    tar_case(
        "GNU and pax long names",
        a.gnu_long(b"x") + a.pax({"path": "y"}) + GOOD,
        reason="a pax and a GNU long name",
    ),
    tar_case(
        "GNU long link to the outside",
        a.gnu_long(b"../" * 50 + b"x", b"K") + a.symlink("l", "x", magic=a.GNU),
        reason="outside the model",
    ),
]

CORPUS = FRAMES + STRUCTURE + NAMES + LINKS + TYPES + NUMBERS + EXTENSIONS


def test_the_corpus_is_large_and_its_names_are_unique():
    assert len({case.name for case in CORPUS}) == len(CORPUS) >= 60


@pytest.mark.parametrize("mode", ["auto", "stream"])
@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_verdict(bench: Bench, run, case: Case, mode: str) -> None:
    bench.put_model(case.data, case.file_name)
    # --paranoid: what was taken is held to the same rules once more when it is read back.
    result = run("--mode", mode, "--paranoid", *case.arguments)
    if case.reason is None:
        assert (result.exit_code, result.message) == (0, "")
        assert bench.archive.exists()
        return
    assert result.exit_code == 3
    assert any(reason in result.message for reason in case.reason.split("|")), result.message
    assert ";" in result.message or ":" in result.message  # the remedy


# -- hostile folders -----------------------------------------------------------------------------


def plant_symlink(bench: Bench) -> None:
    (bench.scripts / "creds").symlink_to("/etc/passwd")


def plant_folder_symlink(bench: Bench) -> None:
    (bench.scripts / "lib").symlink_to("/etc")


def plant_fifo(bench: Bench) -> None:
    os.mkfifo(bench.scripts / "pipe")


def plant_undecodable_name(bench: Bench) -> None:
    bench.script(os.fsdecode(b"caf\xe9.py"))


def plant_symlink_as_packageignore(bench: Bench) -> None:
    (bench.scripts / ".packageignore").symlink_to("/etc/passwd")


def take_back_in_packageignore(bench: Bench) -> None:
    bench.script(".packageignore", "*\n!inference.py\n")


def ignore_the_entry_point(bench: Bench) -> None:
    bench.script(".packageignore", "inference.*\n")


def many_bytes_of_scripts(bench: Bench) -> None:
    bench.script("large.bin", "x" * 3_000_000)


def zipped(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> Callable[[Bench], None]:
    def plant(bench: Bench) -> None:
        buffer = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
            warnings.simplefilter("ignore")
            for info, data in [("inference.py", b""), *entries]:
                archive.writestr(info, data)
        (bench.scripts / "inference.py").unlink()
        (bench.scripts / "asset.zip").write_bytes(buffer.getvalue())

    return plant


def zip_link(name: str, target: bytes) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target


def corrupt_zip(bench: Bench) -> None:
    zipped(("lib.py", b"some text" * 40))(bench)
    path = bench.scripts / "asset.zip"
    path.write_bytes(path.read_bytes().replace(b"some text", b"same text", 1))


def corrupt_packageignore(bench: Bench) -> None:
    zipped((".packageignore", b"some text"))(bench)
    path = bench.scripts / "asset.zip"
    path.write_bytes(path.read_bytes().replace(b"some text", b"same text", 1))


def unknown_compression(bench: Bench) -> None:
    zipped((".packageignore", b"some text"))(bench)
    path = bench.scripts / "asset.zip"
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 10] = 99
    path.write_bytes(data)


def nameless_in_zip(bench: Bench) -> None:
    info = zipfile.ZipInfo("x")
    info.filename = ""
    zipped((info, b""))(bench)


def long_packageignore(bench: Bench) -> None:
    bench.script(".packageignore", "x\n" * 600_000)


def backslash_in_a_script(bench: Bench) -> None:
    bench.script("a\\b.py")


def backslash_in_an_extra(bench: Bench) -> None:
    bench.put_extra("calibration/a\\b.json")


def drive_letter_extra(bench: Bench) -> None:
    bench.put_extra("C:/x.json")


def encrypted_zip(bench: Bench) -> None:
    zipped(("secret.py", b"x"))(bench)
    path = bench.scripts / "asset.zip"
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)


def no_zip(bench: Bench) -> None:
    (bench.scripts / "inference.py").rename(bench.scripts / "asset.zip")


def lying_zip(bench: Bench) -> None:
    """The directory promises 9 bytes, the data is more: a bomb's trick."""
    zipped(("lib.py", b"some text" * 40))(bench)
    path = bench.scripts / "asset.zip"
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 9)
    path.write_bytes(data)


def no_scripts(bench: Bench) -> None:
    (bench.scripts / "inference.py").unlink()
    bench.scripts.rmdir()


def no_model(bench: Bench) -> None:
    (bench.model / "model.tar.gz").unlink()
    bench.model.rmdir()


def empty_model(bench: Bench) -> None:
    (bench.model / "model.tar.gz").unlink()


def loose(*entries: str, link: tuple[str, str] | None = None) -> Callable[[Bench], None]:
    def plant(bench: Bench) -> None:
        (bench.model / "model.tar.gz").unlink()
        for name in entries:
            bench.put_model(b"w", name)
        if link:
            (bench.model / link[0]).symlink_to(link[1])

    return plant


def loose_fifo(bench: Bench) -> None:
    loose("model.bin")(bench)
    os.mkfifo(bench.model / "pipe")


def link_as_archive(bench: Bench) -> None:
    (bench.model / "model.tar.gz").rename(bench.root / "elsewhere")
    (bench.model / "model.tar.gz").symlink_to(bench.root / "elsewhere")


def extra_named_code(bench: Bench) -> None:
    bench.put_extra("code/x.py")


def extra_file(bench: Bench) -> None:
    bench.put_extra("table.json")


def extra_link(bench: Bench) -> None:
    bench.extra.mkdir()
    (bench.extra / "etc").symlink_to("/etc")


UNZIP = ("--unzip-extra", "calibration")


def no_scripts_trouble(bench: Bench) -> None:
    """Everything is in order but the extra input that was announced."""


def no_zip_in_extra(bench: Bench) -> None:
    bench.put_extra("calibration/table.json")


def two_zips_in_extra(bench: Bench) -> None:
    bench.put_extra("calibration/a.zip")
    bench.put_extra("calibration/b.zip")


def link_in_extra_zip(bench: Bench) -> None:
    (bench.extra / "calibration").mkdir(parents=True)
    with zipfile.ZipFile(bench.extra / "calibration" / "x.zip", "w") as archive:
        link = zipfile.ZipInfo("l")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")


def link_in_extra(bench: Bench) -> None:
    bench.put_extra("calibration/x")
    (bench.extra / "calibration" / "l").symlink_to("x")


def digestless_sidecar(bench: Bench) -> None:
    bench.put_model(b"see the wiki", "model.tar.gz.sha256")


def unreadable_report_place(bench: Bench) -> None:
    (bench.root / "file").touch()
    bench.report_file = bench.root / "file" / "report.json"


FOLDERS = [
    (plant_symlink, "the symbolic link 'creds'", ()),
    (plant_folder_symlink, "the symbolic link 'lib'", ()),
    (plant_fifo, "'pipe', neither file nor folder", ()),
    (plant_undecodable_name, "is not UTF-8", ()),
    (plant_symlink_as_packageignore, "'.packageignore' cannot be opened", ()),
    (take_back_in_packageignore, "'!inference.py' takes a pattern back", ()),
    (ignore_the_entry_point, "'inference.py' is not among the scripts", ()),
    (many_bytes_of_scripts, "above the limit of 1048576", ("--max-scripts-bytes", "1M")),
    (zipped(("../evil.py", b"")), "climbs with '..'", ()),
    (zipped(("/etc/evil.py", b"")), "absolute path", ()),
    (zipped(("a\\..\\evil.py", b"")), "a backslash or a drive letter", ()),
    (zipped(("C:/evil.py", b"")), "a backslash or a drive letter", ()),
    (zipped(zip_link("creds", b"/etc/passwd")), "is a link or a device", ()),
    (zipped(("inference.py", b"other")), "'inference.py' is there twice", ()),
    (zipped(("lib", b""), ("lib/x.py", b"")), "both a file and a folder", ()),
    (corrupt_zip, "'code/lib.py' cannot be read: Bad CRC-32", ()),
    (corrupt_packageignore, "'.packageignore' cannot be read: Bad CRC-32", ()),
    (unknown_compression, "'.packageignore' cannot be read: That compression", ()),
    (long_packageignore, ".packageignore is 1200000 bytes, above the limit", ()),
    (backslash_in_a_script, "a backslash or a drive letter", ()),
    (backslash_in_an_extra, "a backslash or a drive letter", ()),
    (drive_letter_extra, "a backslash or a drive letter", ()),
    (nameless_in_zip, "a file without a name", ()),
    (encrypted_zip, "is encrypted", ()),
    (lying_zip, "'code/lib.py'", ()),
    (no_zip, "is no readable zip", ()),
    (no_scripts, "the scripts input", ()),
    (no_model, "the model input", ()),
    (empty_model, "is empty", ()),
    (loose("code/inference.py"), "holds no file besides what is replaced", ()),
    (loose("model.bin", link=("l", "/etc/passwd")), "outside the model", ()),
    (loose("model.bin", link=("l", "../x")), "outside the model", ()),
    (loose_fifo, "'pipe' is neither file nor folder", ()),
    (loose("model.bin", "mod\udce9le"), "is not UTF-8", ()),
    (link_as_archive, "outside the model|holds no file", ()),
    (extra_named_code, "cannot have that name", ()),
    (extra_file, "'table.json', which is not a folder", ()),
    (extra_link, "'etc', which is not a folder", ()),
    (link_in_extra, "'l', a link or a device", ()),
    (no_zip_in_extra, "holds 1 files where one .zip was announced", UNZIP),
    (two_zips_in_extra, "holds 2 files where one .zip was announced", UNZIP),
    (link_in_extra_zip, "'l' is a link or a device", UNZIP),
    (no_scripts_trouble, "the extra input 'calibration' is not in", UNZIP),
    (digestless_sidecar, "does not give one sha256 digest", ()),
]


@pytest.mark.parametrize(
    ("plant", "reason", "arguments"), FOLDERS, ids=[plant.__name__ for plant, _, _ in FOLDERS]
)
def test_hostile_folders_are_refused(bench: Bench, run, plant, reason, arguments) -> None:
    bench.put_model(a.gz(a.tar(GOOD)))
    plant(bench)
    result = run(*arguments)
    assert result.exit_code == 3
    assert any(part in result.message for part in reason.split("|")), result.message


def test_a_report_that_cannot_be_written_fails_before_the_work(bench: Bench) -> None:
    bench.put_model(a.gz(a.tar(GOOD)))
    unreadable_report_place(bench)
    result = bench.run_process()
    assert result.exit_code == 1
    assert "could not be written" in result.message
    assert not bench.archive.exists()
