"""Splice mode: the shipped entries, then the original's blocks as they are."""

from __future__ import annotations

import zlib
from typing import Iterator

from .crc32 import crc_shift
from .deflate import BlockDeflater
from .errors import BadInput, CannotSplice, show
from .files import InputFile, ReadAhead
from .gzip_frame import GZIP_HEADER, GZIP_TRAILER
from .gzip_member import Member, inflate_member
from .job import InputDigests, Job, Result, Written, new_walk, write_front
from .log import log
from .model_input import Archive
from .seam import Seam, find_seam
from .threads import Conveyor


def chunks_from(chunks: Iterator[bytes], offset: int) -> Iterator[bytes]:
    """A file's bytes from ``offset``."""
    for data in chunks:
        if offset < len(data):
            yield data[offset:] if offset else data
        offset = max(0, offset - len(data))


def splice(job: Job, archive: Archive, seam: Seam) -> Result:
    """Writes the shipped entries, then the original's blocks as they are, verifying them meanwhile.

    Four threads: one reads and hashes the input; this one inflates, which takes the longest; one
    computes the CRC and walks the tar; one writes and hashes the output.  What is verified is the
    very bytes that are written.
    """
    out = job.out
    out.write(GZIP_HEADER)
    with BlockDeflater(out.write) as deflater:
        front = write_front(job.plan, deflater)

    judge = job.new_judge(may_drop=False)
    walk = new_walk(judge, job.options)
    digests = InputDigests(archive, job.announcement)
    crc, size = front.crc, front.size

    def verify(piece: bytes) -> None:
        nonlocal crc, size
        crc = zlib.crc32(piece, crc)
        size += len(piece)
        walk.feed(piece)

    with InputFile(archive.path) as file:
        reader = ReadAhead(file, digests.update, job.progress)
        with reader as chunks, Conveyor(out.write) as writer, Conveyor(verify) as verifier:
            member = inflate_member(
                chunks_from(chunks, seam.offset), file, writer.put, verifier.put
            )
        file.check_unchanged()
    walk.close()
    judge.check_complete()
    # Replacing the content before the seam changes the CRC by what that content contributed to it.
    kept = size - front.size
    trailer = Member(
        member.crc ^ crc_shift(seam.crc ^ front.crc, kept),
        (member.isize - seam.size + front.size) & 0xFFFFFFFF,
    )
    if trailer != (crc, size & 0xFFFFFFFF):
        raise BadInput(
            f"{show(archive.name)} is damaged: its content does not match the CRC-32 and size in "
            "its gzip trailer; upload it again"
        )
    model_digest, content_unchecked = digests.check()
    out.write(GZIP_TRAILER.pack(*trailer))
    written = Written(front.end, front.crc, front.size, crc, size)
    why = "the archive is gzip, and what it has under shipped names "
    why += "ends at a sync flush" if seam.size else "is nothing"
    return Result("splice", why, written, judge, front.digests, model_digest, content_unchecked)


def try_splice(job: Job, archive: Archive) -> Result:
    seam = find_seam(archive, job.plan, job.options)
    log(
        f"mims_package: splicing {show(archive.name)} from byte {seam.offset}"
        + (f", in place of {seam.size} bytes that an earlier package shipped" if seam.size else "")
    )
    try:
        return splice(job, archive, seam)
    except BadInput as error:
        if seam.size:
            # Blocks that refer to data before the seam do not inflate without it.  If the archive
            # itself is bad, streaming will say so.
            raise CannotSplice("what an earlier package shipped cannot be cut off") from error
        raise
