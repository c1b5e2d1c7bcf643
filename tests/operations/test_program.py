"""The program that people run: its commands, what they print and how they end."""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.__main__ import COMMANDS, main
from operations.executions import redrive
from operations.executions.faults import telling_faults
from tests.conftest import PROJECT


def test_help_lists_every_command_and_needs_no_credentials() -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "operations", "--help"],
        cwd=PROJECT,
        env={"PATH": "/nonexistent", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=True,
    )
    for name in COMMANDS:
        assert re.search(rf"^    {name}\s", helped.stdout, re.MULTILINE), name


@pytest.mark.parametrize("command", [["findings"], ["review", "one", "other"], ["status"]])
def test_ctrl_c_ends_every_command_without_a_traceback(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS[command[0]], "run", interrupt)
    assert main(command) == 130
    assert capsys.readouterr().err == "\nInterrupted.\n"


def test_ctrl_c_while_it_starts_prints_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "boto3.py").write_text("raise KeyboardInterrupt\n")
    interrupted = subprocess.run(
        [sys.executable, "-m", "operations", "status"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (interrupted.returncode, interrupted.stderr) == (130, "\nInterrupted.\n")


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["redrvie", "queue"])
    assert "invalid choice: 'redrvie'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "operation", "said"),
    [
        ("ResourceNotFound", "ListPipelineExecutions", "see docs/runbook/delivery-failed.md"),
        ("ResourceNotFound", "StartPipelineExecution", "see docs/runbook/delivery-failed.md"),
        ("ResourceNotFound", "DescribeProcessingJob", "operation: It is not there."),
        ("AccessDenied", "ListPipelineExecutions", "operation: It is not there."),
    ],
)
def test_a_pipeline_that_is_gone_comes_with_its_page(
    capsys: pytest.CaptureFixture[str], code: str, operation: str, said: str
) -> None:
    error = {"Error": {"Code": code, "Message": "It is not there."}}

    def run(_: argparse.Namespace) -> int:
        raise ClientError(error, operation)

    assert telling_faults(run)(argparse.Namespace()) == 1
    assert capsys.readouterr().err.endswith(f"{said}\n")


LETTERS = [redrive.Letter("m-1", 1, "s3://bucket/models/model.tar.gz", "NoPermissions: no")]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A queue with one letter; what a redrive of it was asked."""
    asked: list[Any] = []

    def answer(client: Any, queue_url: str, tell: Any, only: Any) -> list[str]:
        asked.append((queue_url, only))
        tell("arn:1")
        return ["arn:1"]

    monkeypatch.setattr(redrive, "peek", lambda client, queue_url: LETTERS)
    monkeypatch.setattr(redrive, "redrive", answer)
    return asked


def test_redrive_shows_why_and_starts_what_it_has_shown(
    queue: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["redrive", "https://queue", "--yes"]) == 0
    printed = capsys.readouterr().out
    assert "s3://bucket/models/model.tar.gz  NoPermissions: no" in printed
    assert "\narn:1\nStarted with your permissions, not the rule's: upload a model" in printed
    assert queue == [("https://queue", {"m-1"})]


def test_a_dry_run_of_redrive_starts_nothing(
    queue: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["redrive", "https://queue", "--dry-run"]) == 0
    assert "NoPermissions: no" in capsys.readouterr().out
    assert main(["redrive", "https://queue", "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [letter["about"] for letter in found["waiting"]] == ["s3://bucket/models/model.tar.gz"]
    assert queue == found["started"] == []


@pytest.mark.parametrize(("answer", "starts"), [("y", True), ("", False), ("no", False)])
def test_redrive_asks_before_it_starts(
    queue: list[Any], monkeypatch: pytest.MonkeyPatch, answer: str, starts: bool
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert main(["redrive", "https://queue"]) == (0 if starts else 1)
    assert bool(queue) == starts


def test_redrive_without_a_terminal_wants_a_word(
    queue: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["redrive", "https://queue"]) == 1
    assert "add --yes, or --dry-run" in capsys.readouterr().err
    assert queue == []


def test_redrive_of_an_empty_queue_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redrive, "peek", lambda client, queue_url: [])
    assert main(["redrive", "https://queue"]) == 0
    assert capsys.readouterr().out == "The queue is empty.\n"


@pytest.mark.parametrize(
    "fault",
    [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ReceiveMessage"),
        ValueError("the event has nothing at $.detail"),
    ],
)
def test_a_redrive_that_breaks_off_says_why_and_that_nothing_is_lost(
    queue: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: Exception,
) -> None:
    def fail(client: Any, queue_url: str, tell: Any, only: Any) -> list[str]:
        tell("arn:started before")
        raise fault

    monkeypatch.setattr(redrive, "redrive", fail)
    assert main(["redrive", "https://queue", "--yes"]) == 1
    out, err = capsys.readouterr()
    assert out.endswith("arn:started before\n")
    assert f"the rest is still in the queue: {fault}" in err


def test_a_message_that_is_no_undelivered_event_is_left_and_named() -> None:
    visible = []

    class Queue:
        def receive_message(self, **_: Any) -> dict[str, Any]:
            return {"Messages": [{"MessageId": "m-1", "ReceiptHandle": "r", "Body": "{}"}]}

        def change_message_visibility(self, **given: Any) -> None:
            visible.append(given["VisibilityTimeout"])

    with pytest.raises(ValueError, match="the message m-1 is no undelivered event"):
        redrive.redrive(lambda service: Queue(), "https://queue")
    assert visible == [0]


def test_an_event_whose_rule_has_no_target_stays_in_the_queue() -> None:
    visible = []

    class Services:
        def receive_message(self, **_: Any) -> dict[str, Any]:
            told = {"RULE_ARN": "arn:rule/uploads", "TARGET_ARN": "arn:pipeline/churn"}
            attributes = {name: {"StringValue": value} for name, value in told.items()}
            message = {"MessageId": "m-1", "ReceiptHandle": "r", "Body": "{}"}
            return {"Messages": [message | {"MessageAttributes": attributes}]}

        def list_targets_by_rule(self, **_: Any) -> dict[str, Any]:
            return {"Targets": []}

        def change_message_visibility(self, **given: Any) -> None:
            visible.append(given["VisibilityTimeout"])

    # No delete_message: to call it would fail.
    with pytest.raises(ValueError, match="the rule uploads has no target"):
        redrive.redrive(lambda service: Services(), "https://queue")
    assert visible == [0]
