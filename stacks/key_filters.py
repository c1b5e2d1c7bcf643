"""Which keys a stage's trigger may wait for: what their beginning and their end may be."""

import re
from typing import Final

from model_packaging.models.model_objects import check_filter, overlap
from model_packaging.models.training_job import check_job_name_prefix

PACKAGES: Final = "packaged/"  # every stage's packages are below it
# What the packager reads (mims_engine/model_input.py), whatever the file is called besides.
_ARCHIVE: Final = re.compile(r"(.*\.)?(tar|tgz|tbz2?|txz|gz|bz2|xz)", re.IGNORECASE | re.DOTALL)
_EXAMPLE: Final = "'models/'"


def key_prefix(value: str) -> str:
    """Check the beginning of the keys of models.

    Raises:
        ValueError: It is empty, or no key begins so, or an event pattern or a policy would read it
            otherwise.
    """
    if not value:
        raise ValueError(
            f"'' is empty, and every object of the bucket would count; write a folder of it, such "
            f"as {_EXAMPLE}"
        )
    if value.startswith("/"):
        right = value.lstrip("/") or "models/"
        raise ValueError(f"{value!r} begins with a slash, and keys don't; write {right!r}")
    try:
        check_filter("prefix", value, "")
    except ValueError:
        plain = re.split(r"[*?\\]|\$\{", value)[0]
        raise ValueError(
            f"{value!r} has a character that event patterns and policies read as a wildcard; write "
            f"the beginning of the keys alone, such as {plain or 'models/'!r}"
        ) from None
    return value


def upload_prefix(value: str) -> str:
    """Check the beginning of the keys of uploads.

    Raises:
        ValueError: What :func:`key_prefix` raises, or packages begin so too.
    """
    key_prefix(value)
    if overlap(value, PACKAGES):
        raise ValueError(
            f"{value!r} and {PACKAGES!r}, which packages are written below, begin alike: every "
            f"package would start the pipeline again; write a folder beside it, such as {_EXAMPLE}"
        )
    return value


def job_name_prefix(value: str) -> str:
    """Check the beginning of training jobs' names.

    Raises:
        ValueError: No training job's name begins so.
    """
    check_job_name_prefix(value)
    return value


def suffix_problem(value: str) -> str | None:
    """Why no model whose key ends so could be packaged, or none."""
    if not value:
        return "'' is empty, and every upload would count; write '.tar.gz'"
    if _ARCHIVE.fullmatch(value):
        return None
    return (
        f"{value!r} is no end of an archive that the packager reads; write '.tar.gz', or another "
        "one of a tar file: '.tgz', '.tar.bz2', '.tar.xz' or '.tar'"
    )
