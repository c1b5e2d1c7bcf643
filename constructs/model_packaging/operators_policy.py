"""What the people who run a packaging pipeline may do with it, as a managed policy."""

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from model_packaging.acknowledgements import acknowledge_wildcards
from model_packaging.arns import Arns, spellings
from model_packaging.monitoring.processing_log_group import NAME as LOG_GROUP
from model_packaging.packaging_pipeline import PackagingPipeline
from model_packaging.pipeline_trigger import PipelineTrigger
from model_packaging.step import contract
from model_packaging.step.s3_location import S3Location


class OperatorsPolicy(Construct):
    """A managed policy with what it takes to run a pipeline, to be attached to those who do.

    It lets them start the pipeline for a model, see its executions and what became of them, read
    their jobs' logs and their packages with the reports, stop them, and redrive the dead-letter
    queue. It lets them change nothing: no pipeline, no rule, no object. What each action can be
    confined to is in "Actions, resources, and condition keys for AWS services".

    Args:
        pipeline: The pipeline.
        trigger: What starts it.
        key: Customer-managed KMS key of the bucket and the queue, if they have one. A key that is
            imported must let its account's policies decide, as the default key policy does.

    Attributes:
        policy: The managed policy. Attach it: ``policy.attach_to_role(…)``, or by its ARN.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pipeline: PackagingPipeline,
        trigger: PipelineTrigger,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._arns = Arns(Stack.of(self))
        self.policy = iam.ManagedPolicy(
            # Constant: another description is another policy (AWS::IAM::ManagedPolicy).
            self,
            "Policy",
            description="What operators of a packaging pipeline need.",
        )
        self._see_the_stack()
        self._run(pipeline)
        self._see_jobs()
        self._see_rules(trigger)
        self._empty_queue(trigger)
        self._read_objects(pipeline)
        if key:
            self._use_key(key)

    def _see_the_stack(self) -> None:
        """The commands read the stack's outputs."""
        stack = Stack.of(self)
        self._allow(
            ["cloudformation:DescribeStacks"],
            [self._arns.of("cloudformation", "stack", f"{stack.stack_name}/*")],
            wildcards="CloudFormation makes up what follows the stack's name.",
        )

    def _run(self, pipeline: PackagingPipeline) -> None:
        names = spellings(pipeline.pipeline_name)
        self._allow(
            ["sagemaker:ListPipelineExecutions", "sagemaker:StartPipelineExecution"],
            [self._arns.of("sagemaker", "pipeline", name) for name in names],
        )
        self._allow(
            [
                "sagemaker:DescribePipelineDefinitionForExecution",
                "sagemaker:DescribePipelineExecution",
                "sagemaker:ListPipelineExecutionSteps",
                "sagemaker:ListPipelineParametersForExecution",
                "sagemaker:StopPipelineExecution",
            ],
            [self._arns.of("sagemaker", "pipeline", f"{name}/execution/*") for name in names],
            wildcards="SageMaker makes up the executions' ids. The pipeline is named.",
        )

    def _see_jobs(self) -> None:
        # "Customize access management for Pipelines jobs" tells the names of jobs. A log stream
        # begins with its job's name.
        jobs = [f"pipelines-*-{step}-*" for step in spellings(contract.PACKAGING_STEP)]
        self._allow(
            ["sagemaker:DescribeProcessingJob"],
            [self._arns.of("sagemaker", "processing-job", job) for job in jobs],
            wildcards="An execution's id is part of its job's name, and known at run time only. "
            "The service's prefix and the step's name confine it; jobs can be looked at only.",
        )
        group = self._arns.of("logs", "log-group", LOG_GROUP, sep=":")
        self._allow(
            ["logs:DescribeLogStreams"],
            [f"{group}:*"],
            wildcards="CloudWatch Logs compares a group's ARN with ':*' at its end. The group is "
            "named.",
        )
        self._allow(
            ["logs:GetLogEvents"],
            [f"{group}:log-stream:{jobs[0]}"],
            wildcards="A job's streams begin with its name, of which an execution's id is a part. "
            "The service's prefix and the step's name confine it.",
        )

    def _see_rules(self, trigger: PipelineTrigger) -> None:
        """A model is started as the pipeline's own rule would start it."""
        self._allow(
            ["events:ListRuleNamesByTarget", "events:TestEventPattern"],
            ["*"],
            wildcards="These two actions have no resource to name. They tell the names of the "
            "rules that have a target, and whether an event that is given fits a pattern that is "
            "given.",
        )
        self._allow(
            ["events:DescribeRule", "events:ListTargetsByRule"],
            [rule.attr_arn for rule in trigger.rules],
        )

    def _empty_queue(self, trigger: PipelineTrigger) -> None:
        self._allow(
            ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"],
            [trigger.dead_letter_queue.queue_arn],
        )

    def _read_objects(self, pipeline: PackagingPipeline) -> None:
        packages = S3Location.parse(pipeline.packaged_s3_uri)
        read = [(of.bucket.bucket_name, of.key_pattern) for of in pipeline.model.reads]
        read.append((packages.bucket, f"{packages.folder}*"))
        self._allow(
            ["s3:GetObject"],
            [f"arn:{Aws.PARTITION}:s3:::{bucket}/{keys}" for bucket, keys in read],
            wildcards="Models and packages have keys that are known at run time only. The "
            "prefixes confine them.",
        )
        # Without it, S3 says of a missing object that access is denied ("GetObject", "HeadObject":
        # Permissions). That answer knows no prefix, so none can confine it.
        buckets = dict.fromkeys(bucket for bucket, _ in read)
        self._allow(["s3:ListBucket"], [f"arn:{Aws.PARTITION}:s3:::{bucket}" for bucket in buckets])

    def _use_key(self, key: kms.IKey) -> None:
        # In China, the name of the service ends in amazonaws.com.cn.
        via = [f"{service}.{Aws.REGION}.amazonaws.com*" for service in ("s3", "sqs")]
        self._allow(
            ["kms:Decrypt"], [key.key_arn], conditions={"StringLike": {"kms:ViaService": via}}
        )

    def _allow(
        self,
        actions: list[str],
        resources: list[str],
        *,
        wildcards: str = "",
        conditions: dict[str, object] | None = None,
    ) -> None:
        self.policy.add_statements(
            iam.PolicyStatement(actions=actions, resources=resources, conditions=conditions)
        )
        if wildcards:
            acknowledge_wildcards(self.policy, wildcards, resources)
