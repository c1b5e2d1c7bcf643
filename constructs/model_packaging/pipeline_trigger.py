"""What starts the pipeline: an EventBridge rule, its role and its dead-letter queue."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aws_cdk import Annotations, Aws, Duration, Stack, Token
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from model_packaging.acknowledgements import acknowledge, acknowledge_inline_policy
from model_packaging.arns import Arns
from model_packaging.existing_pipeline import ExistingPipeline
from model_packaging.models.starts import refuse_loop, refuse_repetition

if TYPE_CHECKING:
    from model_packaging.models.model_origin import ModelEvent
    from model_packaging.models.starting_event import StartingEvent
    from model_packaging.packaging_pipeline import PackagingPipeline

# API reference of EventBridge: SageMakerPipelineParameter, SageMakerPipelineParameters,
# RetryPolicy.
PARAMETER_NAME = re.compile(r"(?=.{1,256}$)[a-zA-Z0-9](-*[a-zA-Z0-9])*")
MAX_PARAMETERS = 200
MAX_VALUE_LENGTH = 1024
MAX_RETRY_ATTEMPTS = 185
EVENT_AGE_SECONDS = (60, 86_400)

# "Dynamic path parameters": a path is the whole value.
_PATH = re.compile(r"\$(\.[\w/-]+(\[(\d+|\*)\])*)+")


class PipelineTrigger(Construct):
    """Starts a pipeline once for every model that arrives.

    Creates a rule for each event of the pipeline's model, a role that may start this one pipeline,
    and a queue for the events that could not be delivered. Events are delivered at least once, so
    a pipeline may be started again for the same model.

    Args:
        pipeline: The pipeline to start, for each of the models that it packages.
        started_by: The events that start it. Default: those that announce the models that it
            packages.
        parameters: Values of further pipeline parameters, by name: a constant, or one whole path
            into the event such as ``$.time``. Default: none.
        dead_letter_queue: Standard queue of this account and region to use instead of making one.
            EventBridge is let write to it, and use its key; if it is imported, its policy and its
            key's must already do so. Default: a queue is made.
        dead_letter_key: Customer-managed KMS key for the queue that is made. EventBridge is let
            use it; if it is imported, its policy must already let ``events.amazonaws.com`` call
            ``kms:Decrypt`` and ``kms:GenerateDataKey*``. Default: SQS's own keys (SSE-SQS).
        role: Role to use instead of making one. Must trust ``events.amazonaws.com``; is let start
            the pipeline, unless it was imported as one that can't be changed. Default: a role is
            made.
        retry_attempts: How often a failed delivery is tried again, 0 to 185. Default: 185.
        maximum_event_age: For how long it is tried, one minute to one day. Default: one day.
        enabled: Whether events start the pipeline. Default: True.

    Attributes:
        rule: The ``AWS::Events::Rule`` of the first event.
        rules: The rules of all events.
        role: The role that EventBridge assumes to start the pipeline.
        dead_letter_queue: Events that could not be delivered. One made here keeps them 14 days.

    Raises:
        ValueError: EventBridge or SageMaker would refuse an argument, the parameters filled are
            not those that the pipeline declares, what the pipeline writes would start it again, or
            it would start twice for the same model.
    """

    _pipeline_arn = ""  # until all checks have passed

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pipeline: "PackagingPipeline | ExistingPipeline",
        started_by: "Sequence[StartingEvent] | None" = None,
        parameters: Mapping[str, str] | None = None,
        dead_letter_queue: sqs.IQueue | None = None,
        dead_letter_key: kms.IKey | None = None,
        role: iam.IRole | None = None,
        retry_attempts: int = MAX_RETRY_ATTEMPTS,
        maximum_event_age: Duration | None = None,
        enabled: bool = True,
    ) -> None:
        super().__init__(scope, construct_id)
        self._retry_policy = _retry_policy(retry_attempts, maximum_event_age or Duration.days(1))
        self._occasion = "for each model that arrives"
        if started_by is not None:
            self._occasion = f"for {' and '.join(map(str, started_by))}"
        self._state = "ENABLED" if enabled else "DISABLED"
        self._events = _events_of(pipeline) if started_by is None else tuple(started_by)
        if not self._events:
            raise ValueError("started_by is empty; name the events that start the pipeline")
        self._values = [
            _parameter_values(event, parameters or {}, pipeline) for event in self._events
        ]
        refuse_loop(pipeline.output_s3_uris, self._events)
        self._refuse_second_start(pipeline.pipeline_arn)
        self._pipeline_arn = pipeline.pipeline_arn
        self.dead_letter_queue = self._dead_letter_queue(dead_letter_queue, dead_letter_key)
        self.role = role or self._build_role(pipeline.pipeline_name)
        self.rules = [
            self._build_rule("Rule" if number == 0 else f"Rule{number + 1}", number, pipeline)
            for number in range(len(self._events))
        ]
        self.rule = self.rules[0]
        pipeline.grant_start(self.role).apply_before(*self.rules)
        self._let_rules_send_dead_letters()
        if started_by is None:
            self._warn_of_silent_buckets(_events_of(pipeline))

    def _warn_of_silent_buckets(self, announcing: "Sequence[ModelEvent]") -> None:
        for event in announcing:
            if event.event_pattern.get("source") != ["aws.s3"]:
                continue
            if not event.models.in_a_bucket_of_this_app:
                Annotations.of(self).add_warning_v2(
                    "model-packaging:bucketMayBeSilent",
                    f"the bucket {event.models.bucket.node.path!r} is not made here, so that it "
                    "can't be seen whether it sends its events to EventBridge, and without them no "
                    "upload starts anything; set its property NotificationConfiguration."
                    "EventBridgeConfiguration where it is made, and acknowledge this warning",
                )

    def _refuse_second_start(self, pipeline_arn: str) -> None:
        for event, known in itertools.combinations(self._events, 2):
            refuse_repetition(event, known)
        # The same token is the same text, wherever it stands.
        for other in self.node.root.node.find_all():
            if isinstance(other, PipelineTrigger) and other._pipeline_arn == pipeline_arn:
                for event in self._events:
                    for known in other._events:
                        refuse_repetition(event, known)

    def _dead_letter_queue(
        self, existing: sqs.IQueue | None, customer_key: kms.IKey | None
    ) -> sqs.IQueue:
        if existing is None:
            if customer_key:
                self._let_eventbridge_use(customer_key)
            return self._build_dead_letter_queue(customer_key)
        if customer_key:
            raise ValueError(
                f"dead_letter_key is given together with the existing queue {existing.node.path!r},"
                " whose encryption is not changed here; leave one of the two out"
            )
        _check_queue(existing)
        if existing.encryption_master_key:
            self._let_eventbridge_use(existing.encryption_master_key)
        return existing

    def _build_dead_letter_queue(self, customer_key: kms.IKey | None) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            "DeadLetterQueue",
            # Without a customer key, SQS's own: EventBridge can't use the managed KMS key of SQS.
            encryption=(
                sqs.QueueEncryption.KMS if customer_key else sqs.QueueEncryption.SQS_MANAGED
            ),
            encryption_master_key=customer_key,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        acknowledge(
            queue,
            "It is the dead-letter queue of EventBridge's rules itself; the rule of the pack knows "
            "those of queues only. Nothing consumes it but people.",
            "AwsSolutions-SQS3",
        )
        return queue

    def _let_eventbridge_use(self, key: kms.IKey) -> None:
        # Any rule of the account and region: the key's policy can't wait for the rule, which
        # waits for the queue, which waits for the key.
        rules = f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:rule/*"
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],  # in a key's policy: this key
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": rules},
                },
            )
        )

    def _build_role(self, pipeline_name: str) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            description=f"Assumed by EventBridge: starts the pipeline {pipeline_name}.",
            # "Cross-service confused deputy prevention in Amazon EventBridge".
            assumed_by=iam.ServicePrincipal("events.amazonaws.com").with_conditions(
                {
                    "ArnLike": {"aws:SourceArn": self._rules_of_this_stack()},
                    "StringEquals": {"aws:SourceAccount": Stack.of(self).account},
                }
            ),
        )
        acknowledge_inline_policy(role)
        return role

    def _rules_of_this_stack(self) -> str:
        # Not the rules themselves: they name the role, which would then wait for them.
        # CloudFormation calls them <stack>-<logical id>-<random> ("Name type"), and shortens both
        # names where the 64 characters of a rule's don't do. How far, no document says: 20 of each
        # leave room for all of it.
        stack = Stack.of(self)
        name, whole = stack.stack_name, 20
        if Token.is_unresolved(name):
            name = "*"
        else:
            name = f"{name}-*" if len(name) <= whole else f"{name[:whole]}*"
        return Arns(stack).of("events", "rule", name)

    def _build_rule(
        self, construct_id: str, number: int, pipeline: "PackagingPipeline | ExistingPipeline"
    ) -> events.CfnRule:
        # The CDK has no SageMaker target for its own Rule class (aws-cdk issue 14887).
        return events.CfnRule(
            self,
            construct_id,
            description=f"Starts {pipeline.pipeline_name} {self._occasion}.",
            event_pattern=self._events[number].event_pattern,
            state=self._state,
            targets=[
                events.CfnRule.TargetProperty(
                    id="Pipeline",
                    arn=pipeline.pipeline_arn,
                    role_arn=self.role.role_arn,
                    sage_maker_pipeline_parameters=(
                        events.CfnRule.SageMakerPipelineParametersProperty(
                            pipeline_parameter_list=[
                                events.CfnRule.SageMakerPipelineParameterProperty(
                                    name=name, value=value
                                )
                                for name, value in self._values[number].items()
                            ]
                        )
                    ),
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(
                        arn=self.dead_letter_queue.queue_arn
                    ),
                    retry_policy=self._retry_policy,
                )
            ],
        )

    def _let_rules_send_dead_letters(self) -> None:
        for rule in self.rules:
            self.dead_letter_queue.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal("events.amazonaws.com")],
                    actions=["sqs:SendMessage"],
                    resources=[self.dead_letter_queue.queue_arn],
                    conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
                )
            )


def _retry_policy(attempts: int, age: Duration) -> events.CfnRule.RetryPolicyProperty:
    if not 0 <= attempts <= MAX_RETRY_ATTEMPTS:
        raise ValueError(
            f"retry_attempts {attempts} is given, and EventBridge takes 0 to {MAX_RETRY_ATTEMPTS}"
        )
    least, most = EVENT_AGE_SECONDS
    seconds = age.to_seconds(integral=False)
    if not least <= seconds <= most or seconds % 1:
        raise ValueError(
            f"maximum_event_age {age.to_human_string()} is given, and EventBridge takes whole "
            f"seconds from {least} to {most}"
        )
    return events.CfnRule.RetryPolicyProperty(
        maximum_event_age_in_seconds=seconds, maximum_retry_attempts=attempts
    )


def _events_of(pipeline: "PackagingPipeline | ExistingPipeline") -> tuple["ModelEvent", ...]:
    announced = pipeline.model.events if pipeline.model else ()
    if not announced:
        raise ValueError(
            f"the model of the pipeline {pipeline.pipeline_name!r} is announced by no event; give "
            "the pipeline a ModelUpload, a TrainingJobCompleted, an UploadOrTrainingJob or a "
            "ModelEvent of your own, or name what starts it, started_by"
        )
    return announced


def _parameter_values(
    event: "StartingEvent",
    further: Mapping[str, str],
    pipeline: "PackagingPipeline | ExistingPipeline",
) -> dict[str, str]:
    own = event.parameter_paths
    if twice := sorted(set(own) & set(further)):
        raise ValueError(
            f"parameters: {', '.join(twice)} {_is(twice)} filled from the event already; leave "
            f"{_it(twice)} out"
        )
    values = own | dict(further)
    if problems := [*_problems(values)]:
        raise ValueError("; ".join(problems))
    name = pipeline.pipeline_name
    if missing := pipeline.parameters.missing_from(values, name):
        raise ValueError(
            f"the pipeline {name!r} requires a value for {', '.join(missing)}, which {event} "
            f"{'does' if len(missing) == 1 else 'do'} not fill; give {_it(missing)} in "
            "parameters, or a default in the definition"
        )
    return values


def _problems(values: Mapping[str, str]) -> Iterator[str]:
    if len(values) > MAX_PARAMETERS:
        yield (
            f"{len(values)} parameters are filled, and EventBridge passes at most {MAX_PARAMETERS}"
        )
    for name, value in values.items():
        if not PARAMETER_NAME.fullmatch(name):
            yield (
                f"the parameter {name!r} is not a name that EventBridge accepts; write 1 to 256 "
                "letters, digits and inner hyphens"
            )
        if Token.is_unresolved(value):
            continue
        if len(value) > MAX_VALUE_LENGTH:
            yield (
                f"the value of the parameter {name!r} has {len(value)} characters, and "
                f"EventBridge passes at most {MAX_VALUE_LENGTH}"
            )
        if "$." in value and not _PATH.fullmatch(value):
            yield (
                f"the value {value!r} of the parameter {name!r} contains a path, and EventBridge "
                "replaces a path only if it is the whole value; pass it alone, and join the parts "
                "in the pipeline definition"
            )


def _check_queue(queue: sqs.IQueue) -> None:
    if queue.fifo:
        raise ValueError(
            f"dead_letter_queue {queue.node.path!r} is a FIFO queue, and EventBridge writes to "
            "standard queues only"
        )
    if queue.encryption_type == sqs.QueueEncryption.KMS_MANAGED:
        raise ValueError(
            f"dead_letter_queue {queue.node.path!r} is encrypted with the key alias/aws/sqs, which "
            "EventBridge can't use; encrypt it with SQS_MANAGED or with a customer key"
        )


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _it(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"
