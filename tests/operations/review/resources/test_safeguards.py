"""What guards models and their traces, and got weaker."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from operations.review.resources.safeguards import compare, compare_stacks, is_weaker
from tests.conftest import template_of

KMS = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "key"}
AES = {"SSEAlgorithm": "AES256"}


def bucket(encryption: Any) -> dict[str, Any]:
    rules = [{"ServerSideEncryptionByDefault": encryption}]
    return {"BucketEncryption": {"ServerSideEncryptionConfiguration": rules}}


def told(old: Any, new: Any, kind: str = "AWS::S3::Bucket", **attributes: Any) -> list[str]:
    """What is said of one resource with other properties, and nothing of the way back."""
    before, after = ({"Resources": {"It": {"Type": kind, "Properties": one}}} for one in (old, new))
    changes = compare(before, after)
    assert {change.level for change in changes} <= {"danger"}
    assert compare(after, before) == []
    return [change.meaning.removeprefix("A safeguard of It got weaker: ") for change in changes]


@pytest.mark.parametrize(
    ("old", "new", "meaning"),
    [
        (bucket(KMS), bucket(AES), "it is no longer encrypted as strongly with a key of KMS."),
        (bucket(KMS), {}, "it is no longer encrypted as strongly with a key of KMS."),
        (
            bucket(KMS),
            bucket({"SSEAlgorithm": "aws:kms"}),
            "it is no longer encrypted with this key.",
        ),
        (
            {"VersioningConfiguration": {"Status": "Enabled"}},
            {"VersioningConfiguration": {"Status": "Suspended"}},
            "what is overwritten or deleted is gone.",
        ),
        (
            {"VersioningConfiguration": {"Status": "Enabled"}},
            {},
            "what is overwritten or deleted is gone.",
        ),
        (
            {"PublicAccessBlockConfiguration": {"BlockPublicPolicy": True}},
            {"PublicAccessBlockConfiguration": {"BlockPublicPolicy": "false"}},
            "a policy can make the bucket public.",
        ),
        (
            {"PublicAccessBlockConfiguration": {"BlockPublicPolicy": True}},
            {},
            "a policy can make the bucket public.",
        ),
        (
            {"LoggingConfiguration": {"LogFilePrefix": "a/"}},
            {},
            "access to it is no longer logged.",
        ),
        (
            {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
            {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}},
            "access lists count again.",
        ),
        (
            {"LifecycleConfiguration": {"Rules": [{"Id": "a", "ExpirationInDays": 30}]}},
            {"LifecycleConfiguration": {"Rules": [{"Id": "a", "ExpirationInDays": 7}]}},
            "objects are kept for 7 days instead of for 30 days.",
        ),
        (
            {},
            {"LifecycleConfiguration": {"Rules": [{"Id": "a", "ExpirationInDays": 7}]}},
            "objects are kept for 7 days instead of for ever.",
        ),
        ({"KmsMasterKeyId": "key"}, {}, "it is no longer encrypted with this key."),
        (
            {"MessageRetentionPeriod": 1_209_600},
            {},
            "messages are kept for 345,600 seconds instead of for 1,209,600 seconds.",
        ),
        ({}, {"RetentionInDays": 90}, "logs are kept for 90 days instead of for ever."),
        ({"EnableKeyRotation": True}, {}, "its key is no longer rotated."),
        (
            {"SecurityGroupEgress": [{"CidrIp": "10.0.0.0/8"}]},
            {"SecurityGroupEgress": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "0.0.0.0/0"}]},
            "it lets traffic through that it did not.",
        ),
        (
            {"AlarmActions": ["a", "b"]},
            {"AlarmActions": ["b"]},
            "fewer are told when its alarm goes off.",
        ),
        (
            {"Targets": [{"Id": "a", "DeadLetterConfig": {"Arn": "b"}}]},
            {"Targets": [{"Id": "a"}]},
            "events that can't be delivered are lost.",
        ),
    ],
)
def test_a_safeguard_that_got_weaker_is_danger_and_the_way_back_is_not(
    old: Any, new: Any, meaning: str
) -> None:
    assert told(old, new) == [meaning]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (bucket(AES), {}),  # S3 encrypts so by itself
        (bucket(KMS), bucket({**KMS, "KMSMasterKeyID": "another"})),
        ({"RetentionInDays": 90}, {"RetentionInDays": {"Ref": "Days"}}),
        ({"AlarmActions": ["a"]}, {"AlarmActions": ["b"]}),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, {}),
    ],
)
def test_what_guards_as_much_as_before_is_not_told(old: Any, new: Any) -> None:
    assert told(old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "is_told"),
    [
        ("Retain", None, True),
        ("Retain", "Delete", True),
        ("Retain", "RetainExceptOnCreate", True),
        ("Snapshot", "Delete", True),
        ("Delete", None, False),
        (None, "Retain", False),
    ],
)
@pytest.mark.parametrize("name", ["DeletionPolicy", "UpdateReplacePolicy"])
def test_what_is_no_longer_kept_is_danger(
    name: str, old: str | None, new: str | None, is_told: bool
) -> None:
    before, after = (
        {"Resources": {"It": {"Type": "AWS::S3::Bucket", **({name: one} if one else {})}}}
        for one in (old, new)
    )
    assert [change.where for change in compare(before, after)] == [f"It › {name}"] * is_told


def test_a_rule_of_traffic_that_nobody_can_read_may_let_all_through() -> None:
    before, after = (
        {"Resources": {"It": {"Type": "AWS::EC2::SecurityGroup", "Properties": one}}}
        for one in ({}, {"SecurityGroupIngress": {"Fn::If": ["Open", [], []]}})
    )
    assert [change.level for change in compare(before, after)] == ["danger"]


def test_a_stack_that_one_command_can_delete_again_is_danger() -> None:
    protected, unprotected = {"terminationProtection": True}, {"terminationProtection": False}
    [change] = compare_stacks("ModelPackaging", protected, unprotected)
    assert (change.level, change.where) == ("danger", "ModelPackaging › terminationProtection")
    assert [change.level for change in compare_stacks("ModelPackaging", protected, {})]
    assert compare_stacks("ModelPackaging", unprotected, protected) == []
    assert compare_stacks("ModelPackaging", protected, protected) == []


CLUSTER = ("Packaging", "ProcessingResources", "ClusterConfig", "VolumeKmsKeyId")
NETWORK = ("Packaging", "NetworkConfig")


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ((*NETWORK, "EnableNetworkIsolation"), True, False),
        ((*NETWORK, "EnableNetworkIsolation"), True, None),
        (NETWORK, {"EnableNetworkIsolation": True}, None),
        ((*NETWORK, "EnableInterContainerTrafficEncryption"), True, False),
        ((*NETWORK, "VpcConfig"), {"Subnets": ["a"]}, None),
        (CLUSTER, "${Key.Arn}", None),
        (("Packaging", "ProcessingOutputConfig"), {"KmsKeyId": "key"}, {"KmsKeyId": ""}),
    ],
)
def test_a_definition_that_guards_less_is_told_at_any_depth(
    path: tuple[str, ...], old: Any, new: Any
) -> None:
    assert is_weaker(path, old, new)
    assert not is_weaker(path, new, old)


def test_a_definition_that_only_differs_is_not() -> None:
    assert not is_weaker(("Packaging", "InstanceType"), "ml.m5.large", "ml.m5.xlarge")
    assert not is_weaker(CLUSTER, "${Key.Arn}", "${Other.Arn}")
    assert not is_weaker(NETWORK, None, {"EnableNetworkIsolation": False})


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, Mapping):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list):
        return [leaf for n, inner in enumerate(value) for leaf in leaves(inner, (*path, n))]
    return [path]


def test_every_switch_of_the_product_that_is_turned_off_is_told(prod: Path) -> None:
    turned = set()
    for resource in template_of(prod)["Resources"].values():
        for path in leaves(resource.get("Properties", {})):
            new = copy.deepcopy(resource)
            place = new["Properties"]
            for part in path[:-1]:
                place = place[part]
            if place[path[-1]] is True:
                place[path[-1]] = False
                if compare({"Resources": {"It": resource}}, {"Resources": {"It": new}}):
                    turned.add(path[-1])
    assert turned >= {"BlockPublicAcls", "BlockPublicPolicy", "EnableKeyRotation"}
    assert turned >= {"EventBridgeEnabled", "IgnorePublicAcls", "RestrictPublicBuckets"}


def test_a_queue_that_gets_a_key_needs_no_encryption_of_its_own() -> None:
    own, key = {"SqsManagedSseEnabled": True}, {"KmsMasterKeyId": "key"}
    before, after = (
        {"Resources": {"It": {"Type": "AWS::SQS::Queue", "Properties": one}}} for one in (own, key)
    )
    assert compare(before, after) == []
    [change] = compare(after, before)
    assert change.meaning == (
        "A safeguard of It got weaker: it is no longer encrypted with this key."
    )
