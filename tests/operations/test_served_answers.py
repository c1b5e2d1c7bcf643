"""What is asked of a served model, and what is said when it can't be asked or loaded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from operations.hosted_model import HostedModel, RefusedError
from operations.model_requests import (
    ModelRequest,
    answers_in,
    as_csv,
    as_json,
    request_in,
    rows_for,
)
from operations.served_answers import (
    DifferentError,
    NotAskedError,
    compare_both,
    compare_with,
    remedy,
)

Answer = Callable[[Any], Any]


class Served:
    """An endpoint that answers with what a function makes of the rows."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[Any] = []

    def ask(self, request: ModelRequest) -> tuple[bytes, str]:
        rows = answers_in(request.body, request.content_type) if request.body[:1] == b"[" else None
        self.asked.append(rows)
        return json.dumps(self._answer(rows)).encode(), "application/json"


def hosted(answer: Answer) -> HostedModel:
    return cast("HostedModel", Served(answer))


def of_three(rows: Any) -> Any:
    """A model of scikit-learn's that takes rows of three."""
    if len(rows[0]) != 3:
        told = f"X has {len(rows[0])} features, but Trees is expecting 3 features as input."
        raise RefusedError(f"{told}\nTraceback (most recent call last):\nValueError: {told}")
    return [sum(row) > 0 for row in rows]


def refuse(rows: Any) -> Any:
    raise RefusedError("Traceback (most recent call last):\nKeyError: 'question'\n")


def test_rows_are_made_up_as_wide_as_the_model_says() -> None:
    assert compare_both(hosted(of_three), hosted(of_three), None) == "50 of 50 equal"


def test_a_model_that_takes_anything_is_asked_one_row() -> None:
    assert compare_both(hosted(len), hosted(len), None) == (
        "the same answer, 1 bytes of application/json"
    )


def test_a_model_that_takes_nothing_made_up_is_not_said_to_have_answered() -> None:
    with pytest.raises(NotAskedError, match=r"KeyError: 'question'; .* REQUEST=file"):
        compare_both(hosted(refuse), hosted(refuse), None)


def test_a_model_that_refuses_the_users_own_request_has_failed(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text("[[1]]")
    with pytest.raises(RefusedError, match="KeyError: 'question'"):
        compare_both(hosted(refuse), hosted(refuse), tmp_path / "rows.json")


def test_a_model_that_cannot_be_loaded_has_failed_whatever_it_was_asked() -> None:
    def fail(rows: Any) -> Any:
        raise RefusedError("in validate_and_initialize\nModuleNotFoundError: No module named 'x'")

    with pytest.raises(RefusedError, match="No module named 'x'") as failed:
        compare_both(hosted(fail), hosted(fail), None)
    assert failed.value.lacks == "can't be loaded"


@pytest.mark.parametrize("original", [lambda rows: ["other"], refuse])
def test_another_answer_than_the_originals_is_a_fault(original: Answer) -> None:
    with pytest.raises(DifferentError, match="the packaged model"):
        compare_both(hosted(lambda rows: ["one"]), hosted(original), None)


def test_a_model_that_answers_at_random_is_not_compared() -> None:
    drawn = iter(range(9))
    with pytest.raises(NotAskedError, match="otherwise each time"):
        compare_both(hosted(lambda rows: ["one"]), hosted(lambda rows: [next(drawn)]), None)


def test_an_answer_that_was_not_given_where_the_model_was_trained_is_a_fault() -> None:
    with pytest.raises(DifferentError, match="asked in application/json"):
        compare_with([1, 2], hosted(lambda rows: [1, 3]), [[0.0], [1.0]])


@pytest.mark.parametrize(
    ("refusal", "width"),
    [
        ("X has 1 features, but RandomForestClassifier is expecting 13 features as input.", 13),
        ("XGBoostError: Feature shape mismatch, expected: 8, got 1", 8),
        ("The number of features in data (1) is not the same as it was in training data (28).", 28),
    ],
)
def test_the_width_is_read_from_what_libraries_say(refusal: str, width: int) -> None:
    rows = rows_for(refusal)
    assert rows is not None
    assert {len(row) for row in rows} == {width}
    assert rows == rows_for(refusal)


@pytest.mark.parametrize(
    ("name", "content_type", "accept"),
    [
        ("rows.json", "application/json", "application/json"),
        ("rows.CSV", "text/csv", "text/csv"),
        ("picture.png", "application/octet-stream", "application/json"),
    ],
)
def test_a_files_ending_says_what_it_holds(
    tmp_path: Path, name: str, content_type: str, accept: str
) -> None:
    (tmp_path / name).write_bytes(b"\x00\x01")
    assert request_in(tmp_path / name) == ModelRequest(b"\x00\x01", content_type, accept)


def test_rows_survive_json_and_csv() -> None:
    rows = [[1.5, -2.0], [0.1, 1e-9]]
    assert json.loads(as_json(rows).body) == rows
    assert [
        [float(cell) for cell in line.split(",")] for line in as_csv(rows).body.decode().split()
    ] == rows


@pytest.mark.parametrize("body", [b"\xff\xfe", b"fine", b'{"score": 1}'])
def test_what_is_no_list_is_not_counted(body: bytes) -> None:
    assert answers_in(body, "application/json") is None


@pytest.mark.parametrize(
    ("reason", "own", "said"),
    [
        ("ModuleNotFoundError: No module named 'lightgbm'", (), "brings 'lightgbm' is not inst"),
        ("ModuleNotFoundError: No module named 'layers.deep'", ("layers",), "existing_code does"),
        ("It printed: code/requirements.txt asks for what", (), "write REQUIREMENTS= and"),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: '/opt/ml/model/m.joblib'",
            (),
            "write SCRIPTS= and",
        ),
    ],
)
def test_what_is_missing_comes_with_what_to_write(
    reason: str, own: tuple[str, ...], said: str
) -> None:
    assert said in remedy(reason, own)


def test_other_faults_come_without_advice() -> None:
    assert remedy("ValueError: no such thing", ()) == ""
