"""When alarms go off, in words."""

from typing import Any

import pytest

from operations.review.resources.alarms import Alarm
from operations.review.template.names import Names

TEMPLATE = {
    "Resources": {
        "Queue1": {
            "Type": "AWS::SQS::Queue",
            "Metadata": {"aws:cdk:path": "Stack/Letters/Resource"},
        }
    }
}
QUEUE = {"Name": "QueueName", "Value": {"Fn::GetAtt": ["Queue1", "QueueName"]}}
STEP = {"Name": "StepName", "Value": "Pack"}


@pytest.mark.parametrize(
    ("properties", "metric", "condition"),
    [
        ({}, "Messages", "above 1 within a minute"),
        ({"Dimensions": [QUEUE]}, "Messages of Letters", "above 1 within a minute"),
        ({"Dimensions": [STEP, QUEUE]}, "Messages of Pack, Letters", "above 1 within a minute"),
        ({"Dimensions": []}, "Messages", "above 1 within a minute"),
        ({"Dimensions": {"Ref": "AWS::NoValue"}}, "Messages", "above 1 within a minute"),
        ({"Period": 300}, "Messages", "above 1 within 5 minutes"),
        ({"Period": 10}, "Messages", "above 1 within 10 seconds"),
        ({"Period": {"Ref": "Queue1"}}, "Messages", "above 1 within ${Letters} seconds"),
        ({"EvaluationPeriods": 3}, "Messages", "above 1 in 3 periods of a minute in a row"),
        ({"EvaluationPeriods": 3, "DatapointsToAlarm": 2}, "Messages",
         "above 1 in 2 of 3 periods of a minute"),
        ({"ComparisonOperator": "LessThanThreshold"}, "Messages", "below 1 within a minute"),
        ({"ComparisonOperator": "Odd"}, "Messages", "Odd 1 within a minute"),
    ],
)  # fmt: skip
def test_it_says_what_is_watched_and_how_long(
    properties: dict[str, Any], metric: str, condition: str
) -> None:
    usual = {
        "MetricName": "Messages",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 1,
        "Period": 60,
    }
    assert Alarm.of(usual | properties, Names(TEMPLATE)) == Alarm(metric, condition)


def test_what_is_computed_of_several_metrics_is_its_metric() -> None:
    alarm = Alarm.of({"Metrics": [], "Threshold": 5}, Names(TEMPLATE))
    assert alarm == Alarm("its metric", "beyond 5 within its period")
