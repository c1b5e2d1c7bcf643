"""One local AWS with the stack deployed, for the tests that only look at it or send it events."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local_aws.cloud import LocalCloud, local_cloud

if TYPE_CHECKING:
    from tests.local_aws.running_stage import Stage
    from tests.local_aws.surrounded_stage import SurroundedStage

STACK = "ModelPackaging"


@dataclass(frozen=True)
class Deployment:
    """The deployed stack.

    Attributes:
        cloud: Where it is deployed.
        assembly: What it was deployed from.
        outputs: Its outputs.
        bucket: Name of its bucket.
    """

    cloud: LocalCloud
    assembly: Path
    outputs: dict[str, str]
    bucket: str


@pytest.fixture(scope="session")
def deployment(dev: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        cloud.bootstrap()
        cloud.deploy(dev, STACK)
        outputs = cloud.outputs(STACK)
        bucket = outputs["ModelUploadUri"].split("/")[2]
        yield Deployment(cloud, dev, outputs, bucket)


@pytest.fixture(scope="session")
def own_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Another local AWS, for tests that deploy a stack of their own and delete it."""
    with local_cloud(tmp_path_factory.mktemp("own")) as cloud:
        cloud.bootstrap()
        yield cloud


@pytest.fixture(scope="session")
def dev_stage(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> "Stage":
    from tests.local_aws.running_stage import Stage

    return Stage(deployment.cloud, STACK, tmp_path_factory.mktemp("dev"))


@pytest.fixture(scope="session")
def prod_stage(
    own_cloud: LocalCloud, operated: Path, tmp_path_factory: pytest.TempPathFactory
) -> "Stage":
    from tests.local_aws.running_stage import Stage

    own_cloud.deploy(operated, STACK)
    return Stage(own_cloud, f"{STACK}-prod", tmp_path_factory.mktemp("prod"))


@pytest.fixture(scope="session")
def surrounded_stage(
    surrounded: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["SurroundedStage"]:
    from tests.local_aws.surrounded_stage import SurroundedStage

    with local_cloud(tmp_path_factory.mktemp("surrounded")) as cloud:
        cloud.bootstrap()
        cloud.deploy(surrounded, STACK)
        yield SurroundedStage(cloud, f"{STACK}-here", tmp_path_factory.mktemp("scratch"))


@pytest.fixture(params=["dev", "prod"])
def stage(request: pytest.FixtureRequest) -> "Stage":
    """Each stage in turn: without and with a customer key."""
    found: Stage = request.getfixturevalue(f"{request.param}_stage")
    return found


def make_role(cloud: LocalCloud, name: str, service: str, *statements: dict[str, Any]) -> str:
    """A role that a service may assume and that may do what the statements say; its ARN."""
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": f"{service}.amazonaws.com"},
    }
    iam = cloud.client("iam")
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
    )["Role"]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName="Policy", PolicyDocument=document)
    arn: str = role["Arn"]
    return arn


EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def metric_sum(cloud: LocalCloud, namespace: str, name: str, **dimensions: str) -> float:
    """The sum of a metric over the last hour."""
    now = time.time()
    points = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - 3600,
        EndTime=now + 60,
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points)
