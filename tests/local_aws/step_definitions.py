"""Steps of definitions, as the SDK renders them, and executions of pipelines made of them."""

import io
import json
import tarfile
import time
from typing import Any

from local_aws.cloud import ACCOUNT, LocalCloud

BUCKET = "artifacts"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
JOB_ROLE = f"arn:aws:iam::{ACCOUNT}:role/job"
FOLDER = "/opt/ml/processing"
EXECUTION_ID = {"Get": "Execution.PipelineExecutionId"}


def get(path: str) -> dict[str, str]:
    return {"Get": path}


def join(*values: Any, on: str = "/") -> dict[str, Any]:
    return {"Std:Join": {"On": on, "Values": list(values)}}


def json_get(step: str, file: str, path: str) -> dict[str, Any]:
    file_of = {"Get": f"Steps.{step}.PropertyFiles.{file}"}
    return {"Std:JsonGet": {"PropertyFile": file_of, "Path": path}}


def output_uri(step: str, output: str) -> dict[str, str]:
    return get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri")


def processing(name: str, script: str, files: dict[str, str], **inputs: Any) -> dict[str, Any]:
    """A processing step.

    Args:
        name: Name of the step.
        script: Key of its script, which gets the folders of inputs and outputs.
        files: Its property files, each in an output of the same name.
        **inputs: S3 URIs.
    """
    outputs = [*files, "made"]
    paths = [f"{FOLDER}/input/{one}" for one in inputs] + [f"{FOLDER}/{one}" for one in outputs]

    def place(uri: Any, path: str, **more: str) -> dict[str, Any]:
        return {"S3Uri": uri, "LocalPath": path, **more}

    code = f"s3://{BUCKET}/{script}"
    kind = {"S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["python3", f"{FOLDER}/input/code/{script.split('/')[-1]}"],
                "ContainerArguments": paths,
            },
            "ProcessingInputs": [
                {"InputName": one, "S3Input": place(uri, f"{FOLDER}/input/{one}", **kind)}
                for one, uri in {"code": code, **inputs}.items()
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": one,
                        "S3Output": place(
                            join(f"s3://{BUCKET}/out", EXECUTION_ID, name, one),
                            f"{FOLDER}/{one}",
                            S3UploadMode="EndOfJob",
                        ),
                    }
                    for one in outputs
                ]
            },
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceCount": 1,
                    "InstanceType": "ml.m5.xlarge",
                    "VolumeSizeInGB": 30,
                }
            },
            "RoleArn": JOB_ROLE,
        },
        "PropertyFiles": [
            {"PropertyFileName": file, "OutputName": file, "FilePath": path}
            for file, path in files.items()
        ],
    }


def training(name: str, *, image: str = IMAGE, **arguments: Any) -> dict[str, Any]:
    """A training step."""
    return {
        "Name": name,
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/training"},
            "ResourceConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.xlarge",
                "VolumeSizeInGB": 30,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "RoleArn": JOB_ROLE,
        }
        | arguments,
    }


def registration(name: str, group: str, uri: Any, **metadata: Any) -> dict[str, Any]:
    """A step that registers a package."""
    container = {
        "Image": IMAGE,
        "ModelDataUrl": uri,
        "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
    }
    return {
        "Name": name,
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": group,
            "ModelPackageDescription": "A churn model",
            "InferenceSpecification": {
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
                "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
            },
            "ModelApprovalStatus": "PendingManualApproval",
            **({"CustomerMetadataProperties": metadata} if metadata else {}),
        },
    }


def archive(**files: str) -> bytes:
    """A ``tar.gz`` of text files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("__", "."))
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return made.getvalue()


class Executed:
    """One execution of a pipeline that is made for it.

    Attributes:
        arn: The execution.
        status: How it ended.
        reason: Why it failed.
        steps: What ``ListPipelineExecutionSteps`` tells, by name.
    """

    def __init__(self, cloud: LocalCloud, steps: list[dict[str, Any]], role: str) -> None:
        self._sagemaker = cloud.client("sagemaker")
        self.pipeline = f"training-{time.monotonic_ns()}"
        self._cloud = cloud
        self._sagemaker.create_pipeline(
            PipelineName=self.pipeline,
            PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": steps}),
            RoleArn=role,
        )
        self.again()

    def again(self) -> "Executed":
        """Execute it once more."""
        started = self._sagemaker.start_pipeline_execution(PipelineName=self.pipeline)
        self.arn: str = started["PipelineExecutionArn"]
        described = self._cloud.wait_for_execution(self.pipeline)
        self.status: str = described["PipelineExecutionStatus"]
        self.reason: str = described.get("FailureReason") or ""
        listed = self._sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=self.arn)
        self.steps: dict[str, Any] = {
            step["StepName"]: step for step in listed["PipelineExecutionSteps"]
        }
        return self

    def package(self, step: str) -> dict[str, Any]:
        """The model package that a step has registered."""
        arn = self.steps[step]["Metadata"]["RegisterModel"]["Arn"]
        described: dict[str, Any] = self._sagemaker.describe_model_package(ModelPackageName=arn)
        return described
