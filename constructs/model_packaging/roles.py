"""The roles of the pipeline: one that starts its jobs, one that the packaging job assumes."""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from aws_cdk import Annotations, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct, DependencyGroup, IDependable

from model_packaging.acknowledgements import acknowledge_inline_policy, acknowledge_wildcards
from model_packaging.step import contract

JobType = Literal["processing", "training"]

_API_NAMES = {"processing": "ProcessingJob", "training": "TrainingJob"}
_LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
# One reason for several statements: a role's findings about "*" have one id.
_NO_RESOURCE = (
    "These actions have no resource to name: ecr:GetAuthorizationToken opens the registry, not a "
    "repository; cloudwatch:PutMetricData is confined to the namespace of processing jobs; EC2's "
    "Describe actions, granted with a VPC only, read."
)
_KEY_ARN = re.compile(r"arn:[^:]+:kms:[^:]+:[^:]+:key/[^*?]+")


class PackagingRoles(Construct):
    """The pipeline's role and the processing job's role, each with what it does and no more.

    Sources: "IAM Access Management" of SageMaker Pipelines for the pipeline's role, "How to use
    SageMaker AI execution roles", section CreateProcessingJob, for the job's, and "Cross-service
    confused deputy prevention" of SageMaker for who may assume them.

    A role that is given gets the same grants as one that is made. Who may assume it isn't
    changed: it must trust ``sagemaker.amazonaws.com``. A given role that can't be changed (of
    another account, or imported with ``mutable=False``) gets nothing; every statement that it
    must already have is then a warning of the synth.

    Args:
        image_repository_arn: ARN of the ECR repository that holds the job's container.
        pipeline_name: Name of the pipeline that may assume its role. Default: any of the account.
        step_name: Name of the packaging step, by which its jobs are known.
        pipeline_role: An existing role for the pipeline. Default: one is made.
        job_role: An existing role for the job. Default: one is made.

    Attributes:
        pipeline_role: Creates, describes, stops and tags the step's jobs and passes them
            ``job_role``.
        job_role: Pulls the container, writes logs and metrics. What else it may use is granted
            with the ``grant_…`` methods.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image_repository_arn: str,
        pipeline_name: str | None = None,
        step_name: str = contract.PACKAGING_STEP,
        pipeline_role: iam.IRole | None = None,
        job_role: iam.IRole | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._policies = DependencyGroup()
        self.job_role = job_role or self._build_job_role()
        self.pipeline_role = pipeline_role or self._build_pipeline_role(pipeline_name)
        self._grant_container(image_repository_arn)
        self._grant_logs_and_metrics()
        self.allow_jobs("processing", self.job_role.role_arn, step_name=step_name)

    @property
    def policies(self) -> list[IDependable]:
        """The roles' policies, later grants included: what an execution must find in place."""
        return [self._policies]

    def grant_read(self, bucket_arn: str, *key_patterns: str) -> None:
        """Let the job read the objects of a bucket whose keys match one of the patterns.

        A processing input is a prefix: SageMaker lists the bucket below it, then reads.

        Args:
            bucket_arn: ARN of the bucket.
            *key_patterns: Keys, or prefixes that end in ``*``.
        """
        self._allow(
            self.job_role,
            actions=["s3:GetObject"],
            resources=[f"{bucket_arn}/{pattern}" for pattern in key_patterns],
            wildcards="Whoever brings a model names it: its key is known at run time only. The "
            "prefix confines it.",
        )
        self._allow(
            self.job_role,
            actions=["s3:ListBucket"],
            resources=[bucket_arn],
            conditions={"StringLike": {"s3:prefix": list(key_patterns)}},
        )

    def grant_write(self, objects_arn: str) -> None:
        """Let the job write objects.

        Args:
            objects_arn: ARN of the objects, ending in ``/*``.
        """
        self._allow(
            self.job_role,
            actions=["s3:AbortMultipartUpload", "s3:PutObject"],
            resources=[objects_arn],
            wildcards="Each execution writes below its own id, which is known at run time only. "
            "The prefix is this pipeline's.",
        )

    def grant_key(self, key: kms.IKey | str, *, write: bool = True) -> None:
        """Let the job use the key of a bucket, through S3 only.

        Source: "Using server-side encryption with AWS KMS keys" of S3, section Permissions.

        Args:
            key: The key or its ARN. A key of another account must allow the role in its own
                policy as well.
            write: Whether the job writes to the bucket. Default: it does. Parts of an upload are
                decrypted again when they are put together, so writing needs both actions.

        Raises:
            ValueError: The text isn't the ARN of a key.
        """
        self._allow(
            self.job_role,
            actions=["kms:Decrypt", *(["kms:GenerateDataKey"] if write else [])],
            resources=[_key_arn(key)],
            # In China, the name of the service ends in amazonaws.com.cn.
            conditions={
                "StringLike": {"kms:ViaService": f"s3.{Stack.of(self).region}.amazonaws.com*"}
            },
        )

    def grant_output_key(self, key: kms.IKey | str) -> None:
        """Let the job encrypt its output with a key that the step names (``output_kms_key``).

        Args:
            key: As for :meth:`grant_key`.

        Raises:
            ValueError: The text isn't the ARN of a key.
        """
        self.grant_key(key)
        # SageMaker asks for it as itself, not through S3 ("ProcessingOutputConfig", KmsKeyId).
        self._allow(self.job_role, actions=["kms:Encrypt"], resources=[_key_arn(key)])

    def grant_volume_key(self, key: kms.IKey | str) -> None:
        """Let the job's instances encrypt their volumes with a key (``volume_kms_key``).

        Args:
            key: As for :meth:`grant_key`.

        Raises:
            ValueError: The text isn't the ARN of a key.
        """
        self._allow(
            self.job_role,
            actions=["kms:CreateGrant"],
            resources=[_key_arn(key)],
            # A grant for an AWS service, never one that the role could hand to anyone else.
            conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}},
        )

    def grant_network(
        self,
        *,
        subnet_ids: Sequence[str],
        security_group_ids: Sequence[str],
        subnet_account: str | None = None,
    ) -> None:
        """Let the job attach network interfaces in a VPC's subnets. Not needed without a VPC.

        Sources: "CreateProcessingJob API: Execution Role Permissions" for the actions; "Actions,
        resources, and condition keys for Amazon EC2" for what confines them.

        Args:
            subnet_ids: The job's subnets.
            security_group_ids: The job's security groups.
            subnet_account: Account of the subnets when they are shared with this one. Default:
                this account.

        Raises:
            ValueError: There is no subnet or no security group.
        """
        for name, ids in (("subnet_ids", subnet_ids), ("security_group_ids", security_group_ids)):
            if not ids:
                raise ValueError(f"{name} is empty: a job in a VPC needs at least one")
        unnamed = "An interface gets its id when it is made; its subnet and groups confine it."
        interfaces = self._arn("ec2", "network-interface", "*")
        subnets = [
            self._arn("ec2", "subnet", subnet, account=subnet_account) for subnet in subnet_ids
        ]
        groups = [self._arn("ec2", "security-group", group) for group in security_group_ids]
        self._allow(
            self.job_role,
            actions=["ec2:CreateNetworkInterface"],
            resources=[interfaces, *subnets, *groups],
            wildcards=unnamed,
        )
        self._allow(
            self.job_role,
            actions=[
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
            ],
            resources=[interfaces],
            wildcards=unnamed,
            conditions={"ArnEquals": {"ec2:Subnet": subnets}},
        )
        self._allow(
            self.job_role,
            actions=[
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ],
            resources=["*"],
            wildcards=_NO_RESOURCE,
        )

    def allow_jobs(self, job_type: JobType, *role_arns: str, step_name: str | None = None) -> None:
        """Let the pipeline run the jobs of one more step, such as a training step before ours.

        Args:
            job_type: What the step runs: ``processing`` or ``training``.
            *role_arns: The roles that its jobs assume; the pipeline may pass exactly these.
            step_name: Name of the step. Default: every step of the type.

        Raises:
            ValueError: The type is unknown, no role is given, or one has a wildcard.
        """
        if job_type not in _API_NAMES:
            raise ValueError(f"job_type {job_type!r} is unknown; use one of {sorted(_API_NAMES)}")
        if not role_arns:
            raise ValueError(
                f"no role for the {job_type} jobs; give the ARN of the role that they assume"
            )
        if wild := [arn for arn in role_arns if "*" in arn or "?" in arn]:
            raise ValueError(
                f"role ARN {wild[0]!r} has a wildcard: the pipeline could pass roles that nobody "
                "meant; name each role"
            )
        name = _API_NAMES[job_type]
        self._allow(
            self.pipeline_role,
            actions=[
                "sagemaker:AddTags",
                f"sagemaker:Create{name}",
                f"sagemaker:Describe{name}",
                f"sagemaker:Stop{name}",
            ],
            resources=[
                self._arn("sagemaker", f"{job_type}-job", f"pipelines-*{step}")
                for step in _job_name_parts(step_name)
            ],
            wildcards="SageMaker names the jobs: an execution's id is part of the name and known "
            "at run time only. The service's prefix and the step's name confine it.",
        )
        self._allow(
            self.pipeline_role,
            actions=["iam:PassRole"],
            resources=list(role_arns),
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        )

    def _build_job_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "JobRole",
            description="Assumed by the packaging job: reads the model and the scripts, "
            "writes the package.",
            assumed_by=self._sagemaker_for(self._arn("sagemaker", "processing-job", "pipelines-*")),
        )
        acknowledge_inline_policy(role)
        return role

    def _build_pipeline_role(self, pipeline_name: str | None) -> iam.Role:
        role = iam.Role(
            self,
            "PipelineRole",
            description="Assumed by the pipeline: creates its processing jobs.",
            # The documented form: an execution's own ARN is not allowed here.
            assumed_by=self._sagemaker_for(
                *(
                    self._arn("sagemaker", "pipeline", f"{name}/*" if name else "*")
                    for name in _spellings(pipeline_name or "")
                )
            ),
        )
        acknowledge_inline_policy(role)
        return role

    def _sagemaker_for(self, *source_arns: str) -> iam.PrincipalBase:
        return iam.ServicePrincipal("sagemaker.amazonaws.com").with_conditions(
            {
                "ArnLike": {"aws:SourceArn": list(source_arns)},
                "StringEquals": {"aws:SourceAccount": Stack.of(self).account},
            }
        )

    def _grant_container(self, image_repository_arn: str) -> None:
        self._allow(
            self.job_role,
            actions=[
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ],
            resources=[image_repository_arn],
        )
        self._allow(
            self.job_role,
            actions=["ecr:GetAuthorizationToken"],
            resources=["*"],
            wildcards=_NO_RESOURCE,
        )

    def _grant_logs_and_metrics(self) -> None:
        group = self._arn("logs", "log-group", _LOG_GROUP, sep=":")
        self._allow(
            self.job_role,
            actions=[
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            resources=[group, f"{group}:*"],
            wildcards="CloudWatch Logs compares a group's ARN with ':*' at its end, and its "
            "streams'. The group is named.",
        )
        self._allow(
            self.job_role,
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            wildcards=_NO_RESOURCE,
            conditions={"StringEquals": {"cloudwatch:namespace": _LOG_GROUP}},
        )

    def _allow(
        self, role: iam.IRole, *, resources: Sequence[str], wildcards: str = "", **statement: Any
    ) -> None:
        """Add a statement; ``wildcards`` is why not each of its resources has a name."""
        acknowledge_wildcards(role, wildcards, resources)
        allowed = iam.PolicyStatement(resources=list(resources), **statement)
        policy = role.add_to_principal_policy(allowed).policy_dependable
        assert policy is not None  # noqa: S101  # every role has one; narrows the type
        self._policies.add(policy)
        # An immutable role reports success too, but no policy comes of it.
        if not isinstance(role, iam.Role | iam.LazyRole) and not isinstance(policy, iam.Policy):
            needed = Stack.of(self).resolve(allowed.to_statement_json())
            Annotations.of(self).add_warning_v2(
                "model-packaging:roleNotChanged",
                f"{role.node.path} can't be changed from this stack; it must already have the "
                f"statement {json.dumps(needed)}",
            )

    def _arn(
        self, service: str, resource: str, name: str, *, account: str | None = None, sep: str = "/"
    ) -> str:
        stack = Stack.of(self)
        owner = f"{stack.region}:{account or stack.account}"
        return f"arn:{stack.partition}:{service}:{owner}:{resource}{sep}{name}"


def _key_arn(key: kms.IKey | str) -> str:
    arn = key if isinstance(key, str) else key.key_arn
    if not Token.is_unresolved(arn) and not _KEY_ARN.fullmatch(arn):
        raise ValueError(
            f"{arn!r} isn't the ARN of a KMS key; write arn:aws:kms:<region>:<account>:key/<id>, "
            "since a policy can't name a key by its alias or its id"
        )
    return arn


def _job_name_parts(step_name: str | None) -> list[str]:
    """What follows ``pipelines-*`` in the names of a step's jobs.

    "Customize access management for Pipelines jobs": the name of a job is
    ``pipelines-<execution id>-<step name, 20 characters>-<token>-<retries>``.
    """
    if step_name is None:
        return [""]
    return [f"-{name}-*" for name in _spellings(step_name[:20])]


def _spellings(name: str) -> list[str]:
    # SageMaker has written names in lower case in ARNs; policies compare exactly.
    return [name] if Token.is_unresolved(name) else list(dict.fromkeys((name, name.lower())))
