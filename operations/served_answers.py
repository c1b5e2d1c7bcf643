"""Whether a served package answers as its model does."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from operations.hosted_model import HostedModel, RefusedError
from operations.model_requests import (
    ModelRequest,
    answers_in,
    as_csv,
    as_json,
    request_in,
    rows_for,
)


class NotAskedError(Exception):
    """Nobody knows what the model takes; the text says what to give."""


class DifferentError(Exception):
    """The package answers otherwise than the model."""


def compare_with(
    expected: Sequence[object], served: HostedModel, rows: Sequence[Sequence[float]]
) -> str:
    """Ask in JSON and in CSV, and compare with what the model answered where it was trained.

    Returns:
        How many answers were equal.

    Raises:
        RefusedError: The package answered with an error.
        DifferentError: It answers otherwise.
    """
    for request in (as_json(rows), as_csv(rows)):
        answers = answers_in(*served.ask(request))
        if answers != list(expected):
            raise DifferentError(
                f"asked in {request.content_type}, the packaged model doesn't answer as the "
                "original does"
            )
    return f"{len(expected)} of {len(expected)} equal, in JSON and in CSV"


def compare_both(served: HostedModel, original: HostedModel, file: Path | None) -> str:
    """Ask a package and its model the same.

    Args:
        served: The package.
        original: The model, with the same scripts.
        file: Holds the request. Default: one is made up, which few models take.

    Returns:
        How much was equal.

    Raises:
        RefusedError: The package can't be loaded, or refuses the user's own request.
        DifferentError: It answers otherwise.
        NotAskedError: It refuses what was made up.
    """
    request = request_in(file) if file else _made_up(served)
    answer, content_type = served.ask(request)
    try:
        wanted, _ = original.ask(request)
    except RefusedError as fault:
        raise DifferentError(
            f"the packaged model answers what the original refuses: {fault}"
        ) from fault
    if answer != wanted:
        if original.ask(request)[0] != wanted:
            raise NotAskedError(
                "the original model answers otherwise each time it is asked, so that nothing can "
                "be compared"
            )
        raise DifferentError("the packaged model doesn't answer as the original does")
    listed = answers_in(answer, content_type)
    if listed is None:
        return f"the same answer, {len(answer)} bytes of {content_type}"
    return f"{len(listed)} of {len(listed)} equal"


def _made_up(served: HostedModel) -> ModelRequest:
    """A request that the model takes, or so it says."""
    request = as_json([[0.0]])
    try:
        served.ask(request)
    except RefusedError as fault:
        if fault.while_loading:
            raise
        rows = rows_for(fault.told)
        if rows is None:
            raise NotAskedError(
                f"it was loaded, but it refused a made-up request: {fault}; send it one of yours: "
                "REQUEST=file"
            ) from fault
        request = as_json(rows)
    return request


def remedy(reason: str, own_modules: Iterable[str]) -> str:
    """What to do about something that is missing where the model is served.

    Args:
        reason: What the server told.
        own_modules: Modules that the model had in its own ``code/``.

    Returns:
        The end of a sentence; nothing if there is no telling.
    """
    if "code/requirements.txt asks for" in reason:
        return "; write REQUIREMENTS= and the place of that file to have it installed"
    if re.search(r"No such file or directory: '.*/opt/ml/model/[^/']+'", reason):
        return (
            "; the model has no such file, which the script loads: name the model's file so, or "
            "write SCRIPTS= and a folder with an inference.py that loads yours"
        )
    found = re.search(r"No module named '(\w+)", reason)
    if found is None:
        return ""
    if found[1] in own_modules:
        return (
            f"; the model has {found[1]!r} in a code/ of its own, which the setting existing_code "
            "does not keep: write 'overlay', or copy it to your scripts"
        )
    return (
        f"; the package that brings {found[1]!r} is not installed where the model is served: name "
        "it in a file, and write REQUIREMENTS=file"
    )
