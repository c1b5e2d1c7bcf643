"""What the roles of a packaging pipeline may be granted, each capability with its source."""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal, cast

from aws_cdk import Annotations, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct, DependencyGroup, IConstruct, IDependable

from model_packaging.acknowledgements import acknowledge_wildcards
from model_packaging.arns import Arns, spellings

JobType = Literal["processing", "training"]

_API_NAMES = {"processing": "ProcessingJob", "training": "TrainingJob"}
_LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
# One reason for several statements: a role's findings about "*" have one id.
_NO_RESOURCE = (
    "These actions have no resource to name: ecr:GetAuthorizationToken opens the registry, not a "
    "repository; cloudwatch:PutMetricData is confined to the namespace of processing jobs; EC2's "
    "actions, granted with a VPC only, are documented without a resource."
)
_BY_EXECUTION = (
    "Each execution writes below its own id, which is known at run time only. The prefix is this "
    "pipeline's."
)
_KEY_ARN = re.compile(r"arn:[^:]+:kms:[^:]+:[^:]+:key/[^*?]+")


class PackagingGrants:
    """Grants each capability that a packaging pipeline needs to whom you say.

    A role that can't be changed (of another account, or imported with ``mutable=False``) gets
    nothing; every statement that it must already have is then a warning of the synth.

    Args:
        scope: A construct of the stack whose account and region the resources are in.
    """

    def __init__(self, scope: Construct) -> None:
        self._scope = scope
        self._account = Stack.of(scope).account
        self._arns = Arns(Stack.of(scope))
        self._granted = DependencyGroup()

    @property
    def policies(self) -> list[IDependable]:
        """All that was granted, and will be: what an execution must find in place."""
        return [self._granted]

    def read(self, grantee: iam.IGrantable, bucket_arn: str, *key_patterns: str) -> iam.Grant:
        """Let a job read the objects of a bucket whose keys match one of the patterns.

        A processing input is a prefix: SageMaker lists the bucket below it, then reads.

        Args:
            grantee: Who may.
            bucket_arn: ARN of the bucket.
            *key_patterns: Keys, or prefixes that end in ``*``.
        """
        return self._read(
            grantee,
            bucket_arn,
            key_patterns,
            wildcards="Whoever brings a model names it: its key is known at run time only. The "
            "prefix confines it.",
        )

    def read_assets(
        self,
        grantee: iam.IGrantable,
        asset: s3_assets.Asset,
        *others: s3_assets.Asset,
        account: str | None = None,
    ) -> iam.Grant:
        """Let a job read scripts, and whatever else ships as an asset of the stack.

        Below the prefix that the stack's synthesizer gives its assets (``bucket_prefix``, ending
        in a slash), the job may read all that ends as one of these does, of earlier and later
        versions too: a changed script changes no permission, and an execution that started before
        it keeps its own. Without such a prefix, the job may read these very assets.

        The name of the bootstrap's bucket can be guessed. Had somebody else claimed it, their
        scripts would run with this role; so the bucket must belong to the account. Source: "AWS
        global condition context keys" of IAM, ``aws:ResourceAccount``; AWS's own policy
        AmazonSageMakerClusterInstanceRolePolicy asks the same of its reads.

        Args:
            grantee: Who may.
            asset: An asset of the stack.
            *others: Others of the same stack.
            account: Account that the assets' bucket is in. Default: the stack's.
        """
        keys = [_versions_of(one) for one in (asset, *others)]
        return self._read(
            grantee,
            asset.bucket.bucket_arn,
            list(dict.fromkeys(keys)),
            wildcards="Every version of a script has a key of its own: permissions that named it "
            "would change with each edit, and take the scripts from executions in flight. The "
            "prefix is this stack's.",
            conditions={"StringEquals": {"aws:ResourceAccount": account or self._account}},
        )

    def read_packages(
        self, grantee: iam.IGrantable, bucket_arn: str, key_pattern: str
    ) -> iam.Grant:
        """Let a job read the packages that a pipeline has made.

        Args:
            grantee: Who may.
            bucket_arn: ARN of the bucket.
            key_pattern: Prefix of the packages, ending in ``*``.
        """
        return self._read(grantee, bucket_arn, [key_pattern], wildcards=_BY_EXECUTION)

    def read_results(self, grantee: iam.IGrantable, objects_arn: str) -> iam.Grant:
        """Let a pipeline read one file of each execution.

        ``JsonGet`` reads the package report by the pipeline's role: "IAM Access Management" of
        SageMaker Pipelines. So does ``CreateModelPackage`` the package: without it, the service
        answers "Access denied for bucket".

        Args:
            grantee: The pipeline's role.
            objects_arn: ARN of the files.
        """
        return self._grant(
            grantee, actions=["s3:GetObject"], resources=[objects_arn], wildcards=_BY_EXECUTION
        )

    def register_models(self, grantee: iam.IGrantable, group_arn: str) -> iam.Grant:
        """Let a pipeline register versions of one model package group.

        A version has an ARN of its own, below the group's name: "Model Registry Models, Model
        Versions, and Model Groups". "Actions, resources, and condition keys for Amazon SageMaker"
        names group and version for ``CreateModelPackage``, and the version for the others.

        Args:
            grantee: The pipeline's role.
            group_arn: ARN of the group.
        """
        of, _, name = group_arn.rpartition(":model-package-group/")
        names = spellings(name)
        groups = [f"{of}:model-package-group/{name}" for name in names]
        versions = [f"{of}:model-package/{name}/*" for name in names]
        numbered = "SageMaker numbers the versions of a group. The group is named."
        registering = self._grant(
            grantee,
            actions=["sagemaker:CreateModelPackage"],
            resources=[*groups, *versions],
            wildcards=numbered,
        )
        told = self._grant(
            grantee,
            actions=["sagemaker:AddTags", "sagemaker:DescribeModelPackage"],
            resources=versions,
            wildcards=numbered,
        )
        return registering.combine(told)

    def ask_for_group(self, grantee: iam.IGrantable, group_arn: str) -> iam.Grant:
        """Let a pipeline ask for a group to be made that there is already.

        The step does so before it registers a version of a group that it knows by name. It goes on
        when it is told that there is one, and fails when it may not ask. No document says so;
        CloudTrail shows it of real executions, with a tag of the execution.

        Args:
            grantee: The pipeline's role.
            group_arn: ARN of the group.
        """
        place, _, name = group_arn.rpartition("/")
        return self._grant(
            grantee,
            actions=["sagemaker:AddTags", "sagemaker:CreateModelPackageGroup"],
            resources=[f"{place}/{one}" for one in spellings(name)],
        )

    def write(self, grantee: iam.IGrantable, objects_arn: str) -> iam.Grant:
        """Let a job write objects.

        Args:
            grantee: Who may.
            objects_arn: ARN of the objects, ending in ``/*``.
        """
        return self._grant(
            grantee,
            actions=["s3:AbortMultipartUpload", "s3:PutObject"],
            resources=[objects_arn],
            wildcards=_BY_EXECUTION,
        )

    def use_key(
        self, grantee: iam.IGrantable, key: kms.IKey | str, *, write: bool = True
    ) -> iam.Grant:
        """Let a job use the key of a bucket, through S3 only.

        Source: "Using server-side encryption with AWS KMS keys" of S3, section Permissions.

        Args:
            grantee: Who may.
            key: The key or its ARN. A key of another account must allow the role in its own
                policy as well.
            write: Whether the job writes to the bucket. Default: it does. Parts of an upload are
                decrypted again when they are put together, so writing needs both actions.

        Raises:
            ValueError: The text isn't the ARN of a key.
        """
        region = Stack.of(self._scope).region
        return self._grant(
            grantee,
            actions=["kms:Decrypt", *(["kms:GenerateDataKey"] if write else [])],
            resources=[_key_arn(key)],
            # In China, the name of the service ends in amazonaws.com.cn.
            conditions={"StringLike": {"kms:ViaService": f"s3.{region}.amazonaws.com*"}},
        )

    def encrypt_output(self, grantee: iam.IGrantable, key: kms.IKey | str) -> iam.Grant:
        """Let a job encrypt its output with a key that the step names (``output_kms_key``).

        Args:
            grantee: Who may.
            key: As for :meth:`use_key`.

        Raises:
            ValueError: The text isn't the ARN of a key.
        """
        through_s3 = self.use_key(grantee, key)
        # SageMaker asks for it as itself, not through S3 ("ProcessingOutputConfig", KmsKeyId).
        itself = self._grant(grantee, actions=["kms:Encrypt"], resources=[_key_arn(key)])
        return through_s3.combine(itself)

    def encrypt_volume(self, grantee: iam.IGrantable, key: kms.IKey | str) -> iam.Grant:
        """Let a job's instances encrypt their volumes with a key (``volume_kms_key``).

        Args:
            grantee: Who may.
            key: As for :meth:`use_key`.

        Raises:
            ValueError: The text isn't the ARN of a key.
        """
        return self._grant(
            grantee,
            actions=["kms:CreateGrant"],
            resources=[_key_arn(key)],
            # A grant for an AWS service, never one that the role could hand to anyone else.
            conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}},
        )

    def attach_to_network(
        self,
        grantee: iam.IGrantable,
        *,
        subnet_ids: Sequence[str],
        security_group_ids: Sequence[str],
        subnet_account: str | None = None,
        confined: bool = False,
    ) -> iam.Grant:
        """Let a job attach network interfaces in a VPC's subnets. Not needed without a VPC.

        The statement is the one of "CreateProcessingJob API: Execution Role Permissions", which
        says of these actions: "Don't scope in the policy with any conditions or resource filters".
        Who calls EC2, with what, is SageMaker's own matter and may change.

        Args:
            grantee: Who may.
            subnet_ids: The job's subnets.
            security_group_ids: The job's security groups.
            subnet_account: Account of the subnets when they are shared with this one, for
                ``confined``. Default: this account.
            confined: Whether the job may attach interfaces in these subnets with these groups
                alone, as far as "Actions, resources, and condition keys for Amazon EC2" allows.
                SageMaker's documentation advises against it: try it before you rely on it.

        Raises:
            ValueError: There is no subnet or no security group.
        """
        for name, ids in (("subnet_ids", subnet_ids), ("security_group_ids", security_group_ids)):
            if not ids:
                raise ValueError(f"{name} is empty: a job in a VPC needs at least one")
        described = [
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        ]
        used = [
            "ec2:CreateNetworkInterfacePermission",
            "ec2:DeleteNetworkInterface",
            "ec2:DeleteNetworkInterfacePermission",
        ]
        if not confined:
            return self._grant(
                grantee,
                actions=["ec2:CreateNetworkInterface", *used, *described],
                resources=["*"],
                wildcards=_NO_RESOURCE,
            )
        unnamed = "An interface gets its id when it is made; its subnet and groups confine it."
        interfaces = self._arns.of("ec2", "network-interface", "*")
        subnets = [
            self._arns.of("ec2", "subnet", subnet, account=subnet_account) for subnet in subnet_ids
        ]
        groups = [self._arns.of("ec2", "security-group", group) for group in security_group_ids]
        interfaces_made = self._grant(
            grantee,
            actions=["ec2:CreateNetworkInterface"],
            resources=[interfaces, *subnets, *groups],
            wildcards=unnamed,
        )
        interfaces_used = self._grant(
            grantee,
            actions=used,
            resources=[interfaces],
            wildcards=unnamed,
            conditions={"ArnEquals": {"ec2:Subnet": subnets}},
        )
        descriptions = self._grant(
            grantee,
            actions=described,
            resources=["*"],
            wildcards=_NO_RESOURCE,
        )
        return interfaces_made.combine(interfaces_used).combine(descriptions)

    def run_jobs(
        self,
        grantee: iam.IGrantable,
        job_type: JobType,
        *role_arns: str,
        step_name: str | None = None,
    ) -> iam.Grant:
        """Let a pipeline run the jobs of one more step, such as a training step before ours.

        Args:
            grantee: Who may.
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
        jobs = self._grant(
            grantee,
            actions=[
                "sagemaker:AddTags",
                f"sagemaker:Create{name}",
                f"sagemaker:Describe{name}",
                f"sagemaker:Stop{name}",
            ],
            resources=[
                self._arns.of("sagemaker", f"{job_type}-job", f"pipelines-*{step}")
                for step in _job_name_parts(step_name)
            ],
            wildcards="SageMaker names the jobs: an execution's id is part of the name and known "
            "at run time only. The service's prefix and the step's name confine it.",
        )
        passing = self._grant(
            grantee,
            actions=["iam:PassRole"],
            resources=list(role_arns),
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        )
        return jobs.combine(passing)

    def pull_container(self, grantee: iam.IGrantable, image_repository_arn: str) -> iam.Grant:
        """Let a job pull its container.

        Args:
            grantee: The job's role.
            image_repository_arn: ARN of the container's ECR repository.
        """
        image = self._grant(
            grantee,
            actions=[
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ],
            resources=[image_repository_arn],
        )
        login = self._grant(
            grantee,
            actions=["ecr:GetAuthorizationToken"],
            resources=["*"],
            wildcards=_NO_RESOURCE,
        )
        return image.combine(login)

    def write_logs_and_metrics(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let a processing job write its log and its metrics."""
        group = self._arns.of("logs", "log-group", _LOG_GROUP, sep=":")
        logs = self._grant(
            grantee,
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
        metrics = self._grant(
            grantee,
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            wildcards=_NO_RESOURCE,
            conditions={"StringEquals": {"cloudwatch:namespace": _LOG_GROUP}},
        )
        return logs.combine(metrics)

    def _read(
        self,
        grantee: iam.IGrantable,
        bucket_arn: str,
        key_patterns: Sequence[str],
        *,
        wildcards: str,
        conditions: dict[str, Any] | None = None,
    ) -> iam.Grant:
        objects = self._grant(
            grantee,
            actions=["s3:GetObject"],
            resources=[f"{bucket_arn}/{pattern}" for pattern in key_patterns],
            wildcards=wildcards,
            conditions=conditions,
        )
        listing = self._grant(
            grantee,
            actions=["s3:ListBucket"],
            resources=[bucket_arn],
            conditions={"StringLike": {"s3:prefix": list(key_patterns)}, **(conditions or {})},
        )
        return objects.combine(listing)

    def _grant(
        self,
        grantee: iam.IGrantable,
        *,
        actions: list[str],
        resources: Sequence[str],
        conditions: dict[str, Any] | None = None,
        wildcards: str = "",
    ) -> iam.Grant:
        """Add a statement; ``wildcards`` is why not each of its resources has a name."""
        grant = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=actions,
            resource_arns=list(resources),
            conditions=conditions,
        )
        self._granted.add(grant)
        principal = grantee.grant_principal
        if hasattr(principal, "node"):  # a role, not a service
            role = cast(IConstruct, principal)
            acknowledge_wildcards(role, wildcards, resources)
            self._warn_if_unchanged(role, actions, resources, conditions)
        return grant

    def _warn_if_unchanged(
        self,
        role: IConstruct,
        actions: list[str],
        resources: Sequence[str],
        conditions: dict[str, Any] | None,
    ) -> None:
        # An immutable role reports success too, but no policy comes of it.
        if isinstance(role, iam.Role | iam.LazyRole) or any(
            isinstance(child, iam.Policy) for child in role.node.find_all()
        ):
            return
        statement = iam.PolicyStatement(
            actions=actions, resources=list(resources), conditions=conditions
        )
        needed = Stack.of(self._scope).resolve(statement.to_statement_json())
        Annotations.of(self._scope).add_warning_v2(
            "model-packaging:roleNotChanged",
            f"{role.node.path} can't be changed from this stack; it must already have the "
            f"statement {json.dumps(needed)}",
        )


def _versions_of(asset: s3_assets.Asset) -> str:
    """The keys of all versions of an asset, as a pattern; its own key where nothing tells them.

    The synthesizer doesn't tell its prefix, but the key begins with it: ``<prefix><hash>.zip``.
    """
    key = asset.s3_object_key
    prefix, _, ending = key.partition(asset.asset_hash)
    # To a file without an ending, the CDK gives its hash for one.
    has_ending = ending and asset.asset_hash not in ending
    if Token.is_unresolved(key) or not prefix.endswith("/") or not has_ending:
        return key
    return f"{prefix}*{ending}"


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
    return [f"-{name}-*" for name in spellings(step_name[:20])]
