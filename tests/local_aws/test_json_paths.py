"""Paths into properties and property files."""

from typing import Any

import pytest

from local_aws.json_paths import PathError, find

JOB = {
    "ProcessingOutputConfig": {
        "Outputs": [
            {"OutputName": "package", "S3Output": {"S3Uri": "s3://bucket/package"}},
            {"OutputName": "package_report", "S3Output": {"S3Uri": "s3://bucket/report"}},
        ]
    },
    "metrics": {"f1.score": [0.5, 0.75], "auc": 1},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("metrics.auc", 1),
        ("$.metrics.auc", 1),
        ("metrics['f1.score'][1]", 0.75),
        ('metrics["f1.score"][0]', 0.5),
        (
            "ProcessingOutputConfig.Outputs['package_report'].S3Output.S3Uri",
            "s3://bucket/report",
        ),
        ("ProcessingOutputConfig.Outputs[0].OutputName", "package"),
        ("$", JOB),
    ],
)
def test_a_path_leads_to_names_indices_and_named_items(path: str, found: Any) -> None:
    assert find(JOB, path) == found


@pytest.mark.parametrize(
    "path",
    [
        "metrics.accuracy",
        "metrics.auc.value",
        "metrics['f1.score'][2]",
        "ProcessingOutputConfig.Outputs['others'].S3Output",
    ],
)
def test_a_path_that_leads_nowhere_is_named(path: str) -> None:
    with pytest.raises(PathError, match="nothing is at"):
        find(JOB, path)


@pytest.mark.parametrize("path", ["metrics.*", "metrics[*]", "metrics[?(@.auc)]", "metrics[0:1]"])
def test_more_than_that_is_not_understood(path: str) -> None:
    with pytest.raises(PathError, match="doesn't understand the path"):
        find(JOB, path)
