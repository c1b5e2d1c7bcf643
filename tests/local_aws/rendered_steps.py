"""What the SDK renders of steps around a package."""

import json
from typing import Any

from model_packaging.step import offline, offline_session
from tests.local_aws.step_definitions import BUCKET, IMAGE, JOB_ROLE, processing


def rendered(group: str, least: float) -> list[dict[str, Any]]:
    """Train, package, predict and, if the prediction is good enough, register."""
    with offline():
        from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
        from sagemaker.core.workflow.functions import Join, JsonGet
        from sagemaker.core.workflow.properties import PropertyFile
        from sagemaker.mlops.workflow.condition_step import ConditionStep
        from sagemaker.mlops.workflow.fail_step import FailStep
        from sagemaker.mlops.workflow.pipeline import Pipeline

        train = training_step()
        model = train.properties.ModelArtifacts.S3ModelArtifacts
        report = PropertyFile(name="Report", output_name="report", path="report.json")
        package = processing_step("Package", "code/pack.py", report, model=model)
        outputs = package.properties.ProcessingOutputConfig.Outputs
        folder = outputs["made"].S3Output.S3Uri
        tried = PropertyFile(name="Tried", output_name="evaluation", path="evaluation.json")
        predict = processing_step("Predict", "code/predict.py", tried, package=folder)
        value = JsonGet(step_name="Predict", property_file=tried, json_path="metrics[0].value")
        sha256 = JsonGet(step_name="Package", property_file=report, json_path="archive.sha256")
        uri = Join(on="/", values=[folder, "model.tar.gz"])
        good = ConditionStep(
            name="Good",
            conditions=[ConditionGreaterThanOrEqualTo(left=value, right=least)],
            if_steps=[registration_step(group, uri, {"sha256": sha256, "model": model})],
            else_steps=[FailStep(name="Bad", error_message=Join(on=" ", values=["only", value]))],
        )
        pipeline = Pipeline(
            name="rendered",
            steps=[good, predict, package, train],
            sagemaker_session=offline_session(),
            pipeline_experiment_config=None,
        )
        steps: list[dict[str, Any]] = json.loads(pipeline.definition())["Steps"]
        return steps


def training_step() -> Any:
    from sagemaker.core.shapes import OutputDataConfig, StoppingCondition
    from sagemaker.mlops.workflow.steps import TrainingStep
    from sagemaker.train import ModelTrainer
    from sagemaker.train.configs import Compute, InputData

    trainer = ModelTrainer(
        training_image=IMAGE,
        role=JOB_ROLE,
        sagemaker_session=offline_session(),
        compute=Compute(instance_type="ml.m5.xlarge", instance_count=1, volume_size_in_gb=30),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{BUCKET}/training"),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=60),
        hyperparameters={
            "factor": 7,
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": f"s3://{BUCKET}/code/train.tar.gz",
        },
    )
    data = InputData(channel_name="train", data_source=f"s3://{BUCKET}/data")
    return TrainingStep(name="Train", step_args=trainer.train(input_data_config=[data]))


def processing_step(name: str, script: str, file: Any, **inputs: Any) -> Any:
    from sagemaker.core.processing import ScriptProcessor
    from sagemaker.core.shapes import (
        ProcessingInput,
        ProcessingOutput,
        ProcessingS3Input,
        ProcessingS3Output,
    )
    from sagemaker.mlops.workflow.steps import ProcessingStep

    # The same paths as by hand.
    by_hand = processing(name, script, {file.output_name: file.path}, **dict.fromkeys(inputs, ""))
    arguments = by_hand["Arguments"]
    processor = ScriptProcessor(
        image_uri=IMAGE,
        command=["python3"],
        role=JOB_ROLE,
        instance_count=1,
        instance_type="ml.m5.xlarge",
        sagemaker_session=offline_session(),
    )
    paths = {one["InputName"]: one["S3Input"]["LocalPath"] for one in arguments["ProcessingInputs"]}
    run = processor.run(
        code=f"s3://{BUCKET}/{script}",
        inputs=[
            ProcessingInput(
                input_name=one,
                s3_input=ProcessingS3Input(
                    s3_uri=uri,
                    local_path=paths[one],
                    s3_data_type="S3Prefix",
                    s3_input_mode="File",
                ),
            )
            for one, uri in inputs.items()
        ],
        outputs=[
            ProcessingOutput(
                output_name=one["OutputName"],
                s3_output=ProcessingS3Output(
                    s3_uri=f"s3://{BUCKET}/rendered/{name}/{one['OutputName']}",
                    local_path=one["S3Output"]["LocalPath"],
                    s3_upload_mode="EndOfJob",
                ),
            )
            for one in arguments["ProcessingOutputConfig"]["Outputs"]
        ],
        arguments=arguments["AppSpecification"]["ContainerArguments"],
    )
    return ProcessingStep(name=name, step_args=run, property_files=[file])


def registration_step(group: str, uri: Any, metadata: dict[str, Any]) -> Any:
    from sagemaker.mlops.workflow.steps import ConfigurableRetryStep, StepTypeEnum

    request = {
        "ModelPackageGroupName": group,
        "InferenceSpecification": {
            "Containers": [{"Image": IMAGE, "ModelDataUrl": uri}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "ModelApprovalStatus": "PendingManualApproval",
        "CustomerMetadataProperties": metadata,
    }

    class Registration(ConfigurableRetryStep):
        """As SDK 2 renders it for a model that registers."""

        arguments = property(lambda self: request)
        properties = None

    return Registration("Register", StepTypeEnum.REGISTER_MODEL)
