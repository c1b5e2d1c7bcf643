"""What a stage's alarms and metrics make of the models, if it has any."""

import datetime
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from local_aws.metrics import PROCESSING_LOG_GROUP
from operations.executions.deployed_stage import DeployedStage
from operations.smoke.journal import Check, CheckError, Journal

POLL_SECONDS = 5.0
# CloudWatch has a metric after some minutes, and an alarm looks at five at a time.
SECONDS_IN_ALL = 900
_FAILED = "ExecutionFailed"


class Monitoring:
    """The alarms and the metric filters of a stage's stack.

    Args:
        stage: The stage.
        journal: Where it tells of them.

    Attributes:
        alarms: Names of its alarms.
    """

    def __init__(self, stage: DeployedStage, journal: Journal) -> None:
        self._stage = stage
        self._journal = journal
        self._since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
        resources = [
            (item["ResourceType"], item["PhysicalResourceId"])
            for page in stage.client("cloudformation")
            .get_paginator("list_stack_resources")
            .paginate(StackName=stage.stack)
            for item in page["StackResourceSummaries"]
        ]
        self.alarms = [name for kind, name in resources if kind == "AWS::CloudWatch::Alarm"]
        self._filters = [name for kind, name in resources if kind == "AWS::Logs::MetricFilter"]
        self._before: dict[str, str] = {}

    def announce(self) -> None:
        """Say which alarms the broken archive raises, before it does."""
        described = self._describe()
        self._before = {name: alarm["StateValue"] for name, alarm in described.items()}
        raised = [alarm for alarm in described.values() if alarm.get("MetricName") == _FAILED]
        if not raised:
            self._journal.say("    The next archive is broken on purpose; the stage has no alarms.")
            return
        self._journal.say("    The next archive is broken on purpose. It will raise")
        for alarm in raised:
            actions = ", ".join(alarm.get("AlarmActions", [])) or "nobody"
            self._journal.say(f"        {alarm['AlarmName']} (now {alarm['StateValue']})")
            self._journal.say(f"        which tells {actions}")

    def check_alarms(self, check: Check, undelivered: Collection[str] = ()) -> None:
        """The alarm on failed executions is raised, and no other.

        Args:
            check: The check.
            undelivered: Models whose events could not be delivered, which raises others.

        Raises:
            CheckError: It is not, or another one is.
        """
        if not self.alarms:
            check.not_tried("the stage has no alarms")
            return
        expected = {
            name for name, alarm in self._describe().items() if alarm.get("MetricName") == _FAILED
        }
        missing = self._wait(
            lambda: sorted(
                name for name in expected if self._describe()[name]["StateValue"] != "ALARM"
            )
        )
        states = {name: alarm["StateValue"] for name, alarm in self._describe().items()}
        for name, state in states.items():
            self._journal.say(f"    {name}: {self._before.get(name, '?')} → {state}")
        if missing:
            raise CheckError(
                f"{', '.join(missing)} is not ALARM, {SECONDS_IN_ALL} s after an execution failed",
                "compare the alarm's namespace and dimensions with the metrics of the pipeline in "
                "CloudWatch",
            )
        raised = {name for name, state in states.items() if state == "ALARM"} - expected
        others = sorted(name for name in raised if self._before.get(name) != "ALARM")
        if others and not undelivered:
            raise CheckError(
                f"{', '.join(others)} was raised, which nothing in this run should do",
                "the alarm's description says what it means",
            )
        named = ", ".join(sorted(expected))
        if any(self._before.get(name) == "ALARM" for name in expected):
            check.not_tried(
                f"{named} was ALARM before the broken archive, so nothing shows what raises it; "
                "run the test again when it is OK"
            )
            return
        check.proved(
            f"{named} is ALARM after the broken archive, and will be OK again by itself; of the "
            f"other {len(states) - len(expected)}, "
            + (
                f"{', '.join(others)}: the event of {', '.join(undelivered)} could not be delivered"
                if others
                else "none was raised"
            )
        )

    def check_metrics(self, check: Check, succeeded: int) -> None:
        """Executions and packages were counted.

        Args:
            check: The check.
            succeeded: How many executions have succeeded at least.

        Raises:
            CheckError: Something was not counted.
        """
        wanted = dict(self._wanted(succeeded))
        if not wanted:
            check.not_tried("the stage has neither alarms nor metric filters")
            return
        found: dict[str, float] = {}

        def missing() -> list[str]:
            for name, (least, measure) in wanted.items():
                if found.get(name, 0) < least:
                    found[name] = measure()
            return sorted(name for name, (least, _) in wanted.items() if found[name] < least)

        if lacking := self._wait(missing):
            told = ", ".join(f"{name}: {found[name]:g} of {wanted[name][0]}" for name in lacking)
            raise CheckError(
                f"after {SECONDS_IN_ALL} s, CloudWatch has {told}",
                "look for the metric's name in CloudWatch; a metric filter counts only what is "
                "logged after it was made",
            )
        check.proved(", ".join(f"{name} {value:g}" for name, value in sorted(found.items())))

    def _describe(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for page in (
            self._stage.client("cloudwatch")
            .get_paginator("describe_alarms")
            .paginate(AlarmNames=self.alarms)
            if self.alarms
            else ()
        ):
            found |= {alarm["AlarmName"]: alarm for alarm in page["MetricAlarms"]}
        return found

    def _wanted(self, succeeded: int) -> Iterator[tuple[str, tuple[int, Callable[[], float]]]]:
        """For each metric, how much of it there must be, and how to ask."""
        of_pipeline = next(
            (alarm for alarm in self._describe().values() if alarm.get("MetricName") == _FAILED),
            None,
        )
        if of_pipeline:
            least = {"ExecutionSucceeded": succeeded, _FAILED: 1}
            for name, count in least.items():
                yield (
                    name,
                    (
                        count,
                        self._measure(
                            of_pipeline["Namespace"],
                            name,
                            {item["Name"]: item["Value"] for item in of_pipeline["Dimensions"]},
                            "Sum",
                        ),
                    ),
                )
        logs = self._stage.client("logs")
        for filter_name in self._filters:
            for found in logs.describe_metric_filters(
                logGroupName=PROCESSING_LOG_GROUP, filterNamePrefix=filter_name
            )["metricFilters"]:
                [given] = found["metricTransformations"]
                # What a line says of itself can only be which pipeline it is from.
                dimensions = dict.fromkeys(given.get("dimensions", {}), self._stage.pipeline_name)
                measure = self._measure(
                    given["metricNamespace"], given["metricName"], dimensions, "SampleCount"
                )
                yield given["metricName"], (1, measure)

    def _measure(
        self, namespace: str, name: str, dimensions: Mapping[str, str], statistic: str
    ) -> Callable[[], float]:
        def measure() -> float:
            now = datetime.datetime.now(datetime.timezone.utc)
            points = self._stage.client("cloudwatch").get_metric_statistics(
                Namespace=namespace,
                MetricName=name,
                Dimensions=[{"Name": key, "Value": text} for key, text in dimensions.items()],
                StartTime=self._since,
                EndTime=now + datetime.timedelta(minutes=1),
                Period=60,
                Statistics=[statistic],
            )["Datapoints"]
            return float(sum(point[statistic] for point in points))

        return measure

    def _wait(self, missing: Callable[[], list[str]]) -> list[str]:
        """What is missing after a while; empty as soon as nothing is."""
        deadline = time.monotonic() + SECONDS_IN_ALL
        told = False
        while found := missing():
            if time.monotonic() > deadline:
                break
            if not told:
                self._journal.say(
                    "    CloudWatch takes some minutes; waiting for " + ", ".join(found)
                )
                told = True
            time.sleep(POLL_SECONDS)
        return found
