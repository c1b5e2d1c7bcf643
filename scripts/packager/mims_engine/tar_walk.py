"""Reading tar: one strict pass over POSIX pax, ustar, GNU and v7 archives."""

from __future__ import annotations

from typing import Callable, Mapping, NamedTuple

from .archive_names import archive_path, utf8
from .errors import BadInput, show
from .pax_records import no_plain_file, pax_records
from .tar_format import (
    BLOCK,
    EXTENSIONS,
    GNU_LONG_LINK,
    GNU_LONG_NAME,
    GNU_MAGIC,
    KINDS,
    MAKE_AGAIN,
    NUL_FIELD,
    OCTAL,
    OCTAL_LIMIT,
    OTHER_NUMBERS,
    PAX_GLOBAL,
    PAX_NEXT,
    POSIX_MAGIC,
    RECORD,
    REFUSED_TYPES,
    SPARSE,
    V7_MAGIC,
    ZERO_BLOCK,
    check_range,
    checksum_matches,
    tar_number,
)


class Entry(NamedTuple):
    path: str  # clean, relative; "" is the root
    kind: str  # "file", "hard link", "symlink" or "folder"
    size: int
    target: str  # of a link
    offset: int  # of its first header block, extensions and global headers before it included


class TarWalk:
    """Goes through a tar archive as it streams by, and holds it to what all readers agree on.

    ``judge`` is asked about every entry and answers whether to keep it; the bytes of the kept ones,
    headers included, go to ``sink`` unchanged.  The data of a file that ``watched`` names, padded
    to whole blocks, goes to its function as well.  Whatever two common readers would extract
    differently is refused here; whether entries fit together is the judge's business.
    """

    def __init__(
        self,
        judge: Callable[[Entry], bool],
        *,
        max_header_bytes: int,
        max_content_bytes: int,
        sink: Callable[[bytes | memoryview], object] | None = None,
        watched: Mapping[str, Callable[[bytes | memoryview], object]] | None = None,
    ) -> None:
        self._judge = judge
        self._sink = sink
        self._watched = watched or {}
        self._watcher: Callable[[bytes | memoryview], object] | None = None
        self._max_header = max_header_bytes
        self._max_content = max_content_bytes
        self._position = 0  # of the next byte to be fed
        self._partial = bytearray()  # the begin of a block that the last piece cut
        self._wanted = BLOCK  # length of what is gathered: a header, or an extension's body
        self._data_left = 0  # of the current member, padding included
        self._keep = False
        self._entry_name = ""
        self._group: list[bytes] = []  # the blocks of the headers of the entry to come
        self._group_offset = 0
        self._global_offset: int | None = None  # of the global headers just before the group
        self._globals: list[bytes] = []  # their blocks, until an entry is kept
        self._global_bytes = 0  # of all global headers
        self.globals_matter = False  # whether one says more than a comment
        self._extension: tuple[int, int] | None = None  # typeflag and size of the body to come
        self._pax: dict[str, str] | None = None
        self._long: dict[int, str] = {}  # GNU_LONG_NAME, GNU_LONG_LINK -> text
        self._zero_blocks = 0
        self._numbers = b""  # of the last header that was checked

    def feed(self, data: bytes) -> None:
        at, size = 0, len(data)
        if self._position + size > self._max_content:
            raise BadInput(
                f"the model unpacks to more than {self._max_content} bytes; "
                "raise --max-content-bytes if that is meant"
            )
        while at < size:
            if self._data_left:
                step = min(self._data_left, size - at)
                if self._keep and self._sink is not None:
                    self._sink(memoryview(data)[at : at + step])
                if self._watcher is not None:
                    self._watcher(memoryview(data)[at : at + step])
                self._data_left -= step
                at += step
            elif self._zero_blocks == 2:
                if data.count(0, at) != size - at:
                    raise BadInput(
                        "the archive goes on after its end-of-archive marker, with entries that "
                        f"some readers show and others do not; {MAKE_AGAIN}"
                    )
                break
            else:
                take = self._wanted - len(self._partial)
                block = data[at : at + take]
                at += take
                if self._partial or len(block) < take:
                    self._partial += block
                    if len(block) < take:
                        break
                    block = bytes(self._partial)
                    self._partial.clear()
                self._take(block, self._position + min(at, size))
        self._position += size

    @property
    def between_entries(self) -> bool:
        """Whether what was fed ends with a whole entry."""
        return not (
            self._data_left or self._partial or self._group or self._global_offset is not None
        )

    def close(self) -> None:
        """The archive must have ended properly: two zero blocks (POSIX ustar)."""
        if self._data_left or self._partial or self._extension or self._group:
            inside = f" in the middle of {show(self._entry_name)}" if self._data_left else ""
            raise BadInput(
                f"the tar archive is cut off{inside} after {self._position} bytes; "
                "it was cut before it was compressed: make it again"
            )
        if self._zero_blocks < 2:
            raise BadInput(
                "the tar archive has no end-of-archive marker (two zero blocks), so whatever wrote "
                "it did not finish; make it again"
            )

    def _take(self, block: bytes, end: int) -> None:
        """One header block, or the whole body of an extension; ``end`` is where it ends."""
        if self._extension is not None:
            self._group.append(block)
            self._take_extension(block)
            return
        if block == ZERO_BLOCK:
            if self._group or self._global_offset is not None:
                raise BadInput(f"the archive ends after an extended header; {MAKE_AGAIN}")
            self._zero_blocks += 1
            return
        if self._zero_blocks:
            raise BadInput(
                "the archive has a lone zero block in the middle, where some readers stop and "
                f"others go on; {MAKE_AGAIN}"
            )
        if not self._group:
            self._group_offset = end - BLOCK
        self._group.append(block)
        typeflag = block[156]
        if not checksum_matches(block):
            raise BadInput(
                f"the tar header at byte {end - BLOCK} of the unpacked archive has a wrong "
                "checksum; the archive is damaged or no tar archive: make it again"
            )
        numbers = block[100:124] + block[136:148] + block[329:345]
        if numbers != self._numbers:  # most headers repeat them
            self._numbers = numbers
            name = block[:100].partition(b"\0")[0]
            for field, start, stop in OTHER_NUMBERS:
                if not OCTAL(block[start:stop]) and not NUL_FIELD(block[start:stop]):
                    what = f"entry {show(name)} has the {field}"
                    check_range(field, tar_number(block[start:stop], what), what)
        if typeflag in EXTENSIONS:
            self._start_extension(block, typeflag)
        else:
            self._take_entry(block, typeflag)

    # -- extensions: pax headers (POSIX), long names (GNU) -----------------------------------------

    def _start_extension(self, block: bytes, typeflag: int) -> None:
        if block[257:263] != POSIX_MAGIC and block[257:265] not in (GNU_MAGIC, V7_MAGIC):
            raise BadInput(
                f"an extended header has an unknown magic {show(block[257:265])}; {MAKE_AGAIN}"
            )
        size = tar_number(block[124:136], "an extended header has the size")
        if size > self._max_header:
            raise BadInput(
                f"an extended tar header of {size} bytes, above the limit of {self._max_header}; "
                f"{MAKE_AGAIN}, or raise --max-header-bytes"
            )
        repeated = self._pax is not None if typeflag == PAX_NEXT else typeflag in self._long
        misplaced = typeflag == PAX_GLOBAL and len(self._group) > 1
        if size <= 0 or repeated or misplaced:
            raise BadInput(
                "an extended tar header is empty, repeated or out of place, which readers treat "
                f"differently; {MAKE_AGAIN}"
            )
        self._extension = typeflag, size
        self._wanted = -(-size // BLOCK) * BLOCK

    def _take_extension(self, block: bytes) -> None:
        assert self._extension is not None
        typeflag, size = self._extension
        body = block[:size]
        self._extension, self._wanted = None, BLOCK
        if typeflag == PAX_NEXT:
            self._pax = pax_records(body, "an entry's pax header")
        elif typeflag == PAX_GLOBAL:
            records = pax_records(body, "the global pax header")
            if what := no_plain_file(records):
                raise not_plain("what follows a global pax header", what)
            for name in records:
                if name in ("path", "linkpath", "size"):
                    raise BadInput(
                        f"the global pax header sets {name} for all entries that follow; "
                        f"{MAKE_AGAIN}"
                    )
                self.globals_matter |= name != "comment"
            self._global_bytes += BLOCK + len(block)
            if self._global_bytes > self._max_header + RECORD:
                raise BadInput(
                    f"the global pax headers are longer than {self._max_header} bytes together; "
                    f"{MAKE_AGAIN}, or raise --max-header-bytes"
                )
            if self._global_offset is None:
                self._global_offset = self._group_offset
            self._globals += self._group
            self._group.clear()
            self._pax = None
        else:
            # Some readers stop at the NUL, some at the size: both must say the same.
            text, nul, rest = body.partition(b"\0")
            if not text or not nul or (rest + block[size:]).strip(b"\0"):
                raise BadInput(
                    "a GNU long name is empty, does not end in a NUL or holds another; "
                    f"{MAKE_AGAIN}"
                )
            self._long[typeflag] = utf8(text, "the long name")

    def _flush_group(self, keep: bool) -> None:
        if keep:
            if self._sink is not None:
                self._sink(b"".join(self._globals + self._group))
            self._globals.clear()
        self._group.clear()
        self._pax = None
        self._long.clear()

    # -- entries -----------------------------------------------------------------------------------

    def _take_entry(self, block: bytes, typeflag: int) -> None:
        raw_name = block[:100].partition(b"\0")[0]
        # v7 has no type for folders: a name that ends in a slash is one.  Python's tarfile looks at
        # the header's name only, others at the one that counts: both must say the same.
        folder_by_name = typeflag == 0 and raw_name.endswith(b"/")
        # First of all: old GNU headers of such entries have data of their own behind the magic.
        self._refuse_what_no_model_holds(raw_name, typeflag)
        magic = block[257:265]
        if magic[:6] == POSIX_MAGIC:
            prefix, _, rest = block[345:].partition(b"\0")
            if prefix:
                raw_name = prefix + b"/" + raw_name
            # star keeps times behind a shorter prefix; the last twelve bytes are padding.
            if rest.strip(b"\0") or len(prefix) > 155:
                raise BadInput(
                    f"entry {show(raw_name)} has data behind its ustar prefix, which readers treat "
                    f"differently; {MAKE_AGAIN}"
                )
        elif magic in (GNU_MAGIC, V7_MAGIC):
            if block[345:].strip(b"\0"):
                raise BadInput(
                    f"entry {show(raw_name)} has data where ustar keeps a prefix, but is not "
                    f"ustar; {MAKE_AGAIN}"
                )
        else:
            raise BadInput(
                f"entry {show(raw_name)} has an unknown magic {show(magic)}; {MAKE_AGAIN}"
            )

        # Where an extension gives the name, the header's own may be cut in the middle of a
        # character, and is not looked at.
        pax = self._pax or {}
        if self._long and ("path" in pax or "linkpath" in pax):
            raise BadInput(f"entry {show(raw_name)} has a pax and a GNU long name; {MAKE_AGAIN}")
        name = pax.get("path") or self._long.get(GNU_LONG_NAME) or utf8(raw_name, "the entry name")
        link = ""
        if typeflag in (0x31, 0x32):
            given = pax.get("linkpath") or self._long.get(GNU_LONG_LINK)
            link = given or utf8(block[157:257].partition(b"\0")[0], "the link target")
        size = self._size(block, name)
        self._entry_name = name

        kind = KINDS[typeflag]
        if kind != "folder":
            if name.endswith("/") != folder_by_name or name.endswith("/."):
                raise BadInput(
                    f"entry {show(name)} is a {kind} named like a folder, or a folder like a file, "
                    f"which readers treat differently; {MAKE_AGAIN}"
                )
            if folder_by_name:
                kind = "folder"
        if "\0" in name or "\0" in link or (kind in ("symlink", "hard link") and not link):
            raise BadInput(f"entry {show(name)} has an empty target or a NUL; {MAKE_AGAIN}")
        if size and kind != "file":
            raise BadInput(
                f"entry {show(name)} is a {kind} with a size of {size}, which readers treat "
                f"differently; {MAKE_AGAIN}"
            )
        path = archive_path(name, "entry")
        if not path and (kind != "folder" or not name):
            raise BadInput(f"an entry that is a {kind} has no name ({show(name)}); {MAKE_AGAIN}")

        offset = self._group_offset if self._global_offset is None else self._global_offset
        self._global_offset = None
        self._keep = self._judge(Entry(path, kind, size, link, offset))
        self._flush_group(self._keep)
        self._data_left = -(-size // BLOCK) * BLOCK
        self._watcher = self._watched.get(path)

    def _refuse_what_no_model_holds(self, raw_name: bytes, typeflag: int) -> None:
        what = no_plain_file(self._pax) if self._pax else ""
        if typeflag not in KINDS:
            what = REFUSED_TYPES.get(typeflag, f"of the unknown type {show(bytes((typeflag,)))}")
        if what:
            pax = self._pax or {}
            # GNU tar gives a sparse file a made-up name, and its own in a record.
            told = pax.get("GNU.sparse.name") or pax.get("path") or self._long.get(GNU_LONG_NAME)
            raise not_plain(f"entry {show(told or raw_name)}", what)

    def _size(self, block: bytes, name: str) -> int:
        octal = OCTAL(block[124:136])
        if octal is not None and self._pax is None and int(octal[1], 8) <= self._max_content:
            return int(octal[1], 8)
        what = f"entry {show(name)} has the size"
        size = tar_number(block[124:136], what)
        if size < 0:
            raise BadInput(f"{what} below zero; {MAKE_AGAIN}")
        if self._pax is not None and "size" in self._pax:
            pax_size = int(self._pax["size"])
            # Only what octal cannot say needs the record; else both must agree, as not every reader
            # knows it.
            if pax_size != size and pax_size < OCTAL_LIMIT:
                raise BadInput(
                    f"{what} of {size} in its header and {pax_size} in its pax record; {MAKE_AGAIN}"
                )
            size = pax_size
        if size > self._max_content:
            raise BadInput(f"{what} of {size} bytes, above --max-content-bytes; {MAKE_AGAIN}")
        return size


def not_plain(which: str, what: str) -> BadInput:
    if what == SPARSE:
        return BadInput(
            f"{which} is {what}, which not every reader unpacks; archive it without --sparse"
        )
    return BadInput(f"{which} is {what}, which a model cannot hold; archive plain files")
