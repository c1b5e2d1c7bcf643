"""Endpoints: what hosting tells of them, and what stands behind them."""

import io
import json
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.cloud import ACCOUNT, LocalCloud, local_cloud

ROLE = f"arn:aws:iam::{ACCOUNT}:role/hosting"
# Answers with its own environment, or with what it was sent.
SCRIPT = """
import os

def model_fn(model_dir):
    return model_dir

def input_fn(body, content_type):
    return body, content_type

def predict_fn(sent, model_dir):
    body, content_type = sent
    if body == "environment":
        return {"directory": model_dir, **os.environ}
    if body == "fault":
        raise ValueError("no such thing")
    return {"type": content_type, "bytes": len(body)}
"""
ENVIRONMENT = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    "THRESHOLD": "0.5",
}


def archive(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def container(key: str, **more: Any) -> dict[str, Any]:
    return {
        "Image": "image",
        "ModelDataUrl": f"s3://packages/{key}",
        "Environment": ENVIRONMENT,
        **more,
    }


def create(cloud: LocalCloud, name: str, content: bytes) -> None:
    """A model of an archive, and an endpoint."""
    configured(cloud, name, content)
    cloud.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=name)


def configured(cloud: LocalCloud, name: str, content: bytes) -> None:
    """A model of an archive, and an endpoint's configuration."""
    cloud.client("s3").put_object(Bucket="packages", Key=name, Body=content)
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container(name))
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}]
    )


def ended(cloud: LocalCloud, name: str) -> dict[str, Any]:
    """What is told of an endpoint when it is no longer being created or updated."""
    found: dict[str, Any] = {}

    def is_made() -> bool:
        found.update(cloud.client("sagemaker").describe_endpoint(EndpointName=name))
        return found["EndpointStatus"] not in ("Creating", "Updating")

    until(is_made)
    return found


def until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes(directory: Path) -> list[str]:
    """Whatever names a folder in its command line or its environment."""
    listed = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if f"{directory}/" in line]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        cloud.client("s3").create_bucket(Bucket="packages")
        create(cloud, "echo", archive({"code/inference.py": SCRIPT, "weights.bin": "12345"}))
        yield cloud


def ask(cloud: LocalCloud, body: bytes, content_type: str = "application/json") -> Any:
    ended(cloud, "echo")
    answer = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="echo", Body=body, ContentType=content_type
    )
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    return json.loads(answer["Body"].read())


def test_an_endpoint_is_created_and_then_in_service(cloud: LocalCloud) -> None:
    described = ended(cloud, "echo")
    assert described["EndpointStatus"] == "InService"
    assert "FailureReason" not in described
    assert described["EndpointArn"].endswith(":endpoint/echo")


def test_the_container_has_the_environment_that_hosting_sets(cloud: LocalCloud) -> None:
    told = ask(cloud, b"environment")
    assert told["directory"].endswith("/opt/ml/model")
    assert told["SAGEMAKER_PROGRAM"] == "inference.py"
    assert told["SAGEMAKER_SUBMIT_DIRECTORY"] == f"{told['directory']}/code"
    assert told["SAGEMAKER_BASE_DIR"] == told["directory"].removesuffix("/model")
    assert told["THRESHOLD"] == "0.5"
    assert told["AWS_ENDPOINT_URL"] == cloud.endpoint
    # Nothing of the user's own.
    assert "VIRTUAL_ENV" not in told
    assert not [name for name in told if name.startswith(("PYTEST", "UV_", "npm_"))]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/csv", b"1,2\n"),
        ("application/x-own", bytes(range(256)) * 1000),
        ("application/x-npy", b""),
    ],
    ids=["text", "every byte", "empty"],
)
def test_what_is_sent_arrives_as_it_is(cloud: LocalCloud, content_type: str, body: bytes) -> None:
    assert ask(cloud, body, content_type) == {"type": content_type, "bytes": len(body)}


def test_a_fault_of_the_script_is_a_model_error_and_in_the_log(cloud: LocalCloud) -> None:
    with pytest.raises(ClientError) as failed:
        ask(cloud, b"fault")
    told = failed.value.response
    assert told["Error"]["Code"] == "ModelError"
    assert told["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert told["OriginalStatusCode"] == 500
    assert told["OriginalMessage"].startswith("no such thing\nTraceback")
    message = told["Error"]["Message"]
    assert message.startswith('Received server error (500) from primary with message "no such thin')
    group = "/aws/sagemaker/Endpoints/echo"
    assert f"logEventViewer:group={group} in account {ACCOUNT}" in message
    assert told["LogStreamArn"].endswith(f":log-group:{group}")
    events = cloud.client("logs").filter_log_events(logGroupName=group)["events"]
    assert any("POST /invocations HTTP/1.1" in event["message"] for event in events)


@pytest.mark.parametrize(
    ("name", "content", "reason", "printed"),
    [
        ("cut", archive({"weights.bin": "1"})[:-20], "is a valid tar.gz archive.", ""),
        (
            "asking",
            archive({"code/inference.py": SCRIPT, "code/requirements.txt": "nothing-of-this\n"}),
            "did not pass the ping health check. Please check CloudWatch logs for this endpoint.",
            "nothing-of-this was not found",
        ),
        (
            "shadowing",
            archive({"code/inference.py": SCRIPT, "code/mms.py": "raise OSError('shadow')"}),
            "did not pass the ping health check. Please check CloudWatch logs for this endpoint.",
            "OSError: shadow",
        ),
    ],
    # A tar.gz holds the time of its making: no id that every worker would collect alike.
    ids=["cut", "asking", "shadowing"],
)
def test_what_cannot_be_hosted_fails_as_the_service_says_it(
    cloud: LocalCloud, name: str, content: bytes, reason: str, printed: str
) -> None:
    create(cloud, name, content)
    described = ended(cloud, name)
    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"].endswith(reason)
    events = cloud.client("logs").filter_log_events(
        logGroupName=f"/aws/sagemaker/Endpoints/{name}"
    )["events"]
    assert printed in "\n".join(event["message"] for event in events)
    with pytest.raises(ClientError, match=f"Endpoint {name} of account {ACCOUNT} not found"):
        cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName=name, Body=b"")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"PrimaryContainer": container("nowhere")}, "Could not find model data at s3://packages/"),
        ({"PrimaryContainer": container("echo", Mode="MultiModel")}, "more than one model"),
        ({"Containers": [container("echo")] * 2}, "more than one model"),
        ({"PrimaryContainer": {"Image": "image"}}, "with the ModelDataUrl of one archive"),
        ({"PrimaryContainer": {"ModelPackageName": "churn"}}, "without ModelPackageName"),
    ],
)
def test_a_model_that_cannot_be_hosted_is_refused(
    cloud: LocalCloud, given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason) as refused:
        cloud.client("sagemaker").create_model(ModelName="m", ExecutionRoleArn=ROLE, **given)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_requests_are_not_divided_among_models(cloud: LocalCloud) -> None:
    variant = {"ModelName": "echo", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    with pytest.raises(ClientError, match="hosts one production variant"):
        cloud.client("sagemaker").create_endpoint_config(
            EndpointConfigName="two",
            ProductionVariants=[{"VariantName": name, **variant} for name in ("one", "other")],
        )


def test_nothing_is_answered_that_no_model_answered(cloud: LocalCloud) -> None:
    runtime = cloud.client("sagemaker-runtime")
    with pytest.raises(ClientError, match="Endpoint missing of account"):
        runtime.invoke_endpoint(EndpointName="missing", Body=b"[]")
    with pytest.raises(ClientError, match="no asynchronous inference"):
        runtime.invoke_endpoint_async(EndpointName="echo", InputLocation="s3://packages/echo")


def test_an_endpoints_name_is_taken_until_it_is_deleted(cloud: LocalCloud) -> None:
    sagemaker = cloud.client("sagemaker")
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        sagemaker.create_endpoint(EndpointName="echo", EndpointConfigName="echo")


def test_an_updated_endpoint_answers_all_the_time_and_then_from_the_new_model(
    cloud: LocalCloud,
) -> None:
    script = "model_fn = lambda model_dir: {!r}\npredict_fn = lambda rows, model: model\n"
    sagemaker = cloud.client("sagemaker")
    create(cloud, "first", archive({"code/inference.py": script.format("first")}))
    ended(cloud, "first")
    configured(cloud, "second", archive({"code/inference.py": script.format("second")}))
    configured(cloud, "broken", b"no archive")

    def answer() -> str:
        told = cloud.client("sagemaker-runtime").invoke_endpoint(
            EndpointName="first", Body=b"[]", ContentType="application/json"
        )
        return str(json.loads(told["Body"].read()))

    assert answer() == "first"
    for configuration, served, reason in (
        ("broken", "first", "Failed to extract model data archive"),
        ("second", "second", ""),
    ):
        before = answer()
        sagemaker.update_endpoint(EndpointName="first", EndpointConfigName=configuration)
        assert answer() == before
        described = ended(cloud, "first")
        assert described["EndpointStatus"] == "InService"
        assert reason in described.get("FailureReason", "")
        assert described["EndpointConfigName"] == served
        assert answer() == served
    for wrong in ({"EndpointName": "none"}, {"EndpointConfigName": "none"}):
        given = {"EndpointName": "first", "EndpointConfigName": "second"} | wrong
        with pytest.raises(ClientError, match=r'Could not find endpoint.* "none"'):
            sagemaker.update_endpoint(**given)
    sagemaker.delete_endpoint(EndpointName="first")


def test_a_deleted_endpoint_leaves_no_process_and_no_model(cloud: LocalCloud) -> None:
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_endpoint(EndpointName="short", EndpointConfigName="echo")
    directory = cloud.directory / "endpoints"
    until(lambda: any("/short-" in line for line in processes(directory)))
    sagemaker.delete_endpoint(EndpointName="short")  # it is still being created
    assert not [line for line in processes(directory) if "/short-" in line]
    [folder] = directory.glob("short-*")
    assert not (folder / "opt" / "ml" / "model").exists()
    with pytest.raises(ClientError, match="Could not find endpoint"):
        sagemaker.describe_endpoint(EndpointName="short")


def test_a_server_does_not_outlive_a_local_aws_that_was_killed(tmp_path: Path) -> None:
    with local_cloud(tmp_path / "aws") as cloud:
        cloud.client("s3").create_bucket(Bucket="packages")
        create(cloud, "echo", archive({"code/inference.py": SCRIPT}))
        endpoints = tmp_path / "aws" / "endpoints"
        until(lambda: any("model_service_worker" in line for line in processes(endpoints)))
        [emulator] = [line for line in processes(tmp_path) if "-m local_aws.emulator" in line]
        os.kill(int(emulator.split()[0]), signal.SIGKILL)
        until(lambda: not processes(endpoints))
