"""One packaging run, and what both modes share."""

from __future__ import annotations

import hashlib
from typing import Callable, Mapping, NamedTuple

from .announcement import Announcement, ContentCheck
from .atomic_file import AtomicFile
from .deflate import BlockDeflater
from .errors import BadInput, show
from .gzip_frame import GZIP_HEADER
from .judge import Judge, Plan
from .log import Progress
from .model_input import Archive, LooseFiles
from .options import Options
from .shipped import ship, tar_size
from .tar_headers import filler
from .tar_walk import Entry, TarWalk


class Job(NamedTuple):
    """One packaging run."""

    options: Options
    plan: Plan
    model: Archive | LooseFiles
    out: AtomicFile
    progress: Progress
    announcement: Announcement

    def new_judge(self, *, may_drop: bool) -> Judge:
        return Judge(
            self.plan,
            symlinks=self.options.symlinks,
            max_members=self.options.max_members,
            may_drop=may_drop,
        )


class Written(NamedTuple):
    """What the output file must turn out to hold."""

    front: int  # where the shipped entries end in the file, with a sync mark if there are any
    front_crc: int
    front_size: int  # of the shipped entries, unpacked
    crc: int
    size: int  # unpacked


class Result(NamedTuple):
    mode: str
    why: str
    written: Written
    judge: Judge
    folder_digests: list[str]  # of the plan's folders
    model_digest: str
    content_unchecked: str | None  # why the content was not compared with its ETag; None if it was


class Front(NamedTuple):
    """The shipped entries, as they stand at the start of the output."""

    digests: list[str]
    end: int  # in the file
    crc: int
    size: int


def new_walk(
    judge: Callable[[Entry], bool],
    options: Options,
    sink: Callable[[bytes | memoryview], object] | None = None,
    watched: Mapping[str, Callable[[bytes | memoryview], object]] | None = None,
) -> TarWalk:
    return TarWalk(
        judge,
        max_header_bytes=options.max_header_bytes,
        max_content_bytes=options.max_content_bytes,
        sink=sink,
        watched=watched,
    )


def write_front(plan: Plan, deflater: BlockDeflater) -> Front:
    deflater.write(filler(sum(tar_size(entry) for f in plan.folders for entry in f.entries)))
    digests = [ship(folder, deflater.write) for folder in plan.folders]
    deflater.flush()
    return Front(digests, len(GZIP_HEADER) + deflater.emitted, deflater.crc, deflater.size)


class InputDigests:
    """The model file's SHA-256, and whatever else a file beside it or its ETag calls for."""

    def __init__(self, archive: Archive, announcement: Announcement) -> None:
        self._archive = archive.name
        self._expected = archive.expected
        self._digests = {name: hashlib.new(name) for name in {"sha256", *archive.expected}}
        self._content = ContentCheck(announcement, archive.bytes)

    def update(self, data: bytes) -> None:
        for digest in self._digests.values():
            digest.update(data)
        self._content.update(data)

    def check(self) -> tuple[str, str | None]:
        """Compares with what was expected; the SHA-256, and why the ETag was not compared."""
        self._content.conclude(self._archive)
        for algorithm, (wanted, told_by) in self._expected.items():
            found = self._digests[algorithm].hexdigest()
            if found != wanted:
                raise BadInput(
                    f"{show(self._archive)} does not match {show(told_by)}: its {algorithm} is "
                    f"{found}, not {wanted}; upload both again"
                )
        return self._digests["sha256"].hexdigest(), self._content.why_not
