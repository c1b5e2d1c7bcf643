"""Reading the records of pax extended headers (POSIX.1-2017 pax)."""

from __future__ import annotations

import re

from .archive_names import utf8
from .errors import BadInput, show
from .tar_format import MAKE_AGAIN, SPARSE, check_range

PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,18}) ").match
PAX_NUMBER = re.compile(r"(-?[0-9]{1,100})(\.[0-9]*)?").fullmatch
HDRCHARSET = re.compile(rb"[0-9]+ hdrcharset=([^\n]*)").findall
PAX_SIZE = re.compile(r"[0-9]{1,100}").fullmatch
PAX_KEYWORD = re.compile(r"[^\0-\x20\x7f]+").fullmatch  # GNU tar skips blanks before a keyword
# What a member with such a keyword is, instead of a plain file.
NO_PLAIN_FILE = {
    "GNU.sparse.": SPARSE,
    "SCHILY.realsize": SPARSE,
    "SUN.holesdata": SPARSE,
    "GNU.volume.": "a part of a multi-volume archive",
    "GNU.dumpdir": "a GNU directory dump",
}


def pax_records(body: bytes, where: str) -> dict[str, str]:
    """The records "length key=value" of a pax extended header, each ended by a newline."""
    records: dict[str, str] = {}
    # Python's tarfile looks for this one anywhere, be it in another one's value.
    if any(charset != b"ISO-IR 10646 2000 UTF-8" for charset in HDRCHARSET(body)):
        raise BadInput(f"{where} has names that are not UTF-8; rename the files")
    at = 0
    while at < len(body):
        match = PAX_LENGTH(body, at)
        end = at + int(match[1]) if match else 0
        if match is None or end > len(body) or body[end - 1 : end] != b"\n" or end <= match.end():
            raise BadInput(f"{where} has a malformed pax record; {MAKE_AGAIN}")
        key, equals, value = body[match.end() : end - 1].partition(b"=")
        if not key or not equals:
            raise BadInput(f"{where} has a malformed pax record; {MAKE_AGAIN}")
        name = utf8(key, f"{where}: the pax keyword")
        if not PAX_KEYWORD(name):
            raise BadInput(
                f"{where} has the pax keyword {show(name)}, with a blank or a control character, "
                f"which readers treat differently; {MAKE_AGAIN}, without extended attributes"
            )
        if name in ("uname", "gname") and b"\0" in value:
            raise BadInput(f"{where} has a pax {name} with a NUL; {MAKE_AGAIN}")
        if name in ("path", "linkpath", "size") and (
            name in records or not value or b"\0" in value
        ):
            raise BadInput(
                f"{where} has a pax {name} that is empty, given twice or holds a NUL, which "
                f"readers treat differently; {MAKE_AGAIN}"
            )
        # Vendor keywords (SCHILY.xattr…) may have binary values; only those used here are decoded.
        records[name] = (
            utf8(value, f"{where}: the pax {name}")
            if name in ("path", "linkpath")
            else value.decode("utf-8", "backslashreplace")
        )
        at = end
    for name, text in records.items():
        if name in ("mtime", "atime", "ctime", "uid", "gid"):
            number = PAX_NUMBER(text)
            if number is None:
                raise BadInput(f"{where} has a pax {name} that is no number; {MAKE_AGAIN}")
            check_range(name, int(number[1]), f"{where} has the pax {name}")
        if name == "size" and not PAX_SIZE(text):
            raise BadInput(f"{where} has a pax size that is no number; {MAKE_AGAIN}")
    return records


def no_plain_file(records: dict[str, str]) -> str:
    """What a member with these records is, where it is none that every reader unpacks; or ""."""
    found = (what for key, what in NO_PLAIN_FILE.items() if any(r.startswith(key) for r in records))
    return next(found, "")
