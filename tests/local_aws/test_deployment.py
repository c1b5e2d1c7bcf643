"""What was deployed with the CDK CLI is what the template says, and it does what it should."""

import hashlib
import io
import json
import re
import shutil
import tarfile
import time
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from local_aws.cdk_cli import CommandError
from local_aws.cloud import ACCOUNT, REGION, LocalCloud
from tests.definitions import resolve
from tests.local_aws.conftest import STACK, Deployment

pytestmark = pytest.mark.e2e


def archive(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def upload(deployment: Deployment, key: str, body: bytes) -> dict[str, Any]:
    """Upload a model and wait for the execution that it starts."""
    cloud = deployment.cloud
    sagemaker = cloud.client("sagemaker")
    pipeline = deployment.outputs["PipelineName"]

    def executions() -> set[str]:
        listed = sagemaker.list_pipeline_executions(PipelineName=pipeline)
        return {item["PipelineExecutionArn"] for item in listed["PipelineExecutionSummaries"]}

    before = executions()
    cloud.client("s3").put_object(Bucket=deployment.bucket, Key=key, Body=body)
    deadline = time.monotonic() + 30
    while executions() == before:
        assert time.monotonic() < deadline, "the upload started no execution"
        time.sleep(0.05)
    return cloud.wait_for_execution(pipeline)


def keys(deployment: Deployment, prefix: str) -> list[str]:
    listed = deployment.cloud.client("s3").list_objects_v2(Bucket=deployment.bucket, Prefix=prefix)
    return [item["Key"] for item in listed.get("Contents", [])]


def template_of(deployment: Deployment) -> dict[str, Any]:
    return json.loads((deployment.assembly / f"{STACK}.template.json").read_text())


def only(template: dict[str, Any], resource_type: str) -> tuple[str, dict[str, Any]]:
    [(name, resource)] = (
        (name, resource)
        for name, resource in template["Resources"].items()
        if resource["Type"] == resource_type
    )
    return name, resource["Properties"]


def test_every_resource_of_the_template_is_deployed(deployment: Deployment) -> None:
    cloudformation = deployment.cloud.client("cloudformation")
    deployed = cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    assert {item["LogicalResourceId"]: item["ResourceType"] for item in deployed} == {
        name: resource["Type"] for name, resource in template_of(deployment)["Resources"].items()
    }


def test_the_bucket_has_every_setting_of_the_template(deployment: Deployment) -> None:
    _, wanted = only(template_of(deployment), "AWS::S3::Bucket")
    s3, bucket = deployment.cloud.client("s3"), {"Bucket": deployment.bucket}
    assert (
        s3.get_bucket_versioning(**bucket)["Status"] == wanted["VersioningConfiguration"]["Status"]
    )
    assert (
        s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"]
        == wanted["PublicAccessBlockConfiguration"]
    )
    assert (
        s3.get_bucket_ownership_controls(**bucket)["OwnershipControls"]
        == wanted["OwnershipControls"]
    )
    [encryption] = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    [wanted_encryption] = wanted["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert (
        encryption["ApplyServerSideEncryptionByDefault"]
        == (wanted_encryption["ServerSideEncryptionByDefault"])
    )
    uploads, versions = s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    wanted_uploads, wanted_versions = wanted["LifecycleConfiguration"]["Rules"]
    name = "AbortIncompleteMultipartUpload"
    assert uploads[name] == wanted_uploads[name]
    name = "NoncurrentVersionExpiration"
    assert versions[name] == wanted_versions[name]
    assert versions["Expiration"] == {
        "ExpiredObjectDeleteMarker": wanted_versions["ExpiredObjectDeleteMarker"]
    }
    # moto doesn't tell of EventBridgeConfiguration; that events arrive is tested below.
    policy = json.loads(s3.get_bucket_policy(**bucket)["Policy"])
    denied = [
        statement["Condition"] for statement in policy["Statement"] if statement["Effect"] == "Deny"
    ]
    assert {"Bool": {"aws:SecureTransport": "false"}} in denied


def test_the_rule_and_its_target_are_deployed_as_in_the_template(deployment: Deployment) -> None:
    _, wanted = only(template_of(deployment), "AWS::Events::Rule")
    events = deployment.cloud.client("events")
    [rule] = [rule for rule in events.list_rules()["Rules"] if STACK in rule["Name"]]
    assert rule["State"] == wanted["State"]
    pattern = json.loads(rule["EventPattern"])
    assert pattern["detail"]["bucket"]["name"] == [deployment.bucket]
    assert pattern["detail"]["object"] == wanted["EventPattern"]["detail"]["object"]
    [target] = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    [wanted_target] = wanted["Targets"]
    assert target["SageMakerPipelineParameters"] == wanted_target["SageMakerPipelineParameters"]
    assert target["RetryPolicy"] == wanted_target["RetryPolicy"]
    assert target["Arn"].endswith(":pipeline/model-packaging")


def test_the_dead_letter_queue_is_deployed_as_in_the_template(deployment: Deployment) -> None:
    _, wanted = only(template_of(deployment), "AWS::SQS::Queue")
    attributes = deployment.cloud.client("sqs").get_queue_attributes(
        QueueUrl=deployment.outputs["DeadLetterQueueUrl"], AttributeNames=["All"]
    )["Attributes"]
    assert attributes["SqsManagedSseEnabled"] == "true"
    assert attributes["MessageRetentionPeriod"] == str(wanted["MessageRetentionPeriod"])
    assert "events.amazonaws.com" in attributes["Policy"]


def test_the_roles_are_deployed_with_their_policies(deployment: Deployment) -> None:
    iam, template = deployment.cloud.client("iam"), template_of(deployment)
    roles = [name for name, item in template["Resources"].items() if item["Type"].endswith("Role")]
    values = physical_values(deployment)
    assert len(roles) == 4  # the pipeline's, the job's, the rule's, and that of the deletion
    for name in roles:
        role = iam.get_role(RoleName=values[name])["Role"]
        wanted = template["Resources"][name]["Properties"]
        assert role["AssumeRolePolicyDocument"] == resolve(
            wanted["AssumeRolePolicyDocument"], values
        )
        policies = [
            resolve(item["Properties"]["PolicyDocument"], values)
            for item in template["Resources"].values()
            if item["Type"] == "AWS::IAM::Policy" and item["Properties"]["Roles"] == [{"Ref": name}]
        ]
        deployed = [
            iam.get_role_policy(RoleName=values[name], PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=values[name])["PolicyNames"]
        ]
        assert deployed == policies


def physical_values(deployment: Deployment) -> dict[str, str]:
    """What the template's references give in the local AWS."""
    cloudformation = deployment.cloud.client("cloudformation")
    values = {
        "AWS::AccountId": ACCOUNT,
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::URLSuffix": "amazonaws.com",
    }
    for item in cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]:
        name, physical = item["LogicalResourceId"], item["PhysicalResourceId"]
        values[name] = physical
        if item["ResourceType"] == "AWS::S3::Bucket":
            values[f"{name}.Arn"] = f"arn:aws:s3:::{physical}"
        if item["ResourceType"] == "AWS::IAM::Role":
            values[f"{name}.Arn"] = f"arn:aws:iam::{ACCOUNT}:role/{physical}"
    for name, mapping in template_of(deployment)["Mappings"].items():
        for attribute, value in mapping[REGION].items():
            values[f"{name}.{REGION}.{attribute}"] = value
    return values


def test_an_upload_becomes_a_package_below_its_executions_id(deployment: Deployment) -> None:
    execution = upload(
        deployment, "models/churn/model.tar.gz", archive(**{"model.bin": b"weights"})
    )
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution["FailureReason"]
    execution_id = execution["PipelineExecutionArn"].rpartition("/")[2]
    report, key = keys(deployment, f"packaged/model-packaging/PackagingStep/{execution_id}/")
    assert report.endswith("/package_report/package_report.json")
    assert key.endswith("/packaged_model_artifacts/model.tar.gz")
    s3 = deployment.cloud.client("s3")
    package = s3.get_object(Bucket=deployment.bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        files = sorted(member.name for member in tar if member.isfile())
        assert files == ["code/inference.py", "model.bin"]
        weights = tar.extractfile("model.bin")
        assert weights is not None
        assert weights.read() == b"weights"
    told = json.load(s3.get_object(Bucket=deployment.bucket, Key=report)["Body"])
    assert told["archive"]["sha256"] == hashlib.sha256(package).hexdigest()
    assert told["source"]["uri"] == f"s3://{deployment.bucket}/models/churn/model.tar.gz"


def test_the_event_fills_the_parameters(deployment: Deployment) -> None:
    key = "models/a b+c/ü.tar.gz"
    execution = upload(deployment, key, archive(**{"model.bin": b"more weights"}))
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution["FailureReason"]
    given = deployment.cloud.client("sagemaker").list_pipeline_parameters_for_execution(
        PipelineExecutionArn=execution["PipelineExecutionArn"]
    )["PipelineParameters"]
    head = deployment.cloud.client("s3").head_object(Bucket=deployment.bucket, Key=key)
    assert {item["Name"]: item["Value"] for item in given} == {
        "ModelBucket": deployment.bucket,
        "ModelKey": key,
        "ModelETag": head["ETag"].strip('"'),
    }


def test_a_model_cut_in_half_fails_with_its_name_and_leaves_nothing(
    deployment: Deployment,
) -> None:
    whole = archive(**{"model.bin": bytes(range(256)) * 64})
    before = keys(deployment, "packaged/")
    execution = upload(deployment, "models/half.tar.gz", whole[: len(whole) // 2])
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert re.search(r"'half\.tar\.gz' is cut off", execution["FailureReason"])
    assert keys(deployment, "packaged/") == before
    [step] = deployment.cloud.client("sagemaker").list_pipeline_execution_steps(
        PipelineExecutionArn=execution["PipelineExecutionArn"]
    )["PipelineExecutionSteps"]
    assert step["StepStatus"] == "Failed"
    job = deployment.cloud.client("sagemaker").describe_processing_job(
        ProcessingJobName=step["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    )
    assert job["ProcessingJobStatus"] == "Failed"
    assert "is cut off" in job["ExitMessage"]


@pytest.mark.parametrize(
    "key", ["models/model.tar.gz.sha256", "other/model.tar.gz", "packaged/x.tar.gz"]
)
def test_other_uploads_start_nothing(deployment: Deployment, key: str) -> None:
    sagemaker = deployment.cloud.client("sagemaker")
    pipeline = deployment.outputs["PipelineName"]
    before = sagemaker.list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"]
    deployment.cloud.client("s3").put_object(Bucket=deployment.bucket, Key=key, Body=b"x")
    time.sleep(1)
    after = sagemaker.list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"]
    assert len(after) == len(before)
    deployment.cloud.client("s3").delete_object(Bucket=deployment.bucket, Key=key)


def test_a_diff_of_what_is_deployed_is_empty(deployment: Deployment) -> None:
    printed = deployment.cloud.cdk("diff", STACK, "--app", str(deployment.assembly))
    assert "There were no differences" in printed


def changed(deployment: Deployment, folder: Path, old: str, new: str) -> Path:
    """The assembly with one text replaced in its template, under another asset hash."""
    copy = folder / "cdk.out"
    shutil.copytree(deployment.assembly, copy)
    file = copy / f"{STACK}.template.json"
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    assets = copy / f"{STACK}.assets.json"
    [template_hash] = (
        name
        for name, asset in json.loads(assets.read_text())["files"].items()
        if asset["source"]["path"] == file.name
    )
    for manifest in (assets, copy / "manifest.json"):
        manifest.write_text(manifest.read_text().replace(template_hash, f"{hash(new):064x}"[-64:]))
    return copy


def test_a_changed_setting_is_one_line_of_the_diff(deployment: Deployment, tmp_path: Path) -> None:
    assembly = changed(deployment, tmp_path, "ml.m5.2xlarge", "ml.m5.4xlarge")
    printed = deployment.cloud.cdk("diff", STACK, "--app", str(assembly))
    touched = [line.strip() for line in printed.splitlines() if re.match(r"\s*\[[-+]\] ", line)]
    assert touched == [
        r'[-] "            \"InstanceType\": \"ml.m5.2xlarge\",",',
        r'[+] "            \"InstanceType\": \"ml.m5.4xlarge\",",',
    ]


def test_a_resource_type_that_the_local_aws_does_not_know_fails_the_deployment(
    deployment: Deployment, tmp_path: Path
) -> None:
    assembly = changed(deployment, tmp_path, "AWS::Events::Rule", "AWS::Scheduler::Nothing")
    with pytest.raises(CommandError, match=r"Unrecognized resource types.*AWS::Scheduler::Nothing"):
        deployment.cloud.deploy(assembly, STACK)


def test_a_property_that_the_local_aws_does_not_know_rolls_the_deployment_back(
    deployment: Deployment, tmp_path: Path
) -> None:
    assembly = changed(deployment, tmp_path, "VersioningConfiguration", "ReplicationConfiguration")
    with pytest.raises(CommandError, match="doesn't support the property ReplicationConfiguration"):
        deployment.cloud.deploy(assembly, STACK)
    [stack] = deployment.cloud.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    versioning = deployment.cloud.client("s3").get_bucket_versioning(Bucket=deployment.bucket)
    assert versioning["Status"] == "Enabled"


def test_a_destroyed_trial_leaves_nothing_behind(own_cloud: LocalCloud, dev: Path) -> None:
    cloud, sagemaker = own_cloud, own_cloud.client("sagemaker")

    def left() -> list[str]:
        listed = cloud.client("events").list_rules()["Rules"]
        pipelines = sagemaker.list_pipelines()["PipelineSummaries"]
        return [item["Name"] for item in listed] + [item["PipelineName"] for item in pipelines]

    before = left()
    cloud.deploy(dev, STACK)
    assert len(left()) == len(before) + 2
    bucket = cloud.outputs(STACK)["ModelUploadUri"].split("/")[2]
    cloud.client("s3").put_object(Bucket=bucket, Key="models/trial", Body=b"x")
    cloud.cdk("destroy", STACK, "--app", str(dev), "--force")
    with pytest.raises(botocore.exceptions.ClientError, match="does not exist"):
        cloud.outputs(STACK)
    assert left() == before
    with pytest.raises(botocore.exceptions.ClientError, match="Not Found"):
        cloud.client("s3").head_bucket(Bucket=bucket)


def test_production_is_not_deleted_by_mistake_and_keeps_its_data(
    own_cloud: LocalCloud, prod: Path
) -> None:
    cloud, name = own_cloud, "ModelPackaging-prod"
    cloud.deploy(prod, STACK)
    bucket = cloud.outputs(name)["BucketName"]
    cloud.client("s3").put_object(Bucket=bucket, Key="models/kept", Body=b"x")
    destroy = ("destroy", STACK, "--app", str(prod), "--force")
    with pytest.raises(CommandError, match="TerminationProtection"):
        cloud.cdk(*destroy)
    assert cloud.outputs(name)["BucketName"] == bucket
    cloud.client("cloudformation").update_termination_protection(
        StackName=name, EnableTerminationProtection=False
    )
    cloud.cdk(*destroy)
    cloud.client("s3").head_object(Bucket=bucket, Key="models/kept")


def test_an_event_that_cannot_be_delivered_lands_in_the_dead_letter_queue(
    deployment: Deployment,
) -> None:
    cloud = deployment.cloud
    sagemaker = cloud.client("sagemaker")
    pipeline = sagemaker.describe_pipeline(PipelineName=deployment.outputs["PipelineName"])
    sagemaker.delete_pipeline(PipelineName=pipeline["PipelineName"])
    try:
        cloud.client("s3").put_object(Bucket=deployment.bucket, Key="models/late.tar.gz", Body=b"x")
        [message] = cloud.client("sqs").receive_message(
            QueueUrl=deployment.outputs["DeadLetterQueueUrl"],
            WaitTimeSeconds=10,
            MessageAttributeNames=["All"],
        )["Messages"]
    finally:
        sagemaker.create_pipeline(
            **{name: pipeline[name] for name in ("PipelineName", "PipelineDefinition", "RoleArn")}
        )
    event = json.loads(message["Body"])
    assert event["detail"]["object"]["key"] == "models/late.tar.gz"
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "ResourceNotFound"
    assert message["MessageAttributes"]["TARGET_ARN"]["StringValue"] == pipeline["PipelineArn"]
