import ast
import json
import re
from pathlib import Path
from typing import Any

import mims_package
import pytest

from model_packaging import MIMSPackagingStepBuilder, PackageStepConfig
from model_packaging.step import UploadParameters, contract, offline, render_definition

ROLE = "arn:aws:iam::111122223333:role/packaging-job"
SCRIPT = Path(__file__).parents[2] / "scripts" / "mims_package.py"


def builder(config: PackageStepConfig, **changes: Any) -> MIMSPackagingStepBuilder:
    arguments: dict[str, Any] = {
        "role": ROLE,
        "packaging_script_uri": "s3://assets/0123.py",
        "inference_scripts_uri": "s3://assets/4567.zip",
        "region": "eu-west-1",
    }
    return MIMSPackagingStepBuilder(config, **arguments | changes)


def render(step: Any, *parameters: Any) -> dict[str, Any]:
    [rendered] = render_definition("churn", parameters=parameters, steps=[step])["Steps"]
    return rendered


@pytest.fixture
def config(settings: dict[str, Any]) -> PackageStepConfig:
    return PackageStepConfig(**settings)


def test_the_step_is_the_sdks_own_and_renders_a_processing_job(config: PackageStepConfig) -> None:
    step = builder(config).create_step("s3://models/churn/model.tar.gz")
    with offline():
        from sagemaker.mlops.workflow.steps import ProcessingStep
    assert isinstance(step, ProcessingStep)

    rendered = render(step)
    assert rendered["Name"] == "PackagingStep"
    assert rendered["Type"] == "Processing"
    assert rendered["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P30D"}
    arguments = rendered["Arguments"]
    assert arguments["RoleArn"] == ROLE
    assert arguments["NetworkConfig"] == {"EnableNetworkIsolation": True}
    assert arguments["ProcessingResources"] == {
        "ClusterConfig": {
            "InstanceType": "ml.m5.2xlarge",
            "InstanceCount": 1,
            "VolumeSizeInGB": 500,
        }
    }
    assert arguments["AppSpecification"]["ImageUri"] == (
        "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
    )
    assert arguments["AppSpecification"]["ContainerEntrypoint"] == [
        "python3",
        "/opt/ml/processing/input/code/0123.py",
    ]


def test_inputs_and_outputs_have_the_contracts_names_and_paths(config: PackageStepConfig) -> None:
    arguments = render(builder(config).create_step("s3://models/churn/"))["Arguments"]
    assert {
        item["InputName"]: (item["S3Input"]["S3Uri"], item["S3Input"]["LocalPath"])
        for item in arguments["ProcessingInputs"]
    } == {
        "model_input": ("s3://models/churn/", "/opt/ml/processing/input/model"),
        "inference_scripts_input": ("s3://assets/4567.zip", "/opt/ml/processing/input/script"),
        "code": ("s3://assets/0123.py", "/opt/ml/processing/input/code"),
    }
    [output] = arguments["ProcessingOutputConfig"]["Outputs"]
    assert output["OutputName"] == "packaged_model_output"
    assert output["S3Output"]["LocalPath"] == "/opt/ml/processing/output"
    assert output["S3Output"]["S3UploadMode"] == "EndOfJob"


def test_each_execution_writes_below_its_own_id(config: PackageStepConfig) -> None:
    arguments = render(builder(config).create_step("s3://models/churn/"))["Arguments"]
    [output] = arguments["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"] == {
        "Std:Join": {
            "On": "/",
            "Values": [
                "s3://artifacts-bucket/packaged/churn/PackagingStep",
                {"Get": "Execution.PipelineExecutionId"},
                "packaged_model_artifacts",
            ],
        }
    }


def test_the_output_path_can_be_fixed(settings: dict[str, Any]) -> None:
    config = PackageStepConfig(**settings, output_per_execution=False)
    arguments = render(builder(config).create_step("s3://models/churn/"))["Arguments"]
    [output] = arguments["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"] == (
        "s3://artifacts-bucket/packaged/churn/PackagingStep/packaged_model_artifacts"
    )


def test_an_uploads_etag_is_part_of_the_step_and_so_of_its_cache_key(
    config: PackageStepConfig,
) -> None:
    source = UploadParameters().model_source()
    step = builder(config, environment=source.environment).create_step(source.uri)
    arguments = render(step, *source.parameters)["Arguments"]
    assert arguments["Environment"] == {"MIMS_MODEL_ETAG": {"Get": "Parameters.ModelETag"}}
    assert arguments["ProcessingInputs"][0]["S3Input"]["S3Uri"] == {
        "Std:Join": {
            "On": "/",
            "Values": [
                "s3:/",
                {"Get": "Parameters.ModelBucket"},
                {"Get": "Parameters.ModelKey"},
            ],
        }
    }


def test_dependencies_are_rendered(config: PackageStepConfig) -> None:
    first = builder(config).create_step("s3://models/churn/")
    first.name = "Before"
    second = builder(config).create_packaging_step("s3://models/churn/", [first])
    definition = render_definition("churn", parameters=[], steps=[first, second])
    assert [step.get("DependsOn") for step in definition["Steps"]] == [None, ["Before"]]


def test_caching_can_be_off(settings: dict[str, Any]) -> None:
    config = PackageStepConfig(**settings, enable_caching_package_step=False)
    assert "CacheConfig" not in render(builder(config).create_step("s3://models/churn/"))


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ({"input_names": {"model_input": "m"}}, "inference_scripts_input"),
        ({"input_names": {"inference_scripts_input": "s"}}, "model_input"),
        ({"output_names": {}}, "packaged_model_output"),
    ],
)
def test_a_required_name_that_is_missing_is_named(
    settings: dict[str, Any], names: dict[str, Any], missing: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"add {{{missing!r}: {missing!r}}}")):
        builder(PackageStepConfig(**settings, **names)).create_step("s3://models/churn/")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"processing_framework_version": "0.23-1"}, "has Python 3.7"),
        ({"processing_framework_version": "1.3-1"}, "write one of 1.0-1, 1.2-1"),
    ],
)
def test_a_framework_version_without_a_usable_container_is_refused(
    settings: dict[str, Any], change: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        builder(PackageStepConfig(**settings, **change)).create_step("s3://models/churn/")


def test_a_region_without_a_container_is_refused(config: PackageStepConfig) -> None:
    with pytest.raises(ValueError, match="not published in 'mars-north-1'"):
        builder(config, region="mars-north-1").create_step("s3://models/churn/")


def test_the_definition_is_json_without_a_clock_or_a_random_part(config: PackageStepConfig) -> None:
    one, two = (
        render_definition(
            "churn", parameters=[], steps=[builder(config).create_step("s3://models/churn/")]
        )
        for _ in range(2)
    )
    assert json.dumps(one) == json.dumps(two)


def test_the_script_leaves_out_what_the_contract_says() -> None:
    assert contract.LEFT_OUT == mims_package.ALWAYS_LEFT_OUT


def test_the_script_has_the_contracts_flags_and_paths() -> None:
    """The contract stands twice, since the script can import nothing of the library."""
    passed = contract.script_arguments("inference.py")
    flags, values = passed[::2], passed[1::2]
    defaults = {
        call.args[0].value: ast.unparse(keyword.value)
        for call in ast.walk(ast.parse(SCRIPT.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "add_argument"
        and isinstance(call.args[0], ast.Constant)
        for keyword in call.keywords
        if keyword.arg == "default"
    }
    constants = {
        target.id: node.value.value
        for node in ast.parse(SCRIPT.read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for flag, value in zip(flags, values, strict=True):
        default = defaults[flag]
        assert constants.get(default, default.strip("'\"")) == value, flag
