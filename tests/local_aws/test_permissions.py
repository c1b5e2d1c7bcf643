"""What the deployed roles and resources allow is needed, is enough, and is no more than that.

Each permission is taken away from the running local AWS, alone, and a model is uploaded (or what
else needs the permission is done): it must fail by the permission's name.
"""

import fnmatch
import json
from collections.abc import Callable

import pytest

from tests.local_aws.asked_policies import (
    EVENTS,
    OTHER_ACCOUNT,
    PASSED,
    SAGEMAKER,
    THROUGH_S3,
    THROUGH_SQS,
    Asked,
    Call,
    source,
)
from tests.local_aws.deployed_policies import Permission
from tests.local_aws.operators import Operators
from tests.local_aws.running_stage import ALARM, Stage

pytestmark = pytest.mark.e2e

# What every run on the local AWS can do without, and the document that asks for it: permissions, as
# the tests name them, by pattern.
_JOB = '"CreateProcessingJob API: Execution Role Permissions"'
_HANDLER = "custom-resource-handlers of aws-cdk-lib, whose functions can't run here"
_SPELLING = (
    "a job's ARN is lower case here, and as the step is spelt in "
    '"Customize access management for Pipelines jobs"'
)
NOT_EXERCISED = {
    "*JobRole*: ecr:*": f"no container is pulled: {_JOB}",
    "*JobRole*: logs:*": f"the local AWS writes a job's log as itself: {_JOB}",
    "*JobRole*: cloudwatch:PutMetricData on *": f"instances with metrics don't run: {_JOB}",
    "*JobRole*: s3:AbortMultipartUpload on *": "no upload in parts fails half way: "
    '"Multipart upload API and permissions" of S3',
    # One of two spellings is the one that counts. ARNs are lower case in the events of steps
    # ("SageMaker pipeline step state change"); no document says that IAM sees them so.
    "*PipelineRole*: sagemaker:* on *-PackagingStep-*": _SPELLING,
    "Operators*: sagemaker:* on *-PackagingStep-*": _SPELLING,
    "lambda.amazonaws.com at *: sts:AssumeRole on *": f"who runs the {_HANDLER}",
    "*AutoDelete* at Artifacts*: s3:* on *": f"auto-delete-objects-handler: {_HANDLER}",
    "ProcessingLogs*: logs:* on *": f"log-retention-handler: {_HANDLER}",
}


@pytest.fixture(scope="module")
def operators(prod_stage: Stage) -> Operators:
    return Operators(prod_stage, "prod")


def exercise(stage: Stage, permission: Permission) -> Callable[[], str | None]:
    """What can't be done without a permission."""
    if permission.action == "sagemaker:StopProcessingJob":
        return lambda: stage.stop(let_it_end=True)
    if permission.policy.kind == "resource":
        for service, needing in (
            ("events", stage.send_dead_letter),
            ("cloudwatch", stage.alarm),
            ("logging.s3", stage.log_access),
        ):
            if permission.whom == f"{service}.amazonaws.com":
                return needing
    return stage.package


def is_exercised(permission: Permission) -> bool:
    return not any(fnmatch.fnmatchcase(str(permission), pattern) for pattern in NOT_EXERCISED)


def of_operators(permission: Permission) -> bool:
    return permission.policy.of.startswith("Operators")


def require_refusal(permission: Permission, exercised: Callable[[], str | None]) -> None:
    with permission.taken_away():
        told = exercised()
    assert told is not None, f"nothing needs {permission}"
    # A policy's action may have a wildcard; what is refused never has.
    named = "kms:" if permission.action == "kms:*" else permission.action.rstrip("*")
    assert named in told, f"without {permission}: {told}"


def test_each_permission_is_needed(stage: Stage) -> None:
    for permission in filter(is_exercised, stage.permissions()):
        if not of_operators(permission):
            require_refusal(permission, exercise(stage, permission))


def test_each_permission_of_the_operators_is_needed(
    prod_stage: Stage, operators: Operators
) -> None:
    permissions = [one for one in prod_stage.permissions() if of_operators(one)]
    assert permissions
    for permission in filter(is_exercised, permissions):
        require_refusal(permission, operators.needing(permission))
    operators.clear_queue()


def test_each_permission_is_enough(stage: Stage) -> None:
    assert stage.package() is None
    assert stage.stop() is None
    assert stage.send_dead_letter() is None
    if stage.physical(ALARM):
        assert stage.alarm() is None
        assert stage.log_access() is None


def test_each_permission_of_the_operators_is_enough(operators: Operators) -> None:
    assert operators.told("status") is None
    assert operators.told("failures") is None
    assert operators.told("logs", operators.packaged) is None
    assert operators.told("package-report", operators.packaged) is None
    assert operators.told("verify", operators.packaged) is None
    assert operators.cancel() is None
    assert operators.redrive("--yes") is None
    # What is missing is told as that, not as forbidden.
    assert "has no report" in str(operators.told("package-report", operators.failed))
    assert "has no execution" in str(operators.told("logs", "abcdefabcdef"))
    missing = f"s3://{operators.bucket}/models/missing/model.tar.gz"
    assert "there is no object" in str(operators.told("start", missing))


def test_what_is_not_exercised_is_in_a_policy(dev_stage: Stage, prod_stage: Stage) -> None:
    permissions = [str(one) for stage in (dev_stage, prod_stage) for one in stage.permissions()]
    for pattern in NOT_EXERCISED:
        assert fnmatch.filter(permissions, pattern), f"no policy has {pattern}"


def test_a_permissions_boundary_limits_the_role(dev_stage: Stage) -> None:
    iam = dev_stage.cloud.client("iam")
    role = dev_stage.arn("JobRole").rpartition("/")[2]
    statement = {"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    boundary = iam.create_policy(PolicyName="Boundary", PolicyDocument=document)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=boundary)
    try:
        told = dev_stage.package()
    finally:
        iam.delete_role_permissions_boundary(RoleName=role)
    assert "because no permissions boundary allows the s3:PutObject action" in str(told)


NEEDED: tuple[Call, ...] = (
    (EVENTS, "sts:AssumeRole", "{rule_role}", source("{rule}")),
    ("rule", "sagemaker:StartPipelineExecution", "{pipeline}", {}),
    (EVENTS, "sqs:SendMessage", "{queue}", source("{rule}")),
    (SAGEMAKER, "sts:AssumeRole", "{role}", source("{pipeline}/execution/abc")),
    ("pipeline", "sagemaker:CreateProcessingJob", "{jobs}/pipelines-a-packagingstep-b", {}),
    ("pipeline", "iam:PassRole", "{job}", PASSED),
    (SAGEMAKER, "sts:AssumeRole", "{job}", source("{jobs}/pipelines-a-packagingstep-b")),
    ("job", "s3:ListBucket", "{bucket}", {"s3:prefix": "models/a/model.tar.gz"}),
    ("job", "s3:GetObject", "{bucket}/models/a/model.tar.gz", {}),
    ("job", "s3:GetObject", "{assets}/{packager}", {}),
    ("job", "s3:PutObject", "{bucket}/packaged/{name}/PackagingStep/a/b", {}),
)
NEEDED_WITH_A_KEY: tuple[Call, ...] = (
    ("job", "kms:Decrypt", "{key}", THROUGH_S3),
    ("job", "kms:CreateGrant", "{key}", {"kms:GrantIsForAWSResource": "true"}),
    (EVENTS, "kms:Decrypt", "{key}", source("{rule}")),
    ("cloudwatch.amazonaws.com", "sns:Publish", "{topic}", source("{alarm}")),
    ("logging.s3.amazonaws.com", "s3:PutObject", "{logs}/{stack}/Artifacts/a", source("{bucket}")),
)
# Each differs from what is needed in one thing, or is what a thief would try.
REFUSED: tuple[Call, ...] = (
    # Who may be what.
    (EVENTS, "sts:AssumeRole", "{rule_role}", source("{rule}", OTHER_ACCOUNT)),
    (SAGEMAKER, "sts:AssumeRole", "{rule_role}", source("{pipeline}/execution/abc")),
    (EVENTS, "sts:AssumeRole", "{role}", source("{rule}")),
    (SAGEMAKER, "sts:AssumeRole", "{role}", source("{pipeline}-2/execution/abc")),
    (SAGEMAKER, "sts:AssumeRole", "{role}", source("{pipeline}/execution/abc", OTHER_ACCOUNT)),
    (SAGEMAKER, "sts:AssumeRole", "{role}", source("{jobs}/pipelines-a-packagingstep-b")),
    (SAGEMAKER, "sts:AssumeRole", "{job}", source("{jobs}/another")),
    (SAGEMAKER, "sts:AssumeRole", "{job}", source("{sagemaker}:training-job/pipelines-a-b")),
    ("lambda.amazonaws.com", "sts:AssumeRole", "{job}", source("{jobs}/pipelines-a-b")),
    # The rule's role.
    ("rule", "sagemaker:StartPipelineExecution", "{pipeline}-2", {}),
    ("rule", "sagemaker:StopPipelineExecution", "{pipeline}/execution/abc", {}),
    ("rule", "sagemaker:UpdatePipeline", "{pipeline}", {}),
    ("rule", "sagemaker:CreateProcessingJob", "{jobs}/pipelines-a-packagingstep-b", {}),
    ("rule", "iam:PassRole", "{job}", PASSED),
    ("rule", "s3:GetObject", "{bucket}/models/a/model.tar.gz", {}),
    ("rule", "sqs:SendMessage", "{queue}", {}),
    # The pipeline's role.
    ("pipeline", "sagemaker:StartPipelineExecution", "{pipeline}", {}),
    ("pipeline", "sagemaker:UpdatePipeline", "{pipeline}", {}),
    ("pipeline", "sagemaker:CreateProcessingJob", "{jobs}/another", {}),
    ("pipeline", "sagemaker:CreateProcessingJob", "{jobs}/pipelines-a-otherstep-b", {}),
    ("pipeline", "sagemaker:DescribeProcessingJob", "{jobs}/another", {}),
    ("pipeline", "sagemaker:StopProcessingJob", "{jobs}/another", {}),
    ("pipeline", "sagemaker:AddTags", "{pipeline}", {}),
    (
        "pipeline",
        "sagemaker:CreateTrainingJob",
        "{sagemaker}:training-job/pipelines-a-packagingstep-b",
        {},
    ),
    ("pipeline", "iam:PassRole", "{role}", PASSED),
    ("pipeline", "iam:PassRole", "{job}", {"iam:PassedToService": "lambda.amazonaws.com"}),
    ("pipeline", "iam:PassRole", "{job}", {}),
    ("pipeline", "s3:GetObject", "{bucket}/models/a/model.tar.gz", {}),
    ("pipeline", "s3:PutObject", "{bucket}/packaged/{name}/a", {}),
    # The job's role.
    ("job", "s3:ListBucket", "{bucket}", {}),
    ("job", "s3:ListBucket", "{bucket}", {"s3:prefix": ""}),
    ("job", "s3:ListBucket", "{bucket}", {"s3:prefix": "packaged/"}),
    ("job", "s3:ListBucket", "{assets}", {}),
    ("job", "s3:GetObject", "{bucket}/packaged/{name}/a", {}),
    ("job", "s3:GetObject", "{bucket}/other/model.tar.gz", {}),
    ("job", "s3:GetObject", "{bucket}-2/models/a/model.tar.gz", {}),
    ("job", "s3:GetObject", "{assets}/template.json", {}),
    ("job", "s3:GetObjectVersion", "{bucket}/models/a/model.tar.gz", {}),
    ("job", "s3:PutObject", "{bucket}/models/a/model.tar.gz", {}),
    ("job", "s3:PutObject", "{bucket}/packaged/other/a", {}),
    ("job", "s3:PutObject", "{assets}/{packager}", {}),
    ("job", "s3:PutObjectAcl", "{bucket}/packaged/{name}/a", {}),
    ("job", "s3:DeleteObject", "{bucket}/packaged/{name}/a", {}),
    ("job", "s3:DeleteObject", "{bucket}/models/a/model.tar.gz", {}),
    ("job", "s3:DeleteObjectVersion", "{bucket}/models/a/model.tar.gz", {}),
    ("job", "s3:PutBucketPolicy", "{bucket}", {}),
    ("job", "sagemaker:CreateProcessingJob", "{jobs}/pipelines-a-packagingstep-b", {}),
    ("job", "iam:PassRole", "{job}", PASSED),
    ("job", "sts:AssumeRole", "{role}", {}),
    ("job", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "AWS/Events"}),
    ("job", "logs:PutLogEvents", "{log_group}/aws/lambda/other:log-stream:a", {}),
    # Others at the queue.
    (EVENTS, "sqs:SendMessage", "{queue}", source("{rule}-2")),
    (EVENTS, "sqs:ReceiveMessage", "{queue}", source("{rule}")),
    ("sns.amazonaws.com", "sqs:SendMessage", "{queue}", source("{rule}")),
)
OTHERS_RULE = f"arn:aws:events:us-east-1:{OTHER_ACCOUNT}:rule/uploads"
REFUSED_WITH_A_KEY: tuple[Call, ...] = (
    ("job", "kms:Decrypt", "{key}", {}),
    ("job", "kms:Decrypt", "{key}", THROUGH_SQS),
    ("job", "kms:GenerateDataKey", "{key}", {}),
    ("job", "kms:CreateGrant", "{key}", {"kms:GrantIsForAWSResource": "false"}),
    ("job", "kms:CreateGrant", "{key}", {}),
    ("job", "kms:ScheduleKeyDeletion", "{key}", THROUGH_S3),
    ("job", "kms:PutKeyPolicy", "{key}", {}),
    ("pipeline", "kms:Decrypt", "{key}", THROUGH_S3),
    ("rule", "kms:Decrypt", "{key}", THROUGH_S3),
    (EVENTS, "kms:Decrypt", "{key}", source(OTHERS_RULE, OTHER_ACCOUNT)),
    (EVENTS, "kms:CreateGrant", "{key}", source("{rule}")),
    ("cloudwatch.amazonaws.com", "kms:Decrypt", "{key}", source("{alarm}", OTHER_ACCOUNT)),
    ("cloudwatch.amazonaws.com", "sns:Publish", "{topic}", source("{alarm}", OTHER_ACCOUNT)),
    ("cloudwatch.amazonaws.com", "sns:Subscribe", "{topic}", source("{alarm}")),
    (EVENTS, "sns:Publish", "{topic}", source("{rule}")),
    ("logging.s3.amazonaws.com", "s3:PutObject", "{logs}/other", source("{bucket}")),
    ("logging.s3.amazonaws.com", "s3:GetObject", "{logs}/{stack}/Artifacts/a", source("{bucket}")),
)
PROCESSING_LOGS = "{log_group}/aws/sagemaker/ProcessingJobs:log-stream:"
NEEDED_BY_OPERATORS: tuple[Call, ...] = (
    ("operator", "cloudformation:DescribeStacks", "{stacks}/ModelPackaging-prod/abc", {}),
    ("operator", "sagemaker:StartPipelineExecution", "{pipeline}", {}),
    ("operator", "sagemaker:StopPipelineExecution", "{pipeline}/execution/abc", {}),
    ("operator", "sagemaker:DescribeProcessingJob", "{jobs}/pipelines-a-packagingstep-b", {}),
    ("operator", "logs:GetLogEvents", f"{PROCESSING_LOGS}pipelines-a-PackagingStep-b/algo-1", {}),
    ("operator", "events:DescribeRule", "{rule}", {}),
    ("operator", "sqs:DeleteMessage", "{queue}", {}),
    ("operator", "s3:GetObject", "{bucket}/models/a/model.tar.gz", {}),
    ("operator", "s3:GetObject", "{bucket}/packaged/{name}/a", {}),
    ("operator", "s3:ListBucket", "{bucket}", {}),
    ("operator", "kms:Decrypt", "{key}", THROUGH_S3),
    ("operator", "kms:Decrypt", "{key}", THROUGH_SQS),
)
REFUSED_TO_OPERATORS: tuple[Call, ...] = (
    # Of another stack or pipeline.
    ("operator", "cloudformation:DescribeStacks", "{stacks}/ModelPackaging-prod-2/abc", {}),
    ("operator", "sagemaker:StartPipelineExecution", "{pipeline}-2", {}),
    ("operator", "sagemaker:StopPipelineExecution", "{pipeline}-2/execution/abc", {}),
    ("operator", "sagemaker:DescribeProcessingJob", "{jobs}/another", {}),
    ("operator", "sagemaker:DescribeProcessingJob", "{jobs}/pipelines-a-otherstep-b", {}),
    ("operator", "logs:GetLogEvents", f"{PROCESSING_LOGS}pipelines-a-OtherStep-b/algo-1", {}),
    ("operator", "logs:GetLogEvents", "{log_group}/aws/lambda/other:log-stream:a", {}),
    ("operator", "logs:DescribeLogStreams", "{log_group}/aws/lambda/other:log-stream:", {}),
    ("operator", "events:DescribeRule", "{rules}/other", {}),
    ("operator", "sqs:ReceiveMessage", "{queue}-2", {}),
    ("operator", "s3:GetObject", "{bucket}/packaged/other/a", {}),
    ("operator", "s3:GetObject", "{bucket}/other/model.tar.gz", {}),
    ("operator", "s3:GetObject", "{bucket}-2/models/a/model.tar.gz", {}),
    ("operator", "s3:GetObject", "{assets}/{packager}", {}),
    ("operator", "s3:ListBucket", "{assets}", {}),
    # To change something.
    ("operator", "cloudformation:UpdateStack", "{stacks}/ModelPackaging-prod/abc", {}),
    ("operator", "cloudformation:GetTemplate", "{stacks}/ModelPackaging-prod/abc", {}),
    ("operator", "sagemaker:UpdatePipeline", "{pipeline}", {}),
    ("operator", "sagemaker:DeletePipeline", "{pipeline}", {}),
    ("operator", "sagemaker:RetryPipelineExecution", "{pipeline}/execution/abc", {}),
    ("operator", "sagemaker:CreateProcessingJob", "{jobs}/pipelines-a-packagingstep-b", {}),
    ("operator", "sagemaker:StopProcessingJob", "{jobs}/pipelines-a-packagingstep-b", {}),
    ("operator", "iam:PassRole", "{job}", PASSED),
    ("operator", "sts:AssumeRole", "{job}", {}),
    ("operator", "logs:DeleteLogStream", f"{PROCESSING_LOGS}pipelines-a-PackagingStep-b/a", {}),
    ("operator", "events:DisableRule", "{rule}", {}),
    ("operator", "events:PutTargets", "{rule}", {}),
    ("operator", "sqs:SendMessage", "{queue}", {}),
    ("operator", "sqs:PurgeQueue", "{queue}", {}),
    ("operator", "s3:PutObject", "{bucket}/models/a/model.tar.gz", {}),
    ("operator", "s3:DeleteObject", "{bucket}/packaged/{name}/a", {}),
    ("operator", "s3:GetObjectVersion", "{bucket}/packaged/{name}/a", {}),
    ("operator", "kms:Decrypt", "{key}", {}),
    ("operator", "kms:Decrypt", "{key}", {"kms:ViaService": "ssm.us-east-1.amazonaws.com"}),
    ("operator", "kms:GenerateDataKey", "{key}", THROUGH_S3),
)


def test_the_operators_policy_widens_nothing(prod_stage: Stage) -> None:
    asked = Asked(prod_stage)
    assert [call for call in NEEDED_BY_OPERATORS if not asked.may(*call)] == []
    assert [call for call in REFUSED_TO_OPERATORS if asked.may(*call)] == []


def test_the_operators_policy_is_no_longer_than_a_managed_policy_may_be(
    prod_stage: Stage,
) -> None:
    [policy] = [one for one in prod_stage.policies if one.of.startswith("Operators")]
    # "IAM and AWS STS quotas": white space doesn't count. Names may be longer than these.
    assert len(json.dumps(policy.read(), separators=(",", ":"))) < 6144 - 2000


def test_the_policies_widen_nothing(stage: Stage) -> None:
    asked = Asked(stage)
    with_key = "key" in asked.names
    needed = NEEDED + NEEDED_WITH_A_KEY * with_key
    # Or no question would have found what it asks for.
    assert [call for call in needed if not asked.may(*call)] == []
    refused = REFUSED + REFUSED_WITH_A_KEY * with_key
    assert [call for call in refused if asked.may(*call)] == []


def test_nobody_may_do_without_tls_what_they_may_with_it(stage: Stage) -> None:
    asked = Asked(stage)
    plain = {"aws:SecureTransport": "false"}
    calls = NEEDED + (NEEDED_WITH_A_KEY + NEEDED_BY_OPERATORS) * ("key" in asked.names)
    of_resources = [call for call in calls if call[1].startswith(("s3:", "sns:", "sqs:"))]
    own = [call for call in of_resources if not call[2].startswith("{assets}")]
    assert [call for call in own if asked.may(*call[:3], call[3] | plain)] == []
