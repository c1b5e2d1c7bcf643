"""The state that an alarm should have, from the metric that it is on."""

import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from local_aws.alarm_states import state_of

NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.timezone.utc)
PIPELINE = SimpleNamespace(name="PipelineName", value="churn")


def alarm(**given: Any) -> Any:
    """One that is raised by anything in the last five minutes."""
    usual = {
        "namespace": "AWS/Sagemaker/ModelBuildingPipeline",
        "metric_name": "ExecutionFailed",
        "dimensions": [PIPELINE],
        "statistic": "Sum",
        "period": 300,
        "evaluation_periods": 1,
        "datapoints_to_alarm": None,
        "threshold": 1,
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "treat_missing_data": "notBreaching",
    }
    return SimpleNamespace(**usual | given)


def datum(value: float, minutes_ago: float, **given: Any) -> Any:
    usual = {
        "namespace": "AWS/Sagemaker/ModelBuildingPipeline",
        "name": "ExecutionFailed",
        "dimensions": [PIPELINE],
        "value": value,
        "timestamp": NOW - datetime.timedelta(minutes=minutes_ago),
    }
    return SimpleNamespace(**usual | given)


def test_what_is_counted_raises_it_for_a_period() -> None:
    assert state_of(alarm(), [datum(1, 4)], NOW) == "ALARM"
    assert state_of(alarm(), [datum(1, 6)], NOW) == "OK"
    assert state_of(alarm(threshold=2), [datum(1, 1), datum(1, 4)], NOW) == "ALARM"
    assert state_of(alarm(threshold=2, statistic="Maximum"), [datum(1, 1)] * 2, NOW) == "OK"


@pytest.mark.parametrize(
    "other",
    [
        {"namespace": "AWS/Events"},
        {"name": "ExecutionSucceeded"},
        {"dimensions": []},
        {"dimensions": [SimpleNamespace(name="PipelineName", value="another")]},
        {"timestamp": datetime.datetime(2026, 1, 1, 12, 1)},  # without a time zone, and to come
    ],
)
def test_what_another_metric_has_does_not(other: dict[str, Any]) -> None:
    assert state_of(alarm(), [datum(1, 1, **other)], NOW) == "OK"


def test_as_many_periods_count_as_it_asks_for() -> None:
    in_two_periods = [datum(1, 1), datum(1, 11)]
    of_three = {"evaluation_periods": 3}
    assert state_of(alarm(**of_three, datapoints_to_alarm=2), in_two_periods, NOW) == "ALARM"
    assert state_of(alarm(**of_three), in_two_periods, NOW) == "OK"


@pytest.mark.parametrize(
    ("treatment", "state"),
    [
        (None, "INSUFFICIENT_DATA"),
        ("missing", "INSUFFICIENT_DATA"),
        ("ignore", None),
        ("breaching", "ALARM"),
        ("notBreaching", "OK"),
    ],
)
def test_missing_data_is_what_it_says(treatment: str | None, state: str | None) -> None:
    assert state_of(alarm(treat_missing_data=treatment), [], NOW) == state
