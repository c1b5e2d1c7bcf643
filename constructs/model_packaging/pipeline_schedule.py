"""What starts a pipeline by the clock, for one whose first step trains."""

from collections.abc import Mapping

import jsii
from aws_cdk import Arn, ArnFormat, Resource, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from aws_cdk.interfaces.aws_sagemaker import PipelineReference
from constructs import Construct

from model_packaging.acknowledgements import acknowledge_inline_policy
from model_packaging.existing_pipeline import ExistingPipeline
from model_packaging.packaging_pipeline import PackagingPipeline


class PipelineSchedule(Construct):
    """Starts a pipeline by the clock.

    Creates a schedule of EventBridge Scheduler, and a role that may start this one pipeline.

    Args:
        pipeline: The pipeline to start.
        schedule: When, such as ``ScheduleExpression.cron(minute="0", hour="3")``.
        parameters: Values of pipeline parameters, by name. Default: none.
        dead_letter_queue: Queue for starts that failed. The scheduler's role may use its customer
            key. Default: they are lost, and an alarm on days without an execution tells.
        enabled: Whether it starts anything. Default: True.

    Attributes:
        schedule: The schedule.
        role: The role that the scheduler assumes.

    Raises:
        ValueError: The parameters filled are not those that the pipeline declares.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pipeline: PackagingPipeline | ExistingPipeline,
        schedule: scheduler.ScheduleExpression,
        parameters: Mapping[str, str] | None = None,
        dead_letter_queue: sqs.IQueue | None = None,
        enabled: bool = True,
    ) -> None:
        super().__init__(scope, construct_id)
        values = dict(parameters or {})
        _check(pipeline, values)
        self.role = self._build_role(pipeline.pipeline_name)
        started = pipeline.grant_start(self.role)
        self.schedule = scheduler.Schedule(
            self,
            "Schedule",
            schedule=schedule,
            description=f"Starts {pipeline.pipeline_name} by the clock.",
            enabled=enabled,
            target=targets.SageMakerStartPipelineExecution(
                _Pipeline(self, "Pipeline", pipeline.pipeline_arn),
                pipeline_parameter_list=[
                    targets.SageMakerPipelineParameter(name=name, value=value)
                    for name, value in values.items()
                ]
                or None,
                dead_letter_queue=dead_letter_queue,
                role=self.role,
            ),
        )
        started.apply_before(self.schedule)
        if dead_letter_queue is not None and (key := dead_letter_queue.encryption_master_key):
            self._use_key(key).apply_before(self.schedule)

    def _use_key(self, key: kms.IKey) -> iam.Grant:
        """Let the scheduler encrypt what it sends to the queue, which the CDK's target does not.

        Source: "Key management" of Amazon SQS, KMS permissions for a producer.
        """
        return iam.Grant.add_to_principal(
            grantee=self.role,
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resource_arns=[key.key_arn],
            # In China, the name of the service ends in amazonaws.com.cn.
            conditions={
                "StringLike": {"kms:ViaService": f"sqs.{Stack.of(self).region}.amazonaws.com*"}
            },
        )

    def _build_role(self, pipeline_name: str) -> iam.Role:
        stack = Stack.of(self)
        role = iam.Role(
            self,
            "Role",
            description=f"Assumed by EventBridge Scheduler: starts the pipeline {pipeline_name}.",
            # "Confused deputy prevention in EventBridge Scheduler": the group, not the schedule,
            # which names the role.
            assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com").with_conditions(
                {
                    "StringEquals": {
                        "aws:SourceAccount": stack.account,
                        "aws:SourceArn": stack.format_arn(
                            service="scheduler",
                            resource="schedule-group",
                            resource_name="default",
                        ),
                    }
                }
            ),
        )
        acknowledge_inline_policy(role)
        return role


@jsii.implements(sagemaker.IPipeline)
class _Pipeline(Resource):
    """A pipeline as the CDK's own target of schedules takes it."""

    def __init__(self, scope: Construct, construct_id: str, pipeline_arn: str) -> None:
        super().__init__(scope, construct_id)
        self._arn = pipeline_arn

    @property
    def pipeline_arn(self) -> str:
        return self._arn

    @property
    def pipeline_name(self) -> str:
        name = Arn.split(self._arn, ArnFormat.SLASH_RESOURCE_NAME).resource_name
        assert name is not None  # noqa: S101  # an ARN of this format has one
        return name

    @property
    def pipeline_ref(self) -> PipelineReference:
        return PipelineReference(pipeline_name=self.pipeline_name)

    @jsii.member(jsii_name="grantStartPipelineExecution")
    def grant_start_pipeline_execution(self, grantee: iam.IGrantable) -> iam.Grant:
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["sagemaker:StartPipelineExecution"],
            resource_arns=[self._arn],
        )


def _check(pipeline: PackagingPipeline | ExistingPipeline, values: Mapping[str, str]) -> None:
    name = pipeline.pipeline_name
    if missing := pipeline.parameters.missing_from(values, name):
        raise ValueError(
            f"the pipeline {name!r} requires a value for {', '.join(missing)}, and a clock tells "
            "none; give it in parameters, or start the pipeline for each model (PipelineTrigger)"
        )
