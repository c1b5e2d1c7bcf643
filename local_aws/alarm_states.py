"""The states of alarms, which moto never changes: each alarm's metric is looked at all the time.

As CloudWatch does it ("Evaluating an alarm", "Configuring how CloudWatch alarms treat missing
data"), for alarms on one metric with a plain statistic. Periods are counted back from now.
"""

import datetime
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN = 0.5

_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Average": lambda values: sum(values) / len(values),
    "Maximum": max,
    "Minimum": min,
    "SampleCount": len,
    "Sum": sum,
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}


def install() -> None:
    """Begin to look at the alarms."""
    threading.Thread(target=_look_for_ever, daemon=True).start()


def _look_for_ever() -> None:
    while True:
        time.sleep(_SECONDS_BETWEEN)
        for backend in [
            one for regions in list(cloudwatch_backends.values()) for one in list(regions.values())
        ]:
            for alarm in list(backend.alarms.values()):
                try:
                    _look_at(backend, alarm)
                except Exception:
                    logger.exception("the alarm %s can't be looked at", alarm.name)


def _look_at(backend: Any, alarm: Any) -> None:
    if alarm.statistic not in _STATISTICS or alarm.comparison_operator not in _COMPARISONS:
        return  # one on an expression or a percentile stays as it is
    state = state_of(alarm, list(backend.metric_data), datetime.datetime.now(datetime.timezone.utc))
    if state is not None and state != alarm.state_value:
        reason = (
            f"The last {alarm.evaluation_periods} periods of {alarm.metric_name} were looked at."
        )
        logger.info("the alarm %s: %s", alarm.name, state)
        backend.set_alarm_state(alarm.name, reason, "{}", state)


def state_of(alarm: Any, data: Sequence[Any], now: datetime.datetime) -> str | None:
    """The state that an alarm should have.

    Args:
        alarm: moto's record of it.
        data: moto's records of all that metrics were given.
        now: Until when they count.

    Returns:
        Such as ``ALARM``; None if it stays as it is.
    """
    dimensions = {(item.name, item.value) for item in alarm.dimensions}
    own = [
        datum
        for datum in data
        if (datum.namespace, datum.name) == (alarm.namespace, alarm.metric_name)
        and {(item.name, item.value) for item in datum.dimensions} == dimensions
        and hasattr(datum, "value")
    ]
    breaching: list[bool | None] = []
    for number in range(int(alarm.evaluation_periods)):
        end = now - datetime.timedelta(seconds=number * int(alarm.period))
        start = end - datetime.timedelta(seconds=int(alarm.period))
        values = [datum.value for datum in own if start < _utc(datum.timestamp) <= end]
        breaching.append(_breaches(alarm, values) if values else None)
    treatment = alarm.treat_missing_data or "missing"
    if all(found is None for found in breaching) and treatment in ("ignore", "missing"):
        return "INSUFFICIENT_DATA" if treatment == "missing" else None
    counted = sum(
        found is True or (found is None and treatment == "breaching") for found in breaching
    )
    return (
        "ALARM" if counted >= int(alarm.datapoints_to_alarm or alarm.evaluation_periods) else "OK"
    )


def _breaches(alarm: Any, values: Sequence[float]) -> bool:
    value = _STATISTICS[alarm.statistic](values)
    return _COMPARISONS[alarm.comparison_operator](value, float(alarm.threshold))


def _utc(moment: datetime.datetime) -> datetime.datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)
