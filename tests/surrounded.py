"""A stage with everything around its packages on: registered, told, approved, by the clock too."""

import os
from pathlib import Path
from typing import Any
from unittest import mock

from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs

from model_packaging import ApprovalRule, ModelApproved, PipelineSchedule
from model_packaging.acknowledgements import acknowledge

GROUP = "churn"
SETTINGS: dict[str, Any] = {
    "owner": "machine-learning",
    "cost_centre": "machine-learning",
    "registration": {
        "model_package_group": GROUP,
        "framework": "sklearn",
        "framework_version": "1.2-1",
        "customer_metadata": {"team": "churn"},
    },
    "alarms": {"emails": ["ml@example.com"], "executions": ["Succeeded", "Failed"]},
    "operators_policy": True,
}


def synthesize(outdir: Path) -> None:
    """The assembly of the stage ``here``, whose stack has a rule on approvals and a schedule too.

    What is approved is told to the queue ``Approved``. The schedule packages one model again.
    """
    from app import build_app

    with mock.patch.dict(os.environ, {"CDK_OUTDIR": str(outdir)}):
        app = build_app(stage="here", stages={"here": SETTINGS})
        stack = app.node.find_child("ModelPackaging")
        approved = sqs.Queue(
            stack,
            "Approved",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
        )
        acknowledge(
            approved,
            "What it is told is in the registry too, for whoever has lost a message.",
            "AwsSolutions-SQS3",
        )
        ApprovalRule(
            stack, "Approval", event=ModelApproved(GROUP), targets=[targets.SqsQueue(approved)]
        )
        PipelineSchedule(
            stack,
            "Nightly",
            pipeline=stack.pipeline,
            schedule=scheduler.ScheduleExpression.cron(minute="0", hour="3"),
            parameters={
                "ModelBucket": stack.artifacts.bucket.bucket_name,
                "ModelKey": "models/nightly/model.tar.gz",
                "ModelETag": "unknown",
            },
            dead_letter_queue=stack.trigger.dead_letter_queue,
        )
        app.synth()
