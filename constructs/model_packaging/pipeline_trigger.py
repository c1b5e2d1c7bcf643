"""What starts the pipeline: an EventBridge rule, its role and its dead-letter queue."""

import re

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs

from constructs import Construct
from model_packaging.model_upload import ModelUpload
from model_packaging.packaging_pipeline import PackagingPipeline

# API reference of StartPipelineExecution: Parameter, and its list in the request.
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9])*")
_MAX_PARAMETERS = 200
_MAX_VALUE_LENGTH = 1024


class PipelineTrigger(Construct):
    """Starts a pipeline once for every model that arrives.

    Creates the rule, a role that may start this one pipeline, and a queue for the events that
    could not be delivered within a day.

    Args:
        pipeline: The pipeline to start.
        model: The models that start it.

    Attributes:
        rule: The ``AWS::Events::Rule``.
        role: The role that EventBridge assumes to start the pipeline.
        dead_letter_queue: Events that could not be delivered. Kept for 14 days.

    Raises:
        ValueError: The event would not fill the pipeline's parameters, or would break a rule of
            the service about them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pipeline: PackagingPipeline,
        model: ModelUpload,
    ) -> None:
        super().__init__(scope, construct_id)
        _check_parameters(model.parameter_paths, pipeline.required_parameters)
        self.dead_letter_queue = self._build_dead_letter_queue()
        self.role = self._build_role(pipeline.pipeline_name)
        self.rule = self._build_rule(pipeline, model)
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


def _check_parameters(paths: dict[str, str], required: list[str]) -> None:
    if len(paths) > _MAX_PARAMETERS:
        raise ValueError(
            f"the event fills {len(paths)} pipeline parameters; EventBridge passes at most "
            f"{_MAX_PARAMETERS}"
        )
    for name, value in paths.items():
        if not _PARAMETER_NAME.fullmatch(name):
            raise ValueError(
                f"the pipeline parameter {name!r} is not a name that SageMaker accepts; write "
                "letters, digits and inner hyphens"
            )
        if len(value) > _MAX_VALUE_LENGTH:
            raise ValueError(
                f"the value of the pipeline parameter {name!r} has {len(value)} characters; "
                f"EventBridge passes at most {_MAX_VALUE_LENGTH}"
            )
    if undeclared := sorted(set(paths) - set(required)):
        raise ValueError(
            f"the event fills {', '.join(undeclared)}, which the pipeline doesn't declare; it "
            f"declares {', '.join(required) or 'no parameter'}: give pipeline and trigger the "
            "same model"
        )
    if unfilled := sorted(set(required) - set(paths)):
        raise ValueError(
            f"the pipeline requires {', '.join(unfilled)}, which the event doesn't fill: give "
            "pipeline and trigger the same model"
        )
