"""The model that was announced is the one that is packaged, without and with a customer key."""

import hashlib
import json
from typing import Any

import botocore.exceptions
import pytest

from tests.local_aws.running_stage import Stage
from tests.local_aws.test_failure_paths import archive, until

pytestmark = pytest.mark.e2e

FIRST, SECOND = archive(b"first weights"), archive(b"second weights, of another size")
MIB = 1 << 20


def put(stage: Stage, key: str, content: bytes, **options: str) -> str:
    """Upload a model where no rule looks; its ETag."""
    answer = stage.cloud.client("s3").put_object(
        Bucket=stage.bucket, Key=key, Body=content, **options
    )
    return answer["ETag"].strip('"')


def package(stage: Stage, key: str, etag: str) -> tuple[str | None, dict[str, Any]]:
    """Start the pipeline as an event would: the failure's reason, and the source in the report."""
    sagemaker = stage.cloud.client("sagemaker")
    values = {"ModelBucket": stage.bucket, "ModelKey": key, "ModelETag": etag}
    arn = sagemaker.start_pipeline_execution(
        PipelineName=stage.outputs["PipelineName"],
        PipelineParameters=[{"Name": name, "Value": value} for name, value in values.items()],
    )["PipelineExecutionArn"]

    def ended() -> dict[str, Any] | None:
        found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        return None if found["PipelineExecutionStatus"] == "Executing" else found

    execution = until(ended, "the execution to end")
    if execution["PipelineExecutionStatus"] != "Succeeded":
        return execution["FailureReason"], {}
    prefix = stage.outputs["PackageReportUri"].split("/", 3)[3]
    report = f"{prefix}/{arn.rpartition('/')[2]}/package_report/package_report.json"
    body = stage.cloud.client("s3").get_object(Bucket=stage.bucket, Key=report)["Body"]
    return None, json.load(body)["source"]


def has_customer_key(stage: Stage) -> bool:
    return bool(stage.physical("AWS::KMS::Key"))


def test_the_content_of_an_announced_model_is_checked_where_its_etag_is_an_md5(
    stage: Stage,
) -> None:
    etag = put(stage, "models/same/model.txt", FIRST)
    reason, source = package(stage, "models/same/model.txt", etag)
    assert reason is None
    assert source["name_checked"] is True
    assert source["content_checked"] is not has_customer_key(stage)
    md5 = hashlib.md5(FIRST, usedforsecurity=False).hexdigest()
    assert (etag == md5) is not has_customer_key(stage)


def test_a_false_etag_is_refused_where_it_is_an_md5_and_claimed_nowhere_else(
    stage: Stage,
) -> None:
    put(stage, "models/false/model.txt", FIRST)
    reason, source = package(stage, "models/false/model.txt", "0" * 32)
    if has_customer_key(stage):
        assert (reason, source["content_checked"]) == (None, False)
        assert source["content_unchecked_because"] == (
            "the bucket may hold objects whose ETag is no MD5"
        )
    else:
        assert reason is not None
        assert f"had {'0' * 32}: another model was uploaded under the same key since" in reason


def test_an_overwrite_between_event_and_job_is_refused_where_the_etag_tells(stage: Stage) -> None:
    announced = put(stage, "models/race/model.txt", FIRST)
    put(stage, "models/race/model.txt", SECOND)
    reason, source = package(stage, "models/race/model.txt", announced)
    if has_customer_key(stage):
        assert (reason, source["etag"]) == (None, announced)
    else:
        assert reason is not None
        assert f"had {announced}: another model was uploaded under the same key since" in reason


def test_a_sibling_whose_key_begins_alike_never_stands_in(stage: Stage) -> None:
    etag = put(stage, "models/sibling/model.tar.gz-v2", SECOND)
    reason, _ = package(stage, "models/sibling/model.tar.gz", etag)
    assert reason is not None
    assert "the announced model 'model.tar.gz' is not there any more" in reason
    assert "'model.tar.gz-v2' came along" in reason


def test_a_sibling_beside_the_announced_model_is_left_aside(stage: Stage) -> None:
    put(stage, "models/beside/model.txt-v2", SECOND)
    etag = put(stage, "models/beside/model.txt", FIRST)
    reason, source = package(stage, "models/beside/model.txt", etag)
    assert (reason, source["file"]) == (None, "model.txt")


def test_an_upload_in_parts_is_confirmed_where_its_etag_is_made_of_md5s(stage: Stage) -> None:
    s3, place = stage.cloud.client("s3"), {"Bucket": stage.bucket, "Key": "models/parts/model.txt"}
    content = archive(hashlib.shake_256(b"weights").digest(9 * MIB))
    upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**upload, PartNumber=number, Body=content[at : at + 8 * MIB])[
                "ETag"
            ],
        }
        for number, at in ((1, 0), (2, 8 * MIB))
    ]
    etag = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["ETag"]
    assert etag.endswith('-2"')
    reason, source = package(stage, place["Key"], etag.strip('"'))
    assert reason is None
    assert source["content_checked"] is not has_customer_key(stage)
    reason, source = package(stage, place["Key"], "0" * 32 + "-2")
    assert (reason, source["content_checked"]) == (None, False)


def test_a_bucket_without_a_customer_key_takes_no_other_encryption(dev_stage: Stage) -> None:
    put(dev_stage, "models/encrypted/said.txt", FIRST, ServerSideEncryption="AES256")
    key = dev_stage.cloud.client("kms").create_key()["KeyMetadata"]["KeyId"]
    for options in (
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key},
        {"ServerSideEncryption": "aws:kms:dsse"},
    ):
        with pytest.raises(botocore.exceptions.ClientError, match="explicit deny"):
            put(dev_stage, "models/encrypted/other.txt", FIRST, **options)
