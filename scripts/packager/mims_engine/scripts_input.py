"""The inference scripts, which ship in ``code/``."""

from __future__ import annotations

import contextlib
import os
from typing import Iterator

from .archive_names import archive_path
from .contract import CODE
from .errors import BadInput, show
from .files import InputFile, file_pieces, is_regular, list_folder, tree
from .leave_out import LeaveOut, check_ignore_size
from .options import Options
from .python_syntax import syntax_error
from .shipped import Folder, Found, Shipped, files_from_zip, shipped_from_disk
from .sizes import MIB


def collect_scripts(options: Options, resources: contextlib.ExitStack) -> Folder:
    """The files that ship in ``code/``: from a folder, or from the one .zip in it."""
    scripts_dir, max_bytes = options.scripts_dir, options.max_scripts_bytes
    names = list_folder(scripts_dir, "the scripts input")
    path = os.path.join(scripts_dir, names[0]) if len(names) == 1 else ""
    if path.lower().endswith(".zip") and is_regular(path):
        found, ignore_text = files_from_zip(path, "the scripts'", resources)
    else:
        found, ignore_text = scripts_from_folder(scripts_dir)

    leave_out = LeaveOut(ignore_text)
    kept, left_out, total = [], [], 0
    for script, problem in found:
        if leave_out(script.path, script.open is None):
            if script.open is not None or problem:
                left_out.append(script.path)
            continue
        if problem:
            raise BadInput(problem)
        total += script.size
        path = archive_path(f"{CODE}/{script.path}", "the scripts'")
        kept.append(script._replace(path=path))
    if total > max_bytes:
        raise BadInput(
            f"the scripts are {total} bytes unpacked, above the limit of {max_bytes}; leave out "
            "what the model does not need with a .packageignore, or raise --max-scripts-bytes"
        )
    require_entry_point(options.inference_entry_point, kept)
    require_python(options.inference_entry_point, kept)
    return Folder(CODE, [Shipped(CODE, 0, True, None), *kept], left_out)


def require_entry_point(entry_point: str, scripts: list[Shipped]) -> None:
    files = [script.path[len(CODE) + 1 :] for script in scripts if script.open is not None]
    if entry_point in files:
        return
    import difflib

    near = difflib.get_close_matches(entry_point, files, n=1, cutoff=0.5)
    hint = f"the nearest is {show(near[0])}" if near else f"there are {len(files)} files"
    raise BadInput(
        f"the inference entry point {show(entry_point)} is not among the scripts ({hint}); "
        "add it, or name the right one with --inference-entry-point"
    )


def require_python(entry_point: str, scripts: list[Shipped]) -> None:
    """The entry point, if it is a Python script, is one that some Python can read."""
    if not entry_point.endswith(".py"):
        return
    path = f"{CODE}/{entry_point}"
    [script] = [one for one in scripts if one.path == path and one.open is not None]
    assert script.open is not None  # it is a file
    if script.size > MIB:
        return  # no script that anybody wrote
    fault = syntax_error(b"".join(file_pieces(script.open, script.size, script.path)))
    if fault:
        raise BadInput(
            f"the inference entry point {show(entry_point)} can't be imported by any server "
            f"({fault}); mend the script"
        )


def scripts_from_folder(root: str) -> tuple[Found, str]:
    ignore_path = os.path.join(root, ".packageignore")
    ignore_text = ""
    if os.path.lexists(ignore_path):
        with InputFile(ignore_path) as file:
            check_ignore_size(file.size)
            ignore_text = file.read(MIB).decode("utf-8", "replace")

    def found() -> Iterator[tuple[Shipped, str]]:
        for entry in tree(root, "the scripts'"):
            problem = ""
            if entry.kind == "symlink":
                problem = (
                    f"the scripts hold the symbolic link {show(entry.path)}, which could show any "
                    "file of the instance; put the file itself in its place"
                )
            elif entry.kind == "other":
                problem = f"the scripts hold {show(entry.path)}, neither file nor folder; remove it"
            yield shipped_from_disk(entry, entry.path), problem

    return found(), ignore_text
