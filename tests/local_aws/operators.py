"""Those who run a stage: a role that has the operators' policy alone types the commands."""

import contextlib
import io
import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import boto3

from local_aws.cloud import ACCOUNT, REGION
from operations.__main__ import main
from operations.executions.deployed_stage import deployed_stage
from operations.executions.start import announcement
from tests.local_aws.deployed_policies import Permission
from tests.local_aws.running_stage import Stage
from tests.local_aws.test_failure_paths import archive, until

POLICY = "AWS::IAM::ManagedPolicy"


class Operators:
    """The operators of a deployed stage.

    Args:
        stage: The stage.
        name: What cdk.json calls it.

    Attributes:
        bucket: Name of its bucket.
        packaged: ARN of an execution that has succeeded.
        failed: ARN of one that has failed.
    """

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage = stage
        self._name = name
        self.bucket = stage.bucket
        self._numbers = itertools.count()
        self._session = self._sign_in()
        done, self.packaged = self._start(archive(b"weights"))
        assert done is None
        done, self.failed = self._start(archive(b"weights" * 100)[:-20])
        assert "upload it again" in str(done)

    def told(self, *words: str) -> str | None:
        """Type a command; what it says when it fails, None if it does what it should."""
        return self._types(*words)[0]

    def needing(self, permission: Permission) -> Callable[[], str | None]:
        """What can't be done without a permission."""
        service, _, action = permission.action.partition(":")
        of_models = "/packaged/" not in permission.resource
        if (service, action) == ("s3", "GetObject") and of_models:
            return self._look_at_a_model
        exercises: dict[str, Callable[[], str | None]] = {
            "StopPipelineExecution": self.cancel,
            "DescribeProcessingJob": self._follow_a_slow_job,
            "ListPipelineExecutions": lambda: self.told("status"),
            "ListBucket": lambda: self._has_no_report(self.told("package-report", self.failed)),
            "DeleteMessage": lambda: self.redrive("--yes"),
            "ChangeMessageVisibility": lambda: self.redrive("--dry-run"),
            "ReceiveMessage": lambda: self.redrive("--dry-run"),
            "DescribeLogStreams": lambda: self.told("logs", self.packaged),
            "GetLogEvents": lambda: self.told("logs", self.packaged),
            "StartPipelineExecution": self._start_only,
        }
        if service == "events":
            return self._start_only
        return exercises.get(action, lambda: self.told("package-report", self.packaged))

    def cancel(self) -> str | None:
        """Stop an execution while its job runs; why it was not stopped, unless it was."""
        with self._stage.slow_job() as end:
            _, arn = self._start(archive(b"slow"), "--no-wait")
            until(lambda: self._stage.jobs(arn), "the job to begin")
            told = self.told("cancel", arn)
            end()
        return told

    def redrive(self, how: str) -> str | None:
        """Look at a dead letter, or send it again; why that can't be done, unless it can."""
        model = self._upload(archive(b"late"))
        with self._at_the_desk():
            event = announcement(deployed_stage(self._name), model)
        details = {
            "RULE_ARN": self._stage.rule(),
            "TARGET_ARN": self._stage.outputs["PipelineArn"],
            "ERROR_MESSAGE": "not then",
        }
        self._stage.cloud.client("sqs").send_message(
            QueueUrl=self._stage.outputs["DeadLetterQueueUrl"],
            MessageBody=json.dumps(event),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in details.items()
            },
        )
        return self.told("redrive", how)

    def clear_queue(self) -> None:
        """Remove the letters that could not be sent again, those out of sight too."""
        queue = self._stage.outputs["DeadLetterQueueUrl"]
        self._stage.cloud.client("sqs").purge_queue(QueueUrl=queue)

    def _follow_a_slow_job(self) -> str | None:
        with self._stage.slow_job(seconds=5) as end:  # or it would not be followed to its end
            told, _ = self._start(archive(b"followed"))
            end()
        return told

    def _start_only(self) -> str | None:
        return self._start(archive(b"weights"), "--no-wait")[0]

    def _look_at_a_model(self) -> str | None:
        told = self._start_only()
        # S3 answers HeadObject, as any HEAD, without words.
        unreadable = "can't be read with these credentials" in str(told)
        return f"without s3:GetObject: {told}" if unreadable else told

    def _has_no_report(self, told: str | None) -> str | None:
        return None if "has no report" in str(told) else told

    def _upload(self, model: bytes) -> str:
        """Put a model where no rule sees it, but the commands do."""
        key = f"models/operators/{next(self._numbers)}/model.tgz"
        self._stage.cloud.client("s3").put_object(Bucket=self.bucket, Key=key, Body=model)
        return f"s3://{self.bucket}/{key}"

    def _start(self, model: bytes, *how: str) -> tuple[str | None, str]:
        """Start a model; what is said if it fails, and the ARN of the latest execution."""
        told, _ = self._types("start", self._upload(model), *how)
        listed = self._stage.cloud.client("sagemaker").list_pipeline_executions(
            PipelineName=self._stage.outputs["PipelineName"], SortOrder="Descending"
        )
        arn: str = listed["PipelineExecutionSummaries"][0]["PipelineExecutionArn"]
        return told, arn

    def _types(self, *words: str) -> tuple[str | None, str]:
        out, err = io.StringIO(), io.StringIO()
        with (
            self._at_the_desk(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            exit_code = main([words[0], "--stage", self._name, *words[1:]])
        return err.getvalue() if exit_code else None, out.getvalue()

    @contextmanager
    def _at_the_desk(self) -> Iterator[None]:
        """This process with the operators' credentials."""
        environment = self._stage.cloud.environment
        settings = {name: environment[name] for name in ("AWS_ENDPOINT_URL", "NO_PROXY")}
        with (
            mock.patch.dict(os.environ, settings),
            mock.patch("boto3.DEFAULT_SESSION", self._session),
            mock.patch("operations.executions.start.POLL_SECONDS", 0.05),
            mock.patch("operations.executions.cancel.POLL_SECONDS", 0.05),
        ):
            yield

    def _sign_in(self) -> Any:
        iam, role = self._stage.cloud.client("iam"), f"Operators-{self._name}"
        trust = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        }
        arn = iam.create_role(
            RoleName=role, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
        )["Role"]["Arn"]
        [policy] = self._stage.physical(POLICY)
        iam.attach_role_policy(RoleName=role, PolicyArn=policy)
        made = self._stage.cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="desk")
        return boto3.Session(
            aws_access_key_id=made["Credentials"]["AccessKeyId"],
            aws_secret_access_key=made["Credentials"]["SecretAccessKey"],
            aws_session_token=made["Credentials"]["SessionToken"],
            region_name=REGION,
        )
