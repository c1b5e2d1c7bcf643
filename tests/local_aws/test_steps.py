"""Pipelines of many steps: training, user steps, conditions and registration."""

import json
import sys
import tarfile
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from local_aws.cloud import ACCOUNT, LocalCloud, local_cloud
from tests.local_aws.conftest import EVERYTHING, make_role
from tests.local_aws.rendered_steps import rendered
from tests.local_aws.step_definitions import (
    BUCKET,
    JOB_ROLE,
    Executed,
    archive,
    get,
    join,
    json_get,
    output_uri,
    processing,
    registration,
    training,
)
from tests.local_aws.step_scripts import PACK, PREDICT, TRAIN
from tests.local_aws.test_failure_paths import until

ADMIN = f"arn:aws:iam::{ACCOUNT}:role/pipeline"
SAGEMAKER = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        make_role(cloud, "job", "sagemaker", EVERYTHING)
        make_role(cloud, "pipeline", "sagemaker", EVERYTHING)
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        for key, body in {
            "code/train.tar.gz": archive(train__py=TRAIN),
            "code/train/train.py": TRAIN,
            "code/pack.py": PACK,
            "code/predict.py": PREDICT,
            "data/numbers.txt": "1 2 3",
            "models/model.tar.gz": archive(weight__txt="42"),
            "broken/model.tar.gz": "broken",
        }.items():
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        yield cloud


def channel(name: str, uri: str) -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": uri,
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def train(**hyperparameters: str) -> dict[str, Any]:
    """A training step whose script the image runs."""
    script = {
        "sagemaker_program": '"train.py"',  # as SDK 2 writes it
        "sagemaker_submit_directory": f"s3://{BUCKET}/code/train.tar.gz",
    }
    return training(
        "Train",
        HyperParameters=script | {"factor": "7"} | hyperparameters,
        InputDataConfig=[channel("train", f"s3://{BUCKET}/data/")],
    )


def pack(model: Any = f"s3://{BUCKET}/models/model.tar.gz") -> dict[str, Any]:
    return processing("Package", "code/pack.py", {"report": "report.json"}, model=model)


def register(group: str, **metadata: Any) -> dict[str, Any]:
    uri = join(output_uri("Package", "made"), "model.tar.gz")
    return registration("Register", group, uri, **metadata)


SHA256 = json_get("Package", "report", "archive.sha256")
TRAINED = get("Steps.Train.ModelArtifacts.S3ModelArtifacts")


def content(cloud: LocalCloud, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body: bytes = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def test_what_the_sdk_renders_runs_up_to_the_registry(cloud: LocalCloud) -> None:
    run = Executed(cloud, rendered("rendered", least=42), ADMIN)
    assert run.reason == ""
    assert list(run.steps) == ["Train", "Package", "Predict", "Good", "Register"]
    assert run.steps["Good"]["Metadata"] == {"Condition": {"Outcome": "True"}}

    package = run.package("Register")
    assert package["ModelPackageArn"] == f"{SAGEMAKER}:model-package/rendered/1"
    [container] = package["InferenceSpecification"]["Containers"]
    uri = f"s3://{BUCKET}/rendered/Package/made/model.tar.gz"
    assert container["ModelDataUrl"] == uri
    with tarfile.open(fileobj=BytesIO(content(cloud, uri))) as made:
        member = made.extractfile("weight.txt")
        assert member is not None
        assert member.read() == b"42"  # seven times one, two and three
    report = json.loads(content(cloud, f"s3://{BUCKET}/rendered/Package/report/report.json"))
    job = run.steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    assert package["CustomerMetadataProperties"] == {
        "sha256": report["archive"]["sha256"],
        "model": f"s3://{BUCKET}/training/{job}/output/model.tar.gz",
    }
    assert package["MetadataProperties"]["GeneratedBy"] == run.arn
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    described = cloud.client("sagemaker").describe_training_job(TrainingJobName=job)
    assert described["TrainingJobStatus"] == "Completed"
    [log] = cloud.client("logs").describe_log_streams(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=job
    )["logStreams"]
    events = cloud.client("logs").get_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=log["logStreamName"]
    )["events"]
    assert [event["message"] for event in events] == ["trained on train"]


def test_the_branch_that_is_not_taken_does_not_run(cloud: LocalCloud) -> None:
    run = Executed(cloud, rendered("unworthy", least=43), ADMIN)
    assert run.reason == "Step failure: only 42"
    assert list(run.steps) == ["Train", "Package", "Predict", "Good", "Bad"]
    assert "unworthy" not in groups(cloud)


def groups(cloud: LocalCloud) -> set[str]:
    listed = cloud.client("sagemaker").list_model_package_groups()
    return {group["ModelPackageGroupName"] for group in listed["ModelPackageGroupSummaryList"]}


def test_a_model_that_is_refused_is_never_registered(cloud: LocalCloud) -> None:
    run = Executed(cloud, [register("refused"), pack(f"s3://{BUCKET}/broken/model.tar.gz")], ADMIN)
    assert run.status == "Failed"
    assert list(run.steps) == ["Package"]
    assert "refused" not in groups(cloud)


def test_a_step_that_hits_the_cache_has_the_results_of_the_run_that_it_reuses(
    cloud: LocalCloud,
) -> None:
    cached = {"CacheConfig": {"Enabled": True, "ExpireAfter": "PT1H"}}
    steps = [
        train() | cached,
        pack(TRAINED) | cached,
        register("cached", sha256=SHA256),
    ]
    run = Executed(cloud, steps, ADMIN)
    first = run.package("Register")
    second = run.again().package("Register")
    assert "CacheHitResult" in run.steps["Train"]
    assert "CacheHitResult" in run.steps["Package"]
    assert second["ModelPackageVersion"] == 2
    for name in ("CustomerMetadataProperties", "InferenceSpecification"):
        assert second[name] == first[name]


def test_an_algorithm_of_an_images_own_is_stood_in_for_by_an_archive(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    steps = [training("Train", image=image), pack(TRAINED)]
    assert f"the local AWS can't pull {image}" in Executed(cloud, steps, ADMIN).reason
    model = tmp_path / "model.tar.gz"
    model.write_bytes(archive(weight__txt="1"))
    cloud.stand_in(image, trained=model)
    run = Executed(cloud, steps, ADMIN)
    assert run.reason == ""
    job = run.steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    made = content(cloud, f"s3://{BUCKET}/training/{job}/output/model.tar.gz")
    with tarfile.open(fileobj=BytesIO(made)) as tar:
        assert tar.getnames() == ["weight.txt"]


def test_a_script_has_the_packages_of_what_stands_in_for_its_image(cloud: LocalCloud) -> None:
    cloud.client("s3").put_object(
        Bucket=BUCKET, Key="code/import.py", Body=b"import numpy\nprint(numpy.__version__)"
    )
    step = processing("Import", "code/import.py", {})
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/with-numpy:1"
    step["Arguments"]["AppSpecification"]["ImageUri"] = image
    assert "exit code: 1" in Executed(cloud, [step], ADMIN).reason
    cloud.stand_in(image, python=Path(sys.executable))
    assert Executed(cloud, [step], ADMIN).reason == ""


def test_a_training_script_may_come_in_a_channel_of_its_own(cloud: LocalCloud) -> None:
    step = train(sagemaker_submit_directory="/opt/ml/input/data/code", sagemaker_program="train.py")
    step["Arguments"]["InputDataConfig"].append(channel("code", f"s3://{BUCKET}/code/train/"))
    # The script expects one channel: it says what it got.
    assert "exit code: 1" in Executed(cloud, [step], ADMIN).reason
    code = TRAIN.replace("[channel] =", "channel, _ =")
    cloud.client("s3").put_object(Bucket=BUCKET, Key="code/train/train.py", Body=code.encode())
    assert Executed(cloud, [step], ADMIN).reason == ""


def statement(*actions: str, resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


# What the role of a pipeline needs for what comes after a job, each by itself.
NEEDED: dict[str, dict[str, Any]] = {
    "GetObject of the report": statement(
        "s3:GetObject", resource=f"arn:aws:s3:::{BUCKET}/out/*/Package/report/*"
    ),
    "CreateModelPackageGroup": statement(
        "sagemaker:CreateModelPackageGroup", resource=f"{SAGEMAKER}:model-package-group/needed"
    ),
    "AddTags to the group": statement(
        "sagemaker:AddTags", resource=f"{SAGEMAKER}:model-package-group/needed"
    ),
    "CreateModelPackage": statement(
        "sagemaker:CreateModelPackage", resource=f"{SAGEMAKER}:model-package/needed/*"
    ),
    "AddTags to the package": statement(
        "sagemaker:AddTags", resource=f"{SAGEMAKER}:model-package/needed/*"
    ),
    "GetObject of the package": statement(
        "s3:GetObject", resource=f"arn:aws:s3:::{BUCKET}/out/*/Package/made/*"
    ),
    "DescribeModelPackage": statement(
        "sagemaker:DescribeModelPackage", resource=f"{SAGEMAKER}:model-package/needed/*"
    ),
}
JOBS = statement("sagemaker:*Job", "sagemaker:AddTags", resource=f"{SAGEMAKER}:processing-job/*")


def test_the_pipelines_role_needs_each_permission_to_register(cloud: LocalCloud) -> None:
    name = f"needed-{time.monotonic_ns()}"
    passing = statement("iam:PassRole", resource=JOB_ROLE)
    role = make_role(cloud, name, "sagemaker", JOBS, passing, *NEEDED.values())
    cached = {"CacheConfig": {"Enabled": True, "ExpireAfter": "PT1H"}}
    run = Executed(cloud, [pack() | cached, register("needed", a=SHA256)], role)
    assert run.reason == ""
    for missing, needed in NEEDED.items():
        allowed = [one for name, one in NEEDED.items() if name != missing]
        cloud.client("iam").put_role_policy(
            RoleName=name,
            PolicyName="Policy",
            PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": [JOBS, passing, *allowed]}
            ),
        )
        [action] = needed["Action"]
        assert f"is not authorized to perform: {action} on" in run.again().reason, missing


def test_a_stopped_execution_stops_its_training_job(cloud: LocalCloud) -> None:
    sagemaker = cloud.client("sagemaker")
    slow = "import time\ntime.sleep(60)"
    cloud.client("s3").put_object(
        Bucket=BUCKET, Key="code/slow.tar.gz", Body=archive(train__py=slow)
    )
    step = train(sagemaker_submit_directory=f"s3://{BUCKET}/code/slow.tar.gz")
    name = f"stopped-{time.monotonic_ns()}"
    sagemaker.create_pipeline(
        PipelineName=name,
        PipelineDefinition=json.dumps({"Steps": [step, pack(TRAINED)]}),
        RoleArn=ADMIN,
    )
    execution = sagemaker.start_pipeline_execution(PipelineName=name)
    arn = {"PipelineExecutionArn": execution["PipelineExecutionArn"]}
    until(lambda: any(step["Metadata"] for step in steps_of(cloud, arn)), "the job")
    sagemaker.stop_pipeline_execution(**arn)
    until(
        lambda: (
            sagemaker.describe_pipeline_execution(**arn)["PipelineExecutionStatus"] == "Stopped"
        ),
        "the end",
    )
    [stopped] = steps_of(cloud, arn)
    assert stopped["StepStatus"] == "Stopped"
    job = stopped["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    described = sagemaker.describe_training_job(TrainingJobName=job)
    assert described["TrainingJobStatus"] == "Stopped"


def steps_of(cloud: LocalCloud, arn: dict[str, str]) -> list[Any]:
    steps: list[Any] = cloud.client("sagemaker").list_pipeline_execution_steps(**arn)[
        "PipelineExecutionSteps"
    ]
    return steps


@pytest.fixture(scope="module")
def told(cloud: LocalCloud) -> str:
    """URL of a queue that gets all that SageMaker tells."""
    queue = cloud.client("sqs").create_queue(QueueName="told")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:told"
    sending = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [sending]})
    cloud.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    pattern = json.dumps({"source": ["aws.sagemaker"]})
    cloud.client("events").put_rule(Name="told", EventPattern=pattern)
    cloud.client("events").put_targets(Rule="told", Targets=[{"Id": "Queue", "Arn": arn}])
    return str(queue)


def test_eventbridge_is_told_of_executions_and_processing_jobs(
    cloud: LocalCloud, told: str
) -> None:
    run = Executed(cloud, [pack(f"s3://{BUCKET}/broken/model.tar.gz")], ADMIN)
    pipeline = run.arn.partition("/execution/")[0]
    job = run.steps["Package"]["Metadata"]["ProcessingJob"]["Arn"]
    events: dict[tuple[str, str], dict[str, Any]] = {}

    def all_came() -> bool:
        received = cloud.client("sqs").receive_message(QueueUrl=told, MaxNumberOfMessages=10)
        for message in received.get("Messages", []):
            event = json.loads(message["Body"])
            detail = event["detail"]
            status = "ProcessingJobStatus", "currentPipelineExecutionStatus"
            [name] = {detail.get(name) for name in status} - {None}
            if event["resources"] in ([pipeline, run.arn], [job]):
                events[event["detail-type"], name] = event
        return len(events) == 4

    until(all_came, "four events")
    ended = events["SageMaker Model Building Pipeline Execution Status Change", "Failed"]
    times = {name: ended["detail"].pop(f"execution{name}Time") for name in ("Start", "End")}
    assert times["Start"] <= times["End"]
    assert ended["detail"] == {
        "currentPipelineExecutionStatus": "Failed",
        "previousPipelineExecutionStatus": "Executing",
        "pipelineArn": pipeline,
        "pipelineExecutionArn": run.arn,
    }
    begun = events["SageMaker Model Building Pipeline Execution Status Change", "Executing"]
    assert "executionEndTime" not in begun["detail"]
    kind = "SageMaker Processing Job State Change"
    failed = events[kind, "Failed"]["detail"]
    assert "AlgorithmError" in failed["FailureReason"]
    assert failed["ProcessingInputs"][1]["S3Input"]["S3Uri"] == f"s3://{BUCKET}/broken/model.tar.gz"
    assert isinstance(failed["CreationTime"], int)
    assert (kind, "InProgress") in events


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([{"Name": "A", "Type": "EMR", "Arguments": {}}], "runs Condition, Fail, Processing"),
        ([train() | {"PropertyFiles": []}], "doesn't know a step's PropertyFiles"),
        (
            [pack(), register("nothing", a=json_get("Package", "report", "archive.md5"))],
            "nothing is at 'archive.md5'",
        ),
        ([train(), pack(), register("nothing", a=get("Steps.Predict.X"))], "Predict, which is no"),
        ([train(sagemaker_program="other.py")], "See job logs for more information, exit code: 2"),
        ([train(factor="0")], "AlgorithmError: nothing to learn, exit code: 3"),
    ],
)
def test_what_cannot_be_done_fails_with_its_name(
    cloud: LocalCloud, steps: list[dict[str, Any]], reason: str
) -> None:
    assert reason in Executed(cloud, steps, ADMIN).reason
