"""The program that people run: its commands, what they print and how they end."""

import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.__main__ import COMMANDS, main
from operations.executions import redrive
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
        assert f"\n    {name} " in helped.stdout


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["redrvie", "queue"])
    assert "invalid choice: 'redrvie'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("started", "printed"),
    [([], "The queue is empty.\n"), (["arn:1", "arn:2"], "arn:1\narn:2\n")],
)
def test_redrive_prints_the_executions_that_it_started(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    started: list[str],
    printed: str,
) -> None:
    asked = []

    def answer(client: Any, queue_url: str, tell: Any) -> list[str]:
        asked.append(queue_url)
        for arn in started:
            tell(arn)
        return started

    monkeypatch.setattr(redrive, "redrive", answer)
    assert main(["redrive", "https://queue"]) == 0
    assert capsys.readouterr().out == printed
    assert asked == ["https://queue"]


@pytest.mark.parametrize(
    "fault",
    [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ReceiveMessage"),
        ValueError("the event has nothing at $.detail"),
    ],
)
def test_a_redrive_that_breaks_off_says_why_and_that_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: Exception
) -> None:
    def fail(client: Any, queue_url: str, tell: Any) -> list[str]:
        tell("arn:started before")
        raise fault

    monkeypatch.setattr(redrive, "redrive", fail)
    assert main(["redrive", "https://queue"]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("arn:started before\n")
    assert f"the rest is still in the queue: {fault}" in printed


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
