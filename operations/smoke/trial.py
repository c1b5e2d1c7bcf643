"""One run of the smoke test: what it has put into a stage and started there, to be taken away."""

import itertools
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from model_packaging.step.s3_location import S3Location
from operations.executions.deployed_stage import DeployedStage
from operations.executions.faults import OperationError
from operations.executions.packagings import RUNNING, Packaging, packaging
from operations.executions.start import announcement, follow, parameters_for
from operations.smoke import arrival
from operations.smoke.journal import CheckError, Journal

POLL_SECONDS = 2.0
# "Enabling Amazon EventBridge" in the S3 user guide: it takes about five minutes.
_RULE = (
    "S3 takes about five minutes until it sends a bucket's events after they were enabled, as in a "
    "stage's first deployment. What was uploaded before starts nothing, later either."
)
SECONDS_UNTIL_AGAIN = 60
SECONDS_IN_ALL = 420  # the five minutes, and a while
_SECONDS_TO_START = 180  # once events are known to arrive
_SECONDS_TO_END = 900  # once it was stopped
_SECONDS_TO_LOOK = 20  # into the dead-letter queue, while nothing starts


@dataclass(frozen=True)
class Upload:
    """A model that was uploaded.

    Attributes:
        key: Its key.
        uri: Its S3 URI.
        etag: Its ETag.
        size: Its size, in bytes.
    """

    key: str
    uri: str
    etag: str
    size: int


@dataclass(frozen=True)
class Started:
    """An execution that a model started.

    Attributes:
        arn: Its ARN.
        upload: The model.
        parameters: What it was started with.
    """

    arn: str
    upload: Upload
    parameters: Mapping[str, str]


class Trial:
    """What a run does with a stage.

    Args:
        stage: The stage.
        journal: Where it tells of it.

    Attributes:
        stage: As given.
        journal: As given.
        mark: What the keys of this run, and of no other, have in them.
        folder: Where it uploads.
        by_hand: Why the pipeline is started by hand for each model; empty if its event does it.
        executions: What it has started, as far as it has been seen: the parameters by ARN.
        undelivered: The models whose events were found in the dead-letter queue.
    """

    def __init__(self, stage: DeployedStage, journal: Journal) -> None:
        self.stage = stage
        self.journal = journal
        self.mark = secrets.token_hex(4)
        uploads = stage.outputs.get("ModelUploadUri") or stage.output("TrainingOutputUri")
        place = S3Location.parse(uploads)
        self.folder = S3Location(place.bucket, f"{place.folder}smoke/{self.mark}/")
        self.by_hand = self._why_by_hand()
        self.executions: dict[str, Mapping[str, str]] = {}
        self._others: set[str] = set()
        self._before = set(itertools.islice(self._listed(), 100))
        self._taken: set[str] = set()
        self.undelivered: set[str] = set()
        self._expected = 0  # executions that uploads must have started

    def upload(self, name: str, body: bytes) -> Upload:
        """Upload a model.

        Args:
            name: Its key below the folder.
            body: Its archive.
        """
        key = f"{self.folder.key}{name}"
        s3 = self.stage.client("s3")
        etag = s3.put_object(Bucket=self.folder.bucket, Key=key, Body=body)["ETag"].strip('"')
        upload = Upload(key, S3Location(self.folder.bucket, key).uri, etag, len(body))
        self.journal.say(f"    uploaded {upload.uri}")
        self._expected += 1
        return upload

    def start(self, name: str, body: bytes) -> Started:
        """Upload a model, and wait until it has started the pipeline.

        Raises:
            CheckError: It starts nothing.
        """
        upload = self.upload(name, body)
        started = self._wait([upload], _SECONDS_TO_START)
        if started is None:
            raise CheckError(
                f"{upload.uri} started nothing in {_SECONDS_TO_START} s",
                "uploads before it started the pipeline: compare its key with the rule's pattern",
            )
        return started

    def start_first(self, name: str, body: bytes) -> Started:
        """The same for the first model, with which it shows whether events arrive at all.

        It is uploaded again under further keys, since S3 sends no event twice.

        Raises:
            CheckError: It starts nothing.
        """
        uploads: list[Upload] = []
        deadline = time.monotonic() + SECONDS_IN_ALL
        for attempt in itertools.count(1):
            uploads.append(self.upload(name if attempt == 1 else f"try-{attempt}/{name}", body))
            if started := self._wait(uploads, SECONDS_UNTIL_AGAIN):
                return started
            if not arrival.sends_events(self.stage, self.folder.bucket):
                raise CheckError(
                    f"nothing starts: the bucket {self.folder.bucket} sends no events to "
                    "EventBridge, so its setting was changed after the deployment",
                    "enable them in the bucket's properties, or deploy the stack anew",
                )
            if attempt == 1:
                age = arrival.minutes_deployed(self.stage)
                self.journal.say(
                    f"    Nothing has started yet. {_RULE}\n    This stack was deployed "
                    f"{age} min ago. The model is uploaded again from time to time, for up to "
                    f"{SECONDS_IN_ALL} s."
                )
            if time.monotonic() > deadline:
                raise CheckError(
                    f"nothing has started in {SECONDS_IN_ALL} s, and nothing waits in the "
                    f"dead-letter queue. {_RULE}",
                    "if the stage is younger than ten minutes, try again; if not, look at the "
                    "rule's metrics TriggeredRules and FailedInvocations in CloudWatch",
                )
        raise AssertionError("unreachable")

    def start_again(self, earlier: Started) -> Started:
        """Start the pipeline by hand, as an earlier execution was."""
        parameters = [{"Name": name, "Value": text} for name, text in earlier.parameters.items()]
        arn = self.stage.client("sagemaker").start_pipeline_execution(
            PipelineName=self.stage.pipeline_name, PipelineParameters=parameters
        )["PipelineExecutionArn"]
        self._expected += 1
        return self._take(arn, earlier.upload)

    def follow(self, started: Started) -> Packaging:
        """Tell of an execution until it has ended."""
        return follow(self.stage, started.arn, quiet=self.journal.quiet)

    @property
    def unseen(self) -> int:
        """How many uploads have started nothing that was seen."""
        return max(0, self._expected - len(self.executions))

    def settle(self, seconds: float) -> None:
        """Wait for what uploads must have started and nobody has seen, as after Ctrl-C."""
        deadline = time.monotonic() + seconds
        while self._look() or self.unseen:
            if time.monotonic() > deadline:
                return
            time.sleep(POLL_SECONDS)

    def stop_executions(self) -> list[Packaging]:
        """Stop what is running yet.

        Returns:
            All that this run has started.

        Raises:
            OperationError: One can neither be stopped nor ends by itself.
        """
        return [self._stopped(arn) for arn in self.executions]

    def _stopped(self, arn: str) -> Packaging:
        deadline = time.monotonic() + _SECONDS_TO_END
        one = packaging(self.stage, arn)
        if one.status in RUNNING:
            try:
                self.stage.client("sagemaker").stop_pipeline_execution(PipelineExecutionArn=arn)
            except ClientError as fault:  # it has ended since, or else it must end by itself
                self.journal.say(f"    waiting for {one.execution_id}: {fault}")
        while one.status in RUNNING:
            if time.monotonic() > deadline:
                raise OperationError(f"{arn} is {one.status} and writes when it ends")
            time.sleep(POLL_SECONDS)
            one = packaging(self.stage, arn)
        return one

    def _why_by_hand(self) -> str:
        event: dict[str, Any] = {
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {
                "bucket": {"name": self.folder.bucket},
                "object": {"key": f"{self.folder.key}model.tar.gz", "size": 1},
            },
        }
        account, region = (
            self.stage.pipeline_arn.split(":")[4],
            self.stage.pipeline_arn.split(":")[3],
        )
        envelope = {
            **{"id": "smoke", "account": account, "region": region, "version": "0"},
            **{"time": "2000-01-01T00:00:00Z", "resources": []},
        }
        rule = arrival.rule_for(self.stage, envelope | event)
        if rule is None:
            return "no rule of the stage is for uploads there"
        return "" if rule["State"] == "ENABLED" else f"the stage's rule {rule['Name']} is disabled"

    def _wait(self, uploads: Sequence[Upload], seconds: float) -> Started | None:
        if self.by_hand:
            return self._start_by_hand(uploads[-1])
        begin = look = time.monotonic()
        while time.monotonic() < begin + seconds:
            self._look()
            for arn, parameters in self.executions.items():
                if arn not in self._taken and (upload := _announced(parameters, uploads)):
                    self._taken.add(arn)
                    self.journal.say(f"    its event started {arn.rpartition('/')[2]}")
                    return Started(arn, upload, parameters)
            if time.monotonic() > look + _SECONDS_TO_LOOK:
                look = time.monotonic()
                self._look_into_queue()
            time.sleep(POLL_SECONDS)
        self._look_into_queue()
        return None

    def _look_into_queue(self) -> None:
        for model, reason in arrival.undelivered(self.stage, self.mark).items():
            if model not in self.undelivered:
                self.undelivered.add(model)
                raise CheckError(
                    f"the event of {model} could not start the pipeline: {reason}",
                    "mend what the reason names",
                )

    def _start_by_hand(self, upload: Upload) -> Started:
        event = announcement(self.stage, upload.uri)
        arn = self.stage.client("sagemaker").start_pipeline_execution(
            PipelineName=self.stage.pipeline_name,
            PipelineParameters=parameters_for(self.stage, event),
        )["PipelineExecutionArn"]
        self.journal.say(f"    started {arn.rpartition('/')[2]} by hand")
        return self._take(arn, upload)

    def _take(self, arn: str, upload: Upload) -> Started:
        self._taken.add(arn)
        self.executions[arn] = self._parameters(arn)
        return Started(arn, upload, self.executions[arn])

    def _look(self) -> bool:
        """Look for executions of this run; whether there is a new one."""
        found = False
        for arn in self._listed():
            if arn in self._before:
                break  # they are listed from the newest on
            if arn in self.executions or arn in self._others:
                continue
            parameters = self._parameters(arn)
            if any(self.mark in value for value in parameters.values()):
                self.executions[arn] = parameters
                found = True
            else:
                self._others.add(arn)
        return found

    def _listed(self) -> Iterator[str]:
        sagemaker = self.stage.client("sagemaker")
        for page in sagemaker.get_paginator("list_pipeline_executions").paginate(
            PipelineName=self.stage.pipeline_name, SortBy="CreationTime", SortOrder="Descending"
        ):
            for item in page["PipelineExecutionSummaries"]:
                yield item["PipelineExecutionArn"]

    def _parameters(self, arn: str) -> dict[str, str]:
        sagemaker = self.stage.client("sagemaker")
        return {
            item["Name"]: item["Value"]
            for page in sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(
                PipelineExecutionArn=arn
            )
            for item in page.get("PipelineParameters", [])
        }


def _announced(parameters: Mapping[str, str], uploads: Sequence[Upload]) -> Upload | None:
    """Which upload an execution was started for."""
    values = parameters.values()
    same = [upload for upload in uploads if upload.etag in values]
    by_key = [upload for upload in same or uploads if upload.key in values]
    # A key that does not arrive as it was sent is what the odd keys are tried for.
    return next(iter(by_key or same), None)
