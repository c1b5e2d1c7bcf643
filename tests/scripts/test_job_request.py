"""What a run tells of its job: the model's URI, the pipeline, the execution."""

import json
import os
import subprocess
import sys

import pytest

from tests.scripts.conftest import PACKAGER

URI = "s3://bucket/models/churn/model.tar.gz"
JOB = "pipelines-abcdef012345-PackagingStep-Xy9876AbCd"


@pytest.fixture
def job(bench, monkeypatch):
    """A job of the pipeline churn, as SageMaker and the step tell it."""

    def told(uri=URI, name=JOB):
        place = {"LocalPath": str(bench.model), "S3Uri": uri}
        request = {"ProcessingJobName": name, "ProcessingInputs": [{"S3Input": place}]}
        bench.job_config_file.write_text(json.dumps(request))

    monkeypatch.setenv("MIMS_PIPELINE", "churn")
    told()
    return told


def test_a_failure_names_the_models_key(bench, run, job):
    bench.put_model(b"no archive")
    result = run()
    assert result.message.startswith(f"{URI}: the model 'model.tar.gz' is no tar archive")
    assert result.event["reason"] == result.message
    assert f"mims_package: error: {result.message}" in result.stderr


def test_a_failure_without_a_job_names_what_it_has(bench, run):
    bench.put_model(b"no archive")
    assert run().message.startswith("the model 'model.tar.gz' is no tar archive")


def test_a_wrong_command_line_names_the_model_too(bench, run, job):
    bench.put_model(b"no archive")
    assert run("--mode=fast").message.startswith(f"{URI}: argument --mode: invalid choice")


STOPPED = """
import os, signal, sys, mims_package
mims_package.package = lambda options: os.kill(os.getpid(), signal.SIGTERM)
sys.exit(mims_package.main(sys.argv[1:]))
"""


def test_a_stopped_run_names_the_model(bench, job):
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, *bench.arguments()],
        env={**os.environ, "PYTHONPATH": str(PACKAGER)},
        capture_output=True,
        text=True,
        check=False,
    )
    event = json.loads(done.stdout)
    assert event["reason"] == bench.message() == f"{URI}: stopped by SIGTERM"
    assert (event["pipeline"], event["execution"]) == ("churn", "abcdef012345")


def test_the_longest_key_leaves_room_for_the_reason(bench, run, job):
    job(f"s3://bucket/models/{'ä' * 400}/model.tar.gz")
    bench.put_model(b"no archive")
    message = run().message
    assert message.startswith("s3://bucket/models/ää")
    assert "…" in message
    assert "ää/model.tar.gz: the model 'model.tar.gz' is no tar archive" in message
    assert message.endswith("to package the loose files below it")


def test_a_key_that_can_not_be_printed_is_escaped(bench, run, job):
    job("s3://bucket/models/a\nb\x1b[1m.tar.gz")
    bench.put_model(b"no archive", "a.tar.gz")
    assert run().message.startswith(r"s3://bucket/models/a\nb\x1b[1m.tar.gz: ")


@pytest.mark.parametrize("succeeds", [True, False])
def test_the_last_line_names_pipeline_and_execution(bench, run, job, succeeds):
    job("s3://bucket/models/churn/")
    if succeeds:
        bench.put_model(b"weights", "model.bin")
    event = run().event
    assert event["event"] == f"mims_package.{'done' if succeeds else 'failed'}"
    assert (event["pipeline"], event["execution"]) == ("churn", "abcdef012345")


@pytest.mark.parametrize("name", ["churn-2026-01-01", "pipelines-short-Step-Xy", 5, None])
def test_a_job_that_no_pipeline_started_has_no_execution(bench, run, job, monkeypatch, name):
    monkeypatch.delenv("MIMS_PIPELINE")
    job("s3://bucket/models/churn/", name)
    bench.put_model(b"weights", "model.bin")
    event = run().event
    assert (event["pipeline"], event["execution"]) == (None, None)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"ProcessingInputs": 5}', "[" * 100_000])
def test_what_is_no_request_is_no_fault_of_its_own(bench, run, text):
    bench.job_config_file.write_text(text)
    bench.put_model(b"no archive")
    assert run().message.startswith("the model 'model.tar.gz' is no tar archive")
