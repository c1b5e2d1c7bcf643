from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from model_packaging import ArtifactBucket, ModelUpload
from model_packaging.models.starts import refuse_loop
from model_packaging.step import UploadOrUriParameters, UploadParameters
from tests.definitions import context


@pytest.fixture
def bucket() -> s3.IBucket:
    return s3.Bucket.from_bucket_name(Stack(App(), "Stack"), "Bucket", "models-bucket")


def test_the_pattern_asks_for_archives_below_the_prefix(bucket: s3.IBucket) -> None:
    assert ModelUpload(bucket, prefix="incoming/").event_pattern == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": ["models-bucket"]},
            "object": {"key": [{"wildcard": "incoming/*.tar.gz"}]},
        },
    }


def test_every_value_is_one_whole_path_into_the_event(bucket: s3.IBucket) -> None:
    upload = ModelUpload(bucket)
    assert upload.parameter_paths == {
        "ModelBucket": "$.detail.bucket.name",
        "ModelKey": "$.detail.object.key",
        "ModelETag": "$.detail.object.etag",
    }


def test_event_and_definition_speak_of_the_same_parameters(bucket: s3.IBucket) -> None:
    upload = ModelUpload(bucket)
    declared = [parameter.name for parameter in upload.bind(context()).parameters]
    assert declared == list(upload.parameter_paths)


@pytest.mark.parametrize(
    ("s3_prefix", "overlaps"),
    [
        ("s3://models-bucket/packaged", False),
        ("s3://models-bucket/models-packaged", False),
        ("s3://models-bucket/models", True),
        ("s3://models-bucket/models/packaged", True),
        ("s3://models-bucket", True),
        ("s3://other-bucket/models/packaged", False),
    ],
)
def test_it_knows_where_a_package_would_start_the_pipeline_again(
    bucket: s3.IBucket, s3_prefix: str, overlaps: bool
) -> None:
    assert ModelUpload(bucket, prefix="models/").matches_below(s3_prefix) is overlaps


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"prefix": ""}, "prefix is empty"),
        ({"suffix": ""}, "suffix is empty"),
        ({"prefix": "models/*/"}, r"contains '\*'"),
        ({"suffix": "\\.gz"}, "contains"),
        ({"prefix": "m?dels/"}, r"contains '\?'"),
        ({"prefix": "${aws:username}/"}, "contains"),
    ],
)
def test_a_filter_that_would_match_too_much_is_refused(
    bucket: s3.IBucket, change: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        ModelUpload(bucket, **change)


def test_it_knows_its_bucket_by_the_name_it_was_given() -> None:
    stack = Stack(App(), "Stack")
    upload = ModelUpload(s3.Bucket(stack, "Named", bucket_name="named-bucket"))
    assert upload.matches_below("s3://named-bucket/models/out")
    assert upload.matches_below(upload.bucket.s3_url_for_object("models/out"))
    assert not upload.matches_below("s3://named-bucket/packaged")
    assert not upload.matches_below("s3://other-bucket/models/out")


def test_a_bucket_that_is_known_at_deployment_only_may_be_its_own(bucket: s3.IBucket) -> None:
    parameter = CfnParameter(Stack(App(), "Other"), "PackageBucket").value_as_string
    assert ModelUpload(bucket).matches_below(f"s3://{parameter}/models/out")
    assert not ModelUpload(bucket).matches_below(f"s3://{parameter}/packaged")


@pytest.mark.parametrize("name", ["Model_Key", "-Key", "Key-", ""])
def test_a_parameter_name_that_sagemaker_refuses_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name that SageMaker accepts"):
        UploadParameters(key=name)


def test_two_parameters_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="need different names"):
        UploadParameters(etag="ModelKey")


def test_a_loop_is_told_in_words_that_a_person_can_read() -> None:
    stack = Stack(App(), "Stack")
    bucket = s3.Bucket(stack, "Models")
    with pytest.raises(ValueError, match="would start the pipeline again") as caught:
        refuse_loop([bucket.s3_url_for_object("models/out")], ModelUpload(bucket).events)
    assert "below 's3://<known at deployment>/models/out', which could match" in str(caught.value)


@pytest.mark.parametrize("kind", [UploadParameters, UploadOrUriParameters])
def test_a_size_travels_with_the_event_by_choice_only(bucket: s3.IBucket, kind: Any) -> None:
    without = ModelUpload(bucket, parameters=kind())
    assert "$.detail.object.size" not in without.parameter_paths.values()
    assert "MIMS_MODEL_SIZE" not in without.bind(context()).environment
    chosen = ModelUpload(bucket, parameters=kind(size="ModelSize"))
    assert chosen.parameter_paths["ModelSize"] == "$.detail.object.size"
    source = chosen.bind(context())
    assert source.environment["MIMS_MODEL_SIZE"].name == "ModelSize"
    assert [one.name for one in source.parameters] == list(chosen.parameter_paths)


@pytest.mark.parametrize(
    ("bucket_settings", "prefix", "known"),
    [
        ({}, "models/", True),
        ({}, "models/churn/", True),
        ({}, "mod", False),
        ({}, "training/", False),
        ({"models_prefix": ""}, "incoming/", True),
        ({"models_prefix": None}, "models/", False),
        ({"customer_key": True}, "models/", False),
    ],
)
def test_an_etag_is_known_to_be_an_md5_where_the_buckets_policy_denies_the_rest(
    bucket_settings: dict[str, Any], prefix: str, known: bool
) -> None:
    artifacts = ArtifactBucket(Stack(App(), "Stack"), "Artifacts", **bucket_settings)
    upload = ModelUpload(artifacts.bucket, prefix=prefix)
    assert upload.knows_md5 is known
    told = upload.bind(context()).environment.get("MIMS_MODEL_ETAG_IS_MD5")
    assert told == ("true" if known else None)


def test_of_an_imported_bucket_nothing_is_claimed_unless_you_say_so(bucket: s3.IBucket) -> None:
    assert "MIMS_MODEL_ETAG_IS_MD5" not in ModelUpload(bucket).bind(context()).environment
    told = ModelUpload(bucket, etag_is_md5=True).bind(context()).environment
    assert told["MIMS_MODEL_ETAG_IS_MD5"] == "true"


def test_statements_that_the_cdk_merges_still_say_what_an_etag_is() -> None:
    app = App(context={"@aws-cdk/aws-iam:minimizePolicies": True})
    artifacts = ArtifactBucket(Stack(app, "Stack"), "Artifacts")
    for resource in ("other/*", "more/*"):
        artifacts.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject"],
                resources=[artifacts.bucket.arn_for_objects(resource)],
                conditions={
                    "Null": {
                        "s3:x-amz-server-side-encryption-customer-algorithm": "false",
                    }
                },
            )
        )
    artifacts.bucket.add_to_resource_policy(
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            not_actions=["s3:*"],
            resources=["*"],
        )
    )
    assert ModelUpload(artifacts.bucket).knows_md5
