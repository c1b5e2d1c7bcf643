"""What a caller of ``create_step`` says of the model, and what its cache would do otherwise."""

import warnings
from typing import Any

import pytest

from model_packaging import PackageStepConfig
from model_packaging.step import (
    ModelSource,
    ModelUriParameter,
    StaleModelWarning,
    UploadParameters,
    offline,
)
from tests.model_packaging.test_packaging_step import builder, render

URI = "s3://models/churn/model.tar.gz"


@pytest.fixture
def config(settings: dict[str, Any]) -> PackageStepConfig:
    return PackageStepConfig(**settings)


def environment(config: PackageStepConfig, source: Any) -> dict[str, Any]:
    rendered = render(builder(config).create_step(source))
    told: dict[str, Any] = rendered["Arguments"]["Environment"]
    return told


def test_an_uploads_etag_and_size_reach_the_script(config: PackageStepConfig) -> None:
    told = environment(config, ModelSource.uploaded(URI, etag='"ab12"', etag_is_md5=True, size=7))
    assert {name: value for name, value in told.items() if name.startswith("MIMS_MODEL")} == {
        "MIMS_MODEL_ETAG": "ab12",
        "MIMS_MODEL_ETAG_IS_MD5": "true",
        "MIMS_MODEL_SIZE": "7",
    }


def test_nothing_is_claimed_that_nobody_knows(config: PackageStepConfig) -> None:
    told = environment(config, ModelSource.uploaded(URI, etag="ab12"))
    assert {name for name in told if name.startswith("MIMS_MODEL")} == {"MIMS_MODEL_ETAG"}


@pytest.mark.parametrize("etag", ["", '""'])
def test_an_empty_etag_is_refused(etag: str) -> None:
    with pytest.raises(ValueError, match="etag is empty; give the object's ETag, as head_object"):
        ModelSource.uploaded(URI, etag=etag)


def test_a_bare_uri_or_parameter_is_a_warning_that_says_what_the_cache_would_do(
    config: PackageStepConfig,
) -> None:
    with pytest.warns(StaleModelWarning) as told:
        builder(config).create_step(URI)
    assert str(told[0].message) == (
        f"{URI} says nothing of the model's content, by which SageMaker's step cache could "
        "tell one from another: a model uploaded again under the same key within P30D would not be "
        "packaged, the earlier package would be given again; pass ModelSource.uploaded(uri, "
        "etag=…), or turn off enable_caching_package_step"
    )
    assert told[0].filename == __file__
    [parameter] = ModelUriParameter("ModelUri").model_source().parameters
    with pytest.warns(StaleModelWarning, match="ModelUri"):
        builder(config).create_step(parameter)


@pytest.mark.parametrize("kind", ["uploaded", "parameters", "step", "no cache"])
def test_who_says_what_the_cache_compares_is_not_warned(
    settings: dict[str, Any], kind: str
) -> None:
    caching = kind != "no cache"
    config = PackageStepConfig(**settings | {"enable_caching_package_step": caching})
    with offline():
        from sagemaker.core.workflow.properties import Properties

        made = Properties(step_name="Train", path="ModelArtifacts.S3ModelArtifacts")
    source = {
        "uploaded": ModelSource.uploaded(URI, etag="ab12"),
        "parameters": UploadParameters().model_source(),
        "step": made,
        "no cache": URI,
    }[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error", StaleModelWarning)
        builder(config).create_step(source)


def test_nothing_of_an_execution_is_part_of_the_cache_key(config: PackageStepConfig) -> None:
    # "Caching pipeline steps": arguments and environment are compared, and an execution's own
    # id, name or time among them would package every model anew.
    step = builder(config).create_step(UploadParameters().model_source(etag_is_md5=True))
    compared = render(step, *UploadParameters().model_source().parameters)["Arguments"]
    del compared["ProcessingOutputConfig"]  # is not compared
    assert "Execution." not in str(compared)
