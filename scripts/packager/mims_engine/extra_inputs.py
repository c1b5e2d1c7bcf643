"""The extra inputs, each of which ships under its own name."""

from __future__ import annotations

import contextlib
import os
from typing import Iterator, Sequence

from .archive_names import archive_path, disk_name
from .contract import CODE
from .errors import BadInput, show
from .files import is_regular, list_folder, tree
from .shipped import Folder, Shipped, files_from_zip, shipped_from_disk


def collect_extras(
    extra_dir: str, zipped: Sequence[str], resources: contextlib.ExitStack
) -> list[Folder]:
    """Every folder NAME in ``extra_dir``, to land under NAME/; those in ``zipped`` from a zip."""
    names = []
    if os.path.lexists(extra_dir):
        names = sorted(list_folder(extra_dir, "the extra inputs' folder"), key=os.fsencode)
    if missing := sorted(set(zipped) - set(names)):
        raise BadInput(
            f"the extra input {show(missing[0])} is not in {show(extra_dir)}; upload its zip, or "
            "drop --unzip-extra"
        )
    folders = []
    for name in names:
        shown = disk_name(name, "the extra input")
        root = os.path.join(extra_dir, name)
        if shown == CODE or shown.startswith("."):
            raise BadInput(
                f"the extra input {show(shown)} cannot have that name (code/ is the scripts' own, "
                "names with a dot are hidden); rename the input"
            )
        if os.path.islink(root) or not os.path.isdir(root):
            raise BadInput(
                f"the extra inputs' folder holds {show(shown)}, which is not a folder; "
                "every extra input is a folder, named as it shall be in the archive"
            )
        archive_path(shown, "the extra input")
        whose = f"the extra input {show(shown)}:"
        found = extra_from_zip(root, whose, resources) if name in zipped else tree(root, whose)
        entries = [Shipped(shown, 0, True, None)]
        for entry in found:
            if isinstance(entry, Shipped):
                entries.append(entry._replace(path=archive_path(f"{shown}/{entry.path}", whose)))
                continue
            if entry.kind not in ("file", "folder"):
                raise BadInput(
                    f"the extra input {show(shown)} holds {show(entry.path)}, a link or a device; "
                    "put the file itself in its place"
                )
            path = archive_path(f"{shown}/{entry.path}", whose)
            entries.append(shipped_from_disk(entry, path))
        folders.append(Folder(shown, entries, []))
    return folders


def extra_from_zip(root: str, whose: str, resources: contextlib.ExitStack) -> Iterator[Shipped]:
    names = list_folder(root, whose)
    path = os.path.join(root, names[0]) if len(names) == 1 else ""
    if not path.lower().endswith(".zip") or not is_regular(path):
        raise BadInput(
            f"{whose} holds {len(names)} files where one .zip was announced; upload the one zip, "
            "or drop --unzip-extra"
        )
    found, _ = files_from_zip(path, whose, resources)
    for shipped, problem in found:
        if problem:
            raise BadInput(problem)
        yield shipped
