"""An update loses no data, and one of scripts alone is no change of permissions."""

import io
import json
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.cdk_cli import CommandError
from local_aws.cloud import ACCOUNT, REGION, LocalCloud
from local_aws.policy_evaluation import Request, is_allowed, statements
from tests.conftest import Make, synthesize, template_of
from tests.local_aws.conftest import STACK, Deployment
from tests.local_aws.test_deployment import archive, changed, keys, upload
from tests.stacks.conftest import CONTEXTS, DEPLOYED_BEFORE, EVERYTHING, HOLDS_DATA, STAGES

pytestmark = pytest.mark.e2e


class Updated:
    """A stage as it was deployed once, for an update with a change set, as the CDK CLI makes it.

    The local AWS is one account and region, and has one network: the stage's own are replaced.
    """

    def __init__(self, cloud: LocalCloud, stage: str) -> None:
        self.cloud = cloud
        self.stack = f"Update-{stage}"
        self._cloudformation = cloud.client("cloudformation")
        ec2 = cloud.client("ec2")
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        ours = {"Filters": [{"Name": "vpc-id", "Values": [vpc]}]}
        subnets = [item["SubnetId"] for item in ec2.describe_subnets(**ours)["Subnets"]]
        table = ec2.describe_route_tables(**ours)["RouteTables"][0]["RouteTableId"]
        network = EVERYTHING["network"]
        self._here = {
            EVERYTHING["account"]: ACCOUNT,
            EVERYTHING["region"]: REGION,
            network["vpc_id"]: vpc,
            **dict(zip(network["subnets"], subnets, strict=False)),
            **dict.fromkeys(network["route_tables"], table),
        }

    def deploy(self, template: dict[str, Any], kind: str) -> None:
        text = json.dumps(template)
        for there, here in self._here.items():
            text = text.replace(there, here)
        self._publish_functions(json.loads(text))
        change_set = self._cloudformation.create_change_set(
            StackName=self.stack,
            ChangeSetName=kind.lower(),
            ChangeSetType=kind,
            TemplateBody=text,
            Parameters=[
                {
                    "ParameterKey": "BootstrapVersion",
                    "ParameterValue": template["Parameters"]["BootstrapVersion"]["Default"],
                }
            ],
        )
        self._cloudformation.execute_change_set(
            ChangeSetName=change_set["Id"], StackName=self.stack
        )
        [stack] = self._cloudformation.describe_stacks(StackName=self.stack)["Stacks"]
        assert stack["StackStatus"] == f"{kind}_COMPLETE"

    def _publish_functions(self, template: dict[str, Any]) -> None:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as zipped:
            zipped.writestr("index.js", "")
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                self.cloud.client("s3").put_object(
                    Bucket=f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}",
                    Key=resource["Properties"]["Code"]["S3Key"],
                    Body=code.getvalue(),
                )

    def resources(self) -> dict[str, tuple[str, str]]:
        """Type and physical id of what holds data, by logical id."""
        listed = self._cloudformation.list_stack_resources(StackName=self.stack)
        return {
            item["LogicalResourceId"]: (item["ResourceType"], item["PhysicalResourceId"])
            for item in listed["StackResourceSummaries"]
            if item["ResourceType"] in HOLDS_DATA
        }

    def fill(self) -> None:
        """Put something into all that holds data."""
        for kind, name in self.resources().values():
            if kind == "AWS::S3::Bucket":
                for key in ("models/kept", "packaged/kept"):
                    self.cloud.client("s3").put_object(Bucket=name, Key=key, Body=b"kept")
            elif kind == "AWS::SQS::Queue":
                self.cloud.client("sqs").send_message(QueueUrl=name, MessageBody="kept")
            elif kind == "AWS::SageMaker::Pipeline":
                self.cloud.client("sagemaker").start_pipeline_execution(
                    PipelineName=name,
                    PipelineParameters=[
                        {"Name": parameter, "Value": "kept"} for parameter in self._parameters(name)
                    ],
                )
                self.cloud.wait_for_execution(name)
            elif kind == "Custom::LogRetention":
                self.cloud.client("logs").create_log_stream(
                    logGroupName=name, logStreamName=f"{self.stack}/kept"
                )
            elif kind == "AWS::SNS::Topic":
                self.cloud.client("sns").subscribe(
                    TopicArn=name, Protocol="email", Endpoint="kept@example.com"
                )

    def _parameters(self, pipeline: str) -> list[str]:
        described = self.cloud.client("sagemaker").describe_pipeline(PipelineName=pipeline)
        definition = json.loads(described["PipelineDefinition"])
        return [parameter["Name"] for parameter in definition["Parameters"]]

    def content(self) -> dict[str, Any]:
        """What is in all that holds data, by logical id."""
        return {
            logical_id: self._content_of(kind, name)
            for logical_id, (kind, name) in self.resources().items()
        }

    def _content_of(self, kind: str, name: str) -> Any:
        client = self.cloud.client
        match kind:
            case "AWS::S3::Bucket":
                versions = client("s3").list_object_versions(Bucket=name)["Versions"]
                kept = {(item["Key"], item["VersionId"], item["ETag"]) for item in versions}
                return {version for version in kept if version[0].endswith("/kept")}
            case "AWS::SQS::Queue":
                [message] = client("sqs").receive_message(QueueUrl=name, VisibilityTimeout=0)[
                    "Messages"
                ]
                return message["Body"]
            case "AWS::KMS::Key":
                return client("kms").describe_key(KeyId=name)["KeyMetadata"]["KeyState"]
            case "AWS::SNS::Topic":
                listed = client("sns").list_subscriptions_by_topic(TopicArn=name)
                return {item["Endpoint"] for item in listed["Subscriptions"]}
            case "AWS::SageMaker::Pipeline":
                listed = client("sagemaker").list_pipeline_executions(PipelineName=name)
                return [
                    item["PipelineExecutionArn"] for item in listed["PipelineExecutionSummaries"]
                ]
            case "Custom::LogRetention":
                return client("logs").describe_log_streams(logGroupName=name)["logStreams"]
        raise AssertionError(kind)

    def delete(self) -> None:
        self._cloudformation.delete_stack(StackName=self.stack)


@pytest.mark.parametrize("stage", STAGES)
def test_an_update_from_what_was_deployed_before_loses_nothing(
    stage: str, own_cloud: LocalCloud, once: Callable[[str, Make], Path]
) -> None:
    today = once(stage, lambda outdir: synthesize(outdir, **CONTEXTS[stage]))
    updated = Updated(own_cloud, stage)
    updated.deploy(json.loads((DEPLOYED_BEFORE / f"{stage}.json").read_text()), "CREATE")
    try:
        updated.fill()
        resources, content = updated.resources(), updated.content()
        assert all(content.values())
        updated.deploy(template_of(today), "UPDATE")
        assert updated.resources().items() >= resources.items()
        kept = updated.content()
        assert {name: kept[name] for name in content} == content
    finally:
        updated.delete()


@dataclass(frozen=True)
class Edit:
    """The shared deployment after an inference script was edited and deployed, and before.

    Attributes:
        diff: What ``cdk diff`` printed before.
        deploy: What ``cdk deploy`` printed.
        definition: Of the pipeline, before.
        policies: Of every role, before.
    """

    deployment: Deployment
    diff: str
    deploy: str
    definition: str
    policies: dict[str, list[Any]]


def policies(cloud: LocalCloud) -> dict[str, list[Any]]:
    """The inline policies of every role of the stack, by the role's physical name."""
    iam = cloud.client("iam")
    listed = cloud.client("cloudformation").list_stack_resources(StackName=STACK)
    roles = [
        item["PhysicalResourceId"]
        for item in listed["StackResourceSummaries"]
        if item["ResourceType"] == "AWS::IAM::Role"
    ]
    return {
        role: [
            iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
        for role in roles
    }


@pytest.fixture(scope="module")
def edit(deployment: Deployment, edited: Path) -> Iterator[Edit]:
    cloud, stack = deployment.cloud, (STACK, "--app", str(edited))
    before = cloud.client("sagemaker").describe_pipeline(
        PipelineName=deployment.outputs["PipelineName"]
    )
    held = policies(cloud)
    diff = cloud.cdk("diff", *stack)
    # Not cloud.deploy(): that never asks. The CLI's standard input is no terminal.
    yield Edit(deployment, diff, cloud.cdk("deploy", *stack), before["PipelineDefinition"], held)
    cloud.deploy(deployment.assembly, STACK)


def test_an_edited_script_is_in_the_diff_and_no_permission_is(edit: Edit) -> None:
    touched = [
        line.split()[:2] for line in edit.diff.splitlines() if re.match(r" +\[[-+]\] ", line)
    ]
    assert [mark for mark, _ in touched] == ["[-]", "[+]"]
    for _, line in touched:
        assert re.match(r'"/ModelPackaging/[0-9a-f]{64}\.zip', line)
    assert not re.search(r"IAM|Security|Policy", edit.diff)


def test_an_edited_script_is_deployed_without_a_question(edit: Edit) -> None:
    assert "approval" not in edit.deploy
    assert policies(edit.deployment.cloud) == edit.policies
    execution = upload(edit.deployment, "models/edited.tar.gz", archive(**{"model.bin": b"edited"}))
    assert shipped_script(edit.deployment, execution).endswith(b"# Edited.\n")


def test_a_broader_permission_is_asked_about(edit: Edit, tmp_path: Path) -> None:
    # The same way, so that the silence above means something.
    assembly = changed(edit.deployment, tmp_path, '"s3:AbortMultipartUpload",', '"s3:*",')
    with pytest.raises(CommandError, match=r"terminal.*not attached"):
        edit.deployment.cloud.cdk("deploy", STACK, "--app", str(assembly))


def test_an_execution_that_started_before_keeps_its_scripts(edit: Edit) -> None:
    # It holds the definition that it started with; here, its job starts after the update.
    deployment, sagemaker = edit.deployment, edit.deployment.cloud.client("sagemaker")
    pipeline = {"PipelineName": deployment.outputs["PipelineName"]}
    now = sagemaker.describe_pipeline(**pipeline)["PipelineDefinition"]
    scripts = [uri for uri in re.findall(r"s3://([^\"]+\.zip)", edit.definition) if uri not in now]
    assert len(scripts) == 1
    sagemaker.update_pipeline(**pipeline, PipelineDefinition=edit.definition)
    try:
        model = archive(**{"model.bin": b"in flight"})
        execution = upload(deployment, "models/in-flight.tar.gz", model)
    finally:
        sagemaker.update_pipeline(**pipeline, PipelineDefinition=now)
    assert not shipped_script(deployment, execution).endswith(b"# Edited.\n")

    [step] = json.loads(edit.definition)["Steps"]
    role = step["Arguments"]["RoleArn"]
    documents = policies(deployment.cloud)[role.rpartition("/")[2]]
    own = [statement for document in documents for statement in statements(document)]
    bucket, _, key = scripts[0].partition("/")
    arn = f"arn:aws:s3:::{bucket}"
    for action, resource, context in (
        ("s3:GetObject", f"{arn}/{key}", {}),
        ("s3:ListBucket", arn, {"s3:prefix": key}),
    ):
        assert is_allowed(Request(role, action, resource, context, owner=ACCOUNT), own)


def shipped_script(deployment: Deployment, execution: dict[str, Any]) -> bytes:
    """The inference script of the package that an execution wrote."""
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution.get("FailureReason")
    execution_id = execution["PipelineExecutionArn"].rpartition("/")[2]
    [key] = [
        key
        for key in keys(deployment, f"packaged/model-packaging/PackagingStep/{execution_id}/")
        if key.endswith("model.tar.gz")
    ]
    package = deployment.cloud.client("s3").get_object(Bucket=deployment.bucket, Key=key)["Body"]
    with tarfile.open(fileobj=io.BytesIO(package.read())) as tar:
        script = tar.extractfile("code/inference.py")
        assert script is not None
        return script.read()
