import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from model_packaging import PackageStepConfig

Settings = dict[str, Any]


def message(settings: Settings) -> str:
    with pytest.raises(ValidationError) as raised:
        PackageStepConfig(**settings)
    return str(raised.value)


def test_the_least_settings_are_enough(settings: Settings) -> None:
    config = PackageStepConfig(**settings)
    assert config.get_input_names() == {
        "model_input": "model_input",
        "inference_scripts_input": "inference_scripts_input",
    }
    assert config.get_output_names() == {"packaged_model_output": "packaged_model_output"}
    assert config.get_script_path().name == "mims_package.py"
    assert config.get_effective_source_dir() == settings["processing_source_dir"]


def test_it_is_frozen(settings: Settings) -> None:
    config = PackageStepConfig(**settings)
    with pytest.raises(ValidationError, match="frozen"):
        config.pipeline_name = "other"  # type: ignore[misc]


def test_the_instance_type_follows_the_size(settings: Settings) -> None:
    small = PackageStepConfig(**settings)
    large = PackageStepConfig(**settings, use_large_processing_instance=True)
    assert small.get_instance_type() == "ml.m5.2xlarge"
    assert large.get_instance_type() == "ml.m5.4xlarge"
    assert small.get_instance_type("large") == "ml.m5.4xlarge"
    with pytest.raises(ValueError, match="write 'large' or 'small'"):
        small.get_instance_type("huge")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"pipelin_name": "x"}, "pipelin_name"),
        ({"pipeline_name": "-churn"}, "pipeline_name"),
        ({"pipeline_name": "churn_model"}, "pipeline_name"),
        ({"pipeline_s3_loc": "artifacts/packaged"}, "write s3://<bucket>/<prefix>"),
        ({"pipeline_s3_loc": "s3://my_bucket/x"}, "names the bucket 'my_bucket'"),
        ({"pipeline_s3_loc": "s3://192.168.1.1/x"}, "names the bucket '192.168.1.1'"),
        ({"pipeline_s3_loc": "s3://a..b/x"}, "names the bucket 'a..b'"),
        ({"pipeline_s3_loc": "s3://bucket/" + "x" * 1025}, "1024 bytes"),
        ({"inference_entry_point": "/inference.py"}, "relative path"),
        ({"inference_entry_point": "../inference.py"}, "relative path"),
        ({"inference_entry_point": "serve.py"}, "add the script or name another one"),
        ({"source_dir": "missing"}, "'missing' is not a folder"),
        ({"processing_entry_point": "pack.py"}, "set processing_source_dir"),
        ({"processing_instance_count": 0}, "processing_instance_count"),
        ({"processing_instance_count": 11}, "processing_instance_count"),
        ({"processing_volume_size": 9}, "processing_volume_size"),
        ({"processing_volume_size": 1001}, "processing_volume_size"),
        ({"pipeline_s3_loc": "s3://bucket/a*b"}, "contains '*'"),
        ({"input_names": {"calibration": "c"}}, "'calibration' is none of model_input"),
        (
            {"input_names": {"model_input": "x", "inference_scripts_input": "x"}},
            "the name 'x' is taken twice",
        ),
        ({"input_names": {"model_input": "code"}}, "the name 'code' is taken twice"),
        ({"output_names": {"report": "r"}}, "'report' is none of packaged_model_output"),
        ({"processing_instance_type_small": "m5.large"}, "processing_instance_type_small"),
        ({"processing_instance_type_large": ""}, "processing_instance_type_large"),
        ({"cache_expires_after": "30d"}, "write P30D"),
        ({"cache_expires_after": "12h"}, "write PT12H"),
        ({"cache_expires_after": "P"}, "ISO 8601"),
        ({"cache_expires_after": "P1DT"}, "ISO 8601"),
        ({"cache_expires_after": "a month"}, "ISO 8601"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(
    settings: Settings, change: Settings, expected: str
) -> None:
    assert re.search(re.escape(expected), message(settings | change))


def test_several_faults_are_reported_together(settings: Settings) -> None:
    text = message(settings | {"pipeline_name": "a_b", "processing_volume_size": 1})
    assert "pipeline_name" in text
    assert "processing_volume_size" in text


@pytest.mark.parametrize("duration", ["P30D", "PT12H", "P1Y2M3W4DT5H6M7S"])
def test_iso_8601_durations_are_accepted(settings: Settings, duration: str) -> None:
    config = PackageStepConfig(**settings, cache_expires_after=duration)
    assert config.cache_expires_after == duration


@pytest.mark.parametrize(
    "uri",
    [
        "s3://${Token[Bucket.1]}/packaged",
        "s3://prefix-${Token[AWS.AccountId.3]}/packaged/${Token[X.2]}",
    ],
)
def test_a_cdk_token_may_stand_in_an_s3_uri(settings: Settings, uri: str) -> None:
    assert PackageStepConfig(**settings | {"pipeline_s3_loc": uri}).pipeline_s3_loc == uri


def test_the_packaging_script_may_live_beside_the_inference_scripts(
    settings: Settings, scripts: Path
) -> None:
    (scripts / "mims_package.py").touch()
    del settings["processing_source_dir"]
    assert PackageStepConfig(**settings).get_script_path() == scripts / "mims_package.py"
