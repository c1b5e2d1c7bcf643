"""Which instance types take no volume key, against what the SDK and EC2 say of them."""

import gzip
import json
from pathlib import Path

import moto
import pytest

from model_packaging.step import offline, service_model
from model_packaging.step.settings.local_storage import has_local_storage

TYPES = service_model.choices("ProcessingInstanceType")


def test_it_is_as_ec2_has_it() -> None:
    # What DescribeInstanceTypes answered when moto recorded it.
    recorded = Path(moto.__file__).parent / "ec2" / "resources" / "instance_types.json.gz"
    known = json.loads(gzip.decompress(recorded.read_bytes()))
    described = {
        name: known[ec2_name]["InstanceStorageSupported"]
        for name in TYPES
        if (ec2_name := name.removeprefix("ml.")) in known
    }
    assert len(described) > len(TYPES) * 0.9
    assert {name: has_local_storage(name) for name in described} == described
    assert len([name for name in described if described[name]]) > 30


def test_what_the_sdk_gives_no_key_to_has_local_storage() -> None:
    with offline():
        from sagemaker.core.common_utils import instance_supports_kms
    without_key = {name for name in TYPES if not instance_supports_kms(name)}
    assert without_key <= {name for name in TYPES if has_local_storage(name)}


@pytest.mark.parametrize("name", ["ml.m5d.large", "ml.m6id.large", "ml.c6gd.xlarge", "ml.p4d.24x"])
def test_a_type_of_tomorrow_is_known_by_its_name(name: str) -> None:
    assert has_local_storage(name)


def test_what_is_known_at_deployment_only_is_left_to_the_service() -> None:
    assert not has_local_storage("${Token[Type.1]}")
