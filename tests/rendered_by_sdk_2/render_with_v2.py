"""Renders every configuration as a user of SageMaker SDK v2 would write it.

    python -m tests.rendered_by_sdk_2.render_with_v2  # with the Python of an environment of it

Knows nothing of this library: names, paths and defaults are those that it promises its users.
"""

import gzip
import json
import logging
import os
import sys
import tarfile
import tempfile
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

# Before the SDK is imported: what it renders must not depend on the machine.
os.environ.clear()
os.environ |= {
    "AWS_EC2_METADATA_DISABLED": "true",
    "HOME": os.devnull,
    "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
    "XDG_CONFIG_DIRS": os.devnull,
}


def refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        raise OSError(f"rendering needs no network, but there was {event}{arguments}")


sys.addaudithook(refuse_network)
logging.disable()
warnings.simplefilter("ignore")

import boto3  # noqa: E402
import sagemaker  # noqa: E402
from sagemaker import image_uris  # noqa: E402
from sagemaker.estimator import Estimator  # noqa: E402
from sagemaker.model import Model  # noqa: E402
from sagemaker.network import NetworkConfig  # noqa: E402
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor  # noqa: E402
from sagemaker.sklearn.processing import SKLearnProcessor  # noqa: E402
from sagemaker.utils import repack_model  # noqa: E402
from sagemaker.workflow.execution_variables import ExecutionVariables  # noqa: E402
from sagemaker.workflow.functions import Join, JsonGet  # noqa: E402
from sagemaker.workflow.parameters import (  # noqa: E402
    ParameterBoolean,
    ParameterInteger,
    ParameterString,
)
from sagemaker.workflow.pipeline import Pipeline  # noqa: E402
from sagemaker.workflow.pipeline_context import PipelineSession  # noqa: E402
from sagemaker.workflow.properties import PropertyFile  # noqa: E402
from sagemaker.workflow.retry import (  # noqa: E402
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.workflow.step_collections import RegisterModel  # noqa: E402
from sagemaker.workflow.steps import (  # noqa: E402
    CacheConfig,
    ProcessingStep,
    Step,
    TrainingStep,
)

from tests.rendered_by_sdk_2.configurations import (  # noqa: E402
    CONFIGURATIONS,
    INFERENCE_SCRIPTS_URI,
    REPACKED_FILES,
    SDK_VERSION,
    Configuration,
    replaced,
)
from tests.scripts.archives import listed  # noqa: E402

FOLDER = Path(__file__).parent
REGIONS = {"NA": "us-east-1", "EU": "eu-west-1", "FE": "us-west-2"}
IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/upstream:1"
STEP = "PackagingStep"
PARAMETERS = {"Integer": ParameterInteger, "Boolean": ParameterBoolean}
# The enumerations answer a call with their first member, so they are not called.
FAULTS = {
    "Step.SERVICE_FAULT": StepExceptionTypeEnum.SERVICE_FAULT,
    "Step.THROTTLING": StepExceptionTypeEnum.THROTTLING,
    "SageMaker.JOB_INTERNAL_ERROR": SageMakerJobExceptionTypeEnum.INTERNAL_ERROR,
    "SageMaker.CAPACITY_ERROR": SageMakerJobExceptionTypeEnum.CAPACITY_ERROR,
    "SageMaker.RESOURCE_LIMIT": SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT,
}
DEFAULT_RETRIES = [
    {
        "exceptions": ["Step.SERVICE_FAULT", "Step.THROTTLING"],
        "interval_seconds": 5,
        "max_attempts": 5,
    },
    {
        "exceptions": ["SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR"],
        "interval_seconds": 60,
        "max_attempts": 6,
    },
    {
        "exceptions": ["SageMaker.RESOURCE_LIMIT"],
        "interval_seconds": 300,
        "backoff_rate": 1.0,
        "expire_after_mins": 1440,
    },
]


def offline_session(region: str) -> PipelineSession:
    return PipelineSession(
        boto_session=boto3.Session(region_name=region),
        sagemaker_config={
            "SchemaVersion": "1.0",
            "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}},
        },
    )


def upstream_step(name: str, kind: str, role: str, session: PipelineSession) -> Step:
    job = {
        "image_uri": IMAGE,
        "role": role,
        "instance_count": 1,
        "instance_type": "ml.m5.xlarge",
        "sagemaker_session": session,
    }
    if kind == "training":
        estimator = Estimator(output_path="s3://models-bucket/training", **job)
        return TrainingStep(name, step_args=estimator.fit())
    output = ProcessingOutput(
        output_name="model",
        source="/opt/ml/processing/output",
        destination="s3://models-bucket/exported",
    )
    processor = ScriptProcessor(command=["python3"], **job)
    run = processor.run(code="s3://assets-bucket/upstream.py", outputs=[output])
    return ProcessingStep(name, step_args=run)


class Rendering:
    """One configuration's pipeline."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.settings = configuration.all_settings()
        region = configuration.stack_region or self.settings["region"]
        self.session = offline_session(REGIONS.get(region, region))
        self.parameters = {
            **{name: ParameterString(name=name) for name in configuration.parameters},
            **{
                name: PARAMETERS[kind](name)
                for name, kind in configuration.other_parameters.items()
            },
        }
        self.steps = {
            name: upstream_step(name, kind, configuration.role, self.session)
            for name, kind in configuration.steps.items()
        }
        self.settings = replaced(self.settings, self.value)

    def definition(self) -> dict[str, Any]:
        """The pipeline's definition, of its steps the packaging step and what comes behind it."""
        packaging = self.packaging_step()
        behind = [] if self.configuration.registration is None else [self.registration(packaging)]
        pipeline = Pipeline(
            name=self.settings["pipeline_name"],
            steps=[*self.steps.values(), packaging, *behind],
            parameters=list(self.parameters.values()),
            pipeline_experiment_config=None,
            sagemaker_session=self.session,
        )
        definition = json.loads(pipeline.definition())
        steps = [step for step in definition["Steps"] if step["Name"] not in self.steps]
        return {**definition, "Steps": steps}

    def registration(self, packaging: ProcessingStep) -> RegisterModel:
        given = dict(self.configuration.registration or {}).get
        types = given("inference_instance_types", ["ml.m5.large"])
        image = given("image_uri") or image_uris.retrieve(
            given("framework"),
            self.session.boto_region_name,
            version=given("framework_version"),
            py_version=given("python_version"),
            instance_type=types[0],
            image_scope="inference",
        )
        entry_point = self.settings.get("inference_entry_point", "inference.py")
        program = {
            "SAGEMAKER_PROGRAM": {"serving/inference.py": "serving.inference"}.get(
                entry_point, entry_point
            ),
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        }
        outputs = packaging.properties.ProcessingOutputConfig.Outputs
        folder = outputs[self.output_name("packaged_model_output")].S3Output.S3Uri
        model = Model(
            image_uri=image,
            model_data=Join(on="/", values=[folder, "model.tar.gz"]),
            env={**(program if entry_point else {}), **given("environment", {})},
            role=self.configuration.role,
            sagemaker_session=self.session,
        )
        report = {
            name: JsonGet(
                step_name=STEP,
                property_file=packaging.property_files[0],
                json_path=f"registry.{name}",
            )
            for name in ("source", "etag", "package_sha256", "model_sha256", "packager_version")
        }
        mime_types = ["text/csv", "application/json"]
        return RegisterModel(
            name="RegistrationStep",
            model=model,
            content_types=given("content_types", mime_types),
            response_types=given("response_types", mime_types),
            inference_instances=types,
            transform_instances=given("transform_instance_types", ["ml.m5.large"]) or None,
            model_package_group_name=given("model_package_group"),
            approval_status=given("approval_status", "PendingManualApproval"),
            description=given("description"),
            customer_metadata_properties={**report, **given("customer_metadata", {})},
            register_model_step_retry_policies=[
                StepRetryPolicy(
                    exception_types=[
                        StepExceptionTypeEnum.SERVICE_FAULT,
                        StepExceptionTypeEnum.THROTTLING,
                    ],
                    interval_seconds=5,
                    max_attempts=5,
                )
            ],
        )

    def packaging_step(self) -> ProcessingStep:
        dependencies = self.configuration.dependencies
        if not self.configuration.dependencies_by_name:
            dependencies = [self.steps[name] for name in dependencies]
        cache = None
        if self.settings.get("enable_caching_package_step", True):
            expiry = self.settings.get("cache_expires_after", "P30D")
            cache = CacheConfig(enable_caching=True, expire_after=expiry)
        return ProcessingStep(
            name=STEP,
            step_args=self.processor().run(
                code=self.packaging_script_uri(),
                inputs=self.inputs(),
                outputs=self.outputs(),
                arguments=self.arguments(),
            ),
            depends_on=list(dependencies) or None,
            cache_config=cache,
            property_files=[
                PropertyFile(
                    name="PackageReport",
                    output_name=self.output_name("package_report"),
                    path="package_report.json",
                )
            ],
            retry_policies=self.retry_policies(),
        )

    def packaging_script_uri(self) -> str:
        if folder := self.settings.get("processing_source_dir"):
            return f"{folder}/{self.settings['processing_entry_point']}"
        return self.configuration.packaging_script_uri

    def processor(self) -> SKLearnProcessor:
        given = self.settings.get
        if given("use_large_processing_instance", False):
            instance_type = given("processing_instance_type_large", "ml.m5.4xlarge")
        else:
            instance_type = given("processing_instance_type_small", "ml.m5.2xlarge")
        instance_type = given("processing_instance_type", instance_type)
        if preferences := given("instance_preferences"):
            instance_type = preferences[0]  # this SDK knows one type only
        environment = {
            "MIMS_PIPELINE": self.settings["pipeline_name"],
            **given("environment", {}),
            **{name: self.value(v) for name, v in self.configuration.job_environment.items()},
        }
        tags = {
            "author": given("author"),
            "configuration-date": given("current_date"),
            "pipeline-version": given("pipeline_version"),
        }
        tags = {name: value for name, value in tags.items() if value} | given("tags", {})
        return SKLearnProcessor(
            framework_version=given("processing_framework_version", "1.2-1"),
            role=self.configuration.role,
            instance_count=given("processing_instance_count", 1),
            instance_type=instance_type,
            volume_size_in_gb=given("processing_volume_size", 500),
            volume_kms_key=given("volume_kms_key"),
            output_kms_key=given("output_kms_key"),
            max_runtime_in_seconds=given("max_runtime_in_seconds"),
            base_job_name=f"{self.settings['pipeline_name'][:30]}-mims-pkg",
            sagemaker_session=self.session,
            env=environment,
            tags=[{"Key": name, "Value": value} for name, value in tags.items()] or None,
            network_config=NetworkConfig(
                enable_network_isolation=given("enable_network_isolation", True),
                subnets=given("subnets"),
                security_group_ids=given("security_group_ids"),
            ),
        )

    def inputs(self) -> list[ProcessingInput]:
        names = self.settings.get("input_names", {})
        zipped = self.configuration.zipped_extra_inputs
        extras = {**self.settings.get("extra_inputs", {}), **zipped}
        scripts = []
        if self.settings.get("inference_entry_point", "inference.py"):
            scripts.append(
                ProcessingInput(
                    input_name=names.get("inference_scripts_input", "inference_scripts_input"),
                    source=self.settings.get("source_dir", INFERENCE_SCRIPTS_URI),
                    destination="/opt/ml/processing/input/script",
                )
            )
        return [
            ProcessingInput(
                input_name=names.get("model_input", "model_input"),
                source=self.value(self.configuration.model),
                destination="/opt/ml/processing/input/model",
            ),
            *scripts,
            *(
                ProcessingInput(
                    input_name=name,
                    source=extras[name],
                    destination=self.settings.get("extra_input_paths", {}).get(
                        name, f"/opt/ml/processing/input/extra/{name}"
                    ),
                )
                for name in sorted(extras)
            ),
        ]

    def outputs(self) -> list[ProcessingOutput]:
        return [
            ProcessingOutput(
                output_name=self.output_name("packaged_model_output"),
                source="/opt/ml/processing/output",
                destination=self.destination("packaged_model_artifacts"),
                s3_upload_mode="EndOfJob",
            ),
            ProcessingOutput(
                output_name=self.output_name("package_report"),
                source="/opt/ml/processing/report",
                destination=self.destination("package_report"),
                s3_upload_mode="EndOfJob",
            ),
        ]

    def output_name(self, output: str) -> str:
        return self.settings.get("output_names", {}).get(output, output)

    def destination(self, folder: str) -> Any:
        location = self.settings.get("pipeline_s3_loc")
        if location is None:
            parts = ("bucket", "pipeline_name", "pipeline_version")
            bucket, *rest = (self.settings[name] for name in parts if name in self.settings)
            location = "/".join([f"s3://{bucket}/packaged", *rest])
        if not self.settings.get("output_per_execution", True):
            return f"{location}/{STEP}/{folder}"
        values = [f"{location}/{STEP}", ExecutionVariables.PIPELINE_EXECUTION_ID, folder]
        return Join(on="/", values=values)

    def arguments(self) -> list[str]:
        given = self.settings.get
        options = {
            "--model-dir": "/opt/ml/processing/input/model",
            "--scripts-dir": "/opt/ml/processing/input/script",
            "--extra-dir": "/opt/ml/processing/input/extra",
            "--output-dir": "/opt/ml/processing/output",
            "--report-file": "/opt/ml/processing/report/package_report.json",
            "--message-file": "/opt/ml/output/message",
            "--job-config-file": "/opt/ml/config/processingjobconfig.json",
            "--inference-entry-point": given("inference_entry_point", "inference.py"),
            "--mode": given("packaging_mode", "auto"),
            "--existing-code": given("existing_code", "auto"),
        }
        scripts = [] if options["--inference-entry-point"] else ["--without-scripts"]
        arguments = [text for option in options.items() if option[1] for text in option] + scripts
        for name in sorted(self.configuration.zipped_extra_inputs):
            arguments += ["--unzip-extra", name]
        return arguments + given("processing_script_arguments", [])

    def retry_policies(self) -> list[Any]:
        policies = []
        for settings in self.settings.get("retry_policies", DEFAULT_RETRIES):
            policy = dict(settings)
            faults = [FAULTS[name] for name in policy.pop("exceptions")]
            of_the_job = isinstance(faults[0], SageMakerJobExceptionTypeEnum)
            kind = SageMakerJobStepRetryPolicy if of_the_job else StepRetryPolicy
            policies.append(kind(exception_types=faults, **policy))
        return policies

    def value(self, expression: Any) -> Any:
        """The SDK's form of a value of the definition."""
        if isinstance(expression, str):
            return expression
        [(kind, of)] = expression.items()
        if kind == "parameter":
            return self.parameters[of]
        if kind == "join":
            return Join(on="/", values=[self.value(part) for part in of])
        properties = self.steps[of].properties
        if kind == "model_of_training":
            return properties.ModelArtifacts.S3ModelArtifacts
        return properties.ProcessingOutputConfig.Outputs["model"].S3Output.S3Uri


def repacked_model() -> str:
    """The entries that the SDK's ``repack_model`` writes: kind and name of each, one a line."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in REPACKED_FILES:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).touch()
        with tarfile.open(root / "model.tar.gz", "w:gz") as tar:
            tar.add(root / "model", arcname=".")
        repack_model(
            inference_script="inference.py",
            source_directory=str(root / "scripts"),
            dependencies=[],
            model_uri=f"file://{root}/model.tar.gz",
            repacked_model_uri=f"file://{root}/repacked.tar.gz",
            sagemaker_session=mock.Mock(settings=None),
        )
        with gzip.open(root / "repacked.tar.gz") as file:
            return "".join(f"{entry}\n" for entry in sorted(listed(file.read())))


def main() -> None:
    if sagemaker.__version__ != SDK_VERSION:
        sys.exit(f"sagemaker {sagemaker.__version__} is installed; install {SDK_VERSION}")
    # The SDK checks the session's settings, always the same, at each look-up: it takes minutes.
    with mock.patch("jsonschema.validate"):
        rendered = {c.name: Rendering(c).definition() for c in CONFIGURATIONS}
    for stale in FOLDER.glob("*.json"):
        stale.unlink()
    for name, definition in rendered.items():
        text = json.dumps(definition, indent=2, sort_keys=True)
        (FOLDER / f"{name}.json").write_text(f"{text}\n")
    (FOLDER / "repacked_model.txt").write_text(repacked_model())
    print(f"{len(rendered)} golden files in {FOLDER}")


if __name__ == "__main__":
    main()
