"""A deployed stage at work: what a permission is for, done by those who need it."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_aws.cloud import LocalCloud
from local_aws.metrics import EVENTS_NAMESPACE
from local_aws.policy_evaluation import Statement, statements
from tests.local_aws.conftest import metric_sum
from tests.local_aws.deployed_policies import Permission, policies
from tests.local_aws.test_failure_paths import archive, until

ALARM = "AWS::CloudWatch::Alarm"

# As long as the file isn't there, the job runs.
SLOW = """
import pathlib, time
deadline = time.monotonic() + {seconds}
while not pathlib.Path({file!r}).exists() and time.monotonic() < deadline:
    time.sleep(0.02)
"""


class Stage:
    """A deployed stage.

    Attributes:
        cloud: Where it is deployed.
        outputs: The stack's outputs.
        bucket: Name of the bucket that models arrive in.
        policies: The policies of its roles and resources.
    """

    def __init__(self, cloud: LocalCloud, stack: str, scratch: Path) -> None:
        self.cloud = cloud
        self._stack = stack
        self.outputs = cloud.outputs(stack)
        self.bucket = self.outputs["ModelUploadUri"].split("/")[2]
        self._queue = self.outputs["DeadLetterQueueUrl"]
        self._scratch = scratch
        self._uploads = 0
        self._slow_jobs = 0
        self.policies = policies(cloud, stack)

    def permissions(self) -> list[Permission]:
        return [one for policy in self.policies for one in policy.permissions()]

    def policy(self, of: str, kind: str) -> list[Statement]:
        """The statements of the policies of one kind that a role or a resource has."""
        return [
            statement
            for policy in self.policies
            if of in policy.of and policy.kind == kind
            for statement in statements(policy.read())
        ]

    def arn(self, of: str) -> str:
        [arn] = {policy.arn for policy in self.policies if of in policy.of}
        return arn

    def physical(self, kind: str, of: str = "") -> list[str]:
        """The names of its resources of a type.

        Args:
            kind: The type.
            of: What their logical ids begin with.
        """
        listed = self.cloud.client("cloudformation").list_stack_resources(StackName=self._stack)
        return [
            item["PhysicalResourceId"]
            for item in listed["StackResourceSummaries"]
            if item["ResourceType"] == kind and item["LogicalResourceId"].startswith(of)
        ]

    def rule(self, of: str = "Trigger") -> str:
        """ARN of the rule that starts the pipeline, or of another one."""
        [name] = self.physical("AWS::Events::Rule", of)
        arn: str = self.cloud.client("events").describe_rule(Name=name)["Arn"]
        return arn

    def code(self) -> tuple[str, str]:
        """Bucket and key of the script that the job runs."""
        definition = self.cloud.client("sagemaker").describe_pipeline(
            PipelineName=self.outputs["PipelineName"]
        )["PipelineDefinition"]
        step = json.loads(definition)["Steps"][0]
        inputs = {item["InputName"]: item for item in step["Arguments"]["ProcessingInputs"]}
        uri: str = inputs["code"]["S3Input"]["S3Uri"]
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return bucket, key

    def package(self) -> str | None:
        """Upload a model; why it was not packaged, unless it was."""
        arn = self._upload()
        if not arn.startswith("arn:"):
            return arn
        execution = until(lambda: self._ended(arn), "the execution to end")
        succeeded = execution["PipelineExecutionStatus"] == "Succeeded"
        return None if succeeded else execution["FailureReason"]

    def stop(self, *, let_it_end: bool = False) -> str | None:
        """Stop an execution while its job runs; why it was not stopped, unless it was.

        Args:
            let_it_end: Whether the job ends by itself afterwards. Default: it would run on.
        """
        sagemaker = self.cloud.client("sagemaker")
        with self.slow_job() as end:
            arn = self._upload()
            until(lambda: self.jobs(arn), "the job to begin")
            sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
            if let_it_end:
                end()
            execution = until(lambda: self._ended(arn), "the execution to end")
        stopped = execution["PipelineExecutionStatus"] == "Stopped"
        return None if stopped else execution["FailureReason"]

    def send_dead_letter(self) -> str | None:
        """Send an event that can't be delivered; why no letter came of it, unless one did."""
        [rule] = self.physical("AWS::Events::Rule", "Trigger")
        name = "InvocationsFailedToBeSentToDlq"
        log = self.cloud.directory / "local-aws.log"
        lost = metric_sum(self.cloud, EVENTS_NAMESPACE, name, RuleName=rule)
        read = log.stat().st_size
        detail = {"bucket": {"name": self.bucket}, "object": {"key": "models/no-etag.tar.gz"}}
        entry = {
            "Source": "aws.s3",
            "DetailType": "Object Created",
            "Detail": json.dumps(detail),
        }
        self.cloud.client("events").put_events(Entries=[entry])

        def came() -> str | None:
            if self.letters():
                return "sent"
            if metric_sum(self.cloud, EVENTS_NAMESPACE, name, RuleName=rule) > lost:
                return log.read_bytes()[read:].decode()
            return None

        told: str = until(came, "a dead letter")
        return None if told == "sent" else told

    def alarm(self) -> str | None:
        """Let an alarm go off; why nobody was told, unless it was published."""
        cloudwatch, alarm = self.cloud.client("cloudwatch"), self.physical(ALARM)[0]
        for state in ("OK", "ALARM"):
            cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="a test")
        history = cloudwatch.describe_alarm_history(AlarmName=alarm)["AlarmHistoryItems"]
        told: str = history[0]["HistorySummary"]
        return None if told.startswith("Successfully executed action arn:aws:sns:") else told

    def log_access(self) -> str | None:
        """Read from the bucket; that no access log came of it, unless one did."""
        s3 = self.cloud.client("s3")
        [logs] = {name for name in self.physical("AWS::S3::Bucket") if name != self.bucket}

        def count() -> int:
            return len(s3.list_objects_v2(Bucket=logs).get("Contents", []))

        before = count()
        s3.list_objects_v2(Bucket=self.bucket, Prefix="models/")
        return None if count() > before else f"no log of s3:PutObject in {logs}"

    def _upload(self) -> str:
        """Upload a model; the execution that it starts, or why it starts none."""
        self._uploads += 1
        before = self.executions()
        key = f"models/permissions/{self._uploads}/model.tar.gz"
        body = archive(b"weights")
        self.cloud.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        found: str = until(
            lambda: next(iter(self.executions() - before), None) or self.letters(),
            "an execution or a dead letter",
        )
        return found

    def executions(self) -> set[str]:
        """ARNs of the pipeline's executions."""
        listed = self.cloud.client("sagemaker").list_pipeline_executions(
            PipelineName=self.outputs["PipelineName"]
        )
        return {item["PipelineExecutionArn"] for item in listed["PipelineExecutionSummaries"]}

    def letters(self) -> str:
        """What dead letters say, which are gone then."""
        sqs, told = self.cloud.client("sqs"), []
        received = sqs.receive_message(QueueUrl=self._queue, MessageAttributeNames=["All"])
        for message in received.get("Messages", []):
            told.append(message["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"])
            sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return "\n".join(told)

    def _ended(self, arn: str) -> dict[str, Any] | None:
        execution: dict[str, Any] = self.cloud.client("sagemaker").describe_pipeline_execution(
            PipelineExecutionArn=arn
        )
        running = execution["PipelineExecutionStatus"] in ("Executing", "Stopping")
        return None if running else execution

    def jobs(self, arn: str) -> list[Any]:
        """The steps of an execution that have a job."""
        steps = self.cloud.client("sagemaker").list_pipeline_execution_steps(
            PipelineExecutionArn=arn
        )["PipelineExecutionSteps"]
        return [step for step in steps if step["Metadata"]]

    @contextmanager
    def slow_job(self, seconds: float = 60) -> Iterator[Callable[[], None]]:
        """The pipeline with another script, which ends when it is told to, or some time later.

        Args:
            seconds: How much later.
        """
        self._slow_jobs += 1
        file = self._scratch / f"end-{self._slow_jobs}"
        s3 = self.cloud.client("s3")
        bucket, key = self.code()
        before = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as archived:
            archived.writestr("__main__.py", SLOW.format(file=str(file), seconds=seconds))
        s3.put_object(Bucket=bucket, Key=key, Body=body.getvalue())
        try:
            yield file.touch
        finally:
            s3.put_object(Bucket=bucket, Key=key, Body=before)
