import json
import logging
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from model_packaging import MIMSPackagingStepBuilder, PackageStepConfig
from model_packaging.step import (
    InvalidRequestError,
    UploadParameters,
    contract,
    offline,
    offline_session,
    render_definition,
)
from model_packaging.step.request import check_requests
from model_packaging.step.settings.retry_policy import Fault

ROLE = "arn:aws:iam::111122223333:role/packaging-job"
SCRIPT = Path(__file__).parents[2] / "scripts" / "packager" / "mims_package.py"
REPORT_SCHEMA = Path(contract.__file__).with_name("package_report.schema.json")


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
    package, report = arguments["ProcessingOutputConfig"]["Outputs"]
    assert package["OutputName"] == "packaged_model_output"
    assert package["S3Output"]["LocalPath"] == "/opt/ml/processing/output"
    assert package["S3Output"]["S3UploadMode"] == "EndOfJob"
    assert report["OutputName"] == "package_report"
    assert report["S3Output"]["LocalPath"] == "/opt/ml/processing/report"


def test_each_execution_writes_below_its_own_id(config: PackageStepConfig) -> None:
    arguments = render(builder(config).create_step("s3://models/churn/"))["Arguments"]
    [output, report] = arguments["ProcessingOutputConfig"]["Outputs"]
    assert report["S3Output"]["S3Uri"]["Std:Join"]["Values"][2] == "package_report"
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
    assert [
        output["S3Output"]["S3Uri"] for output in arguments["ProcessingOutputConfig"]["Outputs"]
    ] == [
        "s3://artifacts-bucket/packaged/churn/PackagingStep/packaged_model_artifacts",
        "s3://artifacts-bucket/packaged/churn/PackagingStep/package_report",
    ]


def test_an_uploads_etag_is_part_of_the_step_and_so_of_its_cache_key(
    config: PackageStepConfig,
) -> None:
    source = UploadParameters().model_source()
    step = builder(config, environment=source.environment).create_step(source.uri)
    arguments = render(step, *source.parameters)["Arguments"]
    assert arguments["Environment"] == {
        "MIMS_PIPELINE": config.pipeline_name,
        "MIMS_MODEL_ETAG": {"Get": "Parameters.ModelETag"},
    }
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


def test_without_a_region_there_is_no_container_to_choose(config: PackageStepConfig) -> None:
    with pytest.raises(ValueError, match="set region in the configuration"):
        builder(config, region=None).create_step("s3://models/churn/")


def test_the_configurations_region_chooses_the_container(settings: dict[str, Any]) -> None:
    config = PackageStepConfig(**settings, region="NA")
    step = builder(config, region=None).create_step("s3://models/churn/")
    image = render(step)["Arguments"]["AppSpecification"]["ImageUri"]
    assert image.startswith("683313688378.dkr.ecr.us-east-1.amazonaws.com/")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("models/model.tar.gz", "model_artifacts_input_source: 'models/model.tar.gz' is not an S3"),
        ("s3://my_bucket/x", "names the bucket 'my_bucket'"),
    ],
)
def test_a_source_that_is_no_s3_uri_is_refused(
    config: PackageStepConfig, source: str, expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        builder(config).create_step(source)


def test_a_single_name_is_not_a_list_of_dependencies(config: PackageStepConfig) -> None:
    with pytest.raises(ValueError, match=r"write it as a list, \['Train'\]"):
        builder(config).create_step("s3://models/churn/", "Train")
    step = builder(config).create_step("s3://models/churn/", ["Train"])
    assert step.depends_on == ["Train"]


def test_the_jobs_settings_reach_the_request(settings: dict[str, Any]) -> None:
    config = PackageStepConfig(
        **settings,
        author="fraud-team",
        environment={"LEVEL": "debug"},
        max_runtime_in_seconds=3600,
        volume_kms_key="alias/volumes",
        output_kms_key="alias/packages",
        subnets=["subnet-1", "subnet-2"],
        security_group_ids=["sg-1"],
        enable_network_isolation=False,
        instance_preferences=["ml.m5.xlarge", "ml.m6i.xlarge"],
        processing_instance_count=2,
        tags={"team": "fraud"},
        packaging_mode="stream",
        existing_code="refuse",
    )
    arguments = render(builder(config).create_step("s3://models/churn/"))["Arguments"]
    assert arguments["ProcessingResources"]["ClusterConfig"] == {
        "InstancePreferences": [
            {"InstanceType": "ml.m5.xlarge"},
            {"InstanceType": "ml.m6i.xlarge"},
        ],
        "InstanceCount": 2,
        "VolumeSizeInGB": 500,
        "VolumeKmsKeyId": "alias/volumes",
    }
    assert arguments["ProcessingOutputConfig"]["KmsKeyId"] == "alias/packages"
    assert arguments["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert arguments["Environment"] == {"MIMS_PIPELINE": config.pipeline_name, "LEVEL": "debug"}
    assert arguments["NetworkConfig"] == {
        "EnableNetworkIsolation": False,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]},
    }
    assert arguments["Tags"] == [
        {"Key": "author", "Value": "fraud-team"},
        {"Key": "team", "Value": "fraud"},
    ]
    words = arguments["AppSpecification"]["ContainerArguments"]
    assert words[words.index("--mode") + 1] == "stream"
    assert words[words.index("--existing-code") + 1] == "refuse"


def test_extra_inputs_are_mounted_by_their_names(settings: dict[str, Any]) -> None:
    folder = settings["source_dir"].parent / "vocabulary"
    folder.mkdir()
    config = PackageStepConfig(
        **settings, extra_inputs={"vocabulary": folder, "calibration": "s3://models/calibration"}
    )
    with pytest.raises(ValueError, match=r"as a zip.* pass extra_input_uris=\{'vocabulary': "):
        builder(config).create_step("s3://models/churn/")
    step = builder(config, extra_input_uris={"vocabulary": "s3://assets/89ab.zip"}).create_step(
        "s3://models/churn/"
    )
    arguments = render(step)["Arguments"]
    assert {
        item["InputName"]: (item["S3Input"]["S3Uri"], item["S3Input"]["LocalPath"])
        for item in arguments["ProcessingInputs"][2:4]
    } == {
        "calibration": ("s3://models/calibration", "/opt/ml/processing/input/extra/calibration"),
        "vocabulary": ("s3://assets/89ab.zip", "/opt/ml/processing/input/extra/vocabulary"),
    }
    words = arguments["AppSpecification"]["ContainerArguments"]
    assert words[-2:] == ["--unzip-extra", "vocabulary"]


def test_faults_of_the_service_are_tried_again_and_a_burst_waits_for_a_day(
    config: PackageStepConfig,
) -> None:
    assert render(builder(config).create_step("s3://models/churn/"))["RetryPolicies"] == [
        {
            "ExceptionType": ["Step.SERVICE_FAULT", "Step.THROTTLING"],
            "IntervalSeconds": 5,
            "BackoffRate": 2.0,
            "MaxAttempts": 5,
        },
        {
            "ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR"],
            "IntervalSeconds": 60,
            "BackoffRate": 2.0,
            "MaxAttempts": 6,
        },
        {
            "ExceptionType": ["SageMaker.RESOURCE_LIMIT"],
            "IntervalSeconds": 300,
            "BackoffRate": 1.0,
            "ExpireAfterMin": 1440,
        },
    ]


def test_retries_can_be_chosen_or_off(settings: dict[str, Any]) -> None:
    off = PackageStepConfig(**settings, retry_policies=[])
    assert "RetryPolicies" not in render(builder(off).create_step("s3://models/churn/"))
    chosen = PackageStepConfig(
        **settings,
        retry_policies=[
            {
                "exceptions": ["SageMaker.CAPACITY_ERROR"],
                "interval_seconds": 600,
                "backoff_rate": 1.5,
                "expire_after_mins": 480,
            }
        ],
    )
    assert render(builder(chosen).create_step("s3://models/churn/"))["RetryPolicies"] == [
        {
            "ExceptionType": ["SageMaker.CAPACITY_ERROR"],
            "IntervalSeconds": 600,
            "BackoffRate": 1.5,
            "ExpireAfterMin": 480,
        }
    ]


def test_the_policies_know_every_fault_of_the_sdk() -> None:
    with offline():
        from sagemaker.mlops.workflow.retry import (
            SageMakerJobExceptionTypeEnum,
            StepExceptionTypeEnum,
        )
    faults = [*StepExceptionTypeEnum, *SageMakerJobExceptionTypeEnum]
    assert set(get_args(Fault)) == {fault.value for fault in faults}


def test_a_following_step_can_read_the_package_report(config: PackageStepConfig) -> None:
    packaging = builder(config)
    step = packaging.create_step("s3://models/churn/")
    with offline():
        from sagemaker.core.workflow.conditions import ConditionLessThanOrEqualTo
        from sagemaker.core.workflow.functions import JsonGet
        from sagemaker.mlops.workflow.condition_step import ConditionStep
        from sagemaker.mlops.workflow.fail_step import FailStep

        size = JsonGet(
            step_name=step.name,
            property_file=packaging.package_report,
            json_path="archive.bytes",
        )
        check = ConditionStep(
            name="SmallEnough",
            conditions=[ConditionLessThanOrEqualTo(left=size, right=1e9)],
            else_steps=[FailStep(name="TooLarge", error_message="too large")],
        )
    package, condition = render_definition("churn", parameters=[], steps=[step, check])["Steps"]
    assert package["PropertyFiles"] == [
        {
            "PropertyFileName": "PackageReport",
            "OutputName": "package_report",
            "FilePath": "package_report.json",
        }
    ]
    assert condition["Arguments"]["Conditions"][0]["LeftValue"] == {
        "Std:JsonGet": {
            "PropertyFile": {"Get": "Steps.PackagingStep.PropertyFiles.PackageReport"},
            "Path": "archive.bytes",
        }
    }
    schema = json.loads(REPORT_SCHEMA.read_text())
    assert schema["properties"]["archive"]["properties"]["bytes"]["type"] == "integer"


def test_log_lines_take_pipeline_variables(
    config: PackageStepConfig, caplog: pytest.LogCaptureFixture
) -> None:
    source = UploadParameters().model_source()
    with caplog.at_level(logging.DEBUG, logger="model_packaging"):
        for uri in (source.uri, source.parameters[0], "s3://models/churn"):
            builder(config).create_step(uri)
    assert [record.getMessage()[:40] for record in caplog.records] == [
        'PackagingStep packages {"Std:Join": {"On',
        'PackagingStep packages {"Get": "Paramete',
        "PackagingStep packages s3://models/churn",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"role": "SageMakerRole"}, "role: 'SageMakerRole' is not the ARN of a role"),
        ({"packaging_script_uri": "scripts/mims_package.py"}, "packaging_script_uri: 'scripts/mi"),
        ({"packaging_script_uri": "s3://assets/packager/"}, "packaging_script_uri: 's3://assets/p"),
        ({"packaging_script_uri": "s3://assets/packager/"}, "is a folder, and the job runs one ob"),
        ({"packaging_script_uri": "s3://assets"}, "packaging_script_uri: 's3://assets' is a folde"),
        ({"role": None}, "role: None is not the ARN of a role"),
        ({"packaging_script_uri": None}, "packager' is here, not in S3; upload it (a folder as a"),
        ({"inference_scripts_uri": None}, "pass inference_scripts_uri='s3://…', or pass a sage"),
        ({"extra_input_uris": {"code": "s3://a-b/x"}}, "extra_input_uris: 'code' is not among"),
    ],
)
def test_a_wrong_argument_is_named_before_the_sdk_sees_it(
    config: PackageStepConfig, change: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        builder(config, **change).create_step("s3://models/churn/")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"cache_expires_after": "30d"}, "cache_expires_after: '30d' is not a duration"),
        ({"processing_volume_size": 5}, "processing_volume_size: 5 is out of range"),
        ({"enable_network_isolation": "yes"}, "enable_network_isolation: 'yes' is neither"),
        ({"subnets": ("subnet-1",)}, "security_group_ids: none is given, but subnets"),
        ({"bucket": "another-bucket"}, "bucket: 'another-bucket' is not the bucket of"),
        ({"source_dir": Path("missing")}, "source_dir: 'missing' is not a folder"),
    ],
)
def test_a_configuration_is_checked_again_when_a_step_is_made_of_it(
    config: PackageStepConfig, change: dict[str, Any], expected: str
) -> None:
    copied = config.model_copy(update=change)  # pydantic checks nothing here
    with pytest.raises(ValueError, match=re.escape(expected)):
        builder(copied).validate_configuration()
    builder(config.model_copy(update={"pipeline_name": "fraud"})).validate_configuration()


def test_a_parameter_that_the_pipeline_does_not_declare_is_refused(
    config: PackageStepConfig,
) -> None:
    source = UploadParameters().model_source()
    step = builder(config).create_step(source.uri)
    with pytest.raises(InvalidRequestError, match="parameter 'ModelBucket', which the pipeline"):
        render(step)


def test_what_is_known_at_run_time_only_may_fill_any_value(config: PackageStepConfig) -> None:
    with offline():
        from sagemaker.core.workflow.parameters import ParameterInteger, ParameterString

        size = ParameterInteger(name="Size")
        role = ParameterString(name="Role")
    step = builder(config, role=role).create_step("s3://models/churn/")
    step.step_args.func_args[0].volume_size_in_gb = size
    assert render(step, size, role)["Arguments"]["RoleArn"] == {"Get": "Parameters.Role"}


def test_one_fault_of_a_request_does_not_hide_another() -> None:
    step = {
        "Name": "Step",
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": "image"},
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceType": "ml.m5.nonsense",
                    "InstanceCount": "cdktoken0000x",
                    "VolumeSizeInGB": {"Get": "Steps.Before.Size"},
                }
            },
            "RoleArn": ROLE,
        },
    }
    branch = {"Name": "If", "Type": "Condition", "Arguments": {"IfSteps": [step]}}
    with pytest.raises(InvalidRequestError, match=r"ml\.m5\.nonsense") as raised:
        check_requests({"Steps": [branch]}, unknown=re.compile("cdktoken"))
    assert len(str(raised.value).splitlines()) == 2


def test_a_step_of_another_pipeline_can_say_whose_it_is(config: PackageStepConfig) -> None:
    step = builder(config, environment={"MIMS_PIPELINE": "churn-training"})
    arguments = render(step.create_step("s3://models/churn/"))["Arguments"]
    assert arguments["Environment"] == {"MIMS_PIPELINE": "churn-training"}


def test_no_execution_is_in_what_the_cache_compares(config: PackageStepConfig) -> None:
    source = UploadParameters().model_source()
    step = builder(config, environment=source.environment).create_step(source.uri)
    rendered = render(step, *source.parameters)
    assert "Execution." in json.dumps(rendered)  # each writes to a place of its own
    assert "Execution." not in cached_by(rendered)


def cached_by(rendered: dict[str, Any]) -> str:
    """What SageMaker's cache compares of a processing step ("Caching pipeline steps")."""
    arguments = rendered["Arguments"]
    return json.dumps(
        [arguments[name] for name in ("AppSpecification", "ProcessingInputs", "Environment")]
    )


@pytest.mark.parametrize(
    "change",
    [
        {"author": "fraud-team", "current_date": "2026-11-22", "pipeline_version": "2"},
        {"pipeline_description": "Packages models."},
        {"pipeline_s3_loc": "s3://artifacts-bucket/elsewhere"},
        {"output_per_execution": False},
        {"processing_instance_count": 2, "processing_volume_size": 30},
        {"use_large_processing_instance": True},
        {"instance_preferences": ["ml.m5.xlarge"]},
        {"max_runtime_in_seconds": 60},
        {"tags": {"team": "fraud"}},
        {"volume_kms_key": "alias/volumes", "output_kms_key": "alias/packages"},
        {"subnets": ["subnet-1"], "security_group_ids": ["sg-1"]},
        {"enable_network_isolation": False},
        {"enable_caching_package_step": False},
        {"cache_expires_after": "P1D"},
        {"retry_policies": []},
        {"output_names": {"packaged_model_output": "package"}},
    ],
    ids=lambda change: ",".join(change),
)
def test_what_cannot_change_the_package_does_not_change_the_cache_key(
    settings: dict[str, Any], change: dict[str, Any]
) -> None:
    source = UploadParameters().model_source()

    def key(given: dict[str, Any]) -> str:
        step = builder(PackageStepConfig(**given), environment=source.environment).create_step(
            source.uri
        )
        return cached_by(render(step, *source.parameters))

    assert key(settings) == key(settings | change)


@pytest.mark.parametrize(
    "change",
    [
        {"packaging_script_uri": "s3://assets/9999.py"},
        {"inference_scripts_uri": "s3://assets/9999.zip"},
        {"extra_input_uris": {"vocabulary": "s3://assets/9999.zip"}},
    ],
    ids=lambda change: ",".join(change),
)
def test_what_ships_is_part_of_the_cache_key(
    settings: dict[str, Any], change: dict[str, Any]
) -> None:
    folder = settings["source_dir"].parent / "vocabulary"
    folder.mkdir()
    config = PackageStepConfig(**settings, extra_inputs={"vocabulary": folder})
    given = {"extra_input_uris": {"vocabulary": "s3://assets/89ab.zip"}, "environment": {"A": "b"}}
    one, two = (
        cached_by(render(builder(config, **arguments).create_step("s3://models/churn/")))
        for arguments in (given, given | change)
    )
    assert one != two


def training_step(framework: str, version: str, **image: str) -> Any:
    with offline():
        from sagemaker.core import image_uris
        from sagemaker.core.shapes import OutputDataConfig, StoppingCondition
        from sagemaker.mlops.workflow.steps import TrainingStep
        from sagemaker.train import ModelTrainer
        from sagemaker.train.configs import Compute, InputData

        trainer = ModelTrainer(
            training_image=image_uris.retrieve(
                framework,
                "eu-west-1",
                version=version,
                instance_type="ml.m5.xlarge",
                image_scope="training",
                **image,
            ),
            role="arn:aws:iam::111122223333:role/training",
            sagemaker_session=offline_session(),
            compute=Compute(instance_type="ml.m5.xlarge", instance_count=1, volume_size_in_gb=30),
            output_data_config=OutputDataConfig(s3_output_path="s3://artifacts-bucket/training"),
            stopping_condition=StoppingCondition(max_runtime_in_seconds=3600),
            hyperparameters={"epochs": "10"},
        )
        data = InputData(channel_name="train", data_source="s3://artifacts-bucket/data")
        return TrainingStep(name="Train", step_args=trainer.train(input_data_config=[data]))


@pytest.mark.parametrize(
    ("framework", "version", "image"),
    [("xgboost", "1.7-1", {}), ("pytorch", "2.3", {"py_version": "py311"})],
)
def test_the_packaging_step_follows_a_training_step(
    config: PackageStepConfig, framework: str, version: str, image: dict[str, str]
) -> None:
    train = training_step(framework, version, **image)
    step = builder(config).create_step(train.properties.ModelArtifacts.S3ModelArtifacts, [train])
    before, after = render_definition("churn", parameters=[], steps=[train, step])["Steps"]
    assert before["Type"] == "Training"
    assert framework in before["Arguments"]["AlgorithmSpecification"]["TrainingImage"]
    assert after["DependsOn"] == ["Train"]
    assert after["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"] == {
        "Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"
    }


def test_a_request_that_sagemaker_would_refuse_is_refused_here(settings: dict[str, Any]) -> None:
    config = PackageStepConfig(
        **settings, extra_inputs={f"part-{number}": "s3://models/x" for number in range(8)}
    )
    step = builder(config).create_step("s3://models/churn/")
    expected = (
        "SageMaker would refuse the step 'PackagingStep':\n"
        "  ProcessingInputs has 11 elements; SageMaker takes at most 10"
    )
    with pytest.raises(InvalidRequestError, match=re.escape(expected)):
        render(step)
