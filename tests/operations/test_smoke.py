"""The smoke test of an account, whole, against a local AWS: what it proves and what it leaves."""

import dataclasses
import hashlib
import itertools
import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from model_packaging.step.s3_location import S3Location
from operations.__main__ import main
from operations.executions.deployed_stage import DeployedStage, deployed_stage
from operations.hosting_role import TO_RUN
from operations.smoke import arrival, command, removal, trial
from operations.smoke.journal import Check, CheckError, Journal
from operations.smoke.packaging_checks import Packaged, check_again, check_first, check_other
from operations.smoke.small_models import small_model
from tests.docs.pages import DOCS
from tests.operations.conftest import REGION, STAGE, Desk

pytestmark = pytest.mark.e2e

POLLING = (
    "operations.executions.start",
    "operations.smoke.trial",
    "operations.smoke.monitoring_checks",
    "operations.smoke.endpoint_check",
)


class Smoker:
    """Types `smoke`, and looks at what is left of it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.stage = deployed_stage(STAGE)

    def types(self, *words: str, expect: int = 0) -> str:
        exit_code = main(["smoke", "--stage", STAGE, *words])
        out, err = self._capsys.readouterr()
        assert exit_code == expect, out + err
        return out + err

    def reads(self, *words: str, expect: int = 0) -> Any:
        said = self.types(*words, "--json", expect=expect)
        return json.loads(said.partition("\nFailed:")[0])

    @contextmanager
    def tries_one_model(self) -> Iterator[tuple[Check, Packaged]]:
        """The first check alone."""
        check = Check("one model")
        with self.tries() as tried:
            yield check, check_first(tried, check, small_model(42))

    @contextmanager
    def tries(self) -> Iterator[trial.Trial]:
        """A trial, and the removal at its end."""
        tried = trial.Trial(self.stage, Journal(quiet=True))
        try:
            yield tried
        finally:
            removing = removal.Removal(tried)
            removing.run()
        assert removing.left == []

    @contextmanager
    def starts_by_hand(self) -> Iterator[str]:
        """Disable the rule; its name."""
        events, pipeline = self.stage.client("events"), self.stage.pipeline_arn
        [rule] = events.list_rule_names_by_target(TargetArn=pipeline)["RuleNames"]
        events.disable_rule(Name=rule)
        try:
            yield rule
        finally:
            events.enable_rule(Name=rule)

    def left_in_the_bucket(self) -> list[str]:
        listed = self.stage.client("s3").list_object_versions(
            Bucket=self.stage.output("BucketName")
        )
        found = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
        return [one["Key"] for one in found]

    def registered(self) -> list[str]:
        listed = self.stage.client("sagemaker").list_model_packages(ModelPackageGroupName="churn")
        return [one["ModelPackageArn"] for one in listed["ModelPackageSummaryList"]]


@pytest.fixture
def smoker(
    desk: Desk,
    shell: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Smoker:
    for module in POLLING:
        monkeypatch.setattr(f"{module}.POLL_SECONDS", 0.05)
    monkeypatch.setattr(removal, "SECONDS_TO_SETTLE", 0.3)
    monkeypatch.setattr(command, "_end_like_ctrl_c", lambda: None)  # pytest has its own way
    smoker = Smoker(capsys)
    s3, bucket = smoker.stage.client("s3"), smoker.stage.output("BucketName")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
    return smoker


@pytest.fixture
def earlier(smoker: Smoker) -> Iterator[str]:
    """A version that somebody else has registered, the only one."""
    sagemaker = smoker.stage.client("sagemaker")
    for arn in smoker.registered():
        sagemaker.delete_model_package(ModelPackageName=arn)
    s3, image = smoker.stage.client("s3"), "783357654285.dkr.ecr.eu-west-1.amazonaws.com/churn:1"
    s3.create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="elsewhere", Key="model.tar.gz", Body=b"")
    registered = sagemaker.create_model_package(
        ModelPackageGroupName="churn",
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": "s3://elsewhere/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    yield registered["ModelPackageArn"]
    sagemaker.delete_model_package(ModelPackageName=registered["ModelPackageArn"])


@pytest.fixture
def role(smoker: Smoker) -> Iterator[str]:
    """ARN of a role that hosting takes, for all packages that are to come."""
    package = S3Location.parse(smoker.stage.output("PackagedModelUri"))
    statements: list[dict[str, Any]] = [
        {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{package.bucket}/{package.key}/*"},
        {"Action": ["kms:Decrypt", *TO_RUN], "Resource": "*"},
    ]
    trust = {"Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}

    def policy(*statements: dict[str, Any]) -> str:
        allowed = [{"Effect": "Allow", **statement} for statement in statements]
        return json.dumps({"Version": "2012-10-17", "Statement": allowed})

    iam, named = smoker.stage.client("iam"), {"RoleName": "hosting", "PolicyName": "read"}
    role = iam.create_role(RoleName="hosting", AssumeRolePolicyDocument=policy(trust))["Role"]
    iam.put_role_policy(**named, PolicyDocument=policy(*statements))
    yield role["Arn"]
    iam.delete_role_policy(**named)
    iam.delete_role(RoleName="hosting")


def test_it_proves_each_check_answers_what_is_open_and_leaves_nothing(
    smoker: Smoker, role: str, earlier: str
) -> None:
    said = smoker.types("--endpoint", "--role", role)
    for proved in (
        r"✓ An uploaded model comes back packaged\n +\w+, started by its event, packaged it in ",
        r"✓ The same model again gives the same package\n.* key gives each upload an ETag of its "
        r"own.* ran no job and gave the package of ",
        r"✓ Another model under the same key gets a new package\n +\w+ wrote a new package, s3://",
        r"endpoint smoke-\w+: InService",
        r"✓ An endpoint of the package .*\n.* answered \[(\d+\.0), \1\], as the",
        r"✓ A broken archive fails with the script's own reason\n.*model\.tar\.gz' is cut off",
        r"✓ Each package is a version in the model registry\n +churn version \d+, "
        r"PendingManualApproval, churn version \d+, .* of the broken archive, nothing is",
        r"✓ Odd keys are tried\n +keys with a blank, ",
        r"✓ Metrics count what ran\n +ExecutionFailed \d, ExecutionSucceeded \d, ModelSize \d",
        r"✓ The alarm on failures is raised, and no other\n +\S+ExecutionFailed\S+ is ALARM",
        r"\? Do keys with .*\n +Yes, one key had all of them: odd/a b a\+b it's say \"a\" größer",
        r"\? Does a property file need S3 .*\n +Not known: the pipeline's role may s3:GetObj",
        r"\? With what does SageMaker encrypt .*\n +aws:kms with the key \S+; the job names a key",
        r"\? Does \$.detail.object.size, .*\n +Not asked: ",
        r"\? Do undelivered events .*\n +Not known: in the last 14 days every event was delivered",
        r"\? What exactly does a failure say\?\n +the execution's FailureReason: .*AlgorithmError",
        r"so this is how AWS is imitated there",
        r"Of 9 checks: 9 proved\.",
    ):
        assert re.search(proved, said), f"{proved}\n{said}"
    for name in re.findall(r"^. (.+), after \d+ s$", said, re.MULTILINE):
        assert f"| {name} |" in (DOCS / "smoke.md").read_text()
    # Announced before the archive is uploaded, shown after.
    announced = re.search(
        r"It will raise\n +\S+ExecutionFailed\S+ \(now \w+\)\n +which tells arn:", said
    )
    assert announced
    assert announced.start() < said.index("/broken/model.tar.gz")
    assert re.search(r"ExecutionFailed\S+: \w+ → ALARM", said)
    assert smoker.left_in_the_bucket() == []
    # First, again (uploaded, and by hand), other, odd keys.
    assert "5 versions are removed from the model registry" in said
    assert smoker.registered() == [earlier]
    sagemaker = smoker.stage.client("sagemaker")
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert sagemaker.list_models()["Models"] == []


@pytest.fixture
def silent(smoker: Smoker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Smoker]:
    """The stage, whose bucket sends no events until this test is over."""
    s3, bucket = smoker.stage.client("s3"), smoker.stage.output("BucketName")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    monkeypatch.setattr(trial, "SECONDS_UNTIL_AGAIN", 0.2)
    monkeypatch.setattr(arrival, "undelivered", lambda stage, mark: {})  # SQS takes its time
    yield smoker
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )


def test_a_bucket_that_sends_no_events_fails_it(silent: Smoker) -> None:
    said = silent.types(expect=1)
    assert "✗ An uploaded model comes back packaged" in said
    assert "sends no events to EventBridge" in said
    assert "What to do: enable them" in said
    assert "- The same model again gives the same package\n    no model is packaged at all" in said
    assert "Failed: 1 of 8 checks: An uploaded model comes back packaged" in said
    assert silent.left_in_the_bucket() == []


def test_the_five_minute_rule_is_told_and_the_model_uploaded_again_when_nothing_starts(
    silent: Smoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "sends_events", lambda stage, bucket: True)
    monkeypatch.setattr(trial, "SECONDS_IN_ALL", 2)
    said = silent.types(expect=1)
    assert "Nothing has started yet. S3 takes about five minutes" in said
    assert re.search(r"This stack was deployed \d+ min ago", said)
    assert "try-2/model.tar.gz" in said
    assert "What to do: if the stage is younger than ten minutes, try again" in said
    assert silent.left_in_the_bucket() == []


def test_events_that_begin_to_arrive_are_waited_for(
    silent: Smoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, bucket = silent.stage.client("s3"), silent.stage.output("BucketName")

    def enable(stage: DeployedStage, name: str) -> bool:
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        return True

    monkeypatch.setattr(arrival, "sends_events", enable)
    monkeypatch.setattr(trial, "SECONDS_UNTIL_AGAIN", 0.5)
    with silent.tries_one_model() as (check, packaged):
        assert "started by its event" in check.told
        assert re.search(r"try-\d+/model", packaged.started.upload.key)
    assert silent.left_in_the_bucket() == []


def test_an_event_that_cannot_be_delivered_is_told_with_its_reason_and_removed(
    smoker: Smoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "SECONDS_UNTIL_AGAIN", 0.5)
    events, pipeline = smoker.stage.client("events"), smoker.stage.pipeline_arn
    [rule] = events.list_rule_names_by_target(TargetArn=pipeline)["RuleNames"]
    [target] = events.list_targets_by_rule(Rule=rule)["Targets"]
    parameters = target["SageMakerPipelineParameters"]["PipelineParameterList"]
    wrong = {"PipelineParameterList": parameters[:1]}
    events.put_targets(Rule=rule, Targets=[target | {"SageMakerPipelineParameters": wrong}])
    try:
        said = smoker.types(expect=1)
    finally:
        events.put_targets(Rule=rule, Targets=[target])
    assert re.search(r"the event of s3://\S+ could not start the pipeline: \w+: .*ModelKey", said)
    assert arrival.undelivered(smoker.stage, "models/smoke/") == {}
    assert smoker.left_in_the_bucket() == []


def test_ctrl_c_removes_all_and_tells_what_was_found_until_then(
    smoker: Smoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, uploads = trial.Trial.upload, itertools.count(1)

    def interrupted(self: trial.Trial, name: str, body: bytes) -> trial.Upload:
        uploaded = upload(self, name, body)
        if next(uploads) == 2:
            signal.raise_signal(signal.SIGINT)
        return uploaded

    monkeypatch.setattr(trial.Trial, "upload", interrupted)
    monkeypatch.setattr(removal, "SECONDS_TO_SETTLE", 20)
    before = smoker.registered()
    said = smoker.types(expect=130)
    assert smoker.registered() == before
    assert re.search(r"\d versions are removed from the model registry", said)
    assert "✓ An uploaded model comes back packaged\n" in said
    assert "- The same model again gives the same package\n    interrupted" in said
    assert "of the uploads have started nothing" not in said
    assert "Of 2 checks: 1 proved, 1 not tried." in said
    assert said.endswith("\nInterrupted.\n")
    assert smoker.left_in_the_bucket() == []


def test_a_second_ctrl_c_ends_it_and_names_what_is_left(
    smoker: Smoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.Smoke, "_checks", interrupt)
    monkeypatch.setattr(removal.Removal, "run", interrupt)
    said = smoker.types(expect=130)
    assert re.search(r"Delete by hand\n +interrupted again: all below s3://\S+/models/smoke/", said)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_does_what_ctrl_c_does(number: signal.Signals) -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        command._end_like_ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def test_programs_read_what_was_found(smoker: Smoker, monkeypatch: pytest.MonkeyPatch) -> None:
    def checks(self: command.Smoke, tried: trial.Trial) -> None:
        with self.journal.check("one") as check:
            check.proved("it is so")
        with self.journal.check("another"):
            raise CheckError("it is not", "mend it")
        with self.journal.check("a third"):
            smoker.stage.client("s3").get_object(Bucket="nobody-s", Key="nothing")

    monkeypatch.setattr(command.Smoke, "_checks", checks)
    found = smoker.reads(expect=1)
    assert found["stack"] == "ModelPackaging-prod"
    assert found["left"] == []
    assert found["imitation"].startswith("http://localhost:")
    one, another, third = found["checks"]
    assert one == {"name": "one", "outcome": "proved", "told": "it is so", "remedy": ""}
    assert (another["outcome"], another["told"], another["remedy"]) == (
        *("failed", "it is not", "mend it"),
    )
    assert "NoSuchBucket" in third["told"]
    assert third["remedy"].startswith("if these credentials may not do that, allow it")


def test_an_endpoint_needs_a_role(smoker: Smoker) -> None:
    said = smoker.types("--endpoint", expect=1)
    assert "ENDPOINT=1 ROLE=arn:aws:iam::" in said


def test_by_hand_where_the_rule_is_disabled_and_at_once_where_no_key_makes_etags_differ(
    smoker: Smoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, announcement = trial.Trial.upload, trial.announcement
    model = small_model(1)
    without_a_key = hashlib.md5(model.archive, usedforsecurity=False).hexdigest()

    def upload_without_a_key(self: trial.Trial, name: str, body: bytes) -> trial.Upload:
        return dataclasses.replace(upload(self, name, body), etag=without_a_key)

    def announced(stage: DeployedStage, uri: str) -> dict[str, Any]:
        event = announcement(stage, uri)
        event["detail"]["object"]["etag"] = without_a_key
        return event

    monkeypatch.setattr(trial.Trial, "upload", upload_without_a_key)
    monkeypatch.setattr(trial, "announcement", announced)
    first, check = Check("first"), Check("again")
    with smoker.starts_by_hand() as rule, smoker.tries() as tried:
        check_again(tried, check, check_first(tried, first, model))
        assert len(tried.executions) == 2
    assert f"started by hand, since the stage's rule {rule} is disabled, " in first.told
    assert re.search(r"^\w+, started with the same parameters, .* ran no job and gave", check.told)


def test_a_pipeline_that_does_not_ask_for_the_etag_is_found_out(
    smoker: Smoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    announcement = trial.announcement

    def announced(stage: DeployedStage, model: str) -> dict[str, Any]:
        event = announcement(stage, model)
        event["detail"]["object"]["etag"] = "always the same"
        return event

    monkeypatch.setattr(trial, "announcement", announced)
    with smoker.starts_by_hand(), smoker.tries() as tried:
        first = check_first(tried, Check("first"), small_model(1))
        with pytest.raises(CheckError, match=r"has another model\.joblib"):
            check_other(tried, Check("other"), first, small_model(2))


def test_what_cannot_be_removed_is_named_and_fails_it(
    smoker: Smoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        """S3 for one who may not delete versions."""

        def __init__(self, s3: Any) -> None:
            self._s3 = s3

        def __getattr__(self, name: str) -> Any:
            return getattr(self._s3, name)

        def delete_objects(self, **given: Any) -> Any:
            versions = given["Delete"]["Objects"]
            return {"Errors": [{"Key": one["Key"], "Message": "Access Denied"} for one in versions]}

    refusing = Refusing(smoker.stage.client("s3"))
    stage = dataclasses.replace(
        smoker.stage,
        client=lambda name: refusing if name == "s3" else smoker.stage.client(name),
    )
    monkeypatch.setattr(command, "deployed_stage", lambda stage_name: stage)
    monkeypatch.setattr(command.Smoke, "_checks", lambda self, tried: tried.upload("x", b""))
    said = smoker.types(expect=1)
    assert re.search(r"Delete by hand\n +s3://\S+/models/smoke/\w+/x: Access Denied", said)
