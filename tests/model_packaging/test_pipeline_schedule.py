"""A schedule starts one pipeline and no other, with the parameters that it declares."""

from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from model_packaging import (
    DeclaredParameters,
    ExistingPipeline,
    ModelUpload,
    PackageStepConfig,
    PackagingPipeline,
    PipelineSchedule,
)
from stacks.rule_packs import add_rule_packs
from tests.policies import ACCOUNT, REGION, Deployed, Request, is_allowed

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/churn-training"
NIGHTLY = scheduler.ScheduleExpression.cron(minute="0", hour="3")


def scheduled(pipeline: ExistingPipeline, **options: Any) -> tuple[dict[str, Any], Deployed]:
    """The schedule's properties, and the template's roles."""
    app = App()
    stack = Stack(app, "Stack", env=Environment(account=ACCOUNT, region=REGION))
    if options.pop("with_queue", False):
        key = kms.Key(stack, "Key")
        options["dead_letter_queue"] = sqs.Queue(
            stack, "Queue", enforce_ssl=True, encryption_master_key=key
        )
    PipelineSchedule(stack, "Nightly", pipeline=pipeline, schedule=NIGHTLY, **options)
    deployed = Deployed(Template.from_stack(stack).to_json())
    [schedule] = (
        resource["Properties"]
        for resource in deployed.resources.values()
        if resource["Type"] == "AWS::Scheduler::Schedule"
    )
    return schedule, deployed


def test_it_starts_this_pipeline_and_no_other() -> None:
    schedule, deployed = scheduled(ExistingPipeline(ARN))
    assert schedule["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert schedule["State"] == "ENABLED"
    assert schedule["Target"]["Arn"] == ARN
    role = deployed.find("AWS::IAM::Role", Description="Assumed by EventBridge Scheduler")
    assert schedule["Target"]["RoleArn"] == deployed.arn(role)
    for arn, may in ((ARN, True), (f"{ARN}-2", False)):
        start = Request(deployed.arn(role), "sagemaker:StartPipelineExecution", arn)
        assert is_allowed(start, deployed.identity(role)) is may


def test_the_rule_packs_find_nothing() -> None:
    app = App()
    stack = Stack(app, "Stack")
    PipelineSchedule(stack, "Nightly", pipeline=ExistingPipeline(ARN), schedule=NIGHTLY)
    add_rule_packs(app)
    app.synth()  # raises for a finding


def test_only_the_scheduler_of_this_account_assumes_its_role() -> None:
    _, deployed = scheduled(ExistingPipeline(ARN))
    role = deployed.find("AWS::IAM::Role", Description="Assumed by EventBridge Scheduler")
    group = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/default"
    everything = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    for account, source, may in (
        (ACCOUNT, group, True),
        ("444455556666", group.replace(ACCOUNT, "444455556666"), False),
    ):
        context = {"aws:SourceAccount": account, "aws:SourceArn": source}
        request = Request("scheduler.amazonaws.com", "sts:AssumeRole", deployed.arn(role), context)
        assert is_allowed(request, everything, deployed.trust(role)) is may


def test_parameters_are_passed_and_a_queue_gets_what_could_not_start() -> None:
    schedule, deployed = scheduled(
        ExistingPipeline(ARN, parameters=DeclaredParameters(["Day"], ["Mode"])),
        parameters={"Day": "monday"},
        with_queue=True,
        enabled=False,
    )
    assert schedule["State"] == "DISABLED"
    assert schedule["Target"]["SageMakerPipelineParameters"]["PipelineParameterList"] == [
        {"Name": "Day", "Value": "monday"}
    ]
    queue = deployed.arn(deployed.find("AWS::SQS::Queue"))
    assert schedule["Target"]["DeadLetterConfig"] == {"Arn": queue}
    role = deployed.find("AWS::IAM::Role", Description="Assumed by EventBridge Scheduler")
    sending = Request(deployed.arn(role), "sqs:SendMessage", queue)
    assert is_allowed(sending, deployed.identity(role))
    key = deployed.find("AWS::KMS::Key")
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        for service, may in (("sqs", True), ("s3", False)):
            via = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}
            using = Request(deployed.arn(role), action, deployed.arn(key), via)
            policies = deployed.identity(role), deployed.policy_of(key)
            assert is_allowed(using, *policies) is may


@pytest.mark.parametrize(
    ("declared", "given", "expected"),
    [
        (DeclaredParameters(["Day"]), {}, "requires a value for Day, and a clock tells none"),
        (DeclaredParameters((), ["Mode"]), {"Moed": "x"}, "declares no parameter Moed; .* Mode"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(
    declared: DeclaredParameters, given: dict[str, str], expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        scheduled(ExistingPipeline(ARN, parameters=declared), parameters=given)


def test_a_pipeline_for_uploads_waits_for_uploads(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    pipeline = PackagingPipeline(
        stack,
        "Packaging",
        config=PackageStepConfig(**settings),
        model=ModelUpload(s3.Bucket(stack, "Bucket"), prefix="models/"),
        pipeline_role=iam.Role.from_role_name(stack, "Role", "pipeline"),
    )
    with pytest.raises(ValueError, match=r"start the pipeline for each model \(PipelineTrigger\)"):
        PipelineSchedule(stack, "Nightly", pipeline=pipeline, schedule=NIGHTLY)
