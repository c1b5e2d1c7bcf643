"""A local AWS that stays: what it tells, what can be done with it, and how it ends."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local_aws.cdk_cli import CommandError
from operations import local
from operations.__main__ import main
from operations.executions.deployed_stage import deployed_stage, settings_of
from operations.local import NOT_IMITATED
from operations.smoke.small_models import small_model
from tests.conftest import PROJECT
from tests.docs.pages import DOCS
from tests.operations.conftest import ACCOUNT, REGION, STAGE, Desk
from tests.operations.test_demo import processes

pytestmark = pytest.mark.e2e


def test_it_tells_its_address_its_settings_its_stage_and_its_limits(desk: Desk) -> None:
    said = desk.said()
    settings = desk.settings()
    assert f"answers at {settings['AWS_ENDPOINT_URL']}" in said
    assert f"export AWS_ENDPOINT_URL={settings['AWS_ENDPOINT_URL']}" in said
    assert f"source {desk.directory}/env.sh" in said
    assert "ModelPackaging-prod is deployed" in said
    assert re.search(r"^ +PipelineName +model-packaging-prod$", said, re.MULTILINE)
    for limit in NOT_IMITATED:
        assert limit in said


def test_its_page_names_its_limits() -> None:
    page = " ".join((DOCS / "local.md").read_text().split())
    for limit in NOT_IMITATED:
        assert f"- {limit} " in page


def test_its_settings_win_over_those_that_a_shell_had(desk: Desk) -> None:
    elsewhere = {
        "AWS_PROFILE": "mine",
        "AWS_SESSION_TOKEN": "mine",
        "AWS_ENDPOINT_URL_S3": "https://elsewhere",
        "AWS_USE_FIPS_ENDPOINT": "true",
    }
    settings = desk.settings(
        AWS_REGION="eu-north-1", AWS_ACCESS_KEY_ID="me", no_proxy="intranet", **elsewhere
    )
    assert not elsewhere.keys() & settings.keys()
    assert settings["no_proxy"] == "localhost,127.0.0.1,intranet"
    assert settings["NO_PROXY"] == "localhost,127.0.0.1"
    assert settings["AWS_REGION"] == REGION
    assert settings["AWS_ACCESS_KEY_ID"] == "local"


def test_it_has_the_account_and_the_region_that_the_stage_names(
    desk: Desk, shell: dict[str, str]
) -> None:
    arn = deployed_stage(STAGE).pipeline_arn
    assert arn == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/model-packaging-prod"


def test_events_executions_and_alarms_are_told_as_they_happen(
    desk: Desk, shell: dict[str, str]
) -> None:
    stage = deployed_stage(STAGE)
    place = {"Bucket": stage.output("BucketName"), "Key": "models/told/model.tar.gz"}
    stage.client("s3").put_object(**place, Body=b"no archive")
    model = f"s3://{place['Bucket']}/{place['Key']}"
    for told in (
        rf"Object Created {model}: the rule \S+ matches",
        r"execution \w+ of model-packaging-prod: Failed, PackagingStep: AlgorithmError: "
        rf"{model}: the model 'model",
        r"Execution Status Change pipeline/model-packaging-prod/execution/\w+ \(Failed\): no rule",
        r"the alarm \S+ExecutionFailed\S+: ALARM",
    ):
        desk.wait_until_said(told, 30)
    elsewhere = {"Bucket": place["Bucket"], "Key": "elsewhere"}
    stage.client("s3").put_object(**elsewhere, Body=b"")
    desk.wait_until_said(rf"Object Created s3://{place['Bucket']}/elsewhere: no rule", 30)
    assert "Object Tags" not in desk.said()  # which moto tells of each upload
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    stage.client("s3").put_object_tagging(**elsewhere, Tagging=tags)
    desk.wait_until_said(rf"Object Tags Added s3://{place['Bucket']}/elsewhere: no rule", 30)


def test_other_commands_work_against_it(
    desk: Desk, shell: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    stage = deployed_stage(STAGE)
    place = {"Bucket": stage.output("BucketName"), "Key": "models/started/model.tar.gz"}
    stage.client("s3").put_object(**place, Body=small_model(1).archive)
    assert main(["start", f"s3://{place['Bucket']}/{place['Key']}", "--stage", STAGE]) == 0
    assert "Succeeded" in capsys.readouterr().out
    assert main(["status", "--stage", STAGE]) == 0
    assert place["Key"] in capsys.readouterr().out
    assert "Number of stacks with differences: 0" in desk.cdk("diff")


def test_a_second_one_is_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["local", "--directory", str(desk.directory)]) == 1
    assert "a local AWS is running already" in capsys.readouterr().err
    assert (desk.directory / "env.sh").exists()


def test_a_port_that_is_taken_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        words = ["local", "--port", str(port), "--directory", str(tmp_path / "cloud")]
        assert main(words) == 1
    assert f"the port {port} can't be had" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_stage_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local, "settings_of", settings_of)  # the desk's stage is another
    assert main(["local", "--stage", "staging", "--directory", str(tmp_path / "cloud")]) == 1
    assert list(tmp_path.iterdir()) == []
    assert "cdk.json has no stage 'staging'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("the local AWS did not start"),
        CommandError("cdk deploy", 1, "why", Path("log")),
    ],
)
def test_after_a_fault_its_logs_stay(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: Exception,
) -> None:
    folder = tmp_path / "cloud"

    def fail(directory: Path, **_: object) -> None:
        directory.mkdir()
        (directory / "local-aws.log").touch()
        raise fault

    monkeypatch.setattr(local, "local_cloud", fail)
    monkeypatch.setattr(local, "_end_like_ctrl_c", lambda: None)
    assert main(["local", "--port", "0", "--directory", str(folder)]) == 1
    assert f"Failed: {fault}" in capsys.readouterr().err
    assert (folder / "local-aws.log").exists()


def test_ctrl_c_at_any_time_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    running = subprocess.Popen(
        [
            *(sys.executable, "-m", "operations", "local"),
            *("--port", "0", "--directory", str(folder)),
        ],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A runner in the background ignores SIGINT, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stdout is not None
    for line in running.stdout:
        if "Synthesizing" in line:
            break
    assert processes(folder) != []
    running.send_signal(signal.SIGINT)
    assert "Ended" in running.stdout.read()
    assert running.wait(20) == 0
    running.stdout.close()
    assert processes(folder) == []
    assert list(tmp_path.iterdir()) == []
