import re
from typing import Any

import pytest
from aws_cdk import App, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Match, Template

from model_packaging import ArtifactBucket


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


def properties(stack: Stack, construct_id: str) -> dict[str, Any]:
    """Properties of a bucket, by the beginning of its logical id."""
    buckets = Template.from_stack(stack).find_resources("AWS::S3::Bucket")
    [bucket] = (value for key, value in buckets.items() if key.startswith(construct_id))
    return bucket["Properties"]


def test_by_default_it_is_private_versioned_logged_and_kept(stack: Stack) -> None:
    ArtifactBucket(stack, "Artifacts")
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::S3::Bucket", 2)
    template.resource_count_is("AWS::KMS::Key", 0)
    template.resource_count_is("AWS::Lambda::Function", 0)
    template.all_resources("AWS::S3::Bucket", {"DeletionPolicy": "Retain"})
    template.all_resources_properties(
        "AWS::S3::Bucket",
        {
            "VersioningConfiguration": {"Status": "Enabled"},
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                ]
            },
        },
    )


def test_every_bucket_refuses_requests_without_tls_1_2(stack: Stack) -> None:
    ArtifactBucket(stack, "Artifacts")
    for condition in (
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": 1.2}},
    ):
        denied = {"Effect": "Deny", "Action": "s3:*", "Principal": {"AWS": "*"}}
        Template.from_stack(stack).all_resources_properties(
            "AWS::S3::BucketPolicy",
            {
                "PolicyDocument": {
                    "Statement": Match.array_with(
                        [Match.object_like(denied | {"Condition": condition})]
                    )
                }
            },
        )


def test_it_sends_its_events_to_eventbridge(stack: Stack) -> None:
    ArtifactBucket(stack, "Artifacts")
    assert properties(stack, "ArtifactsBucket")["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


def test_only_s3_logging_for_this_account_may_write_access_logs(stack: Stack) -> None:
    ArtifactBucket(stack, "Artifacts")
    [logs_id] = (
        key
        for key in Template.from_stack(stack).find_resources("AWS::S3::Bucket")
        if key.startswith("ArtifactsAccessLogs")
    )
    assert properties(stack, "ArtifactsBucket")["LoggingConfiguration"] == {
        "DestinationBucketName": {"Ref": logs_id},
        "LogFilePrefix": "Stack/Artifacts/",
    }
    Template.from_stack(stack).has_resource_properties(
        "AWS::S3::BucketPolicy",
        {
            "Bucket": {"Ref": logs_id},
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "logging.s3.amazonaws.com"},
                            "Action": "s3:PutObject",
                            "Resource": {
                                "Fn::Join": [
                                    "",
                                    [{"Fn::GetAtt": [logs_id, "Arn"]}, "/Stack/Artifacts/*"],
                                ]
                            },
                            "Condition": {
                                "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
                            },
                        }
                    ]
                )
            },
        },
    )
    # An ACL would be refused by "Bucket owner enforced".
    assert "AccessControl" not in properties(stack, "ArtifactsAccessLogs")


def test_access_logs_can_go_to_a_given_bucket_or_nowhere(stack: Stack) -> None:
    ours = s3.Bucket(stack, "Ours")
    logged = ArtifactBucket(stack, "Logged", access_logs=ours)
    unlogged = ArtifactBucket(stack, "Unlogged", access_logs=False)
    assert logged.access_logs_bucket is ours
    assert unlogged.access_logs_bucket is None
    Template.from_stack(stack).resource_count_is("AWS::S3::Bucket", 3)
    destination = properties(stack, "LoggedBucket")["LoggingConfiguration"]
    assert destination["DestinationBucketName"] == stack.resolve(ours.bucket_name)
    assert "LoggingConfiguration" not in properties(stack, "UnloggedBucket")


def test_a_customer_key_is_made_with_rotation_and_left_to_iam(stack: Stack) -> None:
    artifacts = ArtifactBucket(stack, "Artifacts", customer_key=True)
    artifacts.bucket.grant_read(
        iam.Role(stack, "Reader", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
    )
    template = Template.from_stack(stack)
    [(key_id, key)] = template.find_resources("AWS::KMS::Key").items()
    assert key["Properties"]["EnableKeyRotation"] is True
    assert key["DeletionPolicy"] == "Retain"
    # The account alone: who may use the key stands in the roles' policies.
    [statement] = key["Properties"]["KeyPolicy"]["Statement"]
    assert statement["Action"] == "kms:*"
    assert statement["Principal"]["AWS"]["Fn::Join"][1][-1] == ":root"
    assert properties(stack, "ArtifactsBucket")["BucketEncryption"] == {
        "ServerSideEncryptionConfiguration": [
            {
                "BucketKeyEnabled": True,
                "ServerSideEncryptionByDefault": {
                    "SSEAlgorithm": "aws:kms",
                    "KMSMasterKeyID": {"Fn::GetAtt": [key_id, "Arn"]},
                },
            }
        ]
    }
    template.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [Match.object_like({"Resource": {"Fn::GetAtt": [key_id, "Arn"]}})]
                )
            }
        },
    )


def test_an_existing_key_is_used_as_it_is(stack: Stack) -> None:
    arn = "arn:aws:kms:eu-west-1:111122223333:key/0d3f5b4e-7c7e-4d8a-9a51-2f6c5a1b2c3d"
    key = kms.Key.from_key_arn(stack, "Existing", arn)
    assert ArtifactBucket(stack, "Artifacts", customer_key=key).encryption_key is key
    Template.from_stack(stack).resource_count_is("AWS::KMS::Key", 0)
    [rule] = properties(stack, "ArtifactsBucket")["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == arn


def test_old_versions_and_chosen_prefixes_expire(stack: Stack) -> None:
    ArtifactBucket(
        stack,
        "Artifacts",
        keep_old_versions_for=Duration.days(14),
        expire_after={"packaged/": Duration.days(365)},
        keep_access_logs_for=Duration.days(30),
    )
    assert properties(stack, "ArtifactsBucket")["LifecycleConfiguration"]["Rules"] == [
        {
            "Id": "AbortIncompleteUploads",
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
        {
            "Id": "DeleteOldVersions",
            "Status": "Enabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 14},
            "ExpiredObjectDeleteMarker": True,
        },
        {
            "Id": "Expire-packaged/",
            "Status": "Enabled",
            "Prefix": "packaged/",
            "ExpirationInDays": 365,
        },
    ]
    [logs] = properties(stack, "ArtifactsAccessLogs")["LifecycleConfiguration"]["Rules"]
    assert logs["ExpirationInDays"] == 30


def test_by_default_old_versions_stay_90_days_and_packages_for_good(stack: Stack) -> None:
    ArtifactBucket(stack, "Artifacts")
    rules = properties(stack, "ArtifactsBucket")["LifecycleConfiguration"]["Rules"]
    assert [rule.get("NoncurrentVersionExpiration") for rule in rules] == [
        None,
        {"NoncurrentDays": 90},
    ]
    assert not any("ExpirationInDays" in rule for rule in rules)


def test_a_bucket_for_development_goes_with_its_objects_logs_and_key(stack: Stack) -> None:
    ArtifactBucket(stack, "Artifacts", customer_key=True, removal_policy=RemovalPolicy.DESTROY)
    template = Template.from_stack(stack)
    for resource in ("AWS::S3::Bucket", "AWS::KMS::Key"):
        template.all_resources(resource, {"DeletionPolicy": "Delete"})
    emptied = template.find_resources("Custom::S3AutoDeleteObjects").values()
    assert sorted(resource["Properties"]["BucketName"]["Ref"] for resource in emptied) == sorted(
        template.find_resources("AWS::S3::Bucket")
    )


def test_an_existing_bucket_is_taken_as_it_is(stack: Stack) -> None:
    key = kms.Key(stack, "Key")
    bucket = s3.Bucket.from_bucket_attributes(
        stack, "Bucket", bucket_name="our-models", encryption_key=key
    )
    artifacts = ArtifactBucket(stack, "Artifacts", existing=bucket)
    assert artifacts.bucket is bucket
    assert artifacts.encryption_key is key
    assert artifacts.access_logs_bucket is None
    Template.from_stack(stack).resource_count_is("AWS::S3::Bucket", 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"expire_after": {"packaged/": Duration.hours(36)}},
            "expire_after['packaged/']: 1 day 12 hours is given, but S3 counts whole days",
        ),
        ({"expire_after": {"/": Duration.days(1)}}, "the prefix '/' names every object"),
        ({"keep_old_versions_for": Duration.days(0)}, "keep_old_versions_for: 0 days is given"),
        ({"keep_access_logs_for": Duration.minutes(1)}, "keep_access_logs_for: 1 minute is given"),
        (
            {"keep_access_logs_for": Duration.days(1), "access_logs": False},
            "no bucket for access logs is made",
        ),
        ({"removal_policy": RemovalPolicy.SNAPSHOT}, "removal_policy SNAPSHOT is not one of"),
    ],
)
def test_what_can_not_work_is_named(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ArtifactBucket(stack, "Artifacts", **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"customer_key": True},
        {"keep_old_versions_for": Duration.days(1)},
        {"expire_after": {}},
        {"access_logs": False},
        {"keep_access_logs_for": Duration.days(1)},
        {"removal_policy": RemovalPolicy.DESTROY},
    ],
)
def test_settings_for_an_existing_bucket_are_refused(
    stack: Stack, settings: dict[str, Any]
) -> None:
    bucket = s3.Bucket.from_bucket_name(stack, "Ours", "our-models")
    [name] = settings
    with pytest.raises(ValueError, match=f"^{name}: given together with .*'Stack/Ours'"):
        ArtifactBucket(stack, "Artifacts", existing=bucket, **settings)


def other_encryption(stack: Stack) -> list[dict[str, Any]]:
    """The statements of the buckets' policies that speak of encryption."""
    policies = Template.from_stack(stack).find_resources("AWS::S3::BucketPolicy").values()
    return [
        statement
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "encryption" in str(statement.get("Condition"))
    ]


def test_models_come_with_s3s_own_encryption_where_there_is_no_customer_key(stack: Stack) -> None:
    artifacts = ArtifactBucket(stack, "Artifacts", models_prefix="incoming/")
    below = stack.resolve(artifacts.bucket.arn_for_objects("incoming/*"))
    assert other_encryption(stack) == [
        {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "s3:PutObject",
            "Resource": below,
            "Condition": condition,
        }
        for condition in (
            {
                "StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"},
                "Null": {"s3:x-amz-server-side-encryption": "false"},
            },
            {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
        )
    ]


@pytest.mark.parametrize("settings", [{"customer_key": True}, {"models_prefix": None}])
def test_any_encryption_is_taken_with_a_customer_key_or_by_choice(
    stack: Stack, settings: dict[str, Any]
) -> None:
    ArtifactBucket(stack, "Artifacts", **settings)
    assert other_encryption(stack) == []
