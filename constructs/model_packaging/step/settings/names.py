"""Names, versions and paths."""

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from model_packaging.step import contract
from model_packaging.step.settings.tokens import CDK_TOKEN, SAMPLE, literal

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

# One folder at the archive's root.
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _relative_path(value: str) -> str:
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts or path == PurePosixPath("."):
        raise ValueError(
            f"{value!r} is not a relative path; write one without '..', such as 'inference.py'"
        )
    return str(path)


def _version(value: str) -> str:
    if not _VERSION.fullmatch(CDK_TOKEN.sub(SAMPLE, value)):
        raise ValueError(
            f"{value!r} can't be part of an S3 key and a tag; write up to 64 letters, digits, "
            "dots, hyphens and underscores, such as '1.2.0'"
        )
    return value


def extra_input_name(name: str) -> str:
    """Check the name of an extra input: it becomes a folder beside ``code/``.

    Raises:
        ValueError: It is not the name of one folder, or it is taken.
    """
    if not _FOLDER.fullmatch(name):
        raise ValueError(
            f"{name!r} can't be a folder of the package; write letters, digits, dots, hyphens and "
            "underscores, a letter or digit first"
        )
    if name == "code":
        raise ValueError("'code' is the folder of the inference scripts; choose another name")
    return name


def container_path(value: str) -> str:
    """Check a folder of the container that an input is to be mounted at.

    Raises:
        ValueError: SageMaker mounts nothing there, or the step's own inputs or outputs are there.
    """
    path = PurePosixPath(value)
    root, others = PurePosixPath(contract.PROCESSING_DIR), contract.TAKEN_DIRS
    if root not in path.parents or ".." in path.parts:
        raise ValueError(
            f"{value!r} is no place for an input; write a folder below {root}/, such as "
            f"'{root}/input/calibration'"
        )
    for taken in map(PurePosixPath, others):
        if path == taken or taken in path.parents or path in taken.parents:
            raise ValueError(
                f"{value!r} is where the step has {str(taken)!r}; write another folder, such as "
                f"'{root}/input/calibration'"
            )
    return str(path)


RelativePath = Annotated[str, BeforeValidator(literal), AfterValidator(_relative_path)]

Version = Annotated[str, AfterValidator(_version)]

Name = Annotated[str, Field(min_length=1)]
