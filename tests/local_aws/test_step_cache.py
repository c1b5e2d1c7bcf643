import datetime
from typing import Any

import pytest

from local_aws.step_cache import StepCache, duration

PIPELINE = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/packaging"
NOW = datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc)
STEP = {
    "Name": "PackagingStep",
    "Type": "Processing",
    "CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"},
}


def request(**changed: Any) -> dict[str, Any]:
    return {
        "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": ["python3", "a.py"]},
        "Environment": {"MIMS_MODEL_ETAG": "one"},
        "ProcessingInputs": [{"InputName": "model", "S3Input": {"S3Uri": "s3://b/models/a"}}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "package"}]},
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.2xlarge"}},
    } | changed


def cache(*days_ago: int) -> StepCache:
    cache = StepCache()
    for days in days_ago:
        ended = NOW - datetime.timedelta(days=days)
        cache.add(PIPELINE, STEP, request(), ended, f"execution-{days}", {})
    return cache


def test_the_newest_equal_run_within_expire_after_is_reused() -> None:
    hit = cache(40, 20, 10).find(PIPELINE, STEP, request(), NOW)
    assert hit is not None
    assert hit.execution_arn == "execution-10"


def test_outputs_and_resources_are_no_part_of_the_key() -> None:
    other = request(
        ProcessingOutputConfig={"Outputs": []},
        ProcessingResources={"ClusterConfig": {"InstanceType": "ml.m5.4xlarge"}},
        NetworkConfig={"EnableNetworkIsolation": False},
    )
    assert cache(10).find(PIPELINE, STEP, other, NOW) is not None


@pytest.mark.parametrize(
    "other",
    [
        request(Environment={"MIMS_MODEL_ETAG": "two"}),
        request(AppSpecification={"ImageUri": "newer"}),
        request(ProcessingInputs=[]),
    ],
)
def test_another_environment_specification_or_input_runs_again(other: dict[str, Any]) -> None:
    assert cache(10).find(PIPELINE, STEP, other, NOW) is None


def test_an_expired_run_is_not_reused() -> None:
    assert cache(31).find(PIPELINE, STEP, request(), NOW) is None


def test_another_step_or_pipeline_has_its_own_cache() -> None:
    assert cache(10).find(PIPELINE, STEP | {"Name": "Other"}, request(), NOW) is None
    assert cache(10).find(f"{PIPELINE}-2", STEP, request(), NOW) is None


@pytest.mark.parametrize("config", [None, {"Enabled": False, "ExpireAfter": "P30D"}])
def test_caching_is_off_unless_the_step_turns_it_on(config: dict[str, Any] | None) -> None:
    assert cache(10).find(PIPELINE, STEP | {"CacheConfig": config}, request(), NOW) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("P30D", 30 * 86400), ("PT1H", 3600), ("P1DT5M", 86700), ("P2W", 1209600)]
)
def test_durations_are_iso_8601(text: str, seconds: int) -> None:
    assert duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["30d", "P", "PT", "P1DT", "1 day"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        duration(text)
