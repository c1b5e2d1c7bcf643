"""Parts of the smoke test that a stage which works never comes to."""

import datetime
import gzip
import io
import json
import pickletools
import tarfile
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_packaging.step.s3_location import S3Location
from operations.executions.deployed_stage import DeployedStage
from operations.executions.packagings import Packaging
from operations.smoke import (
    endpoint_check,
    monitoring_checks,
    odd_keys,
    open_questions,
    packaging_checks,
)
from operations.smoke.endpoint_check import EndpointCheck
from operations.smoke.journal import Check, CheckError, Journal
from operations.smoke.monitoring_checks import Monitoring
from operations.smoke.packaging_checks import Packaged
from operations.smoke.small_models import FILE, small_model
from operations.smoke.trial import Started, Upload

PIPELINE = "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/churn"


class Client:
    """A boto3 client of any service: what each call answers, and what was called."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.called: list[tuple[str, dict[str, Any]]] = []
        self.endpoint_url = "https://sagemaker.eu-west-1.amazonaws.com"

    @property
    def meta(self) -> "Client":
        return self

    def get_paginator(self, name: str) -> Any:
        client = self

        class Paginator:
            def paginate(self, **given: Any) -> list[Any]:
                return [getattr(client, name)(**given)]

        return Paginator()

    def __getattr__(self, name: str) -> Any:
        def call(**given: Any) -> Any:
            self.called.append((name, given))
            answer = self.answers.get(name, {})
            if isinstance(answer, Exception):
                raise answer
            return answer(**given) if callable(answer) else answer

        return call


def stage_of(client: Client, **outputs: str) -> DeployedStage:
    named = {"PipelineName": "churn", "PipelineArn": PIPELINE, **outputs}
    return DeployedStage("Churn", named, lambda service: client)


def packaged_model() -> Packaged:
    ended = Packaging(
        arn=f"{PIPELINE}/execution/abcdef012345",
        status="Succeeded",
        started=datetime.datetime.now(datetime.timezone.utc),
        ended=datetime.datetime.now(datetime.timezone.utc),
        model="s3://bucket/models/smoke/1/model.tar.gz",
        package="s3://bucket/packaged/PackagingStep/abcdef012345/model.tar.gz",
        report="s3://bucket/report.json",
        job="pipelines-abcdef012345-PackagingStep",
        cached_from=None,
        reason=None,
    )
    upload = Upload("models/smoke/1/model.tar.gz", str(ended.model), "etag", 300)
    started = Started(ended.arn, upload, {"ModelSize": "300"})
    report = {"scripts": {"entry_point": "code/serve.py"}}
    return Packaged(small_model(42), started, ended, report)


# Small models


def test_a_small_model_is_what_any_version_of_its_container_can_load() -> None:
    import joblib

    model = small_model(42)
    with tarfile.open(fileobj=io.BytesIO(model.archive)) as tar:
        assert [member.name for member in tar] == [FILE]
    assert joblib.load(io.BytesIO(model.content)).predict([[0.0], [1.0]]).tolist() == [42, 42]
    modules = {
        str(argument).partition(" ")[0]
        for operation, argument, _ in pickletools.genops(model.content)
        if operation.name in ("GLOBAL", "SHORT_BINUNICODE") and "." in str(argument)
    }
    assert {name.partition(".")[0] for name in modules if not name[0].isdigit()} == {"sklearn"}
    assert small_model(42).archive == model.archive
    assert small_model(43).archive != model.archive


def test_a_broken_one_is_cut_off() -> None:
    with pytest.raises(EOFError):
        gzip.decompress(small_model(42).broken)


# The same model again


def test_a_cache_that_is_off_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    first = packaged_model()
    trial: Any = OneTrial()
    monkeypatch.setattr(packaging_checks, "_succeeded", lambda trial, started: first.ended)
    with pytest.raises(CheckError, match="abcdef012345 ran again for") as caught:
        packaging_checks.check_again(trial, Check("again"), first)
    assert "enable_caching_package_step" in caught.value.remedy


# Odd keys


class OneTrial:
    """A trial that only tells, of one model."""

    def __init__(self) -> None:
        self.journal = Journal(quiet=True)
        self.by_hand = ""
        self.folder = S3Location("bucket", "models/smoke/1/")

    def start(self, name: str, body: bytes) -> Started:
        return packaged_model().started


def test_keys_that_do_not_go_through_are_tried_one_by_one_and_are_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def package_of(trial: Any, name: str, model: Any) -> None:
        if "+" in name:
            raise CheckError("No S3 objects found", "")

    monkeypatch.setattr(odd_keys, "package_of", package_of)
    trial: Any = OneTrial()
    check = Check("odd")
    odd_keys.check_odd_keys(trial, check, 1)
    assert check.outcome == "proved"
    assert "models whose keys have a plus sign are not packaged here" in check.told
    answers = {what: trial.journal.answers[odd_keys.QUESTION.format(what)] for what in odd_keys.ODD}
    assert answers.pop("a plus sign") == "No: No S3 objects found"
    assert {answer.partition(":")[0] for answer in answers.values()} == {"Yes"}


# Alarms and metrics


def monitored(state: str, others: str = "OK", count: float = 1) -> tuple[Monitoring, Client]:
    alarms = [
        {
            "AlarmName": name,
            "MetricName": name,
            "StateValue": value,
            "Namespace": "AWS/Sagemaker/ModelBuildingPipeline",
            "Dimensions": [{"Name": "PipelineName", "Value": "churn"}],
            "AlarmActions": ["arn:aws:sns:::topic"],
        }
        for name, value in (("ExecutionFailed", state), ("StepDuration", others))
    ]
    transformation = {
        "metricNamespace": "ModelPackaging",
        "metricName": "PackageSize",
        "dimensions": {"Pipeline": "$.pipeline"},
    }
    client = Client(
        list_stack_resources={
            "StackResourceSummaries": [
                {"ResourceType": "AWS::CloudWatch::Alarm", "PhysicalResourceId": "ExecutionFailed"},
                {"ResourceType": "AWS::Logs::MetricFilter", "PhysicalResourceId": "SizeFilter"},
            ]
        },
        describe_alarms={"MetricAlarms": alarms},
        describe_metric_filters={"metricFilters": [{"metricTransformations": [transformation]}]},
        get_metric_statistics=lambda **given: {
            "Datapoints": [dict.fromkeys(given["Statistics"], count)]
        },
    )
    return Monitoring(stage_of(client), Journal(quiet=True)), client


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring_checks, "SECONDS_IN_ALL", 0)
    monkeypatch.setattr(monitoring_checks, "POLL_SECONDS", 0)
    monkeypatch.setattr(endpoint_check, "POLL_SECONDS", 0)


def test_an_alarm_that_stays_ok_fails() -> None:
    monitoring, _ = monitored("OK")
    with pytest.raises(CheckError, match="ExecutionFailed is not ALARM, 0 s after") as caught:
        monitoring.check_alarms(Check("alarms"))
    assert "namespace and dimensions" in caught.value.remedy


def test_an_alarm_that_nothing_should_raise_fails() -> None:
    monitoring, _ = monitored("ALARM", "ALARM")
    with pytest.raises(CheckError, match="StepDuration was raised, which nothing in this run"):
        monitoring.check_alarms(Check("alarms"))


def test_others_that_undelivered_odd_keys_raise_are_told() -> None:
    monitoring, _ = monitored("ALARM", "ALARM")
    check = Check("alarms")
    monitoring.check_alarms(check, undelivered=["s3://bucket/odd"])
    assert check.outcome == "proved"
    assert "StepDuration: the event of s3://bucket/odd could not be delivered" in check.told


def test_an_alarm_that_was_raised_before_proves_nothing() -> None:
    monitoring, _ = monitored("ALARM", "ALARM")
    monitoring.announce()
    check = Check("alarms")
    monitoring.check_alarms(check)
    assert check.outcome == "not tried"
    assert "ExecutionFailed was ALARM before the broken archive" in check.told


def test_a_metric_that_does_not_count_fails_with_its_name() -> None:
    monitoring, _ = monitored("ALARM", count=0)
    with pytest.raises(CheckError, match="ExecutionFailed: 0 of 1, ExecutionSucceeded: 0 of 2, P"):
        monitoring.check_metrics(Check("metrics"), succeeded=2)


def test_metrics_are_asked_for_by_the_dimensions_that_they_have() -> None:
    monitoring, client = monitored("ALARM", count=2)
    check = Check("metrics")
    monitoring.check_metrics(check, succeeded=2)
    assert check.told == "ExecutionFailed 2, ExecutionSucceeded 2, PackageSize 2"
    asked = {
        given["MetricName"]: given["Dimensions"]
        for name, given in client.called
        if name == "get_metric_statistics"
    }
    assert asked == {
        "ExecutionFailed": [{"Name": "PipelineName", "Value": "churn"}],
        "ExecutionSucceeded": [{"Name": "PipelineName", "Value": "churn"}],
        "PackageSize": [{"Name": "Pipeline", "Value": "churn"}],
    }


def test_a_stage_without_alarms_is_not_asked_for_any() -> None:
    client = Client(list_stack_resources={"StackResourceSummaries": []})
    monitoring = Monitoring(stage_of(client), Journal(quiet=True))
    monitoring.announce()
    alarms, metrics = Check("alarms"), Check("metrics")
    monitoring.check_alarms(alarms)
    monitoring.check_metrics(metrics, succeeded=2)
    assert (alarms.outcome, metrics.outcome) == ("not tried", "not tried")


# An endpoint


def answer(body: bytes) -> dict[str, Any]:
    return {"Body": io.BytesIO(body), "ContentType": "application/json"}


def endpoint(**answers: Any) -> tuple[EndpointCheck, Client]:
    step = {
        "Name": "PackagingStep",
        "Arguments": {"AppSpecification": {"ImageUri": "registry/sagemaker-scikit-learn:1.2-1"}},
    }
    client = Client(
        describe_pipeline_definition_for_execution={
            "PipelineDefinition": json.dumps({"Steps": [step]})
        },
        describe_endpoint={"EndpointStatus": "InService"},
        invoke_endpoint=lambda **_: answer(b"[42.0, 42.0]"),
        **answers,
    )
    stage, journal = stage_of(client), Journal(quiet=True)
    return EndpointCheck(stage, journal, role="arn:hosting", name="smoke-1"), client


def calls_that_change(client: Client) -> list[str]:
    return [name for name, _ in client.called if name.startswith(("create", "delete"))]


CREATED = ["create_model", "create_endpoint_config", "create_endpoint"]
DELETED = ["delete_endpoint", "delete_endpoint_config", "delete_model"]


def test_a_serverless_endpoint_is_made_asked_and_deleted() -> None:
    hosted, client = endpoint()
    check = Check("endpoint")
    hosted.run(check, packaged_model())
    assert "answered [42.0, 42.0], as the model does; it is deleted" in check.told
    assert calls_that_change(client) == [*CREATED, *DELETED]
    called = dict(client.called)
    container = called["create_model"]["PrimaryContainer"]
    assert called["create_model"]["ExecutionRoleArn"] == "arn:hosting"
    assert container["Image"] == "registry/sagemaker-scikit-learn:1.2-1"
    assert container["ModelDataUrl"] == packaged_model().package
    assert container["Environment"] == {
        "SAGEMAKER_PROGRAM": "serve.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    }
    [variant] = called["create_endpoint_config"]["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 1}


FAILED = {
    "EndpointStatus": "Failed",
    "FailureReason": "no ping",
    "CreationTime": datetime.datetime.now(datetime.timezone.utc),
}
PRINTED = {"message": "no model.joblib"}


def refused(code: str, **members: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "No"}, **members}, "Operation")


@pytest.mark.parametrize(
    ("answers", "told", "remedy"),
    [
        (
            {"describe_endpoint": FAILED, "filter_log_events": {"events": [PRINTED]}},
            "no ping It printed: no model.joblib",
            "must be allowed to read the package",
        ),
        (
            {"invoke_endpoint": refused("ModelError", OriginalMessage="no model.joblib")},
            "the endpoint can't answer: no model.joblib",
            "leave ENDPOINT out",
        ),
        (
            {"invoke_endpoint": lambda **_: answer(b"[1, 1]")},
            r"the endpoint answered \[1, 1\], and not 42",
            "leave ENDPOINT out",
        ),
    ],
    ids=["failed", "refused", "another answer"],
)
def test_an_endpoint_that_does_not_answer_is_deleted_and_fails(
    answers: Mapping[str, Any], told: str, remedy: str
) -> None:
    hosted, client = endpoint()
    client.answers |= answers
    with pytest.raises(CheckError, match=told) as caught:
        hosted.run(Check("endpoint"), packaged_model())
    assert remedy in caught.value.remedy
    assert calls_that_change(client) == [*CREATED, *DELETED]
    assert hosted.left == []


def test_an_endpoint_that_takes_too_long_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_check, "_SECONDS_TO_CREATE", 0.01)
    hosted, client = endpoint()
    client.answers["describe_endpoint"] = {"EndpointStatus": "Creating"}
    with pytest.raises(CheckError, match="the endpoint smoke-1 is not in service"):
        hosted.run(Check("endpoint"), packaged_model())
    assert calls_that_change(client)[-3:] == DELETED


def test_an_endpoint_that_cannot_be_created_leaves_no_model() -> None:
    hosted, client = endpoint(create_endpoint=refused("ResourceLimitExceeded"))
    with pytest.raises(ClientError, match="ResourceLimitExceeded"):
        hosted.run(Check("endpoint"), packaged_model())
    assert calls_that_change(client) == [*CREATED, *DELETED[1:]]


def test_what_an_endpoint_leaves_is_named() -> None:
    hosted, client = endpoint(delete_endpoint=refused("AccessDenied"))
    hosted.run(Check("endpoint"), packaged_model())
    assert calls_that_change(client)[-3:] == DELETED
    [left] = hosted.left
    assert left.startswith("endpoint, its configuration or model smoke-1: ")


def test_what_an_interrupted_deletion_may_leave_is_named() -> None:
    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    hosted, _ = endpoint(delete_endpoint=interrupt)
    with pytest.raises(KeyboardInterrupt):
        hosted.run(Check("endpoint"), packaged_model())
    assert hosted.left == ["interrupted again: endpoint, its configuration or model smoke-1"]


# What no document says


def answers_of(client: Client, **outputs: str) -> dict[str, str]:
    trial: Any = OneTrial()
    trial.stage = stage_of(client, DeadLetterQueueUrl="https://queue", **outputs)
    open_questions.answer_all(trial, packaged_model())
    return {question.split()[1]: answer for question, answer in trial.journal.answers.items()}


def rule_that_passes(value: str, **answers: Any) -> Client:
    parameters = {"PipelineParameterList": [{"Name": "ModelSize", "Value": value}]}
    role = {"Statement": {"Effect": "Allow", "Action": "sagemaker:CreateProcessingJob"}}
    return Client(
        list_rule_names_by_target={"RuleNames": ["rule"]},
        list_targets_by_rule={"Targets": [{"SageMakerPipelineParameters": parameters}]},
        describe_pipeline_definition_for_execution={
            "PipelineDefinition": json.dumps({"Steps": [{"PropertyFiles": [{}]}]})
        },
        describe_pipeline={"RoleArn": "arn:aws:iam::111122223333:role/pipeline"},
        list_role_policies={"PolicyNames": ["inline"]},
        get_role_policy={"PolicyDocument": role},
        list_attached_role_policies={"AttachedPolicies": []},
        **answers,
    )


def test_a_size_that_fills_a_parameter_is_compared_with_the_objects() -> None:
    found = answers_of(rule_that_passes("$.detail.object.size"))
    assert found["$.detail.object.size,"] == "Yes: ModelSize was '300' for an object of 300 bytes."
    found = answers_of(rule_that_passes("$.detail.object.etag"))
    assert found["$.detail.object.size,"] == "Not asked: the stage's rule passes no size."


def attached(action: str) -> dict[str, Any]:
    document = {"Statement": [{"Effect": "Allow", "Action": [action]}]}
    return {
        "list_attached_role_policies": {"AttachedPolicies": [{"PolicyArn": "arn:policy"}]},
        "get_policy": {"Policy": {"Arn": "arn:policy", "DefaultVersionId": "v1"}},
        "get_policy_version": {"PolicyVersion": {"Document": document}},
    }


def test_a_role_that_may_read_s3_leaves_the_question_of_property_files_open() -> None:
    client = rule_that_passes("x")
    assert answers_of(client)["a"].startswith("No: abcdef012345 succeeded with one")
    client.answers |= attached("s3:GetObject")
    assert answers_of(client)["a"] == "Not known: the pipeline's role may s3:GetObject."
    client.answers["list_role_policies"] = refused("AccessDenied")
    assert answers_of(client)["a"].startswith("Not known, these credentials may not look: ")
    client.answers["describe_pipeline_definition_for_execution"] = {
        "PipelineDefinition": json.dumps({"Steps": [{}]})
    }
    assert answers_of(client)["a"] == "Not asked: the pipeline has none."


@pytest.mark.parametrize(
    ("sent", "lost", "told"),
    [
        (2, 0, "Yes: in the last 14 days 2 events reached it and 0 did not."),
        (0, 1, "No: in the last 14 days 0 events reached it and 1 did not."),
        (1, 1, "Not always: in the last 14 days 1 events reached it and 1 did not."),
        (0, 0, "Not known: in the last 14 days every event was delivered"),
    ],
)
def test_undelivered_events_of_the_past_tell_of_a_queue_with_a_key(
    sent: int, lost: int, told: str
) -> None:
    def statistics(**given: Any) -> Any:
        counted = {"InvocationsSentToDlq": sent, "InvocationsFailedToBeSentToDlq": lost}
        return {"Datapoints": [{"Sum": counted[given["MetricName"]]}]}

    client = rule_that_passes(
        "x",
        get_queue_attributes={"Attributes": {"KmsMasterKeyId": "key"}},
        get_metric_statistics=statistics,
    )
    assert answers_of(client)["undelivered"].startswith(told)


def test_a_queue_without_a_key_and_a_stage_without_training_jobs_are_not_asked() -> None:
    found = answers_of(rule_that_passes("x"))
    assert found["undelivered"] == "Not asked: this stage's queue has no customer key."
    assert found["training"].startswith("Not asked: no training job starts")


@pytest.mark.parametrize(
    ("invoked", "failed", "told"),
    [
        (3, 1, "Yes: in the last 14 days, 2 of them started the pipeline"),
        (1, 1, "Not known: in the last 14 days, 1 of them matched the rule"),
        (0, 0, "Not known: in the last 14 days, none matched the rule"),
    ],
)
def test_training_jobs_of_the_past_tell_of_their_events(
    invoked: int, failed: int, told: str
) -> None:
    def statistics(**given: Any) -> Any:
        counted = {"Invocations": invoked, "FailedInvocations": failed}
        return {"Datapoints": [{"Sum": counted[given["MetricName"]]}]}

    client = rule_that_passes(
        "$.detail.ModelArtifacts.S3ModelArtifacts", get_metric_statistics=statistics
    )
    assert answers_of(client)["training"].startswith(told)


def test_a_key_that_was_started_by_hand_says_nothing_of_its_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(odd_keys, "package_of", lambda trial, name, model: None)
    trial: Any = OneTrial()
    trial.by_hand = "the rule is disabled"
    odd_keys.check_odd_keys(trial, Check("odd"), 1)
    [answer] = trial.journal.answers.values()
    assert answer.endswith("(without an event, since the rule is disabled)")
