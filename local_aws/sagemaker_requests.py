"""What SageMaker asks IAM before it does what a role's session wants."""

from collections.abc import Iterator, Mapping
from typing import Any

from local_aws.authorization import Context, authorize
from local_aws.identities import PARTITION, Caller

_Needed = tuple[str, str, Context]  # action, resource, condition keys

_OF_AN_EXECUTION = (
    "DescribePipelineDefinitionForExecution",
    "DescribePipelineExecution",
    "ListPipelineExecutionSteps",
    "ListPipelineParametersForExecution",
    "StopPipelineExecution",
)


class Resources:
    """SageMaker's resources in an account and region, by the names that requests give."""

    def __init__(self, account: str, region: str) -> None:
        self._prefix = f"arn:{PARTITION}:sagemaker:{region}:{account}"

    def pipeline(self, name_or_arn: str) -> str:
        """ARN of a pipeline."""
        return f"{self._prefix}:pipeline/{name_or_arn.rpartition('/')[2]}"

    def processing_job(self, name: str) -> str:
        """ARN of a job.

        In lower case, as in the events of pipelines' steps ("SageMaker pipeline step state
        change"), whatever the name is written in.
        """
        return f"{self._prefix}:processing-job/{name.lower()}"


def authorize_request(
    caller: Caller, action: str, request: Mapping[str, Any], resources: Resources
) -> None:
    """Let a caller make a request, or refuse it.

    Args:
        caller: Who makes it.
        action: Name of the API's action, such as ``CreateProcessingJob``.
        request: Its parameters.
        resources: What its names stand for.

    Raises:
        AccessDeniedError: It may not.
        NotImplementedError: What the action needs is not known here.
    """
    for needed, resource, context in _needed(action, request, resources):
        authorize(caller, needed, resource, context)


def _needed(action: str, request: Mapping[str, Any], resources: Resources) -> Iterator[_Needed]:
    """What an action needs: "Actions, resources, and condition keys for Amazon SageMaker"."""
    if action in ("StartPipelineExecution", "ListPipelineExecutions"):
        yield f"sagemaker:{action}", resources.pipeline(request["PipelineName"]), {}
    elif action in _OF_AN_EXECUTION:
        yield f"sagemaker:{action}", request["PipelineExecutionArn"], {}
    elif action in ("DescribeProcessingJob", "StopProcessingJob"):
        job = resources.processing_job(request["ProcessingJobName"])
        yield f"sagemaker:{action}", job, {}
    elif action == "CreateProcessingJob":
        job = resources.processing_job(request["ProcessingJobName"])
        tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
        keys: dict[str, str | list[str] | None] = {"aws:TagKeys": list(tags) or None}
        keys |= {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        yield f"sagemaker:{action}", job, keys
        if tags:
            yield "sagemaker:AddTags", job, keys
        # "Grant a user permissions to pass a role to an AWS service"
        passed = {
            "iam:PassedToService": "sagemaker.amazonaws.com",
            "iam:AssociatedResourceArn": job,
        }
        yield "iam:PassRole", request["RoleArn"], passed
    else:
        raise NotImplementedError(f"the local AWS doesn't know what sagemaker:{action} needs")
