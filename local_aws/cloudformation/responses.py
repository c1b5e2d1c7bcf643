"""Actions that moto's CloudFormation lacks, or that its CloudTrail answers after a long wait."""

from typing import Any

from moto.cloudformation.responses import CloudFormationResponse
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.responses import ActionResult

from local_aws.service_requests import AsksForStacks


class LocalCloudFormationResponse(AsksForStacks, CloudFormationResponse):  # type: ignore[misc]
    """moto's, which asks IAM, with the action that it lacks."""

    def update_termination_protection(self) -> Any:
        """``UpdateTerminationProtection``."""
        stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
        stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
        return ActionResult({"StackId": stack.stack_id})


class LocalCloudTrailResponse(CloudTrailResponse):  # type: ignore[misc]  # moto is not checked
    """moto's, for the CLI, which asks it why a deployment failed."""

    def lookup_events(self) -> Any:
        """``LookupEvents``: none. Without an answer, the CLI would ask for half a minute."""
        return ActionResult({"Events": []})
