"""Encryption and network of the job."""

from typing import Annotated

from pydantic import Field

from model_packaging.step.settings.expressions import OrExpression
from model_packaging.step.settings.sagemaker_shapes import KmsKey, SecurityGroups, Subnets
from model_packaging.step.settings.settings_group import SettingsGroup
from model_packaging.step.settings.strict import StrictTruth


class EncryptionAndNetworkSettings(SettingsGroup):
    """Encryption and network of the job."""

    volume_kms_key: KmsKey | None = Field(
        default=None,
        description="KMS key of the instances' volumes: its ARN or id. (An alias only without the "
        "construct: a policy can't name it.) Not for an instance type with local NVMe storage.",
    )
    output_kms_key: KmsKey | None = Field(
        default=None,
        description="KMS key of the package and the report: its ARN or id. (An alias only "
        "without the construct.)",
    )
    subnets: Subnets = Field(
        default=(), description="Subnets that the job runs in. Together with security_group_ids."
    )
    security_group_ids: SecurityGroups = Field(
        default=(), description="Security groups of the job. Together with subnets."
    )
    enable_network_isolation: Annotated[StrictTruth, OrExpression("Boolean")] = Field(
        default=True,
        description="Whether the container is cut off from every network. The script needs none.",
    )

    def problems(self) -> list[str]:
        """See :meth:`SettingsGroup.problems`."""
        problems = super().problems()
        if bool(self.subnets) == bool(self.security_group_ids):
            return problems
        given, missing = "subnets", "security_group_ids"
        if not self.subnets:
            given, missing = missing, given
        return [
            *problems,
            f"{missing}: none is given, but {given} {list(getattr(self, given))} is; write both, "
            "or neither",
        ]
