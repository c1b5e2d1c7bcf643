"""CloudWatch Logs metric filters ("Filter pattern syntax for metric filters").

Known are the empty pattern, unstructured terms, and JSON patterns of comparisons joined by
``&&`` and ``||``. What else CloudWatch can match is refused when the filter is made.
"""

import fnmatch
import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

_COMPARISON = re.compile(
    r"\s*\(?\s*(?P<selector>\$[\w.\[\]]*)\s*(?P<operator>=|!=|<=|>=|<|>)\s*"
    r'(?P<value>"(?:[^"\\]|\\.)*"|[\w.*%+-]+)\s*\)?\s*'
)
_EXISTS = re.compile(
    r"\s*\(?\s*(?P<selector>\$[\w.\[\]]*)\s+(?P<test>IS TRUE|IS FALSE|IS NULL|NOT EXISTS)\s*\)?\s*"
)
_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MISSING = object()


class FilterPattern:
    """A filter pattern.

    Raises:
        ValueError: The local AWS can't read it.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern.strip()
        self._terms: list[str] = []
        self._alternatives: list[list[re.Match[str]]] = []
        if self._pattern.startswith("{") and self._pattern.endswith("}"):
            self._alternatives = [
                [self._condition(text) for text in alternative.split("&&")]
                for alternative in self._pattern[1:-1].split("||")
            ]
        elif re.search(r"[\[\]{}?%]", self._pattern):
            raise ValueError(f"the local AWS can't read the filter pattern {pattern!r}")
        else:
            self._terms = [
                quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', self._pattern)
            ]

    def matches(self, line: str) -> bool:
        """Whether the pattern matches a log event."""
        if not self._alternatives:
            return all(
                term[1:] not in line if term.startswith("-") else term in line
                for term in self._terms
            )
        event = _parse(line)
        return isinstance(event, dict) and any(
            all(_meets(condition, event) for condition in alternative)
            for alternative in self._alternatives
        )

    def _condition(self, text: str) -> re.Match[str]:
        found = _COMPARISON.fullmatch(text) or _EXISTS.fullmatch(text)
        if found is None:
            raise ValueError(f"the local AWS can't read the filter pattern {self._pattern!r}")
        return found


def metric_data(transformation: Mapping[str, Any], line: str) -> dict[str, Any] | None:
    """What a matching log event adds to a metric.

    Args:
        transformation: ``metricTransformations`` of the filter.
        line: The log event.

    Returns:
        An entry of ``MetricData``; None if the event has no number where the filter looks for
        the metric's value, or lacks one of its dimensions.
    """
    value: Any = transformation["metricValue"]
    event = _parse(line)
    if isinstance(value, str) and value.startswith("$"):
        value = select(event, value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    dimensions = {
        name: select(event, selector)
        for name, selector in transformation.get("dimensions", {}).items()
    }
    if _MISSING in dimensions.values():
        return None
    return {
        "MetricName": transformation["metricName"],
        "Value": number,
        "Unit": transformation.get("unit", "None"),
        "Dimensions": [{"Name": name, "Value": str(found)} for name, found in dimensions.items()],
    }


def select(event: Any, selector: str) -> Any:
    """The value that a selector such as ``$.model.bytes`` or ``$.files[0]`` leads to."""
    found = event
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", selector):
        if name and isinstance(found, dict) and name in found:
            found = found[name]
        elif index and isinstance(found, list) and int(index) < len(found):
            found = found[int(index)]
        else:
            return _MISSING
    return found


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return _MISSING


def _meets(condition: re.Match[str], event: dict[str, Any]) -> bool:
    found = select(event, condition["selector"])
    if test := condition.groupdict().get("test"):
        wanted = {"IS TRUE": True, "IS FALSE": False, "IS NULL": None, "NOT EXISTS": _MISSING}
        return found is wanted[test]
    if found is _MISSING:
        return False
    sign, value = condition["operator"], condition["value"]
    if sign in _ORDER:
        return isinstance(found, int | float) and _ORDER[sign](found, float(value))
    if value.strip('"') == "*":  # the selector exists
        equal = True
    elif isinstance(found, int | float) and not isinstance(found, bool):
        equal = not value.startswith('"') and found == float(value)
    else:
        equal = fnmatch.fnmatchcase(str(found), value.strip('"'))
    return equal == (sign == "=")
