"""Which resource types the local AWS deploys, and the refusal of a template with any other."""

from collections.abc import Mapping
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError

from local_aws.resources import RESOURCES

# What `cdk bootstrap` deploys besides. Others of moto's resources drop properties, or become
# nothing when they are updated; they are unknown here.
_MOTO_RESOURCES = ("AWS::ECR::Repository", "AWS::IAM::ManagedPolicy", "AWS::SSM::Parameter")

_moto_types = parsing.get_model_map()
KNOWN_TYPES: Mapping[str, Any] = {name: _moto_types[name] for name in _MOTO_RESOURCES} | {
    resource.TYPE: resource for resource in RESOURCES
}


def refuse_unknown_types(template: Mapping[str, Any]) -> None:
    """Fail where moto would skip a resource and report success.

    Raises:
        ValidationError: The answer that CloudFormation gives.
    """
    types = {resource["Type"] for resource in template["Resources"].values()}
    if unknown := sorted(types - set(KNOWN_TYPES)):
        raise ValidationError(
            message=f"Template format error: Unrecognized resource types: {unknown}"
        )
