"""What a role's session may do with S3, asked with the session's own credentials."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest

from local_aws.cloud import ACCOUNT, REGION, LocalCloud, local_cloud
from tests.local_aws.conftest import make_role

BUCKET = "models"
OBJECTS = f"arn:aws:s3:::{BUCKET}/mine/*"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        for key in ("mine/a", "mine/b", "others/a"):
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"weights")
        yield cloud


@pytest.fixture
def role(cloud: LocalCloud) -> Iterator[str]:
    """Name of a role that may do nothing yet."""
    make_role(cloud, "reader", "lambda", {"Effect": "Allow", "Action": "iam:*", "Resource": "*"})
    yield "reader"
    iam = cloud.client("iam")
    iam.delete_role_policy(RoleName="reader", PolicyName="Policy")
    for policy in iam.list_attached_role_policies(RoleName="reader")["AttachedPolicies"]:
        iam.detach_role_policy(RoleName="reader", PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName="reader")


def session(cloud: LocalCloud, role: str, *statements: dict[str, Any]) -> Any:
    """An S3 client in a role that may do what the statements say."""
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam = cloud.client("iam")
        iam.put_role_policy(RoleName=role, PolicyName="Policy", PolicyDocument=document)
    assumed = cloud.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="test"
    )["Credentials"]
    return boto3.client(
        "s3",
        endpoint_url=cloud.endpoint,
        region_name=REGION,
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
        config=botocore.config.Config(
            proxies={}, s3={"addressing_style": "path"}, signature_version="s3v4"
        ),
    )


def allow(action: Any, resource: str, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def refused(action: str, **on: str) -> Any:
    """What is raised when an action is refused."""
    resource = f"arn:aws:s3:::{BUCKET}" + "".join(f"/{key}" for key in on.values())
    return pytest.raises(
        botocore.exceptions.ClientError,
        match=rf"AccessDenied.*assumed-role/reader/test is not authorized to perform: "
        rf"s3:{action} on resource: {resource} because no identity-based policy allows",
    )


def test_objects_are_read_written_and_deleted_as_the_roles_policies_say(
    cloud: LocalCloud, role: str
) -> None:
    s3 = session(cloud, role, allow(["s3:GetObject", "s3:PutObject"], OBJECTS))
    assert s3.get_object(Bucket=BUCKET, Key="mine/a")["Body"].read() == b"weights"
    s3.put_object(Bucket=BUCKET, Key="mine/a", Body=b"weights")
    with refused("GetObject", key="others/a"):
        s3.get_object(Bucket=BUCKET, Key="others/a")
    with refused("PutObject", key="others/a"):
        s3.put_object(Bucket=BUCKET, Key="others/a", Body=b"")
    with refused("DeleteObject", key="mine/a"):
        s3.delete_object(Bucket=BUCKET, Key="mine/a")
    with pytest.raises(botocore.exceptions.ClientError, match="403"):  # no body, so no words
        s3.head_object(Bucket=BUCKET, Key="others/a")


def test_only_who_may_list_learns_that_an_object_is_missing(cloud: LocalCloud, role: str) -> None:
    s3 = session(cloud, role, allow("s3:GetObject", OBJECTS))
    with refused("ListBucket"):
        s3.get_object(Bucket=BUCKET, Key="mine/missing")
    with pytest.raises(botocore.exceptions.ClientError, match="403"):
        s3.head_object(Bucket=BUCKET, Key="mine/missing")
    listing = allow("s3:ListBucket", f"arn:aws:s3:::{BUCKET}")
    s3 = session(cloud, role, allow("s3:GetObject", OBJECTS), listing)
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=BUCKET, Key="mine/missing")
    with pytest.raises(botocore.exceptions.ClientError, match="404"):
        s3.head_object(Bucket=BUCKET, Key="mine/missing")


def test_a_presigned_url_may_do_what_its_signer_may(cloud: LocalCloud, role: str) -> None:
    s3 = session(cloud, role, allow("s3:GetObject", OBJECTS))

    def fetch(key: str) -> int:
        place = {"Bucket": BUCKET, "Key": key}
        url = s3.generate_presigned_url("get_object", Params=place)
        try:
            with urllib.request.urlopen(url) as answer:  # loopback
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code

    assert fetch("mine/a") == 200
    assert fetch("others/a") == 403


def test_a_copy_reads_what_it_copies(cloud: LocalCloud, role: str) -> None:
    s3 = session(cloud, role, allow(["s3:GetObject", "s3:PutObject"], OBJECTS))
    s3.copy_object(Bucket=BUCKET, Key="mine/c", CopySource=f"{BUCKET}/mine/a")
    with refused("GetObject", key="others/a"):
        s3.copy_object(Bucket=BUCKET, Key="mine/c", CopySource=f"{BUCKET}/others/a")


def test_several_objects_are_deleted_if_each_may_be(cloud: LocalCloud, role: str) -> None:
    s3 = session(cloud, role, allow("s3:DeleteObject", OBJECTS))

    def delete(*keys: str) -> Any:
        return s3.delete_objects(
            Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]}
        ).get("Errors", [])

    assert {error["Code"] for error in delete("mine/b", "others/a")} == {"AccessDenied"}
    assert cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="mine/b")["KeyCount"] == 1
    assert delete("mine/b") == []
    assert cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="mine/b")["KeyCount"] == 0


def test_a_bucket_is_listed_below_the_prefixes_that_a_condition_names(
    cloud: LocalCloud, role: str
) -> None:
    bucket = f"arn:aws:s3:::{BUCKET}"
    condition = {"StringLike": {"s3:prefix": "mine/*"}}
    s3 = session(cloud, role, allow("s3:ListBucket", bucket, **condition))
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="mine/a")["KeyCount"] == 1
    for prefix in ({}, {"Prefix": ""}, {"Prefix": "others/"}):
        with refused("ListBucket"):
            s3.list_objects_v2(Bucket=BUCKET, **prefix)


def test_a_managed_policy_counts_too(cloud: LocalCloud, role: str) -> None:
    s3 = session(cloud, role)
    with refused("GetObject", key="others/a"):
        s3.get_object(Bucket=BUCKET, Key="others/a")
    arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    cloud.client("iam").attach_role_policy(RoleName=role, PolicyArn=arn)
    assert s3.get_object(Bucket=BUCKET, Key="others/a")["Body"].read() == b"weights"
    assert s3.get_bucket_location(Bucket=BUCKET)
    with refused("PutEncryptionConfiguration"):
        s3.put_bucket_encryption(
            Bucket=BUCKET,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        )


def test_a_session_of_a_deleted_role_may_do_nothing(cloud: LocalCloud) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    make_role(cloud, "gone", "lambda", everything)
    s3 = session(cloud, "gone")
    s3.get_object(Bucket=BUCKET, Key="others/a")
    cloud.client("iam").delete_role_policy(RoleName="gone", PolicyName="Policy")
    cloud.client("iam").delete_role(RoleName="gone")
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        s3.get_object(Bucket=BUCKET, Key="others/a")


def test_a_key_that_is_not_there_encrypts_nothing(cloud: LocalCloud) -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    with pytest.raises(botocore.exceptions.ClientError, match=f"Key '{key}' does not exist"):
        cloud.client("s3").put_object(Bucket=BUCKET, Key="mine/d", Body=b"", **encryption)


def test_an_upload_in_parts_under_a_key_needs_the_key_to_encrypt_and_to_decrypt(
    cloud: LocalCloud, role: str
) -> None:
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    objects, through = allow("s3:*", OBJECTS), {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    place = {"Bucket": BUCKET, "Key": "mine/parts"}
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}

    def use(*actions: str) -> Any:
        return allow(list(actions), key, StringEquals=through)

    def denied(action: str) -> Any:
        return pytest.raises(
            botocore.exceptions.ClientError, match=f"to perform: {action} on resource: {key}"
        )

    s3 = session(cloud, role, objects)
    for start in (s3.create_multipart_upload, s3.put_object):
        with denied("kms:GenerateDataKey"):
            start(**place, **encryption)
    s3 = session(cloud, role, objects, use("kms:GenerateDataKey"))
    s3.put_object(**place, **encryption)
    with denied("kms:Decrypt"):
        s3.get_object(**place)
    # S3 has the key of the upload; a bucket's default is what can be told of a part.
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    cloud.client("s3").put_bucket_encryption(
        Bucket=BUCKET,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
    )
    upload = s3.create_multipart_upload(**place)["UploadId"]
    part = place | {"UploadId": upload, "PartNumber": 1, "Body": b"weights"}
    with denied("kms:Decrypt"):
        s3.upload_part(**part)
    session(cloud, role, objects, use("kms:GenerateDataKey", "kms:Decrypt"))
    assert s3.upload_part(**part)["ETag"]
    cloud.client("s3").delete_bucket_encryption(Bucket=BUCKET)


def test_a_bucket_tells_whether_it_sends_its_events_to_eventbridge(cloud: LocalCloud) -> None:
    s3, bucket = cloud.client("s3"), {"Bucket": "announcing"}
    s3.create_bucket(**bucket)

    def told() -> dict[str, Any]:
        found = s3.get_bucket_notification_configuration(**bucket)
        return {name: item for name, item in found.items() if name != "ResponseMetadata"}

    assert told() == {}
    for configuration in ({"EventBridgeConfiguration": {}}, {}):
        s3.put_bucket_notification_configuration(**bucket, NotificationConfiguration=configuration)
        assert told() == configuration
