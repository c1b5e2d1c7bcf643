"""What a role needs for what it asks of SageMaker."""

from typing import Any

import pytest

from local_aws.authorization import AccessDeniedError
from local_aws.identities import Caller
from local_aws.sagemaker_requests import Resources, authorize_request

RESOURCES = Resources("123456789012", "us-east-1")
PREFIX = "arn:aws:sagemaker:us-east-1:123456789012"
JOB = f"{PREFIX}:processing-job/pipelines-abc-packagingstep-def"
JOB_ROLE = "arn:aws:iam::123456789012:role/Job"
CREATION = {"ProcessingJobName": "pipelines-abc-PackagingStep-DEF", "RoleArn": JOB_ROLE}
TAGS = {"Tags": [{"Key": "stage", "Value": "dev"}]}


def refused(action: str, request: dict[str, Any], *allowed: dict[str, Any]) -> str | None:
    """The first action upon a resource that a role may not do; None if it may do all."""
    arn = "arn:aws:iam::123456789012:role/Pipeline"
    caller = Caller(arn, "arn:aws:sts::123456789012:assumed-role/Pipeline/SageMaker", allowed)
    try:
        authorize_request(caller, action, request, RESOURCES)
    except AccessDeniedError as refusal:
        return str(refusal).partition("perform: ")[2].partition(" because")[0]
    return None


def allow(action: str, resource: str, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


@pytest.mark.parametrize(
    ("action", "request_", "resource"),
    [
        ("StartPipelineExecution", {"PipelineName": "packaging"}, f"{PREFIX}:pipeline/packaging"),
        (
            "StartPipelineExecution",
            {"PipelineName": f"{PREFIX}:pipeline/packaging"},
            f"{PREFIX}:pipeline/packaging",
        ),
        ("ListPipelineExecutions", {"PipelineName": "packaging"}, f"{PREFIX}:pipeline/packaging"),
        *(
            (
                action,
                {"PipelineExecutionArn": f"{PREFIX}:pipeline/packaging/execution/abc"},
                f"{PREFIX}:pipeline/packaging/execution/abc",
            )
            for action in (
                "DescribePipelineDefinitionForExecution",
                "DescribePipelineExecution",
                "ListPipelineExecutionSteps",
                "ListPipelineParametersForExecution",
                "StopPipelineExecution",
            )
        ),
        ("DescribeProcessingJob", {"ProcessingJobName": CREATION["ProcessingJobName"]}, JOB),
        ("StopProcessingJob", {"ProcessingJobName": CREATION["ProcessingJobName"]}, JOB),
    ],
)
def test_an_action_needs_its_own_permission_on_its_resource(
    action: str, request_: dict[str, Any], resource: str
) -> None:
    assert refused(action, request_) == f"sagemaker:{action} on resource: {resource}"
    assert refused(action, request_, allow(f"sagemaker:{action}", resource)) is None
    assert refused(action, request_, allow(f"sagemaker:{action}", f"{resource}-2")) is not None


def test_a_job_needs_its_tags_and_its_role_too() -> None:
    create, tag = allow("sagemaker:CreateProcessingJob", JOB), allow("sagemaker:AddTags", JOB)
    to_sagemaker = {"iam:PassedToService": "sagemaker.amazonaws.com"}
    passing = allow("iam:PassRole", JOB_ROLE, StringEquals=to_sagemaker)
    tagged = CREATION | TAGS
    name = "CreateProcessingJob"
    assert refused(name, tagged) == f"sagemaker:{name} on resource: {JOB}"
    assert refused(name, tagged, create) == f"sagemaker:AddTags on resource: {JOB}"
    assert refused(name, tagged, create, tag) == f"iam:PassRole on resource: {JOB_ROLE}"
    assert refused(name, tagged, create, tag, passing) is None
    assert refused(name, CREATION, create, passing) is None  # no tags


def test_a_condition_may_name_the_tags_of_a_job() -> None:
    passing = allow("iam:PassRole", JOB_ROLE)
    by_stage = {"aws:RequestTag/stage": "dev", "aws:TagKeys": ["stage"]}
    create = allow(
        "sagemaker:*",
        JOB,
        StringEquals={"aws:RequestTag/stage": by_stage["aws:RequestTag/stage"]},
        **{"ForAllValues:StringEquals": {"aws:TagKeys": by_stage["aws:TagKeys"]}},
    )
    assert refused("CreateProcessingJob", CREATION | TAGS, create, passing) is None
    prod = {"Tags": [{"Key": "stage", "Value": "prod"}]}
    assert refused("CreateProcessingJob", CREATION | prod, create, passing) is not None


def test_an_action_of_which_it_is_not_known_what_it_needs_is_an_error() -> None:
    with pytest.raises(NotImplementedError, match="sagemaker:CreateTransformJob"):
        refused("CreateTransformJob", {}, allow("*", "*"))
