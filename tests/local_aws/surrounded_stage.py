"""A deployed stage with everything around its packages on: each of it done, by who does it."""

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local_aws.cloud import ACCOUNT, LocalCloud
from tests import surrounded
from tests.local_aws.deployed_policies import Permission
from tests.local_aws.running_stage import Stage
from tests.local_aws.test_failure_paths import until

_DONE = "done"


class SurroundedStage(Stage):
    """The stage of ``tests/surrounded.py``, deployed.

    Attributes:
        told: URL of a queue that gets what the stage's topic is told.
    """

    def __init__(self, cloud: LocalCloud, stack: str, scratch: Path) -> None:
        super().__init__(cloud, stack, scratch)
        self._events, self._sqs = cloud.client("events"), cloud.client("sqs")
        self._numbers = itertools.count()
        self.told: str = self._sqs.create_queue(QueueName="operators")["QueueUrl"]
        cloud.client("sns").subscribe(
            TopicArn=self.arn("MonitoringTopic"),
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:operators",
            Attributes={"RawMessageDelivery": "true"},
        )

    def upload(self, key: str, body: bytes) -> dict[str, Any]:
        """Upload a model, and wait for the end of the execution that it starts."""
        s3 = self.cloud.client("s3")
        return self._execution(lambda: s3.put_object(Bucket=self.bucket, Key=key, Body=body))

    def announce(self, key: str) -> dict[str, Any]:
        """Deliver the event of an upload once more, and wait as above."""
        etag = self.cloud.client("s3").head_object(Bucket=self.bucket, Key=key)["ETag"].strip('"')
        detail = {"bucket": {"name": self.bucket}, "object": {"key": key, "etag": etag}}
        entry = {
            "Source": "aws.s3",
            "DetailType": "Object Created",
            "Detail": json.dumps(detail),
        }
        return self._execution(lambda: self._events.put_events(Entries=[entry]))

    def _execution(self, start: Callable[[], Any]) -> dict[str, Any]:
        before = self.executions()
        start()
        until(lambda: self.executions() - before, "an execution")
        return self.cloud.wait_for_execution(self.outputs["PipelineName"])

    def versions(self) -> list[dict[str, Any]]:
        """What the registry has."""
        sagemaker = self.cloud.client("sagemaker")
        listed = sagemaker.list_model_packages(ModelPackageGroupName=surrounded.GROUP)
        arns = [item["ModelPackageArn"] for item in listed["ModelPackageSummaryList"]]
        arns.sort(key=lambda arn: int(arn.rpartition("/")[2]))
        return [sagemaker.describe_model_package(ModelPackageName=arn) for arn in arns]

    def receive(self, url: str) -> list[str]:
        """The messages of a queue, which are gone then."""
        received = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        messages = received.get("Messages", [])
        for message in messages:
            self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in messages]

    def notify(self) -> str | None:
        """Let an execution have ended; why nobody was told, unless somebody was."""
        pipeline = self.outputs["PipelineArn"]
        execution = f"{pipeline}/execution/{next(self._numbers):012}"
        detail = {
            "pipelineArn": pipeline,
            "pipelineExecutionArn": execution,
            "currentPipelineExecutionStatus": "Failed",
            "executionStartTime": "2026-11-01T03:00:00Z",
            "executionEndTime": "2026-11-01T03:05:00Z",
        }
        kind = "SageMaker Model Building Pipeline Execution Status Change"
        return self._send(
            "aws.sagemaker",
            kind,
            pipeline,
            detail,
            lambda: _DONE if any(execution in body for body in self.receive(self.told)) else None,
        )

    def approve(self) -> str | None:
        """Let a version be approved; why the queue was not told, unless it was."""
        [queue] = self.physical("AWS::SQS::Queue", "Approved")
        detail = {"ModelPackageGroupName": surrounded.GROUP, "ModelApprovalStatus": "Approved"}
        return self._send(
            "aws.sagemaker",
            "SageMaker Model Package State Change",
            f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/{surrounded.GROUP}/1",
            detail,
            lambda: _DONE if self.receive(queue) else None,
        )

    def start_by_clock(self) -> str | None:
        """Let the schedule's time come; why it started nothing, unless it started the pipeline."""
        before = self.executions()
        return self._let_time_come(
            lambda: _DONE if self.executions() - before else self.letters() or None
        )

    def write_letter_of_clock(self) -> str | None:
        """Let the schedule fail; why it wrote no dead letter, unless it did."""
        [start] = [
            one
            for one in self.permissions()
            if one.policy.of.startswith("Nightly")
            and one.action == "sagemaker:StartPipelineExecution"
        ]
        with start.taken_away():
            return self._let_time_come(lambda: _DONE if self.letters() else None)

    def needing(self, permission: Permission) -> Callable[[], str | None]:
        """What can't be done without a permission."""
        if permission.policy.of.startswith("Nightly"):
            of_queue = permission.action.startswith(("sqs:", "kms:"))
            return self.write_letter_of_clock if of_queue else self.start_by_clock
        if permission.policy.of.startswith("Approved"):
            return self.approve
        return self.notify if permission.policy.kind == "resource" else self.package

    def _let_time_come(self, what_came: Callable[[], str | None]) -> str | None:
        [name] = self.physical("AWS::Scheduler::Schedule")
        arn = f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/default/{name}"
        return self._send("aws.scheduler", "Scheduled Event", arn, {}, what_came)

    def _send(
        self,
        source: str,
        kind: str,
        resource: str,
        detail: Mapping[str, Any],
        what_came: Callable[[], str | None],
    ) -> str | None:
        """Send an event; why what it asks for was not done, unless it was.

        Args:
            what_came: What came of it so far: done, or a dead letter's words.
        """
        log = self.cloud.directory / "local-aws.log"
        read = log.stat().st_size
        entry = {
            "Source": source,
            "DetailType": kind,
            "Resources": [resource],
            "Detail": json.dumps(detail),
        }
        self._events.put_events(Entries=[entry])

        def came() -> str | None:
            if found := what_came():
                return found
            said = log.read_bytes()[read:].decode()
            return said if "lost an event" in said or "did nothing" in said else None

        told: str = until(came, f"what comes of {kind}")
        return None if told == _DONE else told
