"""What registration, notifications, approvals and schedules bring of permissions: needed, no more.

What the other stages have too, ``test_permissions.py`` takes away there.
"""

import fnmatch
from collections.abc import Iterable

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
from tests.local_aws.surrounded_stage import SurroundedStage
from tests.local_aws.test_permissions import NOT_EXERCISED, REFUSED, require_refusal

pytestmark = pytest.mark.e2e

SCHEDULER = "scheduler.amazonaws.com"
# Permissions, as the tests name them, by pattern.
ELSEWHERE = (
    *NOT_EXERCISED,
    "*JobRole*",
    "*TriggerRole*",
    "*PipelineRole*: sagemaker:* on *:processing-job/*",
    "*PipelineRole*: iam:PassRole on *",
    "sagemaker.amazonaws.com at *PipelineRole*",
    "Operators*",
    "events.amazonaws.com at TriggerDeadLetterQueue*",
    # Of the dead-letter queue. Here, what the topic needs is wider.
    "events.amazonaws.com at ArtifactsKey*: kms:* on * under aws:SourceAccount, aws:SourceArn",
    "cloudwatch.amazonaws.com at *",
    "logging.s3.amazonaws.com at *",
    "arn:aws:iam::*:root at ArtifactsKey*: kms:[*] on *",
)
# What no run on the local AWS needs, and who asks for it.
UNUSED = {
    "*PipelineRole*: sagemaker:CreateModelPackage on *:model-package-group/*": '"Actions, '
    'resources, and condition keys for Amazon SageMaker" names group and version; the local AWS '
    "asks for the version",
    "events.amazonaws.com at Approved*: sqs:GetQueue*": "SqsQueue of aws_events_targets, the "
    "CDK's own target",
}


def is_like(permission: Permission, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(str(permission), pattern) for pattern in patterns)


def test_each_permission_around_is_needed(surrounded_stage: SurroundedStage) -> None:
    stage = surrounded_stage
    own = [one for one in stage.permissions() if not is_like(one, ELSEWHERE)]
    for pattern in (*ELSEWHERE[len(NOT_EXERCISED) :], *UNUSED):
        assert any(is_like(one, [pattern]) for one in stage.permissions()), pattern
    for permission in own:
        if not is_like(permission, UNUSED):
            require_refusal(permission, stage.needing(permission))


def test_each_permission_around_is_enough(surrounded_stage: SurroundedStage) -> None:
    before = len(surrounded_stage.versions())
    assert surrounded_stage.package() is None
    assert len(surrounded_stage.versions()) == before + 1
    assert surrounded_stage.notify() is None
    assert surrounded_stage.approve() is None
    assert surrounded_stage.start_by_clock() is None
    assert surrounded_stage.write_letter_of_clock() is None


GROUP, VERSION = "{sagemaker}:model-package-group/churn", "{sagemaker}:model-package/churn/1"
RESULTS = "{bucket}/packaged/{name}/PackagingStep/a"
NEEDED: tuple[Call, ...] = (
    ("pipeline", "sagemaker:CreateModelPackageGroup", GROUP, {}),
    ("pipeline", "sagemaker:AddTags", GROUP, {}),
    ("pipeline", "sagemaker:CreateModelPackage", GROUP, {}),
    ("pipeline", "sagemaker:CreateModelPackage", VERSION, {}),
    ("pipeline", "sagemaker:DescribeModelPackage", VERSION, {}),
    ("pipeline", "s3:GetObject", f"{RESULTS}/package_report/package_report.json", {}),
    ("pipeline", "s3:GetObject", f"{RESULTS}/packaged_model_artifacts/model.tar.gz", {}),
    ("pipeline", "kms:Decrypt", "{key}", THROUGH_S3),
    # Neither is told which rule it is.
    (EVENTS, "sns:Publish", "{topic}", {}),
    (EVENTS, "kms:Decrypt", "{key}", {}),
    (EVENTS, "sqs:SendMessage", "{approved}", source("{approval}")),
    (SCHEDULER, "sts:AssumeRole", "{schedule_role}", source("{schedules}")),
    ("schedule", "sagemaker:StartPipelineExecution", "{pipeline}", {}),
    ("schedule", "sqs:SendMessage", "{queue}", {}),
    ("schedule", "kms:GenerateDataKey", "{key}", THROUGH_SQS),
)
# Each differs from what is needed in one thing, or is what a thief would try.
REFUSED_AROUND: tuple[Call, ...] = (
    # Another group.
    ("pipeline", "sagemaker:CreateModelPackageGroup", f"{GROUP}-2", {}),
    ("pipeline", "sagemaker:CreateModelPackage", f"{GROUP}-2", {}),
    ("pipeline", "sagemaker:CreateModelPackage", "{sagemaker}:model-package/churn-2/1", {}),
    ("pipeline", "sagemaker:CreateModelPackage", "{sagemaker}:model-package/churn", {}),
    ("pipeline", "sagemaker:DescribeModelPackage", "{sagemaker}:model-package/churn-2/1", {}),
    ("pipeline", "sagemaker:AddTags", "{sagemaker}:model-package/churn-2/1", {}),
    # Its own group: to approve, change, delete, open or host what it has registered.
    ("pipeline", "sagemaker:UpdateModelPackage", VERSION, {}),
    ("pipeline", "sagemaker:UpdateModelPackage", GROUP, {}),
    (
        "pipeline",
        "sagemaker:UpdateModelPackage",
        VERSION,
        {"sagemaker:ModelApprovalStatus": "Approved"},
    ),
    ("pipeline", "sagemaker:DeleteModelPackage", VERSION, {}),
    ("pipeline", "sagemaker:DeleteModelPackageGroup", GROUP, {}),
    ("pipeline", "sagemaker:DeleteTags", VERSION, {}),
    ("pipeline", "sagemaker:PutModelPackageGroupPolicy", GROUP, {}),
    ("pipeline", "sagemaker:CreateModel", "{sagemaker}:model/a", {}),
    ("pipeline", "sagemaker:CreateEndpoint", "{sagemaker}:endpoint/a", {}),
    # What it reads.
    ("pipeline", "s3:GetObject", f"{RESULTS}/package_report/other.json", {}),
    ("pipeline", "s3:GetObject", f"{RESULTS}/packaged_model_artifacts/other.tar.gz", {}),
    (
        "pipeline",
        "s3:GetObject",
        "{bucket}/packaged/other/PackagingStep/a/package_report/package_report.json",
        {},
    ),
    ("pipeline", "s3:ListBucket", "{bucket}", {"s3:prefix": "packaged/{name}/"}),
    ("pipeline", "kms:Decrypt", "{key}", {}),
    ("pipeline", "kms:Decrypt", "{key}", THROUGH_SQS),
    ("pipeline", "kms:GenerateDataKey", "{key}", THROUGH_S3),
    # Who has nothing to do with the registry.
    *(
        (who, f"sagemaker:{action}", VERSION, {})
        for who in ("job", "rule", "schedule", "operator")
        for action in ("CreateModelPackage", "UpdateModelPackage", "DeleteModelPackage")
    ),
    ("job", "sns:Publish", "{topic}", {}),
    # The schedule's role.
    (SCHEDULER, "sts:AssumeRole", "{schedule_role}", source("{schedules}", OTHER_ACCOUNT)),
    (SCHEDULER, "sts:AssumeRole", "{schedule_role}", source("{schedules}-2")),
    (SCHEDULER, "sts:AssumeRole", "{rule_role}", source("{schedules}")),
    (SCHEDULER, "sts:AssumeRole", "{role}", source("{schedules}")),
    (EVENTS, "sts:AssumeRole", "{schedule_role}", source("{rule}")),
    (SAGEMAKER, "sts:AssumeRole", "{schedule_role}", source("{pipeline}/execution/abc")),
    ("schedule", "sagemaker:StartPipelineExecution", "{pipeline}-2", {}),
    ("schedule", "sagemaker:StopPipelineExecution", "{pipeline}/execution/abc", {}),
    ("schedule", "sagemaker:UpdatePipeline", "{pipeline}", {}),
    ("schedule", "iam:PassRole", "{role}", PASSED),
    ("schedule", "sqs:SendMessage", "{approved}", {}),
    ("schedule", "sqs:ReceiveMessage", "{queue}", {}),
    ("schedule", "kms:GenerateDataKey", "{key}", {}),
    ("schedule", "kms:Decrypt", "{key}", THROUGH_S3),
    # Others at the queue and the topic.
    (EVENTS, "sqs:SendMessage", "{approved}", source("{rule}")),
    (EVENTS, "sqs:SendMessage", "{approved}", source("{approval}-2")),
    (EVENTS, "sqs:ReceiveMessage", "{approved}", source("{approval}")),
    (EVENTS, "sqs:SendMessage", "{queue}", source("{approval}")),
    (EVENTS, "sqs:SendMessage", "{queue}", source("{notification}")),
    (EVENTS, "sns:Subscribe", "{topic}", {}),
    (EVENTS, "kms:CreateGrant", "{key}", {}),
    (EVENTS, "kms:Encrypt", "{key}", {}),
    ("sns.amazonaws.com", "kms:Decrypt", "{key}", {}),
)


def test_what_is_around_widens_nothing(surrounded_stage: SurroundedStage) -> None:
    asked = Asked(surrounded_stage)
    # Or no question would have found what it asks for.
    assert [call for call in NEEDED if not asked.may(*call)] == []
    assert [call for call in REFUSED + REFUSED_AROUND if asked.may(*call)] == []
