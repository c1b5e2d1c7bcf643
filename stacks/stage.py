"""The stages that cdk.json describes: where each is deployed, how large, and how strict."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from aws_cdk import aws_logs as logs
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)

from model_packaging.models.model_objects import overlap
from model_packaging.models.training_job import MODEL_SUFFIX
from model_packaging.monitoring.alarms import RUNBOOK
from model_packaging.monitoring.execution_notifications import ExecutionEnd
from model_packaging.step import InvalidConfigError
from model_packaging.step.sdk.sklearn_image import require_region
from model_packaging.step.service_model import closest
from model_packaging.step.settings.instances import DEFAULT_INSTANCE_TYPE, DEFAULT_VOLUME_SIZE
from model_packaging.step.settings.job import DEFAULT_RUNTIME_IN_SECONDS
from model_packaging.step.settings.sagemaker_shapes import InstanceType, SageMakerShape, Subnets
from model_packaging.step.settings.strict import StrictInteger, StrictNumber, StrictTruth
from stacks import default_names
from stacks.clashes import clashes
from stacks.key_filters import job_name_prefix, key_prefix, upload_prefix
from stacks.registration_settings import made_group, registration_problems
from stacks.step_settings import step_problems

TriggerKind = Literal["upload", "training-job", "upload-or-training-job"]

_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[a-z0-9-]+")

# botocore's model of iam: policyNameType, policyPathType. AWS's own policies have no account.
_BOUNDARY = re.compile(
    r"(arn:aws[a-z-]*:iam::(?P<account>\d{12}|aws):policy/)?([\w+=,.@-]+/)*[\w+=,.@-]{1,128}",
    re.ASCII,
)


def _matches(pattern: str, what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{value!r} is not {what}")
        return value

    return AfterValidator(check)


def _region(value: str) -> str:
    require_region(value)
    return value


def _customer_key(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, str) and _KEY_ARN.fullmatch(value)):
        return value
    raise ValueError(
        f"{value!r} is no key; write true to make one, false for S3-managed encryption, or "
        "'arn:aws:kms:<region>:<account>:key/<id>'"
    )


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError(f"{value!r} is empty; write a name that people know, such as 'fraud-team'")
    return value


def _bootstrap_key(value: str) -> str:
    if _KEY_ARN.fullmatch(value):
        return value
    raise ValueError(
        f"{value!r} is no key; write 'arn:aws:kms:<region>:<account>:key/<id>', the key that you "
        "gave to `cdk bootstrap`; one that `cdk bootstrap` made needs no setting"
    )


def _boundary(value: str) -> str:
    if _BOUNDARY.fullmatch(value):
        return value
    raise ValueError(
        f"{value!r} is no managed policy; write its name, with its path if it has one, or "
        "'arn:aws:iam::<account>:policy/<name>'"
    )


def _log_retention(value: str) -> str:
    known = [days.name for days in logs.RetentionDays]
    if value not in known:
        raise ValueError(f"{value!r} is none of them; write one of {', '.join(known)}")
    return value


TagOfTheStage = Annotated[str, SageMakerShape("TagValue"), AfterValidator(_not_blank)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sizes(_Settings):
    """The packaging job's instance.

    Attributes:
        instance_type: Its type.
        volume_size: Its volume, in GB.
        max_runtime_in_seconds: When SageMaker stops the job.
    """

    instance_type: InstanceType = DEFAULT_INSTANCE_TYPE
    volume_size: StrictInteger = Field(default=DEFAULT_VOLUME_SIZE, ge=10, le=1000)
    max_runtime_in_seconds: Annotated[
        StrictInteger, SageMakerShape("ProcessingMaxRuntimeInSeconds")
    ] = DEFAULT_RUNTIME_IN_SECONDS


class Trigger(_Settings):
    """What starts the pipeline.

    Attributes:
        kind: ``upload`` of an archive, ``training-job`` that completed, or either.
        enabled: Whether events start the pipeline.
        prefix: Beginning of the keys of uploads that count.
        suffix: End of the keys of uploads that count.
        check_size: Whether an upload's size travels with its event, and the job refuses a model of
            another one. No document of AWS says that a number of an event fills a pipeline
            parameter, so it is your choice; the smoke test asks.
        training_prefix: Where training jobs write their models.
        training_job_name_prefix: Beginning of the names of training jobs that count. Required
            where they start the pipeline.
    """

    kind: TriggerKind = "upload"
    enabled: StrictTruth = True
    prefix: Annotated[str, AfterValidator(upload_prefix)] = "models/"
    suffix: str = ".tar.gz"
    check_size: StrictTruth = False
    training_prefix: Annotated[str, AfterValidator(key_prefix)] = "training/"
    training_job_name_prefix: Annotated[str, AfterValidator(job_name_prefix)] | None = None

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> "Trigger":
        uploads = {"prefix", "suffix", "check_size"}
        training = {"training_prefix", "training_job_name_prefix"}
        unused = {"upload": training, "training-job": uploads}.get(self.kind, set())
        if given := sorted(unused & self.model_fields_set):
            raise ValueError(
                f"{', '.join(given)} has no meaning for the kind {self.kind!r}; leave it out, or "
                "write the kind 'upload-or-training-job'"
            )
        if self.kind != "upload" and not self.training_job_name_prefix:
            raise ValueError(
                f"the kind {self.kind!r} needs training_job_name_prefix; write the beginning of "
                "the training jobs' names, such as 'churn-'"
            )
        if (
            self.kind == "upload-or-training-job"
            and overlap(self.prefix, self.training_prefix)
            and overlap(self.suffix[::-1], MODEL_SUFFIX[::-1])
        ):
            raise ValueError(
                f"prefix {self.prefix!r} and training_prefix {self.training_prefix!r} begin alike: "
                "the pipeline would start twice for a training job's model; write two folders"
            )
        return self


class Bucket(_Settings):
    """The artifact bucket.

    Attributes:
        access_logs: Whether a second bucket keeps the server access logs.
        keep_old_versions_days: Days that an overwritten or deleted version stays.
        delete_packages_after_days: Age at which packages are deleted. Default: never.
        deny_other_encryption: Whether, without a customer key, an upload of a model that asks for
            another encryption than S3's own is denied: its ETag is then sure to be an MD5, and the
            job compares the model with it.
    """

    access_logs: StrictTruth = True
    keep_old_versions_days: StrictInteger = Field(default=90, ge=1)
    delete_packages_after_days: StrictInteger | None = Field(default=None, ge=1)
    deny_other_encryption: StrictTruth = True


class Alarms(_Settings):
    """Who is told when something is wrong, and of what.

    Attributes:
        emails: Addresses that are subscribed; each must confirm the message that SNS sends.
        topic_arn: An existing topic instead of one that is made, without subscriptions.
        duration_share: Share of the longest runtime from which on a job raises an alarm.
        days_without_execution: Days without an execution that raise an alarm. Default: none do.
        executions: Ends of executions that are told to the same people: ``Succeeded``, ``Failed``,
            ``Stopped``. Default: none; of a failure, an alarm tells.
        runbook: What the name of an alarm's page comes after, in the alarm's description. Default:
            where this project has them.
    """

    emails: tuple[Annotated[str, _matches(r"[^@\s]+@[^@\s]+", "an e-mail address")], ...] = ()
    topic_arn: (
        Annotated[
            str,
            _matches(
                r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+",
                "a topic; write 'arn:aws:sns:<region>:<account>:<name>'",
            ),
        ]
        | None
    ) = None
    duration_share: StrictNumber = Field(default=0.8, gt=0, le=1)
    days_without_execution: StrictInteger | None = Field(default=None, ge=1, le=7)
    executions: tuple[ExecutionEnd, ...] = ()
    runbook: Annotated[
        str,
        _matches(
            r"\S{1,500}/", "where pages are; write 'https://wiki.example.com/runbook/', ending so"
        ),
    ] = RUNBOOK

    @model_validator(mode="after")
    def _topic_has_its_own_subscriptions(self) -> "Alarms":
        if self.emails and self.topic_arn:
            raise ValueError(
                "emails and topic_arn are both given; subscribe people to that topic where it is "
                "made, and leave emails out"
            )
        return self


class Network(_Settings):
    """An existing VPC that the job runs in.

    Attributes:
        vpc_id: The VPC.
        availability_zones: The subnets' zones, in the same order.
        subnets: The job's private subnets.
        route_tables: Their route tables, in the same order. Needed for ``s3_endpoint``.
        s3_endpoint: Whether to make a gateway endpoint for S3. Default: the VPC has a way to S3.
        s3_prefix_list_id: The region's prefix list of S3: HTTPS then goes out to S3 only.
        confined_permissions: Whether the job may attach network interfaces in these subnets alone.
            SageMaker's documentation advises against it: try it before you rely on it.
    """

    vpc_id: Annotated[str, _matches(r"vpc-[0-9a-f]{8,17}", "the id of a VPC, 'vpc-…'")]
    availability_zones: tuple[str, ...] = Field(min_length=1)
    subnets: Subnets = Field(min_length=1)
    route_tables: tuple[str, ...] = ()
    s3_endpoint: StrictTruth = False
    s3_prefix_list_id: (
        Annotated[str, _matches(r"pl-[0-9a-f]{8,17}", "the id of a prefix list, 'pl-…'")] | None
    ) = None
    confined_permissions: StrictTruth = False

    @model_validator(mode="after")
    def _lists_are_parallel(self) -> "Network":
        count = len(self.subnets)
        if len(self.availability_zones) != count:
            raise ValueError(
                f"{count} subnets and {len(self.availability_zones)} availability_zones are "
                "given; write the zone of each subnet"
            )
        if len(self.route_tables) not in (0, count):
            raise ValueError(
                f"{count} subnets and {len(self.route_tables)} route_tables are given; write the "
                "route table of each subnet, or none"
            )
        if self.s3_endpoint and not self.route_tables:
            raise ValueError("s3_endpoint needs route_tables; write the one of each subnet")
        return self


class StageSettings(_Settings):
    """One stage: all that differs between a trial and production.

    The defaults are those of production. Without a customer key or access logs, the rule packs let
    a stage pass only if it holds nothing of value: with ``removal_policy`` ``destroy``.

    Attributes:
        stack_name: Name of the stack in CloudFormation. Default: ``ModelPackaging-<stage>``.
        pipeline_name: Name of the pipeline. Default: ``model-packaging-<stage>``.
        account: AWS account that the stage belongs to. Default: that of the credentials.
        region: Its region. Default: that of the environment.
        owner: Who answers for it: a tag of everything.
        cost_centre: Who pays for it: a tag of everything.
        removal_policy: ``retain`` keeps the buckets and keys when the stack is deleted, ``destroy``
            deletes them with all objects.
        termination_protection: Whether CloudFormation refuses to delete the stack.
        inference_scripts: Folder of the scripts that ship in ``code/``, relative to the project.
        customer_key: Encrypt bucket, queue, alarms and the job's volumes with a customer-managed
            KMS key: one that is made, or the one with an ARN; False leaves it to the services'
            own keys.
        bootstrap_key: ARN of the customer-managed KMS key that you gave to `cdk bootstrap`: the
            job reads its scripts from the bucket that it encrypts. Default: none, or the one that
            `cdk bootstrap` made, whose policy lets everybody of the account read.
        permissions_boundary: Managed policy that bounds every role of the stack, by its name or
            ARN. Default: none.
        operators_policy: Whether to make a managed policy for the people who run the stage: what
            the commands need. Default: they have permissions of their own.
        bucket: The artifact bucket.
        sizes: The packaging job's instance.
        packaging: Further settings of the packaging step: what ``PackageStepConfig`` takes, but for
            what the stack says itself. Folders are relative to the project.
        registration: The registration of each package in the SageMaker Model Registry: what
            ``ModelRegistrationConfig`` takes. Default: packages are not registered.
        trigger: What starts the pipeline.
        alarms: Alarms and a dashboard. Default: none.
        log_retention: How long the logs of **all** processing jobs of account and region are kept,
            as the CDK's ``RetentionDays`` names it; sizes and throughput then reach the
            dashboard. Default: the log group is left as it is.
        network: The VPC that the job runs in. Default: SageMaker's own.
    """

    stack_name: Annotated[
        str,
        _matches(
            r"[A-Za-z][A-Za-z0-9-]{0,127}",
            "the name of a stack; write letters, digits and hyphens, a letter first",
        ),
    ]
    pipeline_name: Annotated[str, SageMakerShape("PipelineName")]
    account: Annotated[str, _matches(r"\d{12}", "an AWS account; write its 12 digits")] | None = (
        None
    )
    region: Annotated[str, AfterValidator(_region)] | None = None
    owner: TagOfTheStage
    cost_centre: TagOfTheStage
    removal_policy: Literal["retain", "destroy"] = "retain"
    termination_protection: StrictTruth = True
    inference_scripts: str = "scripts/inference"
    customer_key: Annotated[bool | str, PlainValidator(_customer_key)] = True
    bootstrap_key: Annotated[str, AfterValidator(_bootstrap_key)] | None = None
    permissions_boundary: Annotated[str, AfterValidator(_boundary)] | None = None
    operators_policy: StrictTruth = False
    bucket: Bucket = Bucket()
    sizes: Sizes = Sizes()
    packaging: dict[str, Any] = {}
    registration: dict[str, Any] | None = None
    trigger: Trigger = Trigger()
    alarms: Alarms | None = None
    log_retention: Annotated[str, AfterValidator(_log_retention)] | None = None
    network: Network | None = None

    @model_validator(mode="after")
    def _boundary_is_of_the_account(self) -> "StageSettings":
        named = _BOUNDARY.fullmatch(self.permissions_boundary or "")
        owner = named["account"] if named else None
        if self.account and owner not in (None, "aws", self.account):
            raise ValueError(
                f"permissions_boundary is a policy of the account {owner}, and account is "
                f"{self.account}; name a policy of that account, or AWS's own"
            )
        return self

    def tags(self, stage: str) -> dict[str, str]:
        """Tags of everything in the stack.

        Args:
            stage: Name of the stage.
        """
        return {"stage": stage, "owner": self.owner, "cost-centre": self.cost_centre}

    def problems(self) -> list[str]:
        """What settings, each valid, have against each other and against the packaging step."""
        return [
            *step_problems(self),
            *registration_problems(self),
            *clashes(self),
        ]


def read_stage(name: str, stages: Mapping[str, Mapping[str, Any]]) -> StageSettings:
    """Choose a stage, after a check of all of them.

    Args:
        name: Name of the stage.
        stages: Settings by the name of their stage, as they stand in ``cdk.json``.

    Raises:
        InvalidConfigError: There is no such stage, or a stage has a setting that can't work, or
            two would deploy the same stack or pipeline.
    """
    if name not in stages:
        near = closest(name, list(stages))
        hint = f"did you mean {near!r}?" if near else "write another"
        known = ", ".join(stages)
        raise InvalidConfigError(
            [f"stage: {name!r} is given, but there is no such stage; {hint} (there are {known})"],
            what="The context",
        )
    read: dict[str, StageSettings] = {}
    problems: list[str] = []
    for stage, given in stages.items():
        names = {
            "stack_name": default_names.stack_name(stage),
            "pipeline_name": default_names.pipeline_name(stage),
        }
        try:
            read[stage] = StageSettings.model_validate(names | dict(given))
            problems += [f"{stage}.{problem}" for problem in read[stage].problems()]
        except ValidationError as error:
            faults = InvalidConfigError.of(StageSettings, error).problems
            problems += [f"{stage}.{fault}" for fault in faults]
    problems += _collisions(read)
    if problems:
        raise InvalidConfigError(problems, what="stages in cdk.json")
    return read[name]


def _collisions(stages: Mapping[str, StageSettings]) -> list[str]:
    named: dict[str, Callable[[StageSettings], str | None]] = {
        "stack_name": lambda settings: settings.stack_name,
        "pipeline_name": lambda settings: settings.pipeline_name,
        "registration.model_package_group": made_group,
    }
    problems = []
    for setting, name_of in named.items():
        taken: dict[tuple[str | None, ...], str] = {}
        for stage, settings in stages.items():
            name = name_of(settings)
            if name is None:
                continue
            place = (settings.account, settings.region, name)
            if place in taken:
                problems.append(
                    f"{stage}.{setting}: {name!r} is that of the stage {taken[place]!r} too, "
                    "in the same account and region; write another"
                )
            taken.setdefault(place, stage)
    return problems
