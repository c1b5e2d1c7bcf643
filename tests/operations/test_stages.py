"""How a run in stages looks, on a terminal and in a file."""

import io
import re
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from operations.stages import ExplainedError, StageError, Stages

LOGS = Path("logs")


def on_a_terminal() -> tuple[Stages, io.StringIO]:
    output = io.StringIO()
    return Stages(Console(file=output, width=100, force_terminal=True), LOGS), output


def until_shown(output: io.StringIO, text: str) -> None:
    deadline = time.monotonic() + 10
    while text not in re.sub(r"\x1b\[[0-9;?]*\w", "", output.getvalue()):
        assert time.monotonic() < deadline, output.getvalue()
        time.sleep(0.02)


def test_a_stage_shows_what_it_does_while_it_does_it() -> None:
    stages, output = on_a_terminal()
    with stages.run("Upload [big]") as stage:
        until_shown(output, "Upload [big] …")
        stage.tell("3 of 4 MB")
        until_shown(output, "3 of 4 MB")
        until_shown(output, "0:00:0")  # how long it has taken
        stage.show("done")
    assert stages.seconds["Upload [big]"] > 0


def test_a_stage_that_waits_for_others_asks_them() -> None:
    stages, output = on_a_terminal()
    count = 0

    def watch() -> str:
        nonlocal count
        count += 1
        if count == 1:
            raise ClientError({"Error": {"Code": "ValidationError"}}, "ListStackResources")
        return f"{count} resources"

    with stages.run("Deploy", watch):
        until_shown(output, "2 resources")


def test_a_file_gets_the_outcomes_alone() -> None:
    output = io.StringIO()
    stages = Stages(Console(file=output, width=100), LOGS)
    with stages.run("Train a model") as stage:
        stage.tell("a tree")
        stage.show("[0.98]")
    with stages.run("Ask the model") as stage:
        stage.skip("not compared")
    done, skipped = output.getvalue().splitlines()
    assert re.fullmatch(r"✓ Train a model                  0\.\d s  \[0\.98\]", done)
    assert re.fullmatch(r"- Ask the model                  0\.\d s  not compared", skipped)


@pytest.mark.parametrize(
    ("fault", "reason", "log"),
    [
        (ExplainedError("no such model", Path("server.log")), "no such model", Path("server.log")),
        (ExplainedError("no such model"), "no such model", LOGS),
        (KeyError(), "KeyError", LOGS),
    ],
)
def test_a_stage_that_failed_says_why_and_where_more_is_told(
    fault: Exception, reason: str, log: Path
) -> None:
    output = io.StringIO()
    stages = Stages(Console(file=output), LOGS)
    with pytest.raises(StageError) as failed, stages.run("Host"):
        raise fault
    assert (failed.value.stage, str(failed.value), failed.value.log) == ("Host", reason, log)
    assert output.getvalue() == ""
    assert stages.seconds == {}
