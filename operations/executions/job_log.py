"""The log of a packaging job, in CloudWatch."""

from collections.abc import Iterator
from typing import Any

from local_aws.metrics import PROCESSING_LOG_GROUP
from operations.executions.deployed_stage import DeployedStage


class JobLog:
    """The lines that a job has logged; each is given once.

    Args:
        stage: Whose job it is.
        job: Its name.
    """

    def __init__(self, stage: DeployedStage, job: str) -> None:
        self._logs = stage.client("logs")
        self._job = job
        self._next: dict[str, str] = {}  # the place in each stream

    def new_lines(self) -> Iterator[str]:
        """Lines that have appeared since the last call."""
        for stream in self._streams():
            yield from self._read(stream)

    def _streams(self) -> list[str]:
        try:
            listed = self._logs.describe_log_streams(
                # SageMaker names them <job>/<instance>-<time>.
                logGroupName=PROCESSING_LOG_GROUP,
                logStreamNamePrefix=f"{self._job}/",
            )
        except self._logs.exceptions.ResourceNotFoundException:
            return []  # nothing in the account has logged yet
        return [stream["logStreamName"] for stream in listed["logStreams"]]

    def _read(self, stream: str) -> Iterator[str]:
        place: dict[str, Any] = {"logGroupName": PROCESSING_LOG_GROUP, "logStreamName": stream}
        while True:
            token = self._next.get(stream)
            page = self._logs.get_log_events(
                **place, startFromHead=True, **({"nextToken": token} if token else {})
            )
            self._next[stream] = page["nextForwardToken"]
            for event in page["events"]:
                yield event["message"]
            if page["nextForwardToken"] == token or not page["events"]:
                return  # the same token again is the end ("GetLogEvents")
