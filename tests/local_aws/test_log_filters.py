import json
from typing import Any

import pytest

from local_aws.log_filters import FilterPattern, metric_data

LINE = json.dumps(
    {"event": "packaged", "mode": "splice", "package": {"bytes": 1024}, "ok": True, "seconds": 0.5}
)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("", True),
        ("packaged", True),
        ('"mode" splice', True),
        ("packaged -splice", False),
        ('{ $.event = "packaged" }', True),
        ("{ $.event = packaged }", True),
        ('{ $.event = "pack*" }', True),
        ('{ $.event != "packaged" }', False),
        ("{ $.package.bytes > 1000 }", True),
        ("{ $.package.bytes = 1024 }", True),
        ("{ $.seconds >= 0.6 }", False),
        ('{ $.seconds = "*" }', True),
        ('{ $.package = "*" }', True),
        ('{ $.missing = "*" }', False),
        ("{ $.ok IS TRUE }", True),
        ("{ $.missing NOT EXISTS }", True),
        ("{ $.missing = 1 }", False),
        ('{ ($.event = "packaged") && ($.seconds > 1) }', False),
        ('{ ($.event = "failed") || ($.seconds < 1) }', True),
    ],
)
def test_a_pattern_matches_what_cloudwatch_matches(pattern: str, matches: bool) -> None:
    assert FilterPattern(pattern).matches(LINE) == matches


def test_a_json_pattern_matches_no_other_line() -> None:
    assert not FilterPattern("{ $.missing NOT EXISTS }").matches("INFO packaged")


@pytest.mark.parametrize("pattern", ["[ip, user]", "%error%", "{ $.event }", "{ event = 1 }"])
def test_a_pattern_that_cannot_be_read_is_named(pattern: str) -> None:
    with pytest.raises(ValueError, match="can't read the filter pattern"):
        FilterPattern(pattern)


def test_the_value_and_the_dimensions_come_from_the_event() -> None:
    transformation = {
        "metricName": "PackageBytes",
        "metricValue": "$.package.bytes",
        "unit": "Bytes",
        "dimensions": {"Mode": "$.mode"},
    }
    assert metric_data(transformation, LINE) == {
        "MetricName": "PackageBytes",
        "Value": 1024,
        "Unit": "Bytes",
        "Dimensions": [{"Name": "Mode", "Value": "splice"}],
    }


@pytest.mark.parametrize(
    "transformation",
    [{"metricValue": "$.bytes"}, {"metricValue": "1", "dimensions": {"Pipeline": "$.pipeline"}}],
)
def test_an_event_without_the_value_or_a_dimension_adds_nothing(
    transformation: dict[str, Any],
) -> None:
    assert metric_data({"metricName": "PackageBytes"} | transformation, LINE) is None
