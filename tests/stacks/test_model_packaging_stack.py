"""The stack that app.py deploys: what it must have, and snapshots of all that it has."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Match, Template
from syrupy.assertion import SnapshotAssertion

from stacks.model_packaging_stack import ModelPackagingStack
from stacks.stage import read_stage
from tests.conftest import PROJECT, synthesize, template_of
from tests.definitions import definition_of, resolve
from tests.explained_snapshots import JsonFile, hold
from tests.stacks.conftest import CONTEXTS, EVERYTHING, STAGES, STEP, SYNTHESIZED

ASSET_HASH = re.compile(r"\b[0-9a-f]{64}\b")


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


@pytest.mark.parametrize("stage", SYNTHESIZED)
def test_cfn_lint_finds_nothing(stage: str, assembly: Callable[[str], Path]) -> None:
    file = assembly(stage) / "ModelPackaging.template.json"
    # W3005: the CDK's own custom resource names the role that it depends on a second time.
    command = ["cfn-lint", "--ignore-checks", "W3005", "--", str(file)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout == ""
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("stage", SYNTHESIZED)
def test_template(
    stage: str, assembly: Callable[[str], Path], snapshot_file: SnapshotAssertion
) -> None:
    hold(pretty(template_of(assembly(stage))), snapshot_file)


@pytest.mark.parametrize("stage", SYNTHESIZED)
def test_definition(
    stage: str, assembly: Callable[[str], Path], snapshot_file: SnapshotAssertion
) -> None:
    hold(pretty(definition_of(template_of(assembly(stage)))), snapshot_file)


PINNED = {
    "bucket": "ArtifactsBucket88671897",
    "key": "ArtifactsKeyA4B22E2B",
    "dead-letter queue": "TriggerDeadLetterQueueE7CE1E11",
}


@pytest.mark.parametrize("stage", STAGES)
def test_what_holds_data_keeps_its_logical_id(stage: str, assembly: Callable[[str], Path]) -> None:
    # Another id means another resource: the next deployment would leave the old one's content.
    resources = template_of(assembly(stage))["Resources"]
    pinned = {
        PINNED["bucket"]: "AWS::S3::Bucket",
        PINNED["dead-letter queue"]: "AWS::SQS::Queue",
    } | ({} if stage == "dev" else {PINNED["key"]: "AWS::KMS::Key"})
    assert {name: resources.get(name, {}).get("Type") for name in pinned} == pinned


def test_a_trial_leaves_nothing_behind(stack: Template) -> None:
    [bucket] = stack.find_resources("AWS::S3::Bucket", {"DeletionPolicy": "Delete"})
    [emptied] = stack.find_resources("Custom::S3AutoDeleteObjects").values()
    assert emptied["Properties"]["BucketName"] == {"Ref": bucket}
    kept = [
        name
        for name, resource in stack.to_json()["Resources"].items()
        if "Retain" in (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
    ]
    assert kept == []


@pytest.mark.parametrize("stage", ["prod", "everything"])
def test_production_keeps_its_data_and_refuses_to_be_deleted(
    stage: str, assembly: Callable[[str], Path]
) -> None:
    template = template_of(assembly(stage))
    stateful = {
        name: (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
        for name, resource in template["Resources"].items()
        if resource["Type"] in ("AWS::S3::Bucket", "AWS::KMS::Key")
    }
    assert set(stateful.values()) == {("Retain", "Retain")}
    assert len(stateful) == 3  # artifacts, their access logs, and the key
    assert not any(
        resource["Type"] == "Custom::S3AutoDeleteObjects"
        for resource in template["Resources"].values()
    )
    manifest = json.loads((assembly(stage) / "manifest.json").read_text())
    assert manifest["artifacts"]["ModelPackaging"]["properties"]["terminationProtection"] is True


@pytest.mark.parametrize("stage", STAGES)
def test_everything_that_takes_tags_has_the_stages(
    stage: str, assembly: Callable[[str], Path]
) -> None:
    template = template_of(assembly(stage))
    owner = "CC-4711" if stage == "everything" else "machine-learning"
    expected = {"stage": stage, "owner": "machine-learning", "cost-centre": owner}
    tagged = {
        name: {tag["Key"]: tag["Value"] for tag in resource["Properties"]["Tags"]}
        for name, resource in template["Resources"].items()
        if "Tags" in resource.get("Properties", {})
    }
    assert {kind["Type"] for name, kind in template["Resources"].items() if name in tagged} >= {
        "AWS::IAM::Role",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::SageMaker::Pipeline",
    }
    assert all(tags.items() >= expected.items() for tags in tagged.values()), tagged
    [step] = definition_of(template)["Steps"]
    jobs = {tag["Key"]: tag["Value"] for tag in step["Arguments"]["Tags"]}
    assert jobs.items() >= expected.items()
    # CloudFormation hands these on to what the CDK can't tag, such as its custom resources.
    manifest = json.loads((assembly(stage) / "manifest.json").read_text())
    assert manifest["artifacts"]["ModelPackaging"]["properties"]["tags"] == expected


def test_with_a_customer_key_all_that_is_kept_is_encrypted_with_it(
    assembly: Callable[[str], Path],
) -> None:
    template = template_of(assembly("everything"))
    stack = Template.from_json(template)
    key = {"Fn::GetAtt": [PINNED["key"], "Arn"]}
    stack.has_resource_properties("AWS::SQS::Queue", {"KmsMasterKeyId": key})
    stack.has_resource_properties("AWS::SNS::Topic", {"KmsMasterKeyId": key})
    [step] = definition_of(template)["Steps"]
    arguments = step["Arguments"]
    named = [
        arguments["ProcessingOutputConfig"]["KmsKeyId"],
        arguments["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"],
    ]
    assert named == [f"<{PINNED['key']}.Arn>"] * 2


def test_the_job_runs_in_the_stages_network(assembly: Callable[[str], Path]) -> None:
    template = template_of(assembly("everything"))
    [group] = Template.from_json(template).find_resources("AWS::EC2::SecurityGroup")
    [step] = definition_of(template)["Steps"]
    assert step["Arguments"]["NetworkConfig"] == {
        "EnableNetworkIsolation": True,
        "VpcConfig": {
            "SecurityGroupIds": [f"<{group}.GroupId>"],
            "Subnets": ["subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f6071829"],
        },
    }


def test_the_stages_words_for_the_step_are_deployed(tmp_path: Path) -> None:
    given = STEP["packaging"] | {"output_per_execution": False}
    network = EVERYTHING["network"] | {"confined_permissions": True}
    stage = STEP | {"region": "eu-west-1", "packaging": given, "network": network}
    template = template_of(synthesize(tmp_path, stage="mine", stages={"mine": stage}))
    [step] = definition_of(template)["Steps"]
    assert step["CacheConfig"]["ExpireAfter"] == "P7D"
    assert [policy["ExpireAfterMin"] for policy in step["RetryPolicies"]] == [480]
    assert step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstancePreferences"] == [
        {"InstanceType": "ml.m5.2xlarge"},
        {"InstanceType": "ml.m5.4xlarge"},
    ]
    assert template["Outputs"]["PackageReportUri"]["Description"] == (
        "Each execution writes package_report/package_report.json here."
    )
    statements = statements_of(Template.from_json(template), "Assumed by the packaging job")
    [attaching] = [
        statement
        for statement in statements
        if "ec2:CreateNetworkInterface" in actions_of(statement)
    ]
    assert "*" not in attaching["Resource"]


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("dev", []),
        ("everything", []),
        ("prod", ["stages.prod.alarms: alarms are made, but nobody"]),
    ],
)
def test_the_synth_warns_of_what_was_probably_not_meant(
    stage: str, expected: list[str], assembly: Callable[[str], Path]
) -> None:
    manifest = json.loads((assembly(stage) / "manifest.json").read_text())
    artifact = manifest["artifacts"]["ModelPackaging"]
    metadata = artifact.get("metadata") or json.loads(
        (assembly(stage) / artifact["additionalMetadataFile"]).read_text()
    )
    warnings = [
        entry["data"]
        for entries in metadata.values()
        for entry in entries
        if entry["type"] == "aws:cdk:warning"
    ]
    assert [text[: len(start)] for text, start in zip(warnings, expected, strict=True)] == expected


def test_alarms_reach_the_stages_people(assembly: Callable[[str], Path]) -> None:
    stack = Template.from_json(template_of(assembly("everything")))
    [topic] = stack.find_resources("AWS::SNS::Topic")
    stack.has_resource_properties(
        "AWS::SNS::Subscription",
        {
            "Endpoint": "ml-operations@example.com",
            "Protocol": "email",
            "TopicArn": {"Ref": topic},
        },
    )
    for alarm in stack.find_resources("AWS::CloudWatch::Alarm").values():
        assert alarm["Properties"]["AlarmActions"] == [{"Ref": topic}]


def test_the_bucket_is_encrypted_versioned_and_private(stack: Template) -> None:
    stack.has_resource(
        "AWS::S3::Bucket",
        {
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


def test_the_only_function_is_the_one_that_deletes_a_trials_objects(
    template: dict[str, Any],
) -> None:
    types = {resource["Type"] for resource in template["Resources"].values()}
    assert types == {
        "AWS::Events::Rule",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Function",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SageMaker::Pipeline",
        "Custom::S3AutoDeleteObjects",
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
    assert not any("Policies" in resource.get("Properties", {}) for resource in resources)
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
        resolve(statement, {})
        for statement in statements_of(stack, "Assumed by the packaging job")
        if any(action.startswith("s3:") for action in actions_of(statement))
    ]
    assert statements == [
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": f"<{bucket}.Arn>/models/*",
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": f"<{bucket}.Arn>",
            "Condition": {"StringLike": {"s3:prefix": ["models/*"]}},
        },
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": f"{assets}/ModelPackaging/*.zip",
            "Condition": {"StringEquals": {"aws:ResourceAccount": "<AWS::AccountId>"}},
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": assets,
            "Condition": {
                "StringLike": {"s3:prefix": ["ModelPackaging/*.zip"]},
                "StringEquals": {"aws:ResourceAccount": "<AWS::AccountId>"},
            },
        },
        {
            "Effect": "Allow",
            "Action": ["s3:AbortMultipartUpload", "s3:PutObject"],
            "Resource": f"arn:<AWS::Partition>:s3:::<{bucket}>/packaged/model-packaging/*",
        },
    ]


def test_an_edited_inference_script_changes_no_policy(
    template: dict[str, Any], edited: Path
) -> None:
    other = template_of(edited)

    def policies(one: dict[str, Any]) -> dict[str, Any]:
        return {
            name: resource
            for name, resource in one["Resources"].items()
            if "Policy" in resource["Type"] or resource["Type"] == "AWS::IAM::Role"
        }

    assert policies(template) == policies(other)
    assert definition_of(template) != definition_of(other)


def test_all_assets_of_a_stage_are_below_a_prefix_of_its_own(
    assembly: Callable[[str], Path],
) -> None:
    for stage, prefix in (("dev", "ModelPackaging"), ("prod", "ModelPackaging-prod")):
        assets = json.loads((assembly(stage) / "ModelPackaging.assets.json").read_text())
        keys = [
            destination["objectKey"]
            for file in assets["files"].values()
            for destination in file["destinations"].values()
        ]
        assert {key.rpartition("/")[0] for key in keys} == {prefix}
        assert sorted(key.rpartition(".")[2] for key in keys) == ["json", "zip", "zip", "zip"]


def test_a_key_that_was_brought_to_the_bootstrap_opens_the_scripts_and_nothing_else(
    assembly: Callable[[str], Path],
) -> None:
    stack = Template.from_json(template_of(assembly("everything")))
    key = CONTEXTS["everything"]["stages"]["everything"]["bootstrap_key"]
    named = [
        statement
        for statement in statements_of(stack, "Assumed by the packaging job")
        if statement["Resource"] == key
    ]
    assert named == [
        {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": key,
            "Condition": {"StringLike": {"kms:ViaService": "s3.eu-west-1.amazonaws.com*"}},
        }
    ]
    assert json.dumps(stack.to_json()).count(key) == 1


OWN_BOUNDARY = "arn:aws:iam::111122223333:policy/teams/Boundary"


@pytest.mark.parametrize(
    ("named", "arn"),
    [
        ("teams/Boundary", "arn:<AWS::Partition>:iam::<AWS::AccountId>:policy/teams/Boundary"),
        (OWN_BOUNDARY, OWN_BOUNDARY),
        (None, None),
    ],
)
def test_a_boundary_is_set_to_every_role_those_of_the_cdks_functions_too(
    named: str | None, arn: str | None
) -> None:
    shipped = json.loads((PROJECT / "cdk.json").read_text())["context"]["stages"]["dev"]
    settings = read_stage("dev", {"dev": shipped | {"permissions_boundary": named}})
    stack = ModelPackagingStack(App(), "Stack", stage="dev", settings=settings)
    roles = Template.from_stack(stack).find_resources("AWS::IAM::Role")
    assert len(roles) == 4  # the pipeline's, the job's, the rule's, and that of the deletion
    assert [
        resolve(role["Properties"].get("PermissionsBoundary"), {}) for role in roles.values()
    ] == [arn] * 4


@pytest.mark.parametrize(
    ("stage", "further"),
    [
        ("dev", []),
        ("prod", ["DashboardUrl"]),
        ("everything", ["DashboardUrl", "OperatorsPolicyArn", "TrainingOutputUri"]),
    ],
)
def test_the_outputs_tell_where_to_upload_and_where_to_look(
    stage: str, further: list[str], assembly: Callable[[str], Path]
) -> None:
    outputs = template_of(assembly(stage))["Outputs"]
    assert sorted(outputs) == sorted(
        [
            "BucketName",
            "DeadLetterQueueUrl",
            "ModelUploadUri",
            "PackageReportUri",
            "PackagedModelUri",
            "PipelineArn",
            "PipelineName",
            *further,
        ]
    )
    assert all(output["Description"] for output in outputs.values())
