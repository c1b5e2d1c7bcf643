"""Why a run fails: one line that says what was given, why it cannot work, what to do instead."""

from __future__ import annotations

import errno


class PackagingError(Exception):
    """A failure with a reason for the user; its class gives the exit code."""

    exit_code = 1


class UsageError(PackagingError):
    """The command line is wrong."""

    exit_code = 2


class BadInput(PackagingError):
    """The model, the scripts or an extra input cannot be packaged as they are."""

    exit_code = 3


class NoSpace(PackagingError):
    """The output does not fit."""

    exit_code = 4


class CannotSplice(Exception):
    """Splicing would not give the wanted archive; the message says why.  Not a failure: stream."""


NO_SPACE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def write_failure(error: OSError, what: str) -> PackagingError:
    """The error to report when writing fails."""
    if error.errno in NO_SPACE_ERRNOS:
        return NoSpace(
            f"{what} could not be written: {error.strerror}; "
            "give the processing step a larger volume (processing_volume_size)"
        )
    return PackagingError(f"{what} could not be written: {error}; look at the output's mount")


def show(name: str | bytes, limit: int = 160) -> str:
    """A name as it may stand in a log line: quoted, printable, not too long."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    shown = ascii(text) if not text.isprintable() else f"'{text}'"
    if len(shown) <= limit:
        return shown
    return f"{shown[: limit * 5 // 8]}…{shown[-(limit * 5 // 16) :]}"
