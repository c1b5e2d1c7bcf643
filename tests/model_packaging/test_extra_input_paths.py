"""Extra inputs that steps before make, and where a packaging script of one's own looks for them."""

from typing import Any

import pytest

from model_packaging import MIMSPackagingStepBuilder, PackageStepConfig
from model_packaging.step import InvalidConfigError, ModelSource

OWN = {"processing_source_dir": "s3://scripts-bucket/packaging"}
CALIBRATION = "s3://models-bucket/calibration/"
PLACE = "/opt/ml/processing/input/calibration"


def inputs(settings: dict[str, Any], source: ModelSource) -> dict[str, Any]:
    """What the step mounts: each input's URI and place, by its name."""
    builder = MIMSPackagingStepBuilder(
        PackageStepConfig(**settings),
        role="arn:aws:iam::111122223333:role/packaging-job",
        region="eu-west-1",
        packaging_script_uri="s3://assets-bucket/packager.zip",
        inference_scripts_uri="s3://assets-bucket/scripts.zip",
    )
    arguments = builder.create_step(source).arguments
    mounted = {item["InputName"]: item["S3Input"] for item in arguments["ProcessingInputs"]}
    return {name: (item["S3Uri"], item["LocalPath"]) for name, item in mounted.items()}


MADE = ModelSource("s3://models-bucket/model.tar.gz", extra_inputs={"calibration": CALIBRATION})


def test_what_a_step_before_made_is_mounted_by_its_name(settings: dict[str, Any]) -> None:
    mounted = inputs(settings, MADE)
    assert mounted["calibration"] == (CALIBRATION, "/opt/ml/processing/input/extra/calibration")


def test_a_script_of_ones_own_finds_it_where_it_looks(settings: dict[str, Any]) -> None:
    given = settings | OWN | {"extra_input_paths": {"calibration": PLACE}}
    assert inputs(given, MADE)["calibration"] == (CALIBRATION, PLACE)


def test_a_path_or_a_second_source_of_no_input_is_refused(settings: dict[str, Any]) -> None:
    given = settings | OWN | {"extra_input_paths": {"calibratoin": PLACE}}
    with pytest.raises(ValueError, match="'calibratoin' is no extra input; there are calibration"):
        inputs(given, MADE)
    twice = settings | {"extra_inputs": {"calibration": CALIBRATION}}
    with pytest.raises(ValueError, match="'calibration' is given in the configuration, and is"):
        inputs(twice, MADE)
    with pytest.raises(ValueError, match="'code' is the folder of the inference scripts"):
        ModelSource("s3://models-bucket/model.tar.gz", extra_inputs={"code": CALIBRATION})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (OWN | {"extra_input_paths": {"a": "input/a"}}, "write a folder below /opt/ml/processing/"),
        (OWN | {"extra_input_paths": {"a": "/tmp/a"}}, "write a folder below /opt/ml/processing/"),
        (
            OWN | {"extra_input_paths": {"a": "/opt/ml/processing/../a"}},
            "is no place for an input",
        ),
        (
            OWN | {"extra_input_paths": {"a": "/opt/ml/processing/input/model/a"}},
            "is where the step has '/opt/ml/processing/input/model'",
        ),
        (OWN | {"extra_input_paths": {"a": "/opt/ml/processing/input"}}, "is where the step has"),
        (OWN | {"extra_input_paths": {"a": PLACE, "b": PLACE}}, "is given for two inputs"),
        ({"extra_input_paths": {"a": PLACE}}, "the library's packager looks below"),
    ],
)
def test_a_place_that_cannot_work_is_refused(
    settings: dict[str, Any], given: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InvalidConfigError, match=f"extra_input_paths.*{expected}"):
        PackageStepConfig(**settings | given)
