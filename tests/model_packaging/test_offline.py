import copy
import gc
import os

import boto3
import botocore.session
import pytest
from botocore.exceptions import NoCredentialsError

from model_packaging.step import (
    MIMSPackagingStepBuilder,
    ModelRegistrationConfig,
    ModelRegistrationStepBuilder,
    PackageStepConfig,
    offline,
    offline_session,
    render_definition,
)


def render() -> None:
    config = PackageStepConfig(
        pipeline_name="churn",
        pipeline_s3_loc="s3://artifacts/packaged",
        source_dir="scripts/inference",
        processing_source_dir="scripts/packager",
        region="us-east-1",
    )
    builder = MIMSPackagingStepBuilder(
        config,
        role="arn:aws:iam::111122223333:role/job",
        packaging_script_uri="s3://assets/script.py",
        inference_scripts_uri="s3://assets/scripts.zip",
    )
    step = builder.create_step("s3://models/model.tar.gz")
    registered = ModelRegistrationConfig(
        model_package_group="churn", framework="sklearn", framework_version="1.2-1"
    )
    registration = ModelRegistrationStepBuilder(registered, region="us-east-1")
    render_definition(
        "churn",
        parameters=(),
        steps=[step, registration.create_step(builder.packaged_model(step))],
    )


def test_rendering_makes_no_client_of_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(
        botocore.session.Session, "create_client", lambda *arguments, **_: made.append(arguments)
    )
    offline_session.cache_clear()
    try:
        render()
    finally:
        offline_session.cache_clear()
    assert made == []


@pytest.mark.parametrize(
    "client",
    [
        "sagemaker_client",
        "sagemaker_runtime_client",
        "sagemaker_featurestore_runtime_client",
        "sagemaker_metrics_client",
        "s3_client",
    ],
)
def test_a_client_of_the_session_is_there_when_it_is_asked_for(client: str) -> None:
    found = getattr(offline_session(), client)
    assert found.meta.region_name == "us-east-1"
    assert found.meta is copy.copy(found).meta


def test_a_client_made_later_has_no_credentials_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIALEAK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "leak")
    session = offline_session()
    with pytest.raises(NoCredentialsError):
        session.boto_session.client("sts").get_caller_identity()
    with pytest.raises(NoCredentialsError):
        session.s3_resource.Bucket("models").load()
    with pytest.raises(NoCredentialsError):
        session.sagemaker_client.list_models()


def test_the_process_is_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    from sagemaker.core import _studio
    from sagemaker.core.config.config_manager import SageMakerConfig

    def state() -> list[object]:
        return [
            dict(os.environ),
            gc.isenabled(),
            boto3.Session,
            boto3.DEFAULT_SESSION,
            vars(_studio)["_find_config"],
            vars(SageMakerConfig)["validate_sagemaker_config"],
        ]

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session(region_name="eu-west-1"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    before = state()
    with offline(), offline():
        assert all(now != then for now, then in zip(state(), before, strict=True))
        boto3.client("s3")  # boto3 keeps the session that it makes for this
    assert state() == before
    with pytest.raises(ZeroDivisionError), offline():
        raise ZeroDivisionError
    assert state() == before


def test_what_the_sdk_no_longer_has_can_not_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    from sagemaker.core import _studio

    monkeypatch.delattr(_studio, "_find_config")
    with pytest.raises(KeyError, match="_find_config"), offline():
        pass
