"""The demo as a newcomer runs it."""

import io
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from operations.demo import INFERENCE_SCRIPTS, Demo, StageError, show_result
from operations.own_folder import empty_folder
from operations.synthesis import PROJECT
from tests.docs import pages
from tests.docs.how_it_works import PAGE
from tests.local_aws.test_failure_paths import changed

pytestmark = pytest.mark.e2e


def processes(directory: Path) -> list[str]:
    """Whatever a demo has started: its processes' environment or command names its folder."""
    listed = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if f"{directory}/" in line]


def write_archive(file: Path, name: str, content: bytes) -> None:
    with tarfile.open(file, "w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))


def stages_told(output: str) -> list[tuple[str, ...]]:
    """Each stage and what it told, but for what every run has its own of: times, ports, names."""
    stages = re.findall(r"^✓ (.+?) +[\d.]+ s  (.*)$", output, re.MULTILINE)
    own = r"(?<=localhost:)\d+|(?<=execution )\w+|(?<=artifactsbucket)[\w-]+|\S+(?=/packaged/model)"
    return [(stage, re.sub(own, "…", text)) for stage, text in stages]


def rows_told(output: str) -> list[str]:
    """The names of the rows of the table at a run's end, those that have none left out."""
    _, table = output.split("\n\n", 1)
    return re.findall(r"^(?! {3})( *\w+)", table, re.MULTILINE)


def test_an_uploaded_model_comes_back_packaged_and_answers(tmp_path: Path) -> None:
    output = io.StringIO()
    had_container_paths = Path("/opt/ml").exists()
    console = Console(file=output, width=200)
    demo = Demo(tmp_path / "demo", model=None, scripts=INFERENCE_SCRIPTS, console=console)
    result = demo.run()
    assert result.predictions == "54 of 54 equal, in JSON and in CSV"
    assert result.files == "2 of 2 equal"
    assert result.version == "demo version 1, PendingManualApproval"
    assert result.parameters["ModelKey"] == "models/demo/model.tar.gz"
    assert result.execution_arn.rpartition("/")[2] in result.output_uri
    assert processes(tmp_path) == []
    assert Path("/opt/ml").exists() == had_container_paths

    [in_the_readme] = pages.blocks("text", page=pages.README)
    assert stages_told(output.getvalue()) == stages_told(in_the_readme.text)

    show_result(console, result)
    shown = output.getvalue()
    [on_the_page] = (block for block in pages.blocks("text", PAGE) if "✓" in block.text)
    assert stages_told(shown) == stages_told(on_the_page.text), "run: make pictures"
    assert rows_told(shown) == rows_told(on_the_page.text), "run: make pictures"
    for told in (
        *(
            "ModelPackaging",
            "model-packaging",
            result.execution_arn,
            result.parameters["ModelETag"],
        ),
        *(result.input_uri, result.input_sha256, result.output_uri, result.output_sha256),
        *(result.version_arn, ":model-package/demo/1"),
        *(result.report_uri, "54 of 54 equal, in JSON", "cdk deploy", "encrypted with AES256"),
    ):
        assert told in shown, told


def test_a_failure_names_the_archive_the_stage_and_the_logs_with_exit_code_1(
    tmp_path: Path,
) -> None:
    half = tmp_path / "half.tar.gz"
    write_archive(half, "model.bin", bytes(range(256)) * 64)
    os.truncate(half, half.stat().st_size // 2)
    run = subprocess.run(
        [
            *(sys.executable, "-m", "operations", "demo"),
            *("--directory", str(tmp_path / "demo"), "--model", str(half)),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "Failed: Event, pipeline, packaging" in run.stderr
    assert "'half.tar.gz' is cut off" in run.stderr
    assert "nothing was written" in run.stderr
    [logs] = (line for line in run.stderr.splitlines() if line.startswith("Logs:"))
    assert (Path(logs.split()[1]) / "PackagingStep.log").is_file()


def test_a_deployment_without_one_statement_fails_with_access_denied(
    tmp_path: Path, dev: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_the_rules_statement(template: dict[str, Any]) -> None:
        [policy] = (
            item["Properties"]["PolicyDocument"]
            for item in template["Resources"].values()
            if item["Type"] == "AWS::IAM::Policy"
            and "StartPipelineExecution" in str(item["Properties"])
        )
        [statement] = policy["Statement"]
        statement["Action"] = "sagemaker:DescribePipeline"

    assembly = changed(dev, tmp_path, without_the_rules_statement)
    monkeypatch.setattr("operations.demo.synthesize", lambda *_: assembly)
    model = tmp_path / "weights.tar.gz"
    write_archive(model, "answer.txt", b"42")
    console = Console(file=io.StringIO())
    run = Demo(tmp_path / "demo", model=model, scripts=INFERENCE_SCRIPTS, console=console)
    with pytest.raises(StageError) as failed:
        run.run()
    assert failed.value.stage == "Event, pipeline, packaging"
    assert re.fullmatch(
        r"the event could not be delivered: AccessDeniedException: User: arn:aws:sts::\d+:"
        r"assumed-role/ModelPackaging-TriggerRole\S+ is not authorized to perform: "
        r"sagemaker:StartPipelineExecution on resource: arn:aws:sagemaker:\S+"
        r":pipeline/model-packaging because no identity-based policy allows the "
        r"sagemaker:StartPipelineExecution action",
        str(failed.value),
    )


def test_the_users_own_model_and_scripts_answer_the_users_own_request_in_production(
    tmp_path: Path,
) -> None:
    model = tmp_path / "weights.tar.gz"
    write_archive(model, "answer.txt", b"42")
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "inference.py").write_text(
        "from helper import load\n"
        "def model_fn(model_dir): return load(model_dir)\n"
        "def predict_fn(rows, model): return [model for _ in rows]\n"
    )
    for left_out in (".DS_Store", "__pycache__/inference.pyc", "notes.md", ".packageignore"):
        (scripts / left_out).parent.mkdir(exist_ok=True)
        (scripts / left_out).write_text("*.md")
    (scripts / "helper.py").write_text(
        "import pathlib\n"
        "def load(directory): return (pathlib.Path(directory) / 'answer.txt').read_text()\n"
    )
    request = tmp_path / "question.json"
    request.write_text('["life", "the universe", "everything"]')
    demo = Demo(
        tmp_path / "demo",
        model=model,
        scripts=scripts,
        console=Console(file=io.StringIO()),
        request=request,
        stage="prod",
    )
    result = demo.run()
    assert result.files == "3 of 3 equal"
    assert result.predictions == "3 of 3 equal"
    assert result.stack == "ModelPackaging-prod"
    assert result.version == "demo version 1, PendingManualApproval"
    assert result.encryption.startswith("arn:aws:kms:")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"model": Path("missing.tar.gz")}, "missing.tar.gz is not a file"),
        ({"scripts": Path("nowhere")}, "nowhere has no inference.py"),
        ({"request": Path("rows.json")}, "rows.json is not a file; name one with a request"),
        ({"requirements": Path("tests")}, "tests is not a file; name one that lists packages"),
        ({"stage": "live"}, "cdk.json has no stage 'live'; it has dev, prod"),
    ],
)
def test_what_is_missing_is_named_before_anything_starts(
    tmp_path: Path, given: dict[str, Any], expected: str
) -> None:
    output = io.StringIO()
    usual: dict[str, Any] = {"model": None, "scripts": INFERENCE_SCRIPTS}
    console = Console(file=output)
    demo = Demo(tmp_path / "demo", **usual | given, console=console)
    with pytest.raises(StageError, match=expected) as failed:
        demo.run()
    assert failed.value.log is None
    assert output.getvalue() == ""


def test_a_second_demo_leaves_the_first_ones_folder_alone(tmp_path: Path) -> None:
    written = tmp_path / "demo" / "written"
    with empty_folder(tmp_path / "demo", Exception()):
        written.parent.mkdir()
        written.touch()
        second = Demo(
            tmp_path / "demo", model=None, scripts=INFERENCE_SCRIPTS, console=Console(quiet=True)
        )
        with pytest.raises(StageError, match="another demo is running"):
            second.run()
    assert written.exists()


@pytest.mark.parametrize(
    ("signal_number", "stage", "running"),
    [
        (signal.SIGINT, "Start the local AWS", ["local_aws.emulator"]),
        # The CDK CLI, the shell that it starts, and the app in it: the most that there ever is.
        (signal.SIGTERM, "Train a model", ["local_aws.emulator", "cdk synth", "python3 app.py"]),
    ],
)
def test_an_interrupted_demo_leaves_no_process_behind(
    tmp_path: Path, signal_number: int, stage: str, running: list[str]
) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "operations", "demo", "--directory", str(tmp_path / "demo")],
        cwd=PROJECT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A runner in the background ignores SIGINT, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if stage in line:  # this stage is done, the next one runs
            break
    deadline = time.monotonic() + 30
    while not all(any(name in line for line in processes(tmp_path)) for name in running):
        assert time.monotonic() < deadline, processes(tmp_path)
        time.sleep(0.05)
    os.killpg(demo.pid, signal_number)
    demo.communicate(timeout=30)
    assert demo.returncode not in (0, None)
    deadline = time.monotonic() + 10
    while left := processes(tmp_path):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
