"""The approval of a registered model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aws_cdk import Token

from model_packaging.step.service_model import value_problem

ApprovalStatus = Literal["Approved", "Rejected", "PendingManualApproval"]


@dataclass(frozen=True)
class ModelApproved:
    """The event that a version of a model package group was approved: a ``StartingEvent``.

    SageMaker sends it for every change of a version, and sometimes more than once for one: whoever
    gets it should bear to be told again what is approved. Source: "Events that Amazon SageMaker AI
    sends to Amazon EventBridge", SageMaker model package state change.

    Attributes:
        model_package_group: Name of the group, in the account and region of the rule.
        parameters: What of the event fills which parameter of a pipeline that it starts: one whole
            path each, such as ``{"ModelPackageArn": "$.detail.ModelPackageArn"}``.
        approval_status: Status that counts. Default: ``Approved``.

    Raises:
        ValueError: The group's name is none.
    """

    model_package_group: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    approval_status: ApprovalStatus = "Approved"

    def __post_init__(self) -> None:
        name = self.model_package_group
        if not Token.is_unresolved(name) and value_problem("EntityName", name):
            raise ValueError(
                f"model_package_group: {name!r} is not the name of a group, which is what the "
                "event tells; write it without its ARN, such as 'churn'"
            )

    def __str__(self) -> str:
        return f"{type(self).__name__} of versions of {self.model_package_group}"

    @property
    def event_pattern(self) -> dict[str, Any]:
        """The event pattern of the rule."""
        return {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Model Package State Change"],
            "detail": {
                "ModelPackageGroupName": [self.model_package_group],
                "ModelApprovalStatus": [self.approval_status],
            },
        }

    @property
    def parameter_paths(self) -> dict[str, str]:
        """Value for each pipeline parameter: one whole path into the event, or a constant."""
        return dict(self.parameters)

    def matches_below(self, s3_prefix: str) -> bool:
        """Whether an object written below an S3 prefix could raise the event: none does."""
        return False

    def repeats(self, other: Any) -> bool:
        """Whether one approval could raise both this event and another."""
        return (
            isinstance(other, ModelApproved)
            and other.model_package_group == self.model_package_group
            and other.approval_status == self.approval_status
        )
