"""What tells people that an execution has ended."""

from collections.abc import Sequence
from typing import Final, Literal

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from model_packaging.arns import Arns, spellings

# API reference of DescribePipelineExecution, PipelineExecutionStatus: those that end one.
ExecutionEnd = Literal["Succeeded", "Failed", "Stopped"]
ENDS: Final[tuple[ExecutionEnd, ...]] = ("Succeeded", "Failed", "Stopped")


class ExecutionNotifications(Construct):
    """Sends a sentence to a topic when an execution of a pipeline has ended.

    The event tells the execution's ARN, its status and its times, and neither the model nor why it
    failed. Source: "Events that Amazon SageMaker AI sends to Amazon EventBridge", SageMaker
    pipeline execution state change.

    Args:
        pipeline_name: Name of the pipeline.
        topic: The topic. EventBridge is let publish to it and use its customer key; if topic or key
            are imported, their policies must already do so.
        statuses: Which ends are told: ``Succeeded``, ``Failed``, ``Stopped``.

    Attributes:
        rule: The rule.

    Raises:
        ValueError: No status is given, or one that ends no execution.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pipeline_name: str,
        topic: sns.ITopic,
        statuses: Sequence[ExecutionEnd],
    ) -> None:
        super().__init__(scope, construct_id)
        if not statuses or set(statuses) - set(ENDS):
            raise ValueError(
                f"statuses: {list(statuses)!r} is given; write one or more of {', '.join(ENDS)}"
            )
        arns = Arns(Stack.of(self))
        path = events.EventField.from_path
        message = (
            f"The execution {path('$.detail.pipelineExecutionArn')} has ended: "
            f"{path('$.detail.currentPipelineExecutionStatus')}. It ran from "
            f"{path('$.detail.executionStartTime')} to {path('$.detail.executionEndTime')}."
        )
        self.rule = events.Rule(
            self,
            "Rule",
            description=f"Tells that an execution of {pipeline_name} has ended.",
            event_pattern=events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Model Building Pipeline Execution Status Change"],
                detail={
                    "currentPipelineExecutionStatus": list(dict.fromkeys(statuses)),
                    "pipelineArn": [
                        arns.of("sagemaker", "pipeline", name) for name in spellings(pipeline_name)
                    ],
                },
            ),
            targets=[targets.SnsTopic(topic, message=events.RuleTargetInput.from_text(message))],
        )
        if key := topic.master_key:
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal("events.amazonaws.com")],
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    resources=["*"],  # in a key's policy: this key
                    # No condition: "Managing Amazon SNS encryption keys and costs" says that those
                    # on the source are not supported from EventBridge to encrypted topics.
                )
            )
