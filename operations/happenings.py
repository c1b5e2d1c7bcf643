"""What happens on a local AWS, told as it happens: events, executions, alarms."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local_aws.cloud import LocalCloud

_LINE = re.compile(r"^\S+ (?P<time>\d\d:\d\d:\d\d)\S* (?P<level>[A-Z]+) local_aws\S*: (?P<text>.*)")
_UNDECIDED = ("Executing", "Stopping")


class Happenings:
    """What has happened since the last look.

    Args:
        cloud: The local AWS.
        log: What it logs.
    """

    def __init__(self, cloud: LocalCloud, log: Path) -> None:
        self._cloud = cloud
        self._log = log
        self._place = 0
        self._told: dict[str, str] = {}  # the status of each execution

    def new(self) -> Iterator[str]:
        """A line for each."""
        yield from self._logged()
        yield from self._executions()

    def _logged(self) -> Iterator[str]:
        with self._log.open("rb") as log:
            log.seek(self._place)
            for line in log:
                if not line.endswith(b"\n"):
                    return  # it is being written
                self._place += len(line)
                if found := _LINE.match(line.decode(errors="replace")):
                    broken = "" if found["level"] == "INFO" else f"{found['level']} "
                    yield f"{broken}{found['text']}"

    def _executions(self) -> Iterator[str]:
        sagemaker = self._cloud.client("sagemaker")
        for pipeline in sagemaker.list_pipelines()["PipelineSummaries"]:
            name = pipeline["PipelineName"]
            listed = sagemaker.list_pipeline_executions(PipelineName=name)
            for item in listed["PipelineExecutionSummaries"]:
                arn, status = item["PipelineExecutionArn"], item["PipelineExecutionStatus"]
                if self._told.get(arn) != status:
                    self._told[arn] = status
                    yield f"execution {arn.rpartition('/')[2]} of {name}: {self._tell(arn, status)}"

    def _tell(self, arn: str, status: str) -> str:
        if status in _UNDECIDED:
            return status
        [*steps] = self._cloud.client("sagemaker").list_pipeline_execution_steps(
            PipelineExecutionArn=arn
        )["PipelineExecutionSteps"]
        return f"{status}{''.join(map(_about, steps))}"


def _about(step: dict[str, Any]) -> str:
    if reason := step.get("FailureReason"):
        return f", {step['StepName']}: {reason}"
    if hit := step.get("CacheHitResult"):
        source = hit["SourcePipelineExecutionArn"].rpartition("/")[2]
        return f", {step['StepName']} from the cache: the package of {source} again"
    return ""
