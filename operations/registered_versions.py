"""What executions have registered in the model registry, and whether it is what they packaged."""

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model_packaging.step import contract

GROUP_OUTPUT = "ModelPackageGroupArn"  # of a stack that registers


@dataclass(frozen=True)
class Version:
    """A version of a model package group.

    Attributes:
        arn: Its ARN.
        group: Name of its group.
        number: Its number there.
        approval: Its approval status.
        uri: S3 URI of its package.
        metadata: What is known of it.
    """

    arn: str
    group: str
    number: int
    approval: str
    uri: str
    metadata: Mapping[str, str]

    @property
    def told(self) -> str:
        """Group, number and approval status."""
        return f"{self.group} version {self.number}, {self.approval}"


def arns_registered_by(sagemaker: Any, execution_arn: str) -> list[str]:
    """The versions that an execution has registered.

    Args:
        sagemaker: Client of SageMaker.
        execution_arn: The execution.
    """
    # botocore's model: PipelineExecutionStepMetadata, RegisterModelStepMetadata.
    made = (
        step.get("Metadata", {}).get("RegisterModel", {}).get("Arn")
        for page in sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=execution_arn
        )
        for step in page["PipelineExecutionSteps"]
    )
    return [arn for arn in made if arn]


def versions_since(sagemaker: Any, group: str, since: datetime.datetime) -> Iterator[Version]:
    """The versions of a group that were made after a time.

    Args:
        sagemaker: Client of SageMaker.
        group: The group's ARN.
        since: The time.
    """
    for page in sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, CreationTimeAfter=since
    ):
        for item in page["ModelPackageSummaryList"]:
            yield read_version(sagemaker, item["ModelPackageArn"])


def read_version(sagemaker: Any, arn: str) -> Version:
    """A version, as the registry has it.

    Args:
        sagemaker: Client of SageMaker.
        arn: Its ARN.
    """
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    [container] = described["InferenceSpecification"]["Containers"]
    return Version(
        arn=described["ModelPackageArn"],
        group=described["ModelPackageGroupName"],
        number=described["ModelPackageVersion"],
        approval=described["ModelApprovalStatus"],
        uri=container["ModelDataUrl"],
        metadata=described.get("CustomerMetadataProperties", {}),
    )


def faults_of(
    version: Version, package: str, report: Mapping[str, Any], sha256: Mapping[str, str]
) -> list[str]:
    """What a version tells otherwise than it should, each in words; nothing if all is right.

    Args:
        version: The version.
        package: S3 URI of the package.
        report: The package's report.
        sha256: The digests that both must tell: of the package and of the model, as they were
            computed from the files themselves.
    """
    expected = {**report[contract.REPORT_REGISTRY], **sha256}
    told = {"its package": version.uri, **{name: version.metadata.get(name) for name in expected}}
    return [
        f"{name} is {told[name]}, and should be {wanted}"
        for name, wanted in {"its package": package, **expected}.items()
        if told[name] != wanted
    ]


def digests(package: str, model: str) -> dict[str, str]:
    """The SHA-256 of a package and of its model, by the names that they have in the metadata."""
    return {"package_sha256": package, "model_sha256": model}
