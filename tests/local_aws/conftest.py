"""One local AWS with the stack deployed, for the tests that only look at it or send it events."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_aws.cloud import LocalCloud, local_cloud, synthesize

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
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("synth"), {})


@pytest.fixture(scope="session")
def deployment(assembly: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        cloud.bootstrap()
        cloud.deploy(assembly, STACK)
        outputs = cloud.outputs(STACK)
        bucket = outputs["ModelUploadUri"].split("/")[2]
        yield Deployment(cloud, assembly, outputs, bucket)
