"""The model that was announced: what an upload's event told of it, and whether that is what came.

An S3 input brings what lies under a key when the job starts, and whatever else begins with that
key.  The event was about one object at one moment.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from .contract import MODEL_ETAG_IS_MD5_VARIABLE, MODEL_ETAG_VARIABLE, MODEL_SIZE_VARIABLE
from .errors import BadInput, show
from .job_request import model_uri
from .sizes import MIB

if TYPE_CHECKING:
    from hashlib import _Hash

# An object's ETag that may be made of MD5s ("Checking object integrity" of S3): of the content, or
# of the MD5s of an upload's parts, and how many those are.
ETAG = re.compile(r"([0-9a-f]{32})(?:-([1-9][0-9]{0,4}))?")

# Sizes of parts, in MiB, most used first: 8 is the AWS CLI's and boto3's (multipart_chunksize),
# 5 the least that S3 takes.  Nothing tells which one it was, so none of them proves a difference.
PART_SIZES = (8, 16, 5, 64, 32, 100, 128, 10, 15, 20, 25, 50, 256, 512, 1024)
PART_SIZES_TRIED = 2


class Announcement(NamedTuple):
    """What was announced; None for what nobody told."""

    uri: str | None = None  # S3 URI of the model input
    etag: str | None = None
    etag_is_md5: bool = False  # the bucket takes no object whose ETag is something else
    size: int | None = None

    @property
    def file(self) -> str | None:
        """Name of the object, unless the URI ends in a slash, as that of a folder does."""
        return (self.uri or "").rpartition("/")[2] or None


UNANNOUNCED = Announcement()


def read_announcement(job_config_file: str, model_dir: str) -> Announcement:
    """What SageMaker's copy of the job's own request and the step's environment tell."""
    size = os.environ.get(MODEL_SIZE_VARIABLE)
    if size and not re.fullmatch(r"[0-9]{1,19}", size):
        raise BadInput(
            f"the announced size {show(size)} is no number of bytes; start the pipeline with the "
            "object's size, or leave the size out of its parameters"
        )
    return Announcement(
        model_uri(job_config_file, model_dir),
        os.environ.get(MODEL_ETAG_VARIABLE) or None,
        os.environ.get(MODEL_ETAG_IS_MD5_VARIABLE) == "true",
        int(size) if size else None,
    )


def require_size(announcement: Announcement, name: str, size: int) -> None:
    if announcement.size not in (None, size):
        raise BadInput(f"{show(name)} has {size} bytes, {another_model(f'{announcement.size}')}")


def another_model(announced: str) -> str:
    """What it means that the model is another one, and what to do."""
    return (
        f"and the upload that started this execution had {announced}: another model was uploaded "
        "under the same key since, and starts an execution of its own; to package the announced "
        "one, upload it again under a key of its own"
    )


class ContentCheck:
    """Compares a file's content with its ETag while the file is read.

    Where the ETag is known to be an MD5, another content is an error.  An ETag of several parts
    can only confirm: the sizes of the parts are not known.
    """

    def __init__(self, announcement: Announcement, size: int) -> None:
        self.why_not: str | None = None  # it was not compared; None if it was, and is the same
        self._etag = announcement.etag or ""
        self._candidates: list[PartsDigest] = []
        match = ETAG.fullmatch(self._etag)
        self._parts = int(match[2] or 0) if match else 0
        if not announcement.etag:
            self.why_not = "no ETag was announced"
        elif not announcement.etag_is_md5:
            self.why_not = "the bucket may hold objects whose ETag is no MD5"
        elif not match:
            self.why_not = "the ETag is no MD5"
        elif new_md5() is None:
            self.why_not = "this Python has no MD5"
        elif self._parts:
            sizes = [mib * MIB for mib in PART_SIZES if -(-size // (mib * MIB)) == self._parts]
            self._candidates = [PartsDigest(part) for part in sizes[:PART_SIZES_TRIED]]
        else:
            self._candidates = [PartsDigest(0)]

    def update(self, data: bytes) -> None:
        for candidate in self._candidates:
            candidate.update(data)

    def conclude(self, name: str) -> None:
        """Raises if the file is another one; says in ``why_not`` if nothing tells."""
        if self.why_not is not None:
            return
        found = [candidate.etag() for candidate in self._candidates]
        if self._etag in found:
            return
        if self._parts:
            self.why_not = "it was uploaded in parts of a size that is not known"
            return
        raise BadInput(
            f"{show(name)} has the MD5 {found[0]}, {another_model(f'{self._etag}')}; if nobody "
            "did, it was encrypted with a KMS key before its bucket refused that: upload it again"
        )


class PartsDigest:
    """The ETag of a content that was uploaded in parts of one size; 0 for in one piece."""

    def __init__(self, part: int) -> None:
        self._part = part
        self._left = part
        self._md5 = md5()
        self._parts: list[bytes] = []

    def update(self, data: bytes) -> None:
        if not self._part:
            self._md5.update(data)
            return
        view = memoryview(data)
        while view:
            if not self._left:
                self._parts.append(self._md5.digest())
                self._md5, self._left = md5(), self._part
            piece = view[: self._left]
            self._md5.update(piece)
            self._left -= len(piece)
            view = view[len(piece) :]

    def etag(self) -> str:
        if not self._part:
            return self._md5.hexdigest()
        whole = md5()
        for digest in (*self._parts, self._md5.digest()):
            whole.update(digest)
        return f"{whole.hexdigest()}-{len(self._parts) + 1}"


def new_md5() -> _Hash | None:
    """An MD5, which no security rests on; None where even that is forbidden."""
    try:
        try:
            return hashlib.new("md5", usedforsecurity=False)  # novm: Python 3.8 is handled below
        except TypeError:  # Python 3.8
            return hashlib.new("md5")  # noqa: S324  # see above
    except ValueError:  # a FIPS build
        return None


def md5() -> _Hash:
    made = new_md5()
    assert made is not None  # asked before
    return made
