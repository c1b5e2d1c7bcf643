"""Stream mode: the shipped entries, then those of the model that stay, compressed anew."""

from __future__ import annotations

import functools
import hashlib
import os
from typing import Iterator

from .archive_names import archive_path, disk_name
from .decompression import decompressed
from .deflate import BlockDeflater
from .entry_dates import EARLIEST, dated
from .errors import BadInput, show
from .files import InputFile, ReadAhead, file_pieces, open_regular, tree
from .gzip_frame import GZIP_HEADER, GZIP_TRAILER
from .job import InputDigests, Job, Result, Written, new_walk, write_front
from .judge import Judge
from .mlflow_model import DESCRIPTION, MLflowModel
from .model_input import Archive, LooseFiles
from .tar_format import END_OF_ARCHIVE, RECORD, padding
from .tar_headers import tar_headers
from .tar_walk import Entry
from .threads import Conveyor


def stream(job: Job, why: str) -> Result:
    """Writes the shipped entries, then those of the model that stay, compressed anew."""
    out, model = job.out, job.model
    judge, mlflow = job.new_judge(may_drop=True), MLflowModel()
    out.write(GZIP_HEADER)
    with Conveyor(out.write) as writer, BlockDeflater(writer.put) as deflater:
        front = write_front(job.plan, deflater)
        if isinstance(model, Archive):
            digest, unchecked = stream_archive(job, model, judge, mlflow, deflater)
        else:
            digest = stream_loose_files(job, model, judge, mlflow, deflater)
            unchecked = "the model is loose files"
        judge.check_complete()
        if job.plan.existing_code == "auto":
            mlflow.check_code_is_kept(judge)
        end = deflater.size + len(END_OF_ARCHIVE)
        deflater.write(END_OF_ARCHIVE + bytes(-end % RECORD))
        deflater.finish()
    out.write(GZIP_TRAILER.pack(deflater.crc, deflater.size & 0xFFFFFFFF))
    written = Written(front.end, front.crc, front.size, deflater.crc, deflater.size)
    return Result("stream", why, written, judge, front.digests, digest, unchecked)


def stream_archive(
    job: Job, archive: Archive, judge: Judge, mlflow: MLflowModel, deflater: BlockDeflater
) -> tuple[str, str | None]:
    walk = new_walk(judge, job.options, deflater.write, {DESCRIPTION: mlflow.feed})
    digests = InputDigests(archive, job.announcement)
    with InputFile(archive.path) as file:
        reader = ReadAhead(file, digests.update, job.progress)
        with reader as chunks, Conveyor(walk.feed) as walker:
            for piece in decompressed(chunks, file.name, archive.format):
                walker.put(piece)
        file.check_unchanged()
    walk.close()
    return digests.check()


def stream_loose_files(
    job: Job, model: LooseFiles, judge: Judge, mlflow: MLflowModel, deflater: BlockDeflater
) -> str:
    digest = hashlib.sha256()

    def write(data: bytes) -> None:
        digest.update(data)
        deflater.write(data)
        job.progress.done += len(data)

    for found in tree(model.path, "the model's"):
        if found.kind == "other":
            raise BadInput(f"the model's {show(found.path)} is neither file nor folder; remove it")
        archive_path(found.path, "the model's")  # for its length
        size = found.size if found.kind == "file" else 0
        target = ""
        if found.kind == "symlink":
            target = disk_name(os.readlink(found.disk_path), "the model's link target")
        if not judge(Entry(found.path, found.kind, size, target, 0)):
            continue
        mtime = EARLIEST
        pieces: Iterator[bytes] = iter(())
        if found.kind == "file":
            opener = functools.partial(open_regular, found.disk_path)
            mtime, pieces = dated(file_pieces(opener, size, found.path))
        write(
            tar_headers(
                found.path,
                found.kind,
                size=size,
                executable=found.executable or found.kind == "folder",
                target=target,
                mtime=mtime,
            )
        )
        for piece in pieces:
            if found.path == DESCRIPTION:
                mlflow.feed(piece)
            write(piece)
        write(padding(size))
    return digest.hexdigest()
