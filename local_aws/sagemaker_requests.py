"""What SageMaker asks IAM before it does what a role's session wants."""

from collections.abc import Iterator, Mapping
from typing import Any

from local_aws.authorization import Context, authorize
from local_aws.identities import PARTITION, Caller

_Needed = tuple[str, str, Context]  # action, resource, condition keys
_OF_JOBS = {
    f"{verb}{kind.capitalize()}Job": kind
    for verb in ("Describe", "Stop")
    for kind in ("processing", "training")
}

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

    def job(self, kind: str, name: str) -> str:
        """ARN of a job.

        In lower case, as in the events of pipelines' steps ("SageMaker pipeline step state
        change"), whatever the name is written in.

        Args:
            kind: ``processing`` or ``training``.
            name: Name of the job.
        """
        return f"{self._prefix}:{kind}-job/{name.lower()}"

    def model_package_group(self, name_or_arn: str) -> str:
        """ARN of a group of model packages."""
        if name_or_arn.startswith("arn:"):
            return name_or_arn
        return f"{self._prefix}:model-package-group/{name_or_arn}"

    def model_package(self, name_or_arn: str) -> str:
        """ARN of a model package."""
        if name_or_arn.startswith("arn:"):
            return name_or_arn
        return f"{self._prefix}:model-package/{name_or_arn.lower()}"

    def new_model_package(self, request: Mapping[str, Any]) -> str:
        """ARN that a package gets, whose version is not known before: ``GROUP/*`` in policies."""
        if name := request.get("ModelPackageName"):
            return self.model_package(name)
        group = self.model_package_group(request["ModelPackageGroupName"])
        return f"{group.replace(':model-package-group/', ':model-package/').lower()}/1"


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
    elif action in _OF_JOBS:
        kind = _OF_JOBS[action]
        job = resources.job(kind, request[f"{kind.capitalize()}JobName"])
        yield f"sagemaker:{action}", job, {}
    elif action in ("CreateProcessingJob", "CreateTrainingJob"):
        kind = action.removeprefix("Create").removesuffix("Job").lower()
        job = resources.job(kind, request[f"{kind.capitalize()}JobName"])
        yield from _creation(action, request, job)
        # "Grant a user permissions to pass a role to an AWS service"
        passed = {
            "iam:PassedToService": "sagemaker.amazonaws.com",
            "iam:AssociatedResourceArn": job,
        }
        yield "iam:PassRole", request["RoleArn"], passed
    elif action == "CreateModelPackageGroup":
        group = resources.model_package_group(request["ModelPackageGroupName"])
        yield from _creation(action, request, group)
    elif action == "CreateModelPackage":
        status = {"sagemaker:ModelApprovalStatus": request.get("ModelApprovalStatus")}
        yield from _creation(action, request, resources.new_model_package(request), status)
    elif action == "DescribeModelPackage":
        package = resources.model_package(request["ModelPackageName"])
        yield f"sagemaker:{action}", package, {}
    elif action == "UpdateModelPackage":
        status = {"sagemaker:ModelApprovalStatus": request.get("ModelApprovalStatus")}
        yield f"sagemaker:{action}", request["ModelPackageArn"], status
    else:
        raise NotImplementedError(f"the local AWS doesn't know what sagemaker:{action} needs")


def _creation(
    action: str, request: Mapping[str, Any], made: str, own: Context | None = None
) -> Iterator[_Needed]:
    """What it needs to make something, and to tag it meanwhile."""
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
    keys: dict[str, str | list[str] | None] = {"aws:TagKeys": list(tags) or None, **(own or {})}
    keys |= {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    yield f"sagemaker:{action}", made, keys
    if tags:
        yield "sagemaker:AddTags", made, keys
