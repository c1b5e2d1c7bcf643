"""What is found at night: a deployed stage, brought into the state that a page is about."""

import io
import json
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import pytest
from botocore.exceptions import ClientError

from local_aws.cloud import ACCOUNT, LocalCloud
from local_aws.metrics import EVENTS_NAMESPACE
from tests.local_aws.conftest import metric_sum
from tests.local_aws.deployed_policies import Policy, policies
from tests.local_aws.running_stage import Stage
from tests.local_aws.test_failure_paths import archive, until

STACK = "ModelPackaging-prod"
KEY = "models/churn/model.tar.gz"
LOST = "models/lost/model.tar.gz"


@dataclass
class Found:
    """What the reader of a page finds.

    Attributes:
        filled_in: What they write for the words that stand for something on the page.
        mend: Mends, outside of the page's commands, what the page says to mend first.
    """

    filled_in: dict[str, str] = field(default_factory=dict)
    mend: Callable[[], object] = lambda: None


class Night:
    """A stage whose pipeline something happens to.

    Args:
        cloud: Where it is deployed.
        folder: Where the reader's commands run.
    """

    def __init__(self, cloud: LocalCloud, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder
        self._models = 0
        self.outputs = cloud.outputs(STACK)
        self.bucket = self.outputs["BucketName"]
        self.pipeline = self.outputs["PipelineName"]
        listed = cloud.client("cloudformation").list_stack_resources(StackName=STACK)
        self._resources = listed["StackResourceSummaries"]
        [self.rule] = self.physical("AWS::Events::Rule")
        [self.key] = self.physical("AWS::KMS::Key")

    def physical(self, kind: str) -> list[str]:
        """What the resources of a type are called."""
        return [
            item["PhysicalResourceId"] for item in self._resources if item["ResourceType"] == kind
        ]

    def what_words_stand_for(self) -> dict[str, str]:
        """The words that stand for the same thing on every page, as things are now."""
        executions = self.executions()
        newest = executions[0] if executions else ""
        return {
            "BUCKET": self.bucket,
            "QUEUE_URL": self.outputs["DeadLetterQueueUrl"],
            "RULE": self.rule,
            "KEY_ID": self.key,
            "JOB_ROLE": (role := self._role("PackagingRolesJobRole")),
            "POLICY_NAME": self._policy_name(role),
            "EXECUTION_ARN": newest,
            "fedcba543210": (execution := newest.rpartition("/")[2]),
            "PACKAGE_URI": self.package(execution),
            "IMAGE": "image",
            "ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/hosting",
        }

    def package(self, execution: str) -> str:
        """URI of the package of an execution."""
        packages = self.outputs["PackagedModelUri"]
        return f"{packages}/PackagingStep/{execution}/packaged_model_artifacts/model.tar.gz"

    def _role(self, beginning: str) -> str:
        [name] = [name for name in self.physical("AWS::IAM::Role") if f"-{beginning}" in name]
        return name

    def _policy_name(self, role: str) -> str:
        [name] = self.cloud.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
        return str(name)

    def executions(self, status: str | None = None) -> list[str]:
        """ARNs of the executions, the newest first."""
        listed = self.cloud.client("sagemaker").list_pipeline_executions(
            PipelineName=self.pipeline, SortBy="CreationTime", SortOrder="Descending"
        )
        return [
            item["PipelineExecutionArn"]
            for item in listed["PipelineExecutionSummaries"]
            if status in (None, item["PipelineExecutionStatus"])
        ]

    def model(self) -> bytes:
        """An archive that is like no other."""
        self._models += 1
        return archive(f"{self.folder} {self._models} ".encode() * 64)

    def upload(self, content: bytes, key: str = KEY) -> None:
        self.cloud.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)

    def packages(self, content: bytes, key: str = KEY) -> str:
        """Upload a model and wait; the id of its execution, however it ended."""
        before = self.executions()
        self.upload(content, key)
        return self.ended(before)

    def ended(self, before: list[str]) -> str:
        """Wait for an execution that was not there before; its id."""

        def new() -> str | None:
            started = [arn for arn in self.executions() if arn not in before]
            running = self.executions("Executing")
            return started[0] if started and not running else None

        arn: str = until(new, "an execution to end")
        return arn.rpartition("/")[2]

    def host(self, name: str, package: str) -> None:
        """Make an endpoint of a package."""
        sagemaker, role = self.cloud.client("sagemaker"), f"arn:aws:iam::{ACCOUNT}:role/hosting"
        environment = {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        }
        sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=role,
            PrimaryContainer={
                "Image": "image",
                "ModelDataUrl": package,
                "Environment": environment,
            },
        )
        variant = {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}],
        )
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        self.wait_for(name)

    def wait_for(self, endpoint: str) -> None:
        """Wait until an endpoint is in service."""

        def is_in_service() -> bool:
            told = self.cloud.client("sagemaker").describe_endpoint(EndpointName=endpoint)
            assert told["EndpointStatus"] != "Failed", told["FailureReason"]
            return bool(told["EndpointStatus"] == "InService")

        until(is_in_service, "the endpoint to be in service")

    def version(self) -> str:
        """The version of the model that is the latest now."""
        version: str = self.cloud.client("s3").head_object(Bucket=self.bucket, Key=KEY)["VersionId"]
        return version

    def policy(self, of: str, kind: str) -> Policy:
        """The policy of a role or resource whose logical id begins so."""
        found = [
            policy
            for policy in policies(self.cloud, STACK)
            if policy.of.startswith(of) and policy.kind == kind
        ]
        assert len(found) == 1, found
        return found[0]

    @contextmanager
    def without(self, of: str, kind: str, action: str) -> Iterator[Callable[[], object]]:
        """The stage without the statements that allow an action; what puts them back, and does."""
        policy = self.policy(of, kind)
        before = policy.read()
        kept = [one for one in before["Statement"] if action not in json.dumps(one["Action"])]
        nothing = before["Statement"][0] | {"Action": "sts:GetCallerIdentity"}
        policy.write(before | {"Statement": kept or [nothing]})
        try:
            yield lambda: policy.write(before)
        finally:
            policy.write(before)

    def end(self) -> None:
        """Leave the stage as the next page's reader may find it."""
        self.cloud.client("events").enable_rule(Name=self.rule)
        sqs, queue = self.cloud.client("sqs"), {"QueueUrl": self.outputs["DeadLetterQueueUrl"]}
        while messages := sqs.receive_message(**queue).get("Messages"):
            sqs.delete_message(**queue, ReceiptHandle=messages[0]["ReceiptHandle"])

    def waiting(self) -> int:
        """How many letters wait in the queue."""
        told = self.cloud.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs["DeadLetterQueueUrl"],
            AttributeNames=["ApproximateNumberOfMessages"],
        )
        return int(told["Attributes"]["ApproximateNumberOfMessages"])

    def lost(self) -> float:
        """How many events could not be written to the queue."""
        name = "InvocationsFailedToBeSentToDlq"
        return metric_sum(self.cloud, EVENTS_NAMESPACE, name, RuleName=self.rule)


Situation = Callable[[Night, ExitStack], Found]


def a_model_that_was_cut_off(night: Night, until_the_end: ExitStack) -> Found:
    whole = night.model()
    (night.folder / "model.tar.gz").write_bytes(whole)
    failed = night.packages(whole[: len(whole) // 2])
    return Found({"abcdef012345": failed})


def a_package(night: Night, until_the_end: ExitStack) -> Found:
    return Found({"abcdef012345": night.packages(night.model())})


def a_rule_that_may_not_start(night: Night, until_the_end: ExitStack) -> Found:
    taken = night.without("TriggerRole", "identity", "sagemaker:StartPipelineExecution")
    put_back = until_the_end.enter_context(taken)
    (night.folder / "model.tar.gz").write_bytes(night.model())
    night.upload(night.model())
    until(night.waiting, "a dead letter")
    return Found(mend=put_back)


def a_queue_that_takes_nothing(night: Night, until_the_end: ExitStack) -> Found:
    put_back = [
        until_the_end.enter_context(night.without(of, kind, action))
        for of, kind, action in (
            ("TriggerRole", "identity", "sagemaker:StartPipelineExecution"),
            ("TriggerDeadLetterQueue", "resource", "sqs:SendMessage"),
        )
    ]
    before = night.lost()
    night.upload(night.model(), LOST)
    until(lambda: night.lost() > before, "an event to be lost")
    return Found(mend=lambda: [put() for put in put_back])


def a_rule_that_is_off(night: Night, until_the_end: ExitStack) -> Found:
    night.cloud.client("events").disable_rule(Name=night.rule)
    (night.folder / "model.tar.gz").write_bytes(night.model())
    night.upload(night.model())
    return Found()


def a_job_that_may_not_read(night: Night, until_the_end: ExitStack) -> Found:
    taken = night.without("PackagingRolesJobRole", "identity", "s3:GetObject")
    put_back = until_the_end.enter_context(taken)
    failed = night.packages(night.model())
    return Found({"abcdef012345": failed}, put_back)


def an_execution_that_waits(night: Night, until_the_end: ExitStack) -> Found:
    slow = until_the_end.enter_context(ExitStack())
    stage = Stage(night.cloud, STACK, night.folder)
    slow.callback(slow.enter_context(stage.slow_job()))
    night.upload(night.model())
    [arn] = until(lambda: night.executions("Executing"), "an execution to run")
    until(lambda: stage.jobs(arn), "its job to begin")
    return Found({"abcdef012345": arn.rpartition("/")[2]}, slow.close)


def a_package_that_does_not_fit_its_scripts(night: Night, until_the_end: ExitStack) -> Found:
    packaged = night.packages(night.model())  # it has no model.joblib, which inference.py loads
    model = io.BytesIO()
    joblib.dump(types.SimpleNamespace(predict=list), model)
    (night.folder / "model.tar.gz").write_bytes(archive(model.getvalue(), "model.joblib"))
    (night.folder / "rows.csv").write_text("1,2\n")
    night.host("churn", night.package(packaged))
    until_the_end.callback(night.cloud.client("sagemaker").delete_endpoint, EndpointName="churn")
    with pytest.raises(ClientError):  # it begins to load the model with the first request
        night.cloud.client("sagemaker-runtime").invoke_endpoint(
            EndpointName="churn", ContentType="text/csv", Body=b"1,2"
        )
    return Found({"abcdef012345": packaged})


def a_model_that_was_written_over(night: Night, until_the_end: ExitStack) -> Found:
    packaged = night.packages(night.model())
    version = night.version()
    night.packages(night.model())
    return Found({"abcdef012345": packaged, "VERSION_ID": version})


def a_package_and_a_model(night: Night, until_the_end: ExitStack) -> Found:
    (night.folder / "model.tar.gz").write_bytes(night.model())
    return Found({"abcdef012345": night.packages(night.model())})


SITUATIONS: Mapping[str, Situation] = {
    "README": a_package,
    "execution-failed": a_model_that_was_cut_off,
    "step-near-timeout": a_package,
    "no-execution": a_package,
    "delivery-failed": a_rule_that_may_not_start,
    "event-lost": a_queue_that_takes_nothing,
    "dead-letters": a_rule_that_may_not_start,
    "nothing-starts": a_rule_that_is_off,
    "access-denied": a_job_that_may_not_read,
    "package-cannot-be-loaded": a_package_that_does_not_fit_its_scripts,
    "quotas": an_execution_that_waits,
    "roll-back": a_model_that_was_written_over,
    "rotate-the-key": a_package_and_a_model,
}
