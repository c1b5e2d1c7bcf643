"""Packaging steps to render with this library and with the SDK that came before it.

Plain data: both sides read it, each in an environment of its own, so it imports nothing of either.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

SDK_VERSION = "2.257.7"
ROLE = "arn:aws:iam::111122223333:role/packaging-job"
PACKAGING_SCRIPT_URI = "s3://assets-bucket/0123.py"
INFERENCE_SCRIPTS_URI = "s3://assets-bucket/4567.zip"
# All empty: the model, and scripts that the SDK's own ``repack_model`` adds to it.
REPACKED_FILES = ("model/model.bin", "model/vocab.txt", "scripts/inference.py", "scripts/util.py")
# Given to every configuration that doesn't say otherwise.
SETTINGS: Mapping[str, Any] = {
    "pipeline_name": "churn-packaging",
    "pipeline_s3_loc": "s3://artifacts-bucket/packaged/churn",
    "region": "us-east-1",
}
MODEL = "s3://models-bucket/churn/model.tar.gz"


@dataclass(frozen=True)
class Configuration:
    """One packaging step.

    A value of the definition is a string, or one of ``{"parameter": <name>}``,
    ``{"join": [<value>, …]}`` with slashes between, ``{"model_of_training": <step>}`` and
    ``{"model_of_processing": <step>}``. One may stand in the settings too.

    Attributes:
        name: Of the golden file.
        settings: What it changes of ``SETTINGS``; None removes one of these. The folders of the
            scripts are not among them, since they differ by machine, but for those in S3.
        model: The model's S3 URI.
        parameters: Names of the pipeline's parameters that are strings.
        other_parameters: Type of each further parameter, ``Integer`` or ``Boolean``, by its name.
        steps: Steps before this one: ``training`` or ``processing``, by name.
        dependencies: Names of steps.
        dependencies_by_name: Whether they are given as names; else as the steps themselves.
        job_environment: Environment variables that whoever builds the step adds.
        zipped_extra_inputs: S3 URI of each extra input that is a folder here, by its name.
        packaging_script_uri: S3 URI of the packager.
        stack_region: Region of the stack, if not of the settings.
        role: ARN of the job's role.
        registration: Settings of the registration step behind it, if there is one.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    model: Any = MODEL
    parameters: tuple[str, ...] = ()
    other_parameters: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, str] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    dependencies_by_name: bool = False
    job_environment: Mapping[str, Any] = field(default_factory=dict)
    zipped_extra_inputs: Mapping[str, str] = field(default_factory=dict)
    packaging_script_uri: str = PACKAGING_SCRIPT_URI
    stack_region: str | None = None
    role: str = ROLE
    registration: Mapping[str, Any] | None = None

    def all_settings(self) -> dict[str, Any]:
        """The settings, complete but for the folders of the scripts."""
        return {
            name: value
            for name, value in {**SETTINGS, **self.settings}.items()
            if value is not None or name not in SETTINGS
        }


EXPRESSIONS = ("parameter", "join", "model_of_training", "model_of_processing")


def replaced(setting: Any, value: Callable[[Any], Any]) -> Any:
    """A setting with what ``value`` makes of each expression in it."""
    if isinstance(setting, Mapping):
        if len(setting) == 1 and next(iter(setting)) in EXPRESSIONS:
            return value(setting)
        return {name: replaced(item, value) for name, item in setting.items()}
    if isinstance(setting, list):
        return [replaced(item, value) for item in setting]
    return setting


CONFIGURATIONS = (
    Configuration("defaults"),
    # --- Where the model comes from, and what runs before
    Configuration(
        "model-uploaded",
        model={"join": ["s3:/", {"parameter": "ModelBucket"}, {"parameter": "ModelKey"}]},
        parameters=("ModelBucket", "ModelKey", "ModelETag"),
        job_environment={"MIMS_MODEL_ETAG": {"parameter": "ModelETag"}},
    ),
    Configuration(
        "model-in-a-parameter", model={"parameter": "ModelUri"}, parameters=("ModelUri",)
    ),
    Configuration("model-below-a-prefix", model="s3://models-bucket/churn/2026/"),
    Configuration(
        "model-of-a-training-step",
        model={"model_of_training": "Train"},
        steps={"Train": "training"},
    ),
    Configuration(
        "model-of-a-processing-step",
        model={"model_of_processing": "Export"},
        steps={"Export": "processing", "Audit": "processing"},
        dependencies=("Audit", "Export"),
    ),
    Configuration(
        "dependencies-by-name",
        steps={"Train": "training", "Audit": "processing"},
        dependencies=("Train", "Audit"),
        dependencies_by_name=True,
    ),
    # --- What is packaged
    Configuration(
        "extra-inputs",
        {
            "extra_inputs": {
                "vocabulary": "s3://models-bucket/vocabulary",
                "calibration": "s3://models-bucket/calibration/2026",
            }
        },
        zipped_extra_inputs={"labels": "s3://assets-bucket/89ab.zip"},
    ),
    Configuration(
        "script-arguments",
        {
            "inference_entry_point": "serving/predict.py",
            "packaging_mode": "stream",
            "existing_code": "overlay",
            "processing_script_arguments": ["--exclude", "*.md", "a text with ${braces}"],
        },
    ),
    Configuration(
        "sources-in-s3",
        {
            "source_dir": "s3://models-bucket/scripts/",
            "processing_source_dir": "s3://models-bucket/packagers",
            "processing_entry_point": "own/pack.py",
        },
    ),
    Configuration("without-scripts", {"inference_entry_point": None}),
    Configuration("spliced-or-failed", {"packaging_mode": "splice", "existing_code": "refuse"}),
    Configuration("packager-in-a-zip", packaging_script_uri="s3://assets-bucket/0123.zip"),
    # --- Names and places
    Configuration(
        "names-changed",
        {
            "input_names": {"model_input": "Model", "inference_scripts_input": "Scripts"},
            "output_names": {"packaged_model_output": "Package", "package_report": "Report"},
        },
    ),
    Configuration(
        "names-of-the-predecessor",  # they did not name the report
        {"output_names": {"packaged_model_output": "packaged_model"}},
    ),
    Configuration(
        "fixed-output-path",
        {"pipeline_s3_loc": "s3://packages.example.com/a/b", "output_per_execution": False},
    ),
    Configuration(
        "location-from-the-bucket",
        {
            "pipeline_name": "fraud",
            "pipeline_s3_loc": None,
            "bucket": "artifacts-bucket",
            "pipeline_version": "2.1",
        },
    ),
    Configuration(
        "tags",
        {
            "author": "Data Science",
            "current_date": "2026-03-31",
            "pipeline_version": "2.1",
            "tags": {"cost-centre": "4711", "author": "Somebody else", "empty": ""},
        },
    ),
    # --- The job
    Configuration(
        "large-instance",
        {
            "use_large_processing_instance": True,
            "processing_instance_type_large": "ml.m5.12xlarge",
            "processing_instance_count": 2,
            "processing_volume_size": 1000,
            "max_runtime_in_seconds": 7200,
        },
    ),
    Configuration(
        "small-instance",
        {
            "processing_instance_type_small": "ml.t3.medium",
            "processing_volume_size": 10,
            "environment": {"LOG_LEVEL": "debug", "EMPTY": ""},
        },
    ),
    Configuration("own-instance-type", {"processing_instance_type": "ml.c5.xlarge"}),
    Configuration(
        "instance-preferences", {"instance_preferences": ["ml.m5.2xlarge", "ml.m5.4xlarge"]}
    ),
    Configuration("older-framework", {"processing_framework_version": "1.0-1"}),
    # --- Encryption and network
    Configuration(
        "encrypted",
        {
            "volume_kms_key": "arn:aws:kms:us-east-1:111122223333:key/volume",
            "output_kms_key": "alias/packages",
        },
    ),
    Configuration(
        "in-a-vpc",
        {
            "subnets": ["subnet-0a1b2c3d", "subnet-4e5f6a7b"],
            "security_group_ids": ["sg-0a1b2c3d"],
        },
    ),
    Configuration("without-isolation", {"enable_network_isolation": False}),
    # --- Repeating and not repeating
    Configuration("without-caching", {"enable_caching_package_step": False}),
    Configuration("short-cache", {"cache_expires_after": "PT12H"}),
    Configuration(
        "own-retries",
        {
            "retry_policies": [
                {"exceptions": ["Step.THROTTLING"], "interval_seconds": 3, "max_attempts": 20},
                {
                    "exceptions": ["SageMaker.RESOURCE_LIMIT"],
                    "backoff_rate": 1.5,
                    "expire_after_mins": 240,
                },
            ]
        },
    ),
    Configuration("without-retries", {"retry_policies": []}),
    # --- Regions
    Configuration("predecessors-name-of-a-region", {"region": "EU"}),
    Configuration("region-of-the-stack", {"region": None}, stack_region="ap-southeast-2"),
    Configuration(
        "china", {"region": "cn-north-1"}, role="arn:aws-cn:iam::111122223333:role/packaging-job"
    ),
    Configuration(
        "us-government",
        {"region": "us-gov-west-1", "processing_framework_version": "1.0-1"},
        role="arn:aws-us-gov:iam::111122223333:role/packaging-job",
    ),
    # --- What is known when an execution runs
    Configuration(
        "parameters-as-values",
        {
            "processing_instance_count": {"parameter": "Count"},
            "processing_volume_size": {"parameter": "Volume"},
            "processing_instance_type": {"parameter": "Instance"},
            "max_runtime_in_seconds": {"parameter": "Runtime"},
            "processing_script_arguments": ["--symlinks", {"parameter": "Symlinks"}],
            "environment": {"LEVEL": {"parameter": "Level"}, "PLACE": {"join": ["a", "b"]}},
            "volume_kms_key": {"parameter": "Key"},
            "output_kms_key": {"parameter": "Key"},
            "subnets": [{"parameter": "Subnet"}],
            "security_group_ids": [{"parameter": "Group"}],
            "enable_network_isolation": {"parameter": "Isolated"},
            "extra_inputs": {"vocabulary": {"parameter": "Vocabulary"}},
        },
        parameters=(*("Instance", "Symlinks", "Level", "Key", "Subnet", "Group", "Vocabulary"),),
        other_parameters={
            "Count": "Integer",
            "Volume": "Integer",
            "Runtime": "Integer",
            "Isolated": "Boolean",
        },
    ),
    Configuration(
        "parameters-of-both-sizes",
        {
            "processing_instance_type_large": {"parameter": "Large"},
            "processing_instance_type_small": {"parameter": "Small"},
            "use_large_processing_instance": True,
        },
        parameters=("Large", "Small"),
    ),
    Configuration(
        "calibration-of-a-step-before",
        {"extra_inputs": {"calibration": {"model_of_processing": "Calibrate"}}},
        model={"model_of_training": "Train"},
        steps={"Train": "training", "Calibrate": "processing"},
    ),
    Configuration(
        "calibration-for-an-own-script",
        {
            "processing_source_dir": "s3://scripts-bucket/packaging",
            "processing_entry_point": "package.py",
            "extra_inputs": {"calibration": "s3://models-bucket/calibration"},
            "extra_input_paths": {"calibration": "/opt/ml/processing/input/calibration"},
        },
    ),
    # --- What comes behind
    Configuration(
        "registered",
        registration={
            "model_package_group": "churn",
            "framework": "sklearn",
            "framework_version": "1.2-1",
        },
    ),
    Configuration(
        "registered-in-a-given-group",
        {
            "region": "EU",
            "inference_entry_point": "serving/inference.py",
            "output_names": {"packaged_model_output": "Package", "package_report": "Report"},
        },
        registration={
            "model_package_group": "arn:aws:sagemaker:eu-west-1:111122223333:"
            "model-package-group/churn",
            "framework": "pytorch",
            "framework_version": "2.6.0",
            "python_version": "py312",
            "inference_instance_types": ["ml.g5.xlarge", "ml.g5.2xlarge"],
            "transform_instance_types": [],
            "content_types": ["application/x-npy"],
            "response_types": ["application/json"],
            "approval_status": "Approved",
            "description": "Churn within 30 days.",
            "environment": {"TS_MAX_REQUEST_SIZE": "100000000"},
            "customer_metadata": {"team": "churn"},
        },
    ),
    Configuration(
        "registered-without-scripts",
        {"source_dir": None, "inference_entry_point": None},
        registration={
            "model_package_group": "churn",
            "image_uri": "111122223333.dkr.ecr.us-east-1.amazonaws.com/own:1",
        },
    ),
    # --- Together
    Configuration(
        "everything",
        {
            "pipeline_name": "churn-" + "x" * 40,
            "author": "Data Science",
            "region": "FE",
            "output_per_execution": False,
            "extra_inputs": {"vocabulary": "s3://models-bucket/vocabulary"},
            "processing_script_arguments": ["--exclude", "*.md"],
            "use_large_processing_instance": True,
            "max_runtime_in_seconds": 604800,
            "environment": {"LOG_LEVEL": "debug"},
            "input_names": {"model_input": "Model", "inference_scripts_input": "Scripts"},
            "tags": {"cost-centre": "4711"},
            "volume_kms_key": "alias/volumes",
            "output_kms_key": "alias/packages",
            "subnets": ["subnet-0a1b2c3d"],
            "security_group_ids": ["sg-0a1b2c3d", "sg-4e5f6a7b"],
            "enable_network_isolation": False,
            "cache_expires_after": "P1Y2M3DT4H5M6S",
        },
        model={"model_of_training": "Train"},
        parameters=("Run",),
        steps={"Train": "training", "Audit": "processing"},
        dependencies=("Audit",),
        job_environment={"RUN": {"parameter": "Run"}},
        zipped_extra_inputs={"labels": "s3://assets-bucket/89ab.zip"},
    ),
)
