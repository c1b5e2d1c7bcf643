"""What starts the pipeline: an EventBridge rule, its role and its dead-letter queue."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from model_packaging.model_upload import ModelUpload
from model_packaging.packaging_pipeline import PackagingPipeline
from model_packaging.upstream_model import UpstreamModel


class PipelineTrigger(Construct):
    """Starts a pipeline once for every model that arrives.

    Creates the rule, a role that may start this one pipeline, and a queue for the events that
    could not be delivered within a day.

    Args:
        pipeline: The pipeline to start, for each of the models that it packages.

    Attributes:
        rule: The ``AWS::Events::Rule``.
        role: The role that EventBridge assumes to start the pipeline.
        dead_letter_queue: Events that could not be delivered. Kept for 14 days.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pipeline: PackagingPipeline,
    ) -> None:
        super().__init__(scope, construct_id)
        if isinstance(pipeline.model, UpstreamModel):
            raise ValueError(
                f"the model of the pipeline {pipeline.pipeline_name!r} is made by its own steps, "
                "so no event tells of it; start the pipeline yourself, with grant_start"
            )
        self.dead_letter_queue = self._build_dead_letter_queue()
        self.role = self._build_role(pipeline.pipeline_name)
        self.rule = self._build_rule(pipeline, pipeline.model)
        pipeline.grant_start(self.role).apply_before(self.rule)
        self._let_rule_send_dead_letters()

    def _build_dead_letter_queue(self) -> sqs.Queue:
        return sqs.Queue(
            self,
            "DeadLetterQueue",
            # With SQS's own key: EventBridge can't use the managed KMS key of SQS.
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )

    def _build_role(self, pipeline_name: str) -> iam.Role:
        return iam.Role(
            self,
            "Role",
            description=f"Assumed by EventBridge: starts the pipeline {pipeline_name}.",
            assumed_by=iam.ServicePrincipal("events.amazonaws.com").with_conditions(
                {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
            ),
        )

    def _build_rule(self, pipeline: PackagingPipeline, model: ModelUpload) -> events.CfnRule:
        # The CDK has no SageMaker target for its own Rule class (aws-cdk issue 14887).
        return events.CfnRule(
            self,
            "Rule",
            description=f"Starts {pipeline.pipeline_name} for each model that arrives.",
            event_pattern=model.event_pattern,
            state="ENABLED",
            targets=[
                events.CfnRule.TargetProperty(
                    id="Pipeline",
                    arn=pipeline.pipeline_arn,
                    role_arn=self.role.role_arn,
                    sage_maker_pipeline_parameters=(
                        events.CfnRule.SageMakerPipelineParametersProperty(
                            pipeline_parameter_list=[
                                events.CfnRule.SageMakerPipelineParameterProperty(
                                    name=name, value=path
                                )
                                for name, path in model.parameter_paths.items()
                            ]
                        )
                    ),
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(
                        arn=self.dead_letter_queue.queue_arn
                    ),
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=Duration.days(1).to_seconds(),
                        maximum_retry_attempts=185,
                    ),
                )
            ],
        )

    def _let_rule_send_dead_letters(self) -> None:
        self.dead_letter_queue.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.dead_letter_queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": self.rule.attr_arn}},
            )
        )
