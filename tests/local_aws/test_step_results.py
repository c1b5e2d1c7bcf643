"""What a step's expressions read of the steps before."""

import io
from types import SimpleNamespace
from typing import Any

import botocore.exceptions
import pytest

from local_aws.expressions import ExpressionError, resolve
from local_aws.step_results import StepResults
from tests.local_aws.step_definitions import get, join, json_get

REPORT = b'{"archive": {"sha256": "abc", "bytes": 7}}'
OBJECTS = {("bucket", "report/report.json"): REPORT, ("bucket", "text"): b"no JSON"}


class S3:
    """A client that gets three objects."""

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803  # boto3's names
        if (Bucket, Key) not in OBJECTS:
            error = {"Code": "AccessDenied", "Message": "not authorized"}
            raise botocore.exceptions.ClientError({"Error": error}, "GetObject")
        return {"Body": io.BytesIO(OBJECTS[Bucket, Key])}


@pytest.fixture
def results() -> StepResults:
    results = StepResults(SimpleNamespace(client=lambda _: S3()))
    files = {
        "Report": "s3://bucket/report/report.json",
        "Secret": "s3://others/report.json",
        "Text": "s3://bucket/text",
    }
    results.add({"Name": "Package"}, {"ProcessingJobName": "a"}, files)
    return results


def test_properties_and_property_files_are_read(results: StepResults) -> None:
    arguments = {
        "Name": get("Steps.Package.ProcessingJobName"),
        "Metadata": [json_get("Package", "Report", "archive.sha256")],
        "Text": join("it has", json_get("Package", "Report", "archive.bytes"), "bytes", on=" "),
    }
    assert resolve(arguments, {}, results) == {
        "Name": "a",
        "Metadata": ["abc"],
        "Text": "it has 7 bytes",
    }


def test_a_file_may_be_named_by_its_uri(results: StepResults) -> None:
    uri = join("s3:/", get("Parameters.Bucket"), "report", "report.json")
    expression = {"Std:JsonGet": {"S3Uri": uri, "Path": "archive.bytes"}}
    assert resolve(expression, {"Parameters.Bucket": "bucket"}, results) == 7


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (get("Steps.Package.Colour"), "nothing is at 'Colour'"),
        (get("Steps.Train.ModelArtifacts"), "nothing is known at 'Steps.Train.ModelArtifacts'"),
        (json_get("Package", "Others", "a"), "the step Package has no property file 'Others'"),
        (json_get("Package", "Report", "archive.md5"), "nothing is at 'archive.md5'"),
        (json_get("Package", "Secret", "a"), "s3://others/report.json: AccessDenied: not auth"),
        (json_get("Package", "Text", "a"), "s3://bucket/text is no JSON"),
    ],
)
def test_what_is_not_there_is_named(
    results: StepResults, expression: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ExpressionError, match=reason):
        resolve(expression, {}, results)
