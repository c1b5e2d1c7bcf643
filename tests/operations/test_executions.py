"""What an operator asks of a deployed stage, with the commands as they are typed."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.cloud import LocalCloud, local_cloud
from operations.__main__ import main
from operations.executions.deployed_stage import deployed_stage
from operations.executions.start import announcement
from tests.local_aws.conftest import STACK
from tests.local_aws.running_stage import Stage
from tests.local_aws.test_failure_paths import until

pytestmark = pytest.mark.e2e


class Operator:
    """Types commands at the stage dev of a local AWS."""

    def __init__(self, cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
        self.cloud = cloud
        self.outputs = cloud.outputs(STACK)
        self.bucket = self.outputs["BucketName"]
        self._capsys = capsys

    def types(self, *words: str, expect: int = 0) -> str:
        """What a command prints; what it says on stderr if it is expected to fail."""
        exit_code = main(words)
        out, err = self._capsys.readouterr()
        assert exit_code == expect, out + err
        return err if expect else out

    def reads(self, *words: str) -> Any:
        return json.loads(self.types(*words, "--json"))

    def stores(self, key: str, content: bytes) -> str:
        """Put an object where no rule looks, or where one does."""
        self.cloud.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)
        return f"s3://{self.bucket}/{key}"


@pytest.fixture(scope="module")
def cloud(dev: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("operated")) as cloud:
        cloud.bootstrap()
        cloud.deploy(dev, STACK)
        # Models are started by hand here, not by their upload.
        events = cloud.client("events")
        for rule in events.list_rules()["Rules"]:
            events.disable_rule(Name=rule["Name"])
        yield cloud


@pytest.fixture
def operator(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operator:
    for name, value in cloud.environment.items():
        if name.startswith("AWS_") or name == "NO_PROXY":
            monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers another environment
    monkeypatch.setattr("operations.executions.start.POLL_SECONDS", 0.05)
    monkeypatch.setattr("operations.executions.cancel.POLL_SECONDS", 0.05)
    return Operator(cloud, capsys)


def archive(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("model.bin")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_start_fills_the_parameters_from_the_object_and_follows_to_the_package(
    operator: Operator,
) -> None:
    model = operator.stores("models/churn/model.tar.gz", archive(b"weights"))
    printed = operator.types("start", model)
    etag = operator.cloud.client("s3").head_object(
        Bucket=operator.bucket, Key="models/churn/model.tar.gz"
    )["ETag"]
    assert f"ModelBucket = {operator.bucket}\n" in printed
    assert "ModelKey = models/churn/model.tar.gz\n" in printed
    assert f"ModelETag = {etag.strip(chr(34))}\n" in printed
    assert "Succeeded after" in printed
    assert "/packaged_model_artifacts/model.tar.gz\n" in printed
    assert "splice, SHA-256 " in printed
    assert '{"event"' not in printed  # the lines for metric filters are not for people

    again = operator.types("start", model)
    assert "were packaged by" in again

    found = operator.reads("start", model)
    assert (found["status"], found["model"]) == ("Succeeded", model)
    assert found["cached_from"] in found["package"]


def test_status_and_report_and_verify_tell_of_the_package(operator: Operator) -> None:
    model = operator.stores("models/status/model.tar.gz", archive(b"more weights"))
    made = operator.reads("start", model)
    again = operator.reads("start", model)

    latest, first = operator.reads("status", "--count", "2")
    assert latest["cached_from"] == first["execution"] == made["execution"]
    assert latest["package"] == first["package"] == made["package"]
    assert (first["status"], first["model"], first["mode"]) == ("Succeeded", model, "splice")
    table = operator.types("status", "--count", "2")
    for told in (made["execution"], "models/status/model.tar.gz", "splice", "Succeeded"):
        assert told in table, told

    report = operator.reads("package-report", made["execution"])
    assert report["archive"]["sha256"] == made["sha256"]
    assert f"archive.sha256              {made['sha256']}\n" in operator.types(
        "package-report", again["execution"]
    )

    for package in (made["package"], made["execution"]):
        found = operator.reads("verify", package)
        assert (found["sha256"], found["verified"]) == (made["sha256"], True)
    assert "2 files, read to the archive's end" in operator.types("verify", made["package"])


def test_verify_says_when_a_package_is_not_what_its_report_says(operator: Operator) -> None:
    model = operator.stores("models/verify/model.tar.gz", archive(b"verified"))
    package = operator.reads("start", model)["package"]
    key = package.split("/", 3)[3]
    operator.stores(key, b"something else")
    assert "it was written over since" in operator.types("verify", package, expect=1)
    operator.cloud.client("s3").delete_object(Bucket=operator.bucket, Key=key)
    assert f"there is no {package} (any longer)" in operator.types("verify", package, expect=1)
    said = operator.types("verify", f"s3://{operator.bucket}/elsewhere/model.tar.gz", expect=1)
    assert "is no package; write s3://" in said


def test_verify_reads_an_archive_that_is_as_it_was_written_to_its_end(operator: Operator) -> None:
    model = operator.stores("models/broken/model.tar.gz", archive(b"broken later"))
    package = operator.reads("start", model)["package"]
    beside = package.replace(
        "packaged_model_artifacts/model.tar.gz", "package_report/package_report.json"
    )
    s3, place = operator.cloud.client("s3"), {"Bucket": operator.bucket}
    report = json.load(s3.get_object(**place, Key=beside.split("/", 3)[3])["Body"])
    report["archive"]["sha256"] = hashlib.sha256(b"no archive").hexdigest()
    operator.stores(package.split("/", 3)[3], b"no archive")
    operator.stores(beside.split("/", 3)[3], json.dumps(report).encode())
    assert "and no good: 'model.tar.gz'" in operator.types("verify", package, expect=1)


def test_failures_are_grouped_by_their_reason_and_name_the_model(operator: Operator) -> None:
    whole = archive(b"weights" * 100)
    models = [
        operator.stores(f"models/{name}/model.tar.gz", whole[:-20]) for name in ("half", "other")
    ]
    for model in models:
        said = operator.types("start", model, expect=1)
        assert "the execution is Failed" in said
        assert "upload it again" in said
    groups = operator.reads("failures")
    [group] = [group for group in groups if len(group["executions"]) == 2]
    assert group["reason"].startswith("AlgorithmError: '<model>' is cut off")
    for one in group["executions"]:
        assert one["reason"].startswith(f"AlgorithmError: {one['model']}: 'model.tar.gz' is cut")
    assert sorted(one["model"] for one in group["executions"]) == sorted(models)
    printed = operator.types("failures")
    assert "2 times: " in printed
    for model in models:
        assert model in printed

    failed = group["executions"][0]["execution"]
    assert "mims_package: error: " in operator.types("logs", failed)
    assert operator.reads("logs", failed)["job"].startswith("pipelines-")
    assert f"the execution {failed} is Failed and has no report" in operator.types(
        "package-report", failed, expect=1
    )
    assert f"{failed} had ended already: Failed.\n" == operator.types("cancel", failed)


def test_cancel_stops_an_execution_while_its_job_runs(operator: Operator, tmp_path: Path) -> None:
    stage = Stage(operator.cloud, STACK, tmp_path)
    model = operator.stores("models/cancelled/model.tar.gz", archive(b"not wanted"))
    with stage.slow_job():
        started = operator.reads("start", model, "--no-wait")["execution"]
        until(
            lambda: stage.jobs(f"{operator.outputs['PipelineArn']}/execution/{started}"),
            "the job to begin",
        )
        assert operator.types("cancel", started) == f"{started} is Stopped.\n"
    [latest] = operator.reads("status", "--count", "1")
    assert (latest["execution"], latest["status"], latest["package"]) == (started, "Stopped", None)
    found = operator.reads("cancel", started)
    assert found == {"execution": started, "status": "Stopped", "was_running": False}


def test_a_cache_hit_has_no_log_of_its_own(operator: Operator) -> None:
    model = operator.stores("models/logs/model.tar.gz", archive(b"logged"))
    first = operator.reads("start", model)["execution"]
    again = operator.reads("start", model)["execution"]
    assert f"it gave the package of {first} again" in operator.types("logs", again, expect=1)
    assert "mims_package: " in operator.types("logs", first)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("start", "s3://no-such-bucket/model.tar.gz"), "there is no object s3://no-such-bucket/"),
        (("start", "pyproject.toml"), "'pyproject.toml' is no model in S3; upload it below s3://"),
        (("start", "model.tar.gz"), "'model.tar.gz' is no model in S3; write s3://"),
        (("logs", "abcdefabcdef"), "has no execution abcdefabcdef; `status` lists the latest"),
        (("cancel", "arn:aws:sagemaker:::pipeline/x/execution/y"), "is no execution of"),
        (("verify", "abcdefabcdef"), "has no execution abcdefabcdef"),
        (("status", "--stage", "staging"), "cdk.json has no stage 'staging'; it has dev, prod"),
        (("status", "--stage", "prod"), "the stack ModelPackaging-prod of the stage prod is not"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_not_there_is_named(operator: Operator, words: tuple[str, ...], said: str) -> None:
    assert said in operator.types(*words, expect=1)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("start", "name a MODEL, s3://<bucket>/<key>"),
        ("logs", "name an EXECUTION, as `status` lists it"),
        ("verify", "name a PACKAGE, s3://…, or the id of its execution"),
    ],
)
def test_what_make_was_not_given_is_asked_for(
    command: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([command, ""])
    assert said in capsys.readouterr().err


def test_redrive_finds_the_stages_own_queue(operator: Operator) -> None:
    model = operator.stores("models/late/model.tar.gz", archive(b"late"))
    [rule] = operator.cloud.client("events").list_rules()["Rules"]
    event = announcement(deployed_stage("dev"), model)
    details = {"RULE_ARN": rule["Arn"], "TARGET_ARN": operator.outputs["PipelineArn"]}
    details |= {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "not then"}
    operator.cloud.client("sqs").send_message(
        QueueUrl=operator.outputs["DeadLetterQueueUrl"],
        MessageBody=json.dumps(event),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in details.items()
        },
    )
    looked = operator.types("redrive", "--dry-run")
    assert f"{model}  NO_PERMISSIONS: not then" in looked
    found = operator.reads("redrive", "--yes")
    [latest] = operator.reads("status", "--count", "1")
    assert found["started"] == [
        f"{operator.outputs['PipelineArn']}/execution/{latest['execution']}"
    ]
    assert latest["model"] == model
    assert operator.types("redrive") == "The queue is empty.\n"


def test_without_credentials_or_region_one_line_says_so(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert operator.types("status", expect=1) == (
        "Failed: there are no AWS credentials; log in, or set AWS_PROFILE\n"
    )
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    assert operator.types("status", expect=1) == "Failed: there is no AWS region; set AWS_REGION\n"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_REGION", operator.cloud.region)  # which the CDK CLI reads, not boto3
    operator.types("status")
