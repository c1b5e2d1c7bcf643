"""Requests for a model's endpoint: the user's own, or rows that are made up for it."""

import io
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

JSON = "application/json"
CSV = "text/csv"
_BY_ENDING = {".json": JSON, ".csv": CSV}
_MADE_UP_ROWS = 50
# How scikit-learn, XGBoost and LightGBM refuse a row that is too short.
_WIDTH = re.compile(
    r"is expecting (\d+) features"
    r"|shape mismatch, expected: (\d+)"
    r"|number of features .* training data \((\d+)\)"
)


@dataclass(frozen=True)
class ModelRequest:
    """What is sent to an endpoint.

    Attributes:
        body: The content.
        content_type: What it is.
        accept: What the answer shall be.
    """

    body: bytes
    content_type: str
    accept: str


def request_in(file: Path) -> ModelRequest:
    """The request that a file holds: JSON, CSV, or else bytes that the script must know."""
    content_type = _BY_ENDING.get(file.suffix.lower())
    return ModelRequest(
        file.read_bytes(), content_type or "application/octet-stream", content_type or JSON
    )


def as_json(rows: Sequence[Sequence[float]]) -> ModelRequest:
    """Rows as JSON, to be answered so."""
    return ModelRequest(json.dumps(rows).encode(), JSON, JSON)


def as_csv(rows: Sequence[Sequence[float]]) -> ModelRequest:
    """Rows as CSV, to be answered so."""
    text = io.StringIO()
    for row in rows:
        print(*row, sep=",", file=text)
    return ModelRequest(text.getvalue().encode(), CSV, CSV)


def rows_for(refusal: str) -> list[list[float]] | None:
    """Random rows, as wide as a model says that it takes.

    Args:
        refusal: What it answered to a row of another width.

    Returns:
        The rows; None if it doesn't say a width.
    """
    found = _WIDTH.search(refusal)
    if found is None:
        return None
    width = int(next(filter(None, found.groups())))
    numbers = random.Random(0)  # noqa: S311  # the same in each run
    return [[numbers.gauss(0, 1) for _ in range(width)] for _ in range(_MADE_UP_ROWS)]


def answers_in(body: bytes, content_type: str) -> list[object] | None:
    """The answers that a body lists, one for each row; None if it is no list."""
    try:
        text = body.decode()
        if content_type == CSV:
            return [json.loads(line) for line in text.splitlines()]
        listed = json.loads(text)
    except ValueError:
        return None
    return listed if isinstance(listed, list) else None
