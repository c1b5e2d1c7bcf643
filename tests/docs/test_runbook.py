"""The runbook: every page's commands, in order, where that has happened which the page is about."""

import ast
import inspect
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local_aws.cloud import LocalCloud, local_cloud
from model_packaging.monitoring.alarms import PipelineAlarms
from tests.docs import pages
from tests.docs.commands import commands
from tests.docs.night import SITUATIONS, Night
from tests.docs.pages import DOCS, PROJECT
from tests.docs.terminal import (
    NOT_IMITATED,
    Terminal,
    fill_in,
    in_the_environment_of,
    require_printed,
)
from tests.local_aws.test_failure_paths import changed, resources

RUNBOOK = DOCS / "runbook"
FIRST = RUNBOOK / "README.md"
# First what rolls back to the version that all others are about.
PAGES = sorted(RUNBOOK.glob("*.md"), key=lambda page: (page.stem != "roll-back", page.stem))
# Their commands change the checkout: tests/docs/test_commands.py holds them to what they name.
NOT_AT_NIGHT = {"changed-settings", "upgrade"}

# Reasons that AWS gives, and where that is written.
OF_AWS = {
    "ResourceLimitExceeded",  # botocore's model of SageMaker, CreateProcessingJob
    "service limit",  # its message, as users quote it: "The account-level service limit '…' is"
    "NO_PERMISSIONS",  # EventBridge, "Using dead-letter queues", ERROR_CODE
    "NO_RESOURCE",  # the same
    "FAILED_TO_ASSUME_ROLE",  # the same
    "THROTTLING",  # the same
}


def later_version(template: dict[str, Any]) -> None:
    [pipeline] = resources(template, "AWS::SageMaker::Pipeline")
    pipeline["Properties"]["PipelineDescription"] = "A later version."


@pytest.fixture(scope="module")
def cloud(prod: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("night")) as cloud:
        cloud.bootstrap()
        later = changed(prod, tmp_path_factory.mktemp("later"), later_version)
        cloud.deploy(later, "ModelPackaging")
        yield cloud


@pytest.fixture
def night(cloud: LocalCloud, tmp_path: Path) -> Iterator[Night]:
    night = Night(cloud, tmp_path)
    yield night
    night.end()


@pytest.fixture(scope="module")
def credentials(cloud: LocalCloud) -> Iterator[None]:
    """One session of boto3's for all pages, which reads the services' models once."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        in_the_environment_of(cloud, monkeypatch)
        yield


@pytest.fixture
def terminal(
    cloud: LocalCloud,
    credentials: None,
    prod: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Terminal:
    for command in ("start", "cancel"):
        monkeypatch.setattr(f"operations.executions.{command}.POLL_SECONDS", 0.05)
    monkeypatch.setattr("operations.executions.tables._WIDTH_OF_A_PIPE", 1000)  # no line is broken
    # Somebody sits there, and agrees.
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    return Terminal(cloud, prod, tmp_path, lambda: "".join(capsys.readouterr()))


@pytest.mark.e2e
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem not in NOT_AT_NIGHT], ids=lambda page: page.stem
)
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, night: Night, terminal: Terminal
) -> None:
    if page != FIRST:
        terminal.exported["STAGE"] = "prod"  # as the first page has its reader do
    with ExitStack() as until_the_end:
        found = SITUATIONS[page.stem](night, until_the_end)
        printed = ""
        mending = [
            block
            for heading, block in pages.blocks_by_heading(page)
            if heading == "How to mend" and block.language == "sh"
        ]
        last_of_the_mending = mending[-1] if mending else None
        for _, block in pages.blocks_by_heading(page):
            filled_in = night.what_words_stand_for() | found.filled_in
            if block.language == "text":
                require_printed(fill_in(block.text, filled_in), printed)
                continue
            if block == last_of_the_mending:
                found.mend()
            printed = ""
            for words in commands(block.text):
                before = night.executions()
                filled_in = night.what_words_stand_for() | found.filled_in
                try:
                    printed += terminal.types(words, filled_in) + "\n"
                except Exception as fault:
                    raise AssertionError(f"{block}: {' '.join(words)}: {fault}") from fault
                # Its reader waits for what it begins.
                if words[:3] == ["aws", "s3", "cp"] or words[2:3] == ["copy-object"]:
                    night.ended(before)
                if words[2:3] == ["update-endpoint"]:
                    night.wait_for("churn")


@pytest.mark.parametrize("shown", ["two … Failed", "one two", "one … Succeeded"])
def test_what_a_page_shows_and_nobody_printed_is_found(shown: str) -> None:
    printed = "one   Failed\ntwo   3 s   Succeeded\n"
    require_printed(fill_in("one Failed\nNUMBER … Succeeded", {"NUMBER": "two"}), printed)
    with pytest.raises(AssertionError, match="no line is"):
        require_printed(shown, printed)


def test_every_page_is_tried_but_for_those_that_change_the_checkout() -> None:
    assert SITUATIONS.keys() | NOT_AT_NIGHT == {page.stem for page in PAGES}
    assert not SITUATIONS.keys() & NOT_AT_NIGHT


def test_every_alarm_has_its_page() -> None:
    pages_of_alarms = {kebab_case(alarm) for alarm in alarms()}
    assert len(pages_of_alarms) > 5
    assert pages_of_alarms <= {page.stem for page in PAGES}
    for alarm in alarms():
        text = (RUNBOOK / f"{kebab_case(alarm)}.md").read_text()
        assert f"The alarm `{alarm}`" in text


def alarms() -> set[str]:
    """The alarms' ids; those of a second rule have the first one's page."""
    tree = ast.parse(inspect.getsource(PipelineAlarms))
    first = [
        call.args[0]
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "self._add"
    ]
    found = {ast.literal_eval(item) for item in first if isinstance(item, ast.Constant)}
    joined = [item for item in first if isinstance(item, ast.JoinedStr)]
    return found | {ast.literal_eval(item.values[0]) for item in joined}


def kebab_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if "# How to mend" in page.read_text()],
    ids=lambda page: page.stem,
)
def test_a_page_says_what_it_means_and_how_to_look_mend_and_verify(page: Path) -> None:
    headings = re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE)
    assert headings == ["What it means", "How to look", "How to mend", "How to verify"]
    assert "## How to mend" in page.read_text()


def test_all_that_can_be_found_at_night_can_be_mended() -> None:
    listed = pages.links(RUNBOOK / "README.md")
    of_alarms_and_findings = listed[: listed.index("roll-back.md")]
    for link in of_alarms_and_findings:
        assert "## How to mend" in (RUNBOOK / link.partition("#")[0]).read_text(), link


def test_every_reason_that_a_page_lists_is_one_that_somebody_gives() -> None:
    said = re.sub(r"\s+", " ", " ".join(texts()))
    listed = [
        reason
        for page in PAGES
        for table in re.findall(
            r"^\| the reason says \|.*\n((?:\|.*\n)+)", page.read_text(), re.MULTILINE
        )
        for row in table.splitlines()
        for reason in re.findall(r"`([^`]+)`", row.split(" | ")[0])
    ]
    assert len(listed) > 12
    assert [reason for reason in listed if reason not in said and reason not in OF_AWS] == []


def texts() -> Iterator[str]:
    """What the packager and the local AWS may say, without what they fill in."""
    for room in ("scripts/packager", "local_aws"):
        for file in (PROJECT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
                elif isinstance(node, ast.JoinedStr):
                    yield "".join(str(getattr(part, "value", "…")) for part in node.values)


def test_what_the_local_aws_does_not_imitate_is_on_a_page() -> None:
    used = {
        tuple(words[1:3])
        for page in PAGES
        for block in pages.blocks("sh", page)
        for words in commands(block.text)
        if words[0] == "aws"
    }
    assert used >= NOT_IMITATED
