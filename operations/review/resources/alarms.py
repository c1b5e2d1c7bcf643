"""When an alarm goes off, in words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operations.review.template.names import Names

_COMPARISONS = {
    "GreaterThanOrEqualToThreshold": "at least",
    "GreaterThanThreshold": "above",
    "LessThanOrEqualToThreshold": "at most",
    "LessThanThreshold": "below",
}


@dataclass(frozen=True)
class Alarm:
    """What an alarm watches.

    Attributes:
        metric: The metric, and of what: "Errors of Handler".
        condition: What of it sets the alarm off: "at least 1 within 5 minutes".
    """

    metric: str
    condition: str

    @classmethod
    def of(cls, properties: Mapping[str, Any], names: Names) -> "Alarm":
        """Read it from the properties of an ``AWS::CloudWatch::Alarm``.

        Args:
            properties: They.
            names: What the resources of its template are called.
        """
        operator = names.text(properties.get("ComparisonOperator", "beyond"))
        threshold = names.text(properties.get("Threshold", "its threshold"))
        return cls(
            f"{names.text(properties.get('MetricName', 'its metric'))}{_of(properties, names)}",
            f"{_COMPARISONS.get(operator, operator)} {threshold}{_within(properties, names)}",
        )


def _of(properties: Mapping[str, Any], names: Names) -> str:
    """What the metric is of, by its dimensions."""
    dimensions = properties.get("Dimensions")
    if not isinstance(dimensions, list) or not all(isinstance(one, Mapping) for one in dimensions):
        return ""
    values = [_bare(names.text(one.get("Value", ""))) for one in dimensions]
    return f" of {', '.join(values)}" if values else ""


def _bare(text: str) -> str:
    """A resource by its name alone, whatever of it is the dimension."""
    lone = re.fullmatch(r"\$\{([^${}.]+)(?:\.[^${}]*)?\}", text)
    return lone[1] if lone else text


def _within(properties: Mapping[str, Any], names: Names) -> str:
    """How long that must last, or how often it must be so."""
    periods = names.text(properties.get("EvaluationPeriods", 1))
    datapoints = names.text(properties.get("DatapointsToAlarm", periods))
    length = _duration(properties["Period"], names) if "Period" in properties else "its period"
    if datapoints == periods == "1":
        return f" within {length}"
    if datapoints == periods:
        return f" in {periods} periods of {length} in a row"
    return f" in {datapoints} of {periods} periods of {length}"


def _duration(seconds: Any, names: Names) -> str:
    text = names.text(seconds)
    if not text.isdecimal() or int(text) % 60:
        return f"{text} seconds"
    minutes = int(text) // 60
    return "a minute" if minutes == 1 else f"{minutes} minutes"
