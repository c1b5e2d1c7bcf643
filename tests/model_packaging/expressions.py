"""The SDK's objects that a configuration of ``rendered_by_sdk_2`` names: parameters and steps."""

import functools
from dataclasses import dataclass
from typing import Any

from model_packaging.step import offline, offline_session
from tests.rendered_by_sdk_2.configurations import CONFIGURATIONS

_BY_NAME = {configuration.name: configuration for configuration in CONFIGURATIONS}


def upstream_step(name: str, kind: str, role: str) -> Any:
    from sagemaker.core.processing import ScriptProcessor
    from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output
    from sagemaker.core.training.configs import Compute, OutputDataConfig
    from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
    from sagemaker.train import ModelTrainer

    image = "111122223333.dkr.ecr.us-east-1.amazonaws.com/upstream:1"
    if kind == "training":
        trainer = ModelTrainer(
            training_image=image,
            role=role,
            base_job_name="upstream",
            compute=Compute(instance_type="ml.m5.xlarge", instance_count=1),
            output_data_config=OutputDataConfig(s3_output_path="s3://models-bucket/training"),
            sagemaker_session=offline_session(),
        )
        return TrainingStep(name=name, step_args=trainer.train())
    processor = ScriptProcessor(
        image_uri=image,
        command=["python3"],
        role=role,
        instance_count=1,
        instance_type="ml.m5.xlarge",
        sagemaker_session=offline_session(),
    )
    output = ProcessingOutput(
        output_name="model",
        s3_output=ProcessingS3Output(
            s3_uri="s3://models-bucket/exported",
            local_path="/opt/ml/processing/output",
            s3_upload_mode="EndOfJob",
        ),
    )
    run = processor.run(code="s3://assets-bucket/upstream.py", outputs=[output])
    return ProcessingStep(name=name, step_args=run)


@dataclass(frozen=True)
class Expressions:
    """The SDK's objects that a configuration names."""

    parameters: dict[str, Any]
    steps: dict[str, Any]

    @classmethod
    def named(cls, configuration: str) -> "Expressions":
        """Those of the configuration of a name; the same objects whenever they are asked for."""
        return _expressions(configuration)

    @offline()
    def value(self, expression: Any) -> Any:
        from sagemaker.core.workflow.functions import Join

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


@functools.cache
@offline()
def _expressions(name: str) -> Expressions:
    from sagemaker.core.workflow import parameters

    configuration = _BY_NAME[name]
    return Expressions(
        {
            **{name: parameters.ParameterString(name=name) for name in configuration.parameters},
            **{
                name: getattr(parameters, f"Parameter{kind}")(name)
                for name, kind in configuration.other_parameters.items()
            },
        },
        {
            name: upstream_step(name, kind, configuration.role)
            for name, kind in configuration.steps.items()
        },
    )
