"""Registration: what the pipeline registers, in which group, and what it may do for that."""

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Aws, CfnParameter, Environment, RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from model_packaging import (
    ModelRegistration,
    ModelRegistrationConfig,
    ModelRegistrationStepBuilder,
    ModelUpload,
    PackageStepConfig,
    PackagingPipeline,
)
from model_packaging.step import InvalidConfigError
from model_packaging.step.sdk.inference_image import InferenceImage
from tests.definitions import definition_of
from tests.policies import ACCOUNT, REGION, Deployed, Request, is_allowed

SKLEARN = {"framework": "sklearn", "framework_version": "1.2-1"}
LOCAL = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
OTHERS = f"arn:aws:sagemaker:{REGION}:444455556666:model-package-group/Shared"
OWN_IMAGE = {
    "framework": None,
    "framework_version": None,
    "image_uri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/own:1",
}


class Registering:
    """A pipeline that registers, its template and what its role may do."""

    def __init__(
        self,
        settings: dict[str, Any],
        *,
        env: Environment | None = None,
        store: Path | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
        **registration: Any,
    ) -> None:
        self.stack = Stack(
            App(context={"model_packaging:definition_store": str(store or "")}), "Stack", env=env
        )
        given = {"model_package_group": "Churn", **SKLEARN, **registration}
        self.registration = ModelRegistration(
            self.stack,
            "Registration",
            config=ModelRegistrationConfig(
                **{name: value for name, value in given.items() if value is not None}
            ),
            removal_policy=removal_policy,
        )
        PackagingPipeline(
            self.stack,
            "Packaging",
            config=PackageStepConfig(**settings),
            model=ModelUpload(s3.Bucket(self.stack, "Bucket"), prefix="models/"),
            following=[self.registration],
        )
        self.template = Template.from_stack(self.stack).to_json()
        self.deployed = Deployed(self.template)
        self.role = self.deployed.find("AWS::IAM::Role", Description="Assumed by the pipeline")

    @property
    def request(self) -> dict[str, Any]:
        _, step = definition_of(self.template)["Steps"]
        assert (step["Name"], step["Type"]) == ("RegistrationStep", "RegisterModel")
        return step["Arguments"]

    @property
    def container(self) -> dict[str, Any]:
        [container] = self.request["InferenceSpecification"]["Containers"]
        return container

    def may(self, action: str, resource: str) -> bool:
        request = Request(self.deployed.arn(self.role), action, resource)
        return is_allowed(request, self.deployed.identity(self.role))


HERE = Environment(account=ACCOUNT, region=REGION)


def test_each_package_is_a_version_of_the_group_that_is_made(settings: dict[str, Any]) -> None:
    made = Registering(settings, env=HERE)
    [(name, group)] = (
        (name, resource)
        for name, resource in made.template["Resources"].items()
        if resource["Type"] == "AWS::SageMaker::ModelPackageGroup"
    )
    assert group["Properties"]["ModelPackageGroupName"] == "Churn"
    assert (group["DeletionPolicy"], group["UpdateReplacePolicy"]) == ("Retain", "Retain")
    pipeline = made.template["Resources"][made.deployed.find("AWS::SageMaker::Pipeline")]
    assert name in pipeline["DependsOn"]
    assert made.request["ModelPackageGroupName"] == "Churn"
    assert made.request["ModelApprovalStatus"] == "PendingManualApproval"
    assert made.container["Environment"] == {
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    }
    report = {"Get": "Steps.PackagingStep.PropertyFiles.PackageReport"}
    assert made.request["CustomerMetadataProperties"] == {
        name: {"Std:JsonGet": {"PropertyFile": report, "Path": f"registry.{name}"}}
        for name in ("source", "etag", "package_sha256", "model_sha256", "packager_version")
    }
    of_a_trial = Registering(settings, env=HERE, removal_policy=RemovalPolicy.DESTROY)
    assert of_a_trial.template["Resources"][name]["DeletionPolicy"] == "Delete"


def test_a_group_that_is_given_is_taken_as_it_is(settings: dict[str, Any]) -> None:
    given = Registering(settings, env=HERE, model_package_group=OTHERS)
    assert given.registration.group is None
    assert "ModelPackageGroup'" not in str(given.template["Resources"])
    assert given.request["ModelPackageGroupName"] == OTHERS
    versions = OTHERS.replace("-group/", "/")
    assert given.may("sagemaker:CreateModelPackage", OTHERS)
    assert not given.may("sagemaker:AddTags", OTHERS)
    assert given.may("sagemaker:CreateModelPackage", f"{versions}/7")
    assert not given.may("sagemaker:CreateModelPackage", f"{LOCAL}:model-package/Shared/7")


def test_a_group_of_the_same_account_may_be_named_without_knowing_the_account(
    settings: dict[str, Any],
) -> None:
    arn = f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}:model-package-group/Shared"
    given = Registering(settings, model_package_group=arn, **OWN_IMAGE)
    assert given.request["ModelPackageGroupName"].endswith(":model-package-group/Shared")
    assert given.may("sagemaker:CreateModelPackage", f"{LOCAL}:model-package/Shared/1")


def test_the_pipeline_may_register_in_this_group_alone(settings: dict[str, Any]) -> None:
    made = Registering(settings, env=HERE)
    for action in ("CreateModelPackage", "DescribeModelPackage", "AddTags"):
        for name in ("Churn", "churn"):  # SageMaker has written names in lower case
            assert made.may(f"sagemaker:{action}", f"{LOCAL}:model-package/{name}/12")
        assert not made.may(f"sagemaker:{action}", f"{LOCAL}:model-package/churned/1")
    for action in ("UpdateModelPackage", "DeleteModelPackage", "DeleteModelPackageGroup"):
        assert not made.may(f"sagemaker:{action}", f"{LOCAL}:model-package/Churn/12")
        assert not made.may(f"sagemaker:{action}", f"{LOCAL}:model-package-group/Churn")
    # The step asks for the group first, though there is one.
    for action in ("CreateModelPackageGroup", "AddTags"):
        for name in ("Churn", "churn"):
            assert made.may(f"sagemaker:{action}", f"{LOCAL}:model-package-group/{name}")
        assert not made.may(f"sagemaker:{action}", f"{LOCAL}:model-package-group/Churned")
    # Nothing documents the group as what is described.
    assert not made.may("sagemaker:DescribeModelPackage", f"{LOCAL}:model-package-group/Churn")


def test_the_pipeline_may_read_the_report_and_the_package(settings: dict[str, Any]) -> None:
    below = "arn:aws:s3:::artifacts-bucket/packaged/churn/PackagingStep"
    report = "package_report/package_report.json"
    made = Registering(settings, env=HERE)
    assert made.may("s3:GetObject", f"{below}/e1/{report}")
    # "Access denied for bucket", says CreateModelPackage otherwise.
    assert made.may("s3:GetObject", f"{below}/e1/packaged_model_artifacts/model.tar.gz")
    assert not made.may("s3:GetObject", f"{below}/e1/packaged_model_artifacts/other.tar.gz")


def test_a_registered_package_is_never_written_over(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="output_per_execution: False is given, and a package is"):
        Registering(settings | {"output_per_execution": False}, env=HERE)


def test_the_image_is_that_of_the_region_or_the_one_given(settings: dict[str, Any]) -> None:
    sklearn = "sagemaker-scikit-learn:1.2-1-cpu-py3"
    literal = Registering(settings, env=HERE)
    assert literal.container["Image"] == (f"141502667606.dkr.ecr.{REGION}.amazonaws.com/{sklearn}")
    anywhere = Registering(settings)
    [accounts] = (
        table for name, table in anywhere.template["Mappings"].items() if "Registration" in name
    )
    assert accounts["eu-west-1"] == {"account": "141502667606"}
    assert accounts["cn-north-1"] == {"account": "450853457545"}
    assert anywhere.container["Image"].endswith(f".amazonaws.com/{sklearn}") or anywhere.container[
        "Image"
    ].endswith(f"<AWS::URLSuffix>/{sklearn}")
    given = Registering(settings, env=HERE, **OWN_IMAGE)
    assert given.container["Image"] == OWN_IMAGE["image_uri"]


@pytest.mark.parametrize(
    ("framework", "version", "instance_type"),
    [
        ("xgboost", "1.7-1", "ml.m5.large"),
        ("pytorch", "2.6", "ml.g5.xlarge"),
        ("sklearn", "1.2-1", "ml.c6g.large"),
    ],
)
def test_the_accounts_of_the_regions_are_those_that_the_sdk_finds(
    framework: str, version: str, instance_type: str
) -> None:
    image = InferenceImage(framework, version, instance_type=instance_type)
    accounts = image.accounts()
    assert len(accounts) > 30
    for region in ("eu-west-1", "cn-north-1", "us-gov-west-1", "ap-east-1"):
        assert image.uri(region).startswith(f"{accounts[region]}.dkr.ecr.{region}.amazonaws.com")


def test_a_gpu_type_chooses_the_image_for_gpus(settings: dict[str, Any]) -> None:
    torch = {"framework": "pytorch", "framework_version": "2.6.0"}
    on_cpu = Registering(settings, env=HERE, **torch)
    on_gpu = Registering(settings, env=HERE, **torch, inference_instance_types=("ml.g5.xlarge",))
    assert on_cpu.container["Image"].endswith("pytorch-inference:2.6.0-cpu-py312")
    assert "pytorch-inference:2.6.0-gpu-py312" in on_gpu.container["Image"]


@pytest.mark.parametrize(
    ("entry_point", "program"),
    [("serving/inference.py", "serving.inference"), ("serve.py", "serve.py"), (None, None)],
)
def test_the_container_is_told_the_script_that_the_package_has(
    settings: dict[str, Any], scripts: Path, entry_point: str | None, program: str | None
) -> None:
    changed = settings | {"inference_entry_point": entry_point}
    if entry_point is None:
        del changed["source_dir"]
    else:
        (scripts / entry_point).parent.mkdir(exist_ok=True)
        (scripts / entry_point).touch()
    told = Registering(changed, env=HERE, environment={"MODE": "fast"}).container["Environment"]
    expected = {"SAGEMAKER_PROGRAM": program, "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    assert told == {"MODE": "fast", **(expected if program else {})}


def test_the_settings_reach_the_request_tokens_too(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Other")
    text = CfnParameter(stack, "Text").value_as_string
    made = Registering(
        settings,
        env=HERE,
        description="Churn within 30 days.",
        approval_status="Approved",
        content_types=("application/x-npy",),
        response_types=("application/json",),
        inference_instance_types=("ml.c6i.large", "ml.m5.large"),
        transform_instance_types=(),
        customer_metadata={"team": f"churn {Aws.STACK_NAME}"},
    )
    request = made.request
    assert text not in str(request)
    assert request["ModelPackageDescription"] == "Churn within 30 days."
    assert request["ModelApprovalStatus"] == "Approved"
    assert request["CustomerMetadataProperties"]["team"] == "churn <AWS::StackName>"
    specification = {
        k: v for k, v in request["InferenceSpecification"].items() if k != "Containers"
    }
    assert specification == {
        "SupportedContentTypes": ["application/x-npy"],
        "SupportedResponseMIMETypes": ["application/json"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.c6i.large", "ml.m5.large"],
    }


def test_what_is_kept_is_not_built_again(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Registering(settings, store=tmp_path / "store")
    monkeypatch.setattr(ModelRegistrationStepBuilder, "create_step", None)
    assert Registering(settings, store=tmp_path / "store").template == first.template
    with pytest.raises(TypeError):
        Registering(settings, store=tmp_path / "store", description="Another.")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"framework": "sklaern"},
            "framework: 'sklaern' is none of the SDK's .* did you mean 'sklearn'",
        ),
        ({"framework_version": "9.9"}, "'sklearn' in the version '9.9' has no inference image"),
        (
            {"framework": "huggingface", "framework_version": "4.37.0"},
            "'huggingface' in the version .* or the image_uri",
        ),
        (
            {"model_package_group": OTHERS.replace(REGION, "eu-central-1")},
            "is in 'eu-central-1', and a pipeline registers in its own region, 'eu-west-1'",
        ),
    ],
)
def test_what_the_registry_or_the_sdk_does_not_have_is_refused(
    settings: dict[str, Any], given: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InvalidConfigError, match=expected):
        Registering(settings, env=HERE, **given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"model_package_group": "a b"}, "model_package_group: 'a b' is no model package group"),
        (
            {"model_package_group": OTHERS.replace("-group", "")},
            "is no model package group; write its name",
        ),
        ({"model_package_group": Aws.STACK_NAME}, "tells the group's name at deployment only"),
        ({"framework": None}, "framework: None is given, and the inference image is not known"),
        ({"image_uri": "x/y:1"}, "framework: 'sklearn' is given, and so is image_uri"),
        ({"approval_status": "approved"}, "approval_status: 'approved' is none of them"),
        ({"inference_instance_types": ["ml.m5.larg"]}, "did you mean 'ml.m5.large'"),
        ({"inference_instance_types": []}, "inference_instance_types: .* is empty"),
        ({"customer_metadata": {"etag": "x"}}, "'etag' is what the package report tells"),
        ({"customer_metadata": {"note": "(x)"}}, "'\\(x\\)' does not match SageMaker's"),
        ({"customer_metadata": {str(n): "x" for n in range(46)}}, "46 are given; .* at most 45"),
        ({"framwork": "x"}, "no such setting; did you mean 'framework'"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(given: dict[str, Any], expected: str) -> None:
    settings = {"model_package_group": "churn", **SKLEARN} | given
    with pytest.raises(InvalidConfigError, match=expected) as refused:
        ModelRegistrationConfig(**settings)
    assert str(refused.value).startswith("ModelRegistrationConfig has ")


def test_without_region_and_image_the_builder_says_what_it_lacks() -> None:
    config = ModelRegistrationConfig(model_package_group="churn", **SKLEARN)
    with pytest.raises(ValueError, match="region: None is given"):
        ModelRegistrationStepBuilder(config).validate_configuration()
    with pytest.raises(ValueError, match=r"write ModelRegistrationConfig\(…\)"):
        ModelRegistrationStepBuilder({"model_package_group": "churn"})  # type: ignore[arg-type]
