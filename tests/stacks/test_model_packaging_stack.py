"""The stack that app.py deploys: what it must have, and snapshots of all that it has."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from tests.definitions import definition_of, resolve

ASSET_HASH = re.compile(r"\b[0-9a-f]{64}\b")


class JsonFile(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "json"


@pytest.fixture
def snapshot_file(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(JsonFile)


def pretty(value: Any) -> str:
    return ASSET_HASH.sub("ASSET_HASH", json.dumps(value, indent=2) + "\n")


def statements_of(stack: Template, role_description: str) -> list[dict[str, Any]]:
    """Every policy statement of the role with a description."""
    [role] = stack.find_resources(
        "AWS::IAM::Role",
        {"Properties": {"Description": Match.string_like_regexp(role_description)}},
    )
    policies = stack.find_resources(
        "AWS::IAM::Policy", {"Properties": {"Roles": [{"Ref": role}]}}
    ).values()
    return [
        statement
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def actions_of(statement: dict[str, Any]) -> list[str]:
    actions = statement["Action"]
    return [actions] if isinstance(actions, str) else actions


def test_cfn_lint_finds_nothing(template: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "template.json"
    file.write_text(json.dumps(template))
    run = subprocess.run(["cfn-lint", str(file)], capture_output=True, text=True, check=False)
    assert run.stdout == ""
    assert run.returncode == 0, run.stderr


def test_template(template: dict[str, Any], snapshot_file: SnapshotAssertion) -> None:
    assert pretty(template) == snapshot_file


def test_definition(template: dict[str, Any], snapshot_file: SnapshotAssertion) -> None:
    assert pretty(definition_of(template)) == snapshot_file


def test_the_bucket_is_encrypted_versioned_and_private(stack: Template) -> None:
    stack.has_resource(
        "AWS::S3::Bucket",
        {
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BucketEncryption": {
                    "ServerSideEncryptionConfiguration": [
                        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                    ]
                },
                "VersioningConfiguration": {"Status": "Enabled"},
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "BlockPublicPolicy": True,
                    "IgnorePublicAcls": True,
                    "RestrictPublicBuckets": True,
                },
                "NotificationConfiguration": {
                    "EventBridgeConfiguration": {"EventBridgeEnabled": True}
                },
            },
        },
    )


def test_the_bucket_refuses_requests_without_tls(stack: Template) -> None:
    stack.has_resource_properties(
        "AWS::S3::BucketPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Effect": "Deny",
                                "Action": "s3:*",
                                "Principal": {"AWS": "*"},
                                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                            }
                        )
                    ]
                )
            }
        },
    )


def test_there_is_no_lambda_function_and_no_custom_resource(template: dict[str, Any]) -> None:
    types = {resource["Type"] for resource in template["Resources"].values()}
    assert types == {
        "AWS::Events::Rule",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SageMaker::Pipeline",
    }


def test_the_rule_passes_bucket_key_and_etag_to_the_pipeline(
    stack: Template, template: dict[str, Any]
) -> None:
    [rule] = stack.find_resources("AWS::Events::Rule").values()
    [target] = rule["Properties"]["Targets"]
    passed = {
        parameter["Name"]: parameter["Value"]
        for parameter in target["SageMakerPipelineParameters"]["PipelineParameterList"]
    }
    assert passed == {
        "ModelBucket": "$.detail.bucket.name",
        "ModelKey": "$.detail.object.key",
        "ModelETag": "$.detail.object.etag",
    }
    declared = [parameter["Name"] for parameter in definition_of(template)["Parameters"]]
    assert sorted(declared) == sorted(passed)


def test_an_event_that_cannot_be_delivered_reaches_the_dead_letter_queue(stack: Template) -> None:
    [(rule_id, rule)] = stack.find_resources("AWS::Events::Rule").items()
    [queue_id] = stack.find_resources(
        "AWS::SQS::Queue", {"Properties": {"SqsManagedSseEnabled": True}}
    )
    [target] = rule["Properties"]["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue_id, "Arn"]}}
    stack.has_resource_properties(
        "AWS::SQS::QueuePolicy",
        {
            "Queues": [{"Ref": queue_id}],
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "events.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": {"Fn::GetAtt": [queue_id, "Arn"]},
                            "Condition": {
                                "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule_id, "Arn"]}}
                            },
                        }
                    ]
                )
            },
        },
    )


def test_the_rules_role_may_start_this_pipeline_and_nothing_else(stack: Template) -> None:
    [pipeline_id] = stack.find_resources("AWS::SageMaker::Pipeline")
    [statement] = statements_of(stack, "Assumed by EventBridge")
    assert resolve(statement, {}) == {
        "Effect": "Allow",
        "Action": "sagemaker:StartPipelineExecution",
        "Resource": "arn:<AWS::Partition>:sagemaker:<AWS::Region>:<AWS::AccountId>:"
        f"pipeline/<{pipeline_id}>",
    }


def test_the_pipelines_role_passes_the_jobs_role_to_sagemaker_only(stack: Template) -> None:
    [statement] = [
        statement
        for statement in statements_of(stack, "Assumed by the pipeline")
        if "iam:PassRole" in actions_of(statement)
    ]
    [job_role] = stack.find_resources(
        "AWS::IAM::Role",
        {"Properties": {"Description": Match.string_like_regexp("Assumed by the packaging job")}},
    )
    assert statement["Resource"] == {"Fn::GetAtt": [job_role, "Arn"]}
    assert statement["Condition"] == {
        "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
    }


def test_only_actions_that_name_no_resource_have_a_wildcard_resource(
    template: dict[str, Any],
) -> None:
    resources = template["Resources"].values()
    assert not any("Policies" in resource["Properties"] for resource in resources)
    unnamed = [
        (action, statement.get("Condition"))
        for resource in resources
        if resource["Type"] == "AWS::IAM::Policy"
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
        if statement["Resource"] in ("*", ["*"])
        for action in actions_of(statement)
    ]
    assert unnamed == [
        ("ecr:GetAuthorizationToken", None),
        (
            "cloudwatch:PutMetricData",
            {"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/ProcessingJobs"}},
        ),
    ]


def test_the_job_reads_models_and_its_assets_and_writes_packages(stack: Template) -> None:
    [bucket] = stack.find_resources("AWS::S3::Bucket")
    assets = "arn:<AWS::Partition>:s3:::cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"
    statements = [
        json.loads(ASSET_HASH.sub("HASH", json.dumps(resolve(statement, {}))))
        for statement in statements_of(stack, "Assumed by the packaging job")
        if any(action.startswith("s3:") for action in actions_of(statement))
    ]
    assert statements == [
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": [f"{assets}/HASH.py", f"{assets}/HASH.zip", f"<{bucket}.Arn>/models/*"],
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": f"<{bucket}.Arn>",
            "Condition": {"StringLike": {"s3:prefix": ["models/*"]}},
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": assets,
            "Condition": {"StringLike": {"s3:prefix": ["HASH.py", "HASH.zip"]}},
        },
        {
            "Effect": "Allow",
            "Action": ["s3:AbortMultipartUpload", "s3:PutObject"],
            "Resource": f"arn:<AWS::Partition>:s3:::<{bucket}>/packaged/model-packaging/*",
        },
    ]


def test_the_outputs_tell_where_to_upload_and_where_to_look(stack: Template) -> None:
    outputs = stack.find_outputs("*")
    assert sorted(outputs) == [
        "DeadLetterQueueUrl",
        "ModelUploadUri",
        "PackagedModelUri",
        "PipelineName",
    ]
    assert all(output["Description"] for output in outputs.values())
