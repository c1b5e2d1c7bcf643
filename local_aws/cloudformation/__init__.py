"""CloudFormation as moto does it, with what a deployment must not get wrong put right.

A template with an unknown resource type is refused, a stack that was made from a change set has
its outputs, an update deletes only when all else is done, and a change set that can't be executed
rolls back and says why.
"""

from moto.cloudformation import models, parsing
from moto.cloudformation import urls as cloudformation_urls
from moto.cloudtrail import urls as cloudtrail_urls

from local_aws.cloudformation.backend import LocalCloudFormationBackend
from local_aws.cloudformation.resource_map import LocalResourceMap
from local_aws.cloudformation.responses import LocalCloudFormationResponse, LocalCloudTrailResponse
from local_aws.cloudformation.template_reading import ChangeSet, Stack
from local_aws.cloudformation.unknown_types import KNOWN_TYPES
from local_aws.moto_seams import replace, use_backend, use_responses


def install() -> None:
    """Make moto's CloudFormation deploy as the real one, and what this package knows only."""
    use_backend(models.cloudformation_backends, LocalCloudFormationBackend)
    use_responses(cloudformation_urls, LocalCloudFormationResponse)
    use_responses(cloudtrail_urls, LocalCloudTrailResponse)
    # moto's backend makes stacks and change sets from these classes, a stack its resources by this.
    replace(models, "Stack", Stack)
    replace(models, "ChangeSet", ChangeSet)
    replace(models, "ResourceMap", LocalResourceMap)
    # moto's parser asks these functions what makes a resource of a type.
    replace(parsing, "get_model_map", lambda: KNOWN_TYPES)
    replace(parsing, "get_model_list", lambda: list(KNOWN_TYPES.values()))
    replace(parsing, "resource_class_from_type", KNOWN_TYPES.__getitem__)
