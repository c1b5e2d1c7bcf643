import json
import re
import subprocess
from pathlib import Path
from typing import Any

import mims_package
import pytest
from aws_cdk import App, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

from local_aws.log_filters import FilterPattern
from model_packaging import (
    DeclaredParameters,
    ExistingPipeline,
    ModelUpload,
    PipelineMonitoring,
    PipelineTrigger,
    ProcessingLogGroup,
    TrainingJobCompleted,
    UploadOrTrainingJob,
)
from tests.definitions import resolve

ARN = "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/churn"


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


def trigger(stack: Stack, *, jobs: bool = False) -> PipelineTrigger:
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")
    uploads = ModelUpload(bucket)
    declared = DeclaredParameters([], [*uploads.parameter_paths, "ModelLocation"])
    model: Any = uploads
    if jobs:
        model = UploadOrTrainingJob(uploads, TrainingJobCompleted(bucket, "training/", "churn-"))
    return PipelineTrigger(
        stack, "Trigger", pipeline=ExistingPipeline(ARN, model, parameters=declared)
    )


def alarm(stack: Stack, monitoring: PipelineMonitoring, name: str) -> dict[str, Any]:
    logical_id = stack.get_logical_id(monitoring.alarms[name].node.default_child)  # type: ignore[arg-type]
    resource = Template.from_stack(stack).to_json()["Resources"][logical_id]
    properties: dict[str, Any] = resource["Properties"]
    return properties


def dashboard_of(stack: Stack) -> list[dict[str, Any]]:
    [dashboard] = Template.from_stack(stack).find_resources("AWS::CloudWatch::Dashboard").values()
    body = json.loads(resolve(dashboard["Properties"]["DashboardBody"], {}))
    widgets: list[dict[str, Any]] = body["widgets"]
    return widgets


def titles(stack: Stack) -> list[str]:
    return [widget["properties"]["title"] for widget in dashboard_of(stack)]


def test_a_failed_execution_raises_an_alarm(stack: Stack) -> None:
    monitoring = PipelineMonitoring(stack, "Monitoring", pipeline_name="churn")
    found = alarm(stack, monitoring, "ExecutionFailed")
    assert found.pop("AlarmDescription").startswith("An execution of churn failed.")
    assert found == {
        "AlarmActions": [stack.resolve(monitoring.topic.topic_arn)],
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Dimensions": [{"Name": "PipelineName", "Value": "churn"}],
        "EvaluationPeriods": 1,
        "MetricName": "ExecutionFailed",
        "Namespace": "AWS/Sagemaker/ModelBuildingPipeline",
        "Period": 300,
        "Statistic": "Sum",
        "Threshold": 1,
        "TreatMissingData": "notBreaching",
    }


def test_a_step_near_its_timeout_raises_an_alarm(stack: Stack) -> None:
    monitoring = PipelineMonitoring(
        stack,
        "Monitoring",
        pipeline_name="churn",
        max_runtime=Duration.hours(2),
        duration_share=0.5,
    )
    found = alarm(stack, monitoring, "StepNearTimeout")
    assert found["MetricName"] == "StepDuration"
    assert found["Statistic"] == "Maximum"
    assert found["Threshold"] == 60 * 60 * 1000  # StepDuration is in milliseconds
    assert found["Dimensions"] == [
        {"Name": "PipelineName", "Value": "churn"},
        {"Name": "StepName", "Value": "PackagingStep"},
    ]


def test_days_without_an_execution_raise_an_alarm_by_choice(stack: Stack) -> None:
    quiet = PipelineMonitoring(stack, "Quiet", pipeline_name="churn")
    assert "NoExecution" not in quiet.alarms
    watched = PipelineMonitoring(stack, "Watched", pipeline_name="fraud", days_without_execution=3)
    found = alarm(stack, watched, "NoExecution")
    assert found["MetricName"] == "ExecutionStarted"
    assert (found["Period"], found["EvaluationPeriods"]) == (86_400, 3)
    assert (found["ComparisonOperator"], found["Threshold"]) == ("LessThanThreshold", 1)
    # A pipeline that is not executed sends no metric at all.
    assert found["TreatMissingData"] == "breaching"


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("DeliveryFailed", "FailedInvocations"),
        ("EventLost", "InvocationsFailedToBeSentToDlq"),
        ("DeliveryFailed2", "FailedInvocations"),
        ("EventLost2", "InvocationsFailedToBeSentToDlq"),
    ],
)
def test_a_failed_delivery_of_any_rule_raises_an_alarm(
    stack: Stack, name: str, metric: str
) -> None:
    starts = trigger(stack, jobs=True)
    monitoring = PipelineMonitoring(stack, "Monitoring", pipeline_name="churn", trigger=starts)
    found = alarm(stack, monitoring, name)
    assert (found["Namespace"], found["MetricName"]) == ("AWS/Events", metric)
    rule = starts.rules[1 if name.endswith("2") else 0]
    assert found["Dimensions"] == [{"Name": "RuleName", "Value": stack.resolve(rule.ref)}]


def test_a_message_in_the_dead_letter_queue_raises_an_alarm(stack: Stack) -> None:
    starts = trigger(stack)
    monitoring = PipelineMonitoring(stack, "Monitoring", pipeline_name="churn", trigger=starts)
    found = alarm(stack, monitoring, "DeadLetters")
    assert found["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert (found["Statistic"], found["Threshold"]) == ("Maximum", 1)
    assert found["Dimensions"] == [
        {"Name": "QueueName", "Value": stack.resolve(starts.dead_letter_queue.queue_name)}
    ]


def test_every_alarm_goes_to_the_topic_and_says_what_to_do(stack: Stack) -> None:
    topic = sns.Topic(stack, "Ours")
    monitoring = PipelineMonitoring(
        stack,
        "Monitoring",
        pipeline_name="churn",
        trigger=trigger(stack),
        days_without_execution=7,
        topic=topic,
    )
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::CloudWatch::Alarm", len(monitoring.alarms))
    template.all_resources_properties(
        "AWS::CloudWatch::Alarm",
        {
            "AlarmActions": [stack.resolve(topic.topic_arn)],
            "AlarmDescription": Match.string_like_regexp("churn"),
        },
    )


def test_every_alarm_names_its_page_of_the_runbook(stack: Stack) -> None:
    starts = trigger(stack, jobs=True)
    monitoring = PipelineMonitoring(
        stack, "Monitoring", pipeline_name="churn", trigger=starts, days_without_execution=7
    )
    pages = {
        name: alarm(stack, monitoring, name)["AlarmDescription"].rpartition(" Runbook: ")[2]
        for name in monitoring.alarms
    }
    assert pages == {
        "ExecutionFailed": "docs/runbook/execution-failed.md",
        "StepNearTimeout": "docs/runbook/step-near-timeout.md",
        "NoExecution": "docs/runbook/no-execution.md",
        "DeliveryFailed": "docs/runbook/delivery-failed.md",
        "EventLost": "docs/runbook/event-lost.md",
        "DeliveryFailed2": "docs/runbook/delivery-failed.md",
        "EventLost2": "docs/runbook/event-lost.md",
        "DeadLetters": "docs/runbook/dead-letters.md",
    }


def test_the_runbook_may_be_elsewhere(stack: Stack) -> None:
    monitoring = PipelineMonitoring(
        stack, "Monitoring", pipeline_name="churn", runbook="https://wiki.example.com/churn/"
    )
    told = alarm(stack, monitoring, "ExecutionFailed")["AlarmDescription"]
    assert told.endswith(" Runbook: https://wiki.example.com/churn/execution-failed.md")


CLOUDWATCH = {"Service": "cloudwatch.amazonaws.com"}
THIS_ACCOUNT = {"aws:SourceAccount": "<AWS::AccountId>"}
OUR_ALARMS = {
    "aws:SourceArn": "arn:<AWS::Partition>:cloudwatch:<AWS::Region>:<AWS::AccountId>:alarm:*"
}


@pytest.mark.parametrize("given", ["nothing", "key", "topic"])
def test_cloudwatch_may_publish_to_the_encrypted_topic(stack: Stack, given: str) -> None:
    settings: dict[str, Any] = {}
    if given != "nothing":
        key = kms.Key(stack, "Ours", enable_key_rotation=True)
        settings = {"topic_key": key}
    if given == "topic":
        settings = {"topic": sns.Topic(stack, "OurTopic", master_key=key, enforce_ssl=True)}
    PipelineMonitoring(stack, "Monitoring", pipeline_name="churn", **settings)
    template = Template.from_stack(stack)
    [(key_id, made)] = template.find_resources("AWS::KMS::Key").items()
    assert made["Properties"]["EnableKeyRotation"] is True
    assert made["DeletionPolicy"] == "Retain"
    assert resolve(made["Properties"]["KeyPolicy"]["Statement"][1], {}) == {
        "Effect": "Allow",
        "Principal": CLOUDWATCH,
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {"StringEquals": THIS_ACCOUNT, "ArnLike": OUR_ALARMS},
    }
    [topic_id] = template.find_resources("AWS::SNS::Topic")
    template.has_resource_properties(
        "AWS::SNS::Topic", {"KmsMasterKeyId": {"Fn::GetAtt": [key_id, "Arn"]}}
    )
    [policy] = template.find_resources("AWS::SNS::TopicPolicy").values()
    tls, publish = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (tls["Effect"], tls["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )
    assert (publish["Effect"], publish["Principal"], publish["Action"], publish["Resource"]) == (
        "Allow",
        CLOUDWATCH,
        "sns:Publish",
        {"Ref": topic_id},
    )
    assert resolve(publish["Condition"], {}) == {
        "StringEquals": THIS_ACCOUNT,
        "ArnLike": OUR_ALARMS,
    }


def test_a_key_for_development_goes_with_its_stack(stack: Stack) -> None:
    PipelineMonitoring(
        stack, "Monitoring", pipeline_name="churn", removal_policy=RemovalPolicy.DESTROY
    )
    Template.from_stack(stack).all_resources("AWS::KMS::Key", {"DeletionPolicy": "Delete"})


def test_the_dashboard_shows_what_it_was_given(stack: Stack) -> None:
    logs_of_jobs = logs.LogGroup.from_log_group_name(stack, "Logs", "/aws/sagemaker/ProcessingJobs")
    PipelineMonitoring(
        stack, "Monitoring", pipeline_name="churn", trigger=trigger(stack), log_group=logs_of_jobs
    )
    assert titles(stack) == [
        "Alarms of churn",
        "Executions of churn by outcome",
        "Duration of churn in milliseconds",
        "Deliveries to churn",
        "Dead-letter queue of churn",
        "Sizes of churn in bytes",
        "Bytes that churn packaged in a second",
        "Why the script failed in churn",
    ]
    outcomes = dashboard_of(stack)[1]["properties"]["metrics"]
    assert [metric[1] for metric in outcomes] == [
        "ExecutionStarted",
        "ExecutionSucceeded",
        "ExecutionFailed",
        "ExecutionStopped",
    ]


def test_without_trigger_and_log_group_the_dashboard_shows_the_pipeline(stack: Stack) -> None:
    PipelineMonitoring(stack, "Monitoring", pipeline_name="churn")
    Template.from_stack(stack).resource_count_is("AWS::Logs::MetricFilter", 0)
    assert titles(stack) == [
        "Alarms of churn",
        "Executions of churn by outcome",
        "Duration of churn in milliseconds",
    ]


def test_the_dashboards_link_fits_the_partition(stack: Stack) -> None:
    monitoring = PipelineMonitoring(stack, "Monitoring", pipeline_name="churn")
    CfnOutput(stack, "Link", value=monitoring.dashboard_url)
    CfnOutput(stack, "LinkAgain", value=monitoring.dashboard_url)
    template = Template.from_stack(stack)
    [mapping] = template.find_mappings("*").values()
    assert mapping["aws-cn"] == {"host": "console.amazonaws.cn"}
    [name] = template.find_resources("AWS::CloudWatch::Dashboard")
    link = resolve(template.find_outputs("*")["Link"]["Value"], {})
    assert re.fullmatch(
        r"https://<AWS::Region>\.<MonitoringConsoles\w+\.<AWS::Partition>\.host>/cloudwatch/home"
        rf"\?region=<AWS::Region>#dashboards/dashboard/<{name}>",
        link,
    )


def filters_of(stack: Stack) -> dict[str, dict[str, Any]]:
    """The metric filters, by the name of their metric."""
    found = Template.from_stack(stack).find_resources("AWS::Logs::MetricFilter").values()
    return {
        item["Properties"]["MetricTransformations"][0]["MetricName"]: item["Properties"]
        for item in found
    }


def test_the_filters_read_fields_that_the_script_prints(
    stack: Stack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MIMS_PIPELINE", "churn")
    model, scripts = tmp_path / "model", tmp_path / "scripts"
    model.mkdir()
    scripts.mkdir()
    (model / "weights.bin").write_bytes(b"0" * 1000)
    (scripts / "inference.py").write_text("def model_fn(model_dir): ...\n")
    places = {
        "--model-dir": model,
        "--scripts-dir": scripts,
        "--extra-dir": tmp_path / "extra",
        "--output-dir": tmp_path / "output",
        "--report-file": tmp_path / "report.json",
        "--message-file": tmp_path / "message",
    }
    arguments = [str(part) for pair in places.items() for part in pair]
    assert mims_package.main(arguments) == 0
    (scripts / "inference.py").unlink()
    assert mims_package.main(arguments) != 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    done, failed = map(json.loads, lines)

    logs_of_jobs = logs.LogGroup.from_log_group_name(stack, "Logs", "/aws/sagemaker/ProcessingJobs")
    PipelineMonitoring(stack, "Monitoring", pipeline_name="churn", log_group=logs_of_jobs)
    found = filters_of(stack)
    assert sorted(found) == [
        "ModelSize",
        "PackageSize",
        "PackagingFailed",
        "PackagingTime",
        "Throughput",
    ]
    for name, item in found.items():
        line = failed if name == "PackagingFailed" else done
        assert item["LogGroupName"] == "/aws/sagemaker/ProcessingJobs"
        assert item["FilterPattern"] == (
            f'{{ ($.event = "{line["event"]}") && ($.pipeline = "churn") }}'
        )
        [transformation] = item["MetricTransformations"]
        assert transformation["MetricNamespace"] == "ModelPackaging"
        assert transformation["Dimensions"] == [{"Key": "PipelineName", "Value": "$.pipeline"}]
        told = FilterPattern(item["FilterPattern"])
        assert told.matches(json.dumps(line))
        # Every processing job of the account logs to the one group.
        assert not told.matches(json.dumps(line | {"pipeline": "fraud"}))
        assert not told.matches(json.dumps(line | {"pipeline": None}))
        value = transformation["MetricValue"]
        assert value == "1" or isinstance(line[value.removeprefix("$.")], (int, float))
    query = dashboard_of(stack)[-1]["properties"]["query"]
    assert f'filter event = "{failed["event"]}" and pipeline = "churn"' in query
    assert {"reason", "exit_code", "execution"} <= set(failed)


def test_the_filters_wait_for_the_log_group(stack: Stack) -> None:
    jobs = ProcessingLogGroup(stack, "Logs", retention=logs.RetentionDays.ONE_YEAR)
    PipelineMonitoring(stack, "Monitoring", pipeline_name="churn", log_group=jobs.log_group)
    [resource] = Template.from_stack(stack).find_resources("Custom::LogRetention")
    for item in filters_of(stack).values():
        assert item["LogGroupName"] == {"Fn::GetAtt": [resource, "LogGroupName"]}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"duration_share": 0}, "duration_share 0 is given; write a share above 0 and up to 1"),
        ({"duration_share": 80}, "duration_share 80 is given"),
        ({"days_without_execution": 0}, "days_without_execution 0 is given, and CloudWatch looks"),
        ({"days_without_execution": 8}, "looks back 1 to 7 days; leave it out for no such alarm"),
    ],
)
def test_a_number_out_of_range_is_named(
    stack: Stack, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PipelineMonitoring(stack, "Monitoring", pipeline_name="churn", **settings)


def test_a_key_for_an_existing_topic_is_refused(stack: Stack) -> None:
    with pytest.raises(ValueError, match="topic_key is given together with the existing topic"):
        PipelineMonitoring(
            stack,
            "Monitoring",
            pipeline_name="churn",
            topic=sns.Topic(stack, "Ours"),
            topic_key=kms.Key(stack, "Key"),
        )


def test_cfn_lint_finds_nothing(stack: Stack, tmp_path: Path) -> None:
    jobs = ProcessingLogGroup(stack, "Logs", retention=logs.RetentionDays.ONE_YEAR)
    monitoring = PipelineMonitoring(
        stack,
        "Monitoring",
        pipeline_name="churn",
        trigger=trigger(stack, jobs=True),
        log_group=jobs.log_group,
        days_without_execution=7,
    )
    CfnOutput(stack, "Link", value=monitoring.dashboard_url)
    file = tmp_path / "template.json"
    file.write_text(json.dumps(Template.from_stack(stack).to_json()))
    run = subprocess.run(["cfn-lint", str(file)], capture_output=True, text=True, check=False)
    assert (run.stdout, run.returncode) == ("", 0), run.stderr
