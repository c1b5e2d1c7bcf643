"""Which files do not ship."""

from __future__ import annotations

import fnmatch

from .archive_names import parents
from .contract import LEFT_OUT
from .errors import BadInput, show
from .sizes import MIB


class LeaveOut:
    """The patterns of files that do not ship: LEFT_OUT and those of ``.packageignore``.

    One shell pattern a line.  Without a slash it is compared with every part of a path, with one
    (other than at the end) with the path from the scripts' root; a slash at the end means folders
    only.  ``#`` starts a comment.  A ``*`` also spans slashes.
    """

    def __init__(self, text: str = "") -> None:
        self._names = list(LEFT_OUT)
        self._folder_names: list[str] = []
        self._paths: list[str] = []
        self._folder_paths: list[str] = []
        for line in text.splitlines():
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            if pattern.startswith("!"):
                raise BadInput(
                    f".packageignore: {show(pattern)} takes a pattern back, which is not "
                    "supported; list only what is to be left out"
                )
            folders_only = pattern.endswith("/")
            pattern = pattern.rstrip("/")
            if "/" in pattern:
                pattern = pattern.lstrip("/")
                (self._folder_paths if folders_only else self._paths).append(pattern)
            else:
                (self._folder_names if folders_only else self._names).append(pattern)

    def __call__(self, path: str, is_folder: bool) -> bool:
        folders = list(parents(path)) + ([path] if is_folder else [])
        folder_parts = path.split("/") if is_folder else path.split("/")[:-1]
        return (
            any(matches(part, self._names) for part in path.split("/"))
            or any(matches(part, self._folder_names) for part in folder_parts)
            or any(matches(whole, self._paths) for whole in [path, *parents(path)])
            or any(matches(whole, self._folder_paths) for whole in folders)
        )


def check_ignore_size(size: int) -> None:
    if size > MIB:
        raise BadInput(f".packageignore is {size} bytes, above the limit of {MIB}; shorten it")


def matches(text: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)
