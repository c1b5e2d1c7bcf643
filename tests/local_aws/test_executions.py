"""The runner of pipeline executions, with definitions as the SDK renders them."""

import copy
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import pytest

from local_aws.cloud import ACCOUNT, LocalCloud, local_cloud
from local_aws.metrics import PIPELINES_NAMESPACE, PROCESSING_LOG_GROUP
from tests.local_aws.conftest import EVERYTHING, make_role, metric_sum

ROLE = f"arn:aws:iam::{ACCOUNT}:role/job"
# Writes both outputs, a file that no output holds, and one JSON line at the end of its log.
SCRIPT = """
import json, pathlib, sys, time
model, package, report = (pathlib.Path(path) for path in sys.argv[1:4])
content = (model / "model.tar.gz").read_bytes()
if content == b"slow":
    time.sleep(60)
job = json.loads(pathlib.Path(sys.argv[4]).read_text())
assert job["ProcessingInputs"][1]["S3Input"]["LocalPath"] == str(model)
(package / "model.tar.gz").write_bytes(content)
(report / "package_report.json").write_text("{}")
print("starting")
print(json.dumps({"event": "packaged", "bytes": len(content)}))
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        make_role(cloud, "job", "sagemaker", EVERYTHING)
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="artifacts")
        s3.put_object(Bucket="artifacts", Key="code/pack.py", Body=SCRIPT.encode())
        s3.put_object(Bucket="artifacts", Key="models/model.tar.gz", Body=b"weights")
        s3.put_object(Bucket="artifacts", Key="models/slow/model.tar.gz", Body=b"slow")
        yield cloud


def s3_input(name: str, uri: str, path: str) -> dict[str, Any]:
    location = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": location}


def s3_output(name: str, path: str) -> dict[str, Any]:
    uri = {
        "Std:Join": {
            "On": "/",
            "Values": ["s3://artifacts/out", {"Get": "Execution.PipelineExecutionId"}, name],
        }
    }
    location = {"S3Uri": uri, "LocalPath": path, "S3UploadMode": "EndOfJob"}
    return {"OutputName": name, "S3Output": location}


@pytest.fixture
def step() -> dict[str, Any]:
    folder = "/opt/ml/processing"
    return {
        "Name": "PackagingStep",
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {
                "ImageUri": "image",
                "ContainerEntrypoint": ["python3", f"{folder}/input/code/pack.py"],
                "ContainerArguments": [
                    f"{folder}/input/model",
                    f"{folder}/output",
                    f"{folder}/report",
                    "/opt/ml/config/processingjobconfig.json",
                ],
            },
            "Environment": {"MIMS_MODEL_ETAG": "one"},
            "ProcessingInputs": [
                s3_input("code", "s3://artifacts/code/pack.py", f"{folder}/input/code"),
                s3_input("model", "s3://artifacts/models/model.tar.gz", f"{folder}/input/model"),
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    s3_output("package", f"{folder}/output"),
                    s3_output("package_report", f"{folder}/report"),
                ]
            },
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceCount": 1,
                    "InstanceType": "ml.m5.xlarge",
                    "VolumeSizeInGB": 30,
                }
            },
            "RoleArn": ROLE,
            "StoppingCondition": {"MaxRuntimeInSeconds": 30},
            "Tags": [{"Key": "stage", "Value": "dev"}],
        },
        "PropertyFiles": [
            {
                "PropertyFileName": "Report",
                "OutputName": "package_report",
                "FilePath": "package_report.json",
            }
        ],
        "RetryPolicies": [
            {
                "ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR"],
                "BackoffRate": 2.0,
                "IntervalSeconds": 30,
                "MaxAttempts": 3,
            },
        ],
    }


class Run:
    """A pipeline of one step, and what came of one execution."""

    def __init__(self, cloud: LocalCloud, step: dict[str, Any], role: str = ROLE) -> None:
        self.cloud = cloud
        self.pipeline = f"packaging-{time.monotonic_ns()}"
        cloud.client("sagemaker").create_pipeline(
            PipelineName=self.pipeline,
            PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": [step]}),
            RoleArn=role,
        )
        self.again()

    def again(self) -> None:
        sagemaker = self.cloud.client("sagemaker")
        started = sagemaker.start_pipeline_execution(PipelineName=self.pipeline)
        arn = started["PipelineExecutionArn"]
        execution = self.cloud.wait_for_execution(self.pipeline)
        self.reason = execution.get("FailureReason") or None
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
        [self.step] = steps["PipelineExecutionSteps"] or [{}]
        prefix = f"out/{arn.rpartition('/')[2]}/"
        listed = self.cloud.client("s3").list_objects_v2(Bucket="artifacts", Prefix=prefix)
        self.written = {item["Key"].removeprefix(prefix) for item in listed.get("Contents", [])}

    @property
    def job(self) -> dict[str, Any]:
        name = self.step["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
        job = self.cloud.client("sagemaker").describe_processing_job(ProcessingJobName=name)
        return {name: job[name] for name in job if name != "ResponseMetadata"}

    def metric(self, name: str, namespace: str = PIPELINES_NAMESPACE, **dimensions: str) -> float:
        return metric_sum(self.cloud, namespace, name, **dimensions)


def test_every_output_reaches_s3_and_the_metrics_tell_of_it(
    cloud: LocalCloud, step: dict[str, Any]
) -> None:
    run = Run(cloud, step)
    assert run.reason is None
    assert run.written == {"package/model.tar.gz", "package_report/package_report.json"}
    assert run.step["AttemptCount"] == 1
    assert run.job["StoppingCondition"] == {"MaxRuntimeInSeconds": 30}
    assert run.job["ProcessingResources"]["ClusterConfig"]["InstanceType"] == "ml.m5.xlarge"
    for name in ("ExecutionStarted", "ExecutionSucceeded"):
        assert run.metric(name, PipelineName=run.pipeline) == 1
        assert run.metric(name) >= 1
    for name in ("StepStarted", "StepSucceeded"):
        assert run.metric(name, PipelineName=run.pipeline, StepName="PackagingStep") == 1
    assert run.metric("ExecutionFailed", PipelineName=run.pipeline) == 0


def test_the_log_reaches_cloudwatch_and_its_metric_filters(
    cloud: LocalCloud, step: dict[str, Any]
) -> None:
    Run(cloud, step)  # makes the log group
    cloud.client("logs").put_metric_filter(
        logGroupName=PROCESSING_LOG_GROUP,
        filterName="packages",
        filterPattern='{ $.event = "packaged" }',
        metricTransformations=[
            {"metricName": "Bytes", "metricNamespace": "ModelPackaging", "metricValue": "$.bytes"}
        ],
    )
    run = Run(cloud, step)
    [stream] = cloud.client("logs").describe_log_streams(
        logGroupName=PROCESSING_LOG_GROUP,
        logStreamNamePrefix=f"{run.job['ProcessingJobName']}/algo-1-",
    )["logStreams"]
    events = cloud.client("logs").get_log_events(
        logGroupName=PROCESSING_LOG_GROUP, logStreamName=stream["logStreamName"]
    )["events"]
    assert [event["message"] for event in events] == [
        "starting",
        '{"event": "packaged", "bytes": 7}',
    ]
    assert run.metric("Bytes", "ModelPackaging") == 7


def test_a_cached_step_runs_nothing_writes_nothing_and_names_its_source(
    cloud: LocalCloud, step: dict[str, Any]
) -> None:
    run = Run(cloud, step | {"CacheConfig": {"Enabled": True, "ExpireAfter": "PT1H"}})
    source, metadata = run.job, run.step["Metadata"]
    assert "CacheHitResult" not in run.step
    # The key holds the URI of an input, not its content.
    cloud.client("s3").put_object(Bucket="artifacts", Key="models/model.tar.gz", Body=b"others")
    run.again()
    assert run.step["StepStatus"] == "Succeeded"
    assert run.step["Metadata"] == metadata
    assert "CacheHitResult" in run.step
    assert run.job == source
    assert run.written == set()


def test_a_failed_step_is_not_reused(cloud: LocalCloud, step: dict[str, Any]) -> None:
    step["Arguments"]["ProcessingInputs"][1]["S3Input"]["S3Uri"] = "s3://artifacts/models/later"
    run = Run(cloud, step | {"CacheConfig": {"Enabled": True, "ExpireAfter": "PT1H"}})
    assert "No S3 objects found" in str(run.reason)
    key = "models/later/model.tar.gz"
    cloud.client("s3").put_object(Bucket="artifacts", Key=key, Body=b"late")
    run.again()
    assert run.reason is None
    assert "CacheHitResult" not in run.step
    assert "package/model.tar.gz" in run.written


def test_keys_a_vpc_and_instance_preferences_are_used(
    cloud: LocalCloud, step: dict[str, Any]
) -> None:
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    ec2 = cloud.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.describe_security_groups()["SecurityGroups"][0]
    arguments = step["Arguments"]
    arguments["ProcessingOutputConfig"]["KmsKeyId"] = key
    arguments["ProcessingResources"]["ClusterConfig"] = {
        "InstancePreferences": [
            {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
            {"InstanceType": "ml.m5.2xlarge", "InstanceCount": 1},
        ],
        "VolumeKmsKeyId": key,
        "VolumeSizeInGB": 30,
    }
    arguments["NetworkConfig"] = {
        "EnableNetworkIsolation": True,
        "VpcConfig": {"SecurityGroupIds": [group["GroupId"]], "Subnets": [subnet["SubnetId"]]},
    }
    run = Run(cloud, step)
    assert run.reason is None
    cluster = run.job["ProcessingResources"]["ClusterConfig"]
    assert cluster["SelectedInstanceType"] == "ml.m5.xlarge"
    execution_id = run.job["ProcessingJobName"].split("-")[1]
    head = cloud.client("s3").head_object(
        Bucket="artifacts", Key=f"out/{execution_id}/package/model.tar.gz"
    )
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


def broken(step: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the step with something in it replaced."""
    copied = place = copy.deepcopy(step)
    *above, last = path.split(".")
    for name in above:
        place = place.setdefault(name, {})
    place[last] = value
    return copied


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("Colour", "blue", "doesn't know a step's Colour"),
        ("DependsOn", ["Train"], "depends on Train"),
        ("RetryPolicies", [{"ExceptionType": ["Job.SAD"]}], "can't be for Job.SAD"),
        (
            "RetryPolicies",
            [{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 50}],
            "MaxAttempts is from 1 to 20, not 50",
        ),
        (
            "PropertyFiles",
            [{"PropertyFileName": "R", "OutputName": "package", "FilePath": "none.json"}],
            "wrote no 'none.json'",
        ),
        (
            "PropertyFiles",
            [{"PropertyFileName": "R", "OutputName": "others", "FilePath": "none.json"}],
            "no 'others'",
        ),
        (
            "Arguments.NetworkConfig",
            {"VpcConfig": {"SecurityGroupIds": ["sg-0"], "Subnets": ["subnet-0"]}},
            "subnet-0",
        ),
        (
            "Arguments.ProcessingResources.ClusterConfig.VolumeKmsKeyId",
            f"arn:aws:kms:us-east-1:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000",
            "does not exist",
        ),
        ("Arguments.Colour", "blue", "Colour"),
    ],
)
def test_what_cannot_be_done_fails_the_execution_with_its_name(
    cloud: LocalCloud, step: dict[str, Any], path: str, value: Any, reason: str
) -> None:
    run = Run(cloud, broken(step, path, value))
    assert run.reason is not None
    assert reason in run.reason


def test_a_job_has_the_name_that_pipelines_give(cloud: LocalCloud, step: dict[str, Any]) -> None:
    run = Run(cloud, step | {"Name": "PackagingStepOfALongName"})
    name = run.job["ProcessingJobName"]
    assert re.fullmatch(r"pipelines-[a-z0-9]{12}-PackagingStepOfALong-[A-Za-z0-9]{10}", name)


@pytest.mark.parametrize("whose", ["pipeline", "job"])
def test_a_role_that_does_not_trust_sagemaker_fails_the_execution(
    cloud: LocalCloud, step: dict[str, Any], whose: str
) -> None:
    role = make_role(cloud, f"untrusting-{whose}", "lambda", EVERYTHING)
    if whose == "job":
        run = Run(cloud, broken(step, "Arguments.RoleArn", role))
    else:
        run = Run(cloud, step, role)
    assert f"Could not assume role {role}" in str(run.reason)
    assert "no role trust policy allows the sts:AssumeRole action" in str(run.reason)
    assert run.written == set()


def test_a_stopped_execution_stops_its_job_and_writes_nothing(
    cloud: LocalCloud, step: dict[str, Any]
) -> None:
    sagemaker = cloud.client("sagemaker")
    step["Arguments"]["ProcessingInputs"][1]["S3Input"]["S3Uri"] = "s3://artifacts/models/slow"
    name = f"stopped-{time.monotonic_ns()}"
    sagemaker.create_pipeline(
        PipelineName=name, PipelineDefinition=json.dumps({"Steps": [step]}), RoleArn=ROLE
    )
    execution = sagemaker.start_pipeline_execution(PipelineName=name)
    arn = {"PipelineExecutionArn": execution["PipelineExecutionArn"]}
    assert sagemaker.stop_pipeline_execution(**arn)["PipelineExecutionArn"] in arn.values()
    deadline = time.monotonic() + 30
    while sagemaker.describe_pipeline_execution(**arn)["PipelineExecutionStatus"] != "Stopped":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for step_ in sagemaker.list_pipeline_execution_steps(**arn)["PipelineExecutionSteps"]:
        assert step_["StepStatus"] == "Stopped"
    prefix = f"out/{execution['PipelineExecutionArn'].rpartition('/')[2]}/"
    assert cloud.client("s3").list_objects_v2(Bucket="artifacts", Prefix=prefix)["KeyCount"] == 0
    with pytest.raises(botocore.exceptions.ClientError, match="is Stopped: it can't be stopped"):
        sagemaker.stop_pipeline_execution(**arn)


def test_a_job_that_takes_too_long_is_stopped(cloud: LocalCloud, step: dict[str, Any]) -> None:
    step["Arguments"]["ProcessingInputs"][1]["S3Input"]["S3Uri"] = "s3://artifacts/models/slow"
    run = Run(cloud, broken(step, "Arguments.StoppingCondition.MaxRuntimeInSeconds", 1))
    assert "ran longer than MaxRuntimeInSeconds, 1" in str(run.reason)
    assert run.written == set()
