"""Names in archives: relative, UTF-8, unpackable, the same to every reader."""

from __future__ import annotations

import os
import re
from typing import Iterator

from .errors import BadInput, show

MAX_NAME = 255  # NAME_MAX of every Linux file system
MAX_PATH = 4000  # PATH_MAX is 4096, and the archive is unpacked below some folder
DRIVE = re.compile(r"[A-Za-z]:").match


def archive_path(name: str, what: str) -> str:
    """``name`` as a clean relative path, "" for the root; refuses what leaves the root."""
    path = name
    if name.startswith("./") or "//" in name or "/./" in name or name.endswith(("/", "/.")):
        path = "/".join(part for part in name.split("/") if part not in ("", "."))
    elif name == ".":
        path = ""
    if name.startswith("/") and name != "/":  # that is the root entry of the SageMaker SDK's
        raise BadInput(
            f"{what} {show(name)} has an absolute path, which readers treat differently; "
            "archive it relative to the model's folder (tar -C FOLDER .)"
        )
    if "\\" in path or DRIVE(path):
        raise BadInput(
            f"{what} {show(name)} has a backslash or a drive letter in its name, which some "
            "readers strip or take for a folder; rename it"
        )
    if ".." in path and ".." in path.split("/"):
        raise BadInput(
            f"{what} {show(name)} climbs with '..'; archive it relative to the model's folder"
        )
    if len(path) > MAX_NAME // 4 and (
        len(path.encode()) > MAX_PATH
        or any(len(part.encode()) > MAX_NAME for part in path.split("/"))
    ):
        raise BadInput(f"{what} {show(name)} has a name too long to unpack; shorten it")
    return path


def utf8(raw: bytes, what: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(
            f"{what} {show(raw)} is not UTF-8, so readers give it different names; rename it"
        ) from None


def disk_name(name: str, what: str) -> str:
    """A name from the file system, where bytes that are not UTF-8 arrive as lone surrogates."""
    return utf8(os.fsencode(name), what)


def parents(path: str) -> Iterator[str]:
    """The folders above ``path``, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
