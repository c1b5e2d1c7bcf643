"""What each role may do and what it may not, asked of the synthesized policies alone."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnResource, DefaultStackSynthesizer, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from model_packaging import PackagingRoles
from tests.policies import ACCOUNT, REGION, Deployed, Request, Statement, is_allowed

LOCAL = f"{REGION}:{ACCOUNT}"
REPOSITORY = f"arn:aws:ecr:{REGION}:141502667606:repository/sagemaker-scikit-learn"
ASSETS = f"arn:aws:s3:::cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
BUCKET = "arn:aws:s3:::artifacts"
BUCKET_KEY = f"arn:aws:kms:{LOCAL}:key/BucketKey"
OUTPUT_KEY = f"arn:aws:kms:{LOCAL}:key/output"
VOLUME_KEY = f"arn:aws:kms:{LOCAL}:key/volume"
LOGS = f"arn:aws:logs:{LOCAL}:log-group:/aws/sagemaker/ProcessingJobs"
SUBNETS = ("subnet-0a", "subnet-0b")
INTERFACE = f"arn:aws:ec2:{LOCAL}:network-interface/eni-1"
JOB_ROLE = f"arn:aws:iam::{ACCOUNT}:role/Job"
TRAINING_ROLE = f"arn:aws:iam::{ACCOUNT}:role/training"
SAGEMAKER = "sagemaker.amazonaws.com"
VIA_S3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
# The bucket's name in the hands of somebody else.
CLAIMED = {"aws:ResourceAccount": "444455556666"}
TO_SAGEMAKER = {"iam:PassedToService": SAGEMAKER}
SUBNET_ARNS = [f"arn:aws:ec2:{LOCAL}:subnet/{subnet}" for subnet in SUBNETS]

Call = tuple[str, str, str, dict[str, Any]]


def sagemaker(resource: str) -> str:
    return f"arn:aws:sagemaker:{LOCAL}:{resource}"


def job_calls() -> Iterator[Call]:
    """Every call that the packaging job makes, or that SageMaker makes as its role."""
    for name in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"):
        yield "job", f"ecr:{name}", REPOSITORY, {}
    yield "job", "ecr:GetAuthorizationToken", "*", {}
    for bucket, key in (
        (BUCKET, "models/churn/model.tar.gz"),
        ("arn:aws:s3:::extra", "calibration/curve.json"),
    ):
        yield "job", "s3:GetObject", f"{bucket}/{key}", {}
        yield "job", "s3:ListBucket", bucket, {"s3:prefix": key}
    for key in ("churn/hash-of-yesterday.zip", "churn/hash-of-tomorrow.py"):
        yield "job", "s3:GetObject", f"{ASSETS}/{key}", {}
        yield "job", "s3:ListBucket", ASSETS, {"s3:prefix": key}
    for key in ("packaged/churn/PackagingStep/abc/model.tar.gz", "reports/churn/report.json"):
        for name in ("PutObject", "AbortMultipartUpload"):
            yield "job", f"s3:{name}", f"{BUCKET}/{key}", {}
    for key in (BUCKET_KEY, OUTPUT_KEY):
        for name in ("Decrypt", "GenerateDataKey"):
            yield "job", f"kms:{name}", key, VIA_S3
    yield "job", "kms:Encrypt", OUTPUT_KEY, {}
    yield "job", "kms:CreateGrant", VOLUME_KEY, {"kms:GrantIsForAWSResource": "true"}
    for resource in (LOGS, f"{LOGS}:*"):
        yield "job", "logs:CreateLogGroup", resource, {}
        yield "job", "logs:DescribeLogStreams", resource, {}
    for name in ("CreateLogStream", "PutLogEvents"):
        yield "job", f"logs:{name}", f"{LOGS}:log-stream:pipelines-abc-PackagingStep-1", {}
    metrics = {"cloudwatch:namespace": "/aws/sagemaker/ProcessingJobs"}
    yield "job", "cloudwatch:PutMetricData", "*", metrics
    for resource in (INTERFACE, *SUBNET_ARNS, f"arn:aws:ec2:{LOCAL}:security-group/sg-0"):
        yield "job", "ec2:CreateNetworkInterface", resource, {}
    for subnet in SUBNET_ARNS:
        for name in (
            "CreateNetworkInterfacePermission",
            "DeleteNetworkInterface",
            "DeleteNetworkInterfacePermission",
        ):
            yield "job", f"ec2:{name}", INTERFACE, {"ec2:Subnet": subnet}
    for name in ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs"):
        yield "job", f"ec2:Describe{name}", "*", {}


def pipeline_calls() -> Iterator[Call]:
    """Every call that the pipeline makes, for its own step and for a training step before it."""
    for step in ("PackagingStep", "packagingstep"):
        job = sagemaker(f"processing-job/pipelines-abc123-{step}-x1-0")
        for name in ("CreateProcessingJob", "DescribeProcessingJob", "StopProcessingJob"):
            yield "pipeline", f"sagemaker:{name}", job, {}
        yield "pipeline", "sagemaker:AddTags", job, {}
    job = sagemaker("training-job/pipelines-abc123-Train-x1-0")
    for name in ("CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob", "AddTags"):
        yield "pipeline", f"sagemaker:{name}", job, {}
    for role in (JOB_ROLE, TRAINING_ROLE):
        yield "pipeline", "iam:PassRole", role, TO_SAGEMAKER


def forbidden_calls() -> Iterator[Call]:
    """What nobody may do with these roles."""
    model, package = f"{BUCKET}/models/churn/model.tar.gz", f"{BUCKET}/packaged/churn/model.tar.gz"
    yield "job", "s3:GetObject", "arn:aws:s3:::other/models/churn/model.tar.gz", {}
    yield "job", "s3:GetObject", f"{BUCKET}/private/key", {}
    yield "job", "s3:GetObject", package, {}
    for key in ("hash.zip", "fraud/hash.zip", "churn/hash.json", "churn/hash"):
        yield "job", "s3:GetObject", f"{ASSETS}/{key}", {}
        yield "job", "s3:ListBucket", ASSETS, {"s3:prefix": key}
    for key in ("churn/hash.zip", "churn/hash.py"):
        yield "job", "s3:GetObject", f"{ASSETS}/{key}", CLAIMED
        yield "job", "s3:ListBucket", ASSETS, {"s3:prefix": key} | CLAIMED
    yield "job", "s3:ListBucket", BUCKET, {"s3:prefix": "packaged/"}
    yield "job", "s3:ListBucket", BUCKET, {"s3:prefix": ""}
    yield "job", "s3:ListBucket", BUCKET, {}
    yield "job", "s3:ListBucket", ASSETS, {"s3:prefix": ""}
    yield "job", "s3:ListBucket", ASSETS, {}
    yield "job", "s3:ListBucket", "arn:aws:s3:::extra", {"s3:prefix": ""}
    yield "job", "s3:PutObject", model, {}
    yield "job", "s3:PutObject", f"{ASSETS}/churn/hash.py", {}
    yield "job", "s3:PutObject", "arn:aws:s3:::other/packaged/churn/model.tar.gz", {}
    for resource in (model, package):
        for name in ("DeleteObject", "DeleteObjectVersion", "PutObjectAcl", "GetObjectVersion"):
            yield "job", f"s3:{name}", resource, {}
    yield "job", "s3:PutBucketPolicy", BUCKET, {}
    for key in (BUCKET_KEY, OUTPUT_KEY):
        yield "job", "kms:Decrypt", key, {}
        yield "job", "kms:Decrypt", key, {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}
        yield "job", "kms:Decrypt", key, {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
        yield "job", "kms:CreateGrant", key, {"kms:GrantIsForAWSResource": "true"}
        yield "job", "kms:ScheduleKeyDeletion", key, VIA_S3
    yield "job", "kms:Decrypt", VOLUME_KEY, VIA_S3
    yield "job", "kms:CreateGrant", VOLUME_KEY, {"kms:GrantIsForAWSResource": "false"}
    yield "job", "kms:CreateGrant", VOLUME_KEY, {}
    yield "job", "logs:PutLogEvents", f"arn:aws:logs:{LOCAL}:log-group:other:log-stream:1", {}
    yield "job", "logs:DeleteLogGroup", f"{LOGS}:*", {}
    yield "job", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "AWS/SageMaker"}
    yield "job", "ecr:BatchGetImage", f"arn:aws:ecr:{LOCAL}:repository/other", {}
    yield "job", "ec2:CreateNetworkInterface", f"arn:aws:ec2:{LOCAL}:subnet/subnet-other", {}
    yield "job", "ec2:CreateNetworkInterface", f"arn:aws:ec2:{LOCAL}:security-group/sg-1", {}
    other = {"ec2:Subnet": f"arn:aws:ec2:{LOCAL}:subnet/subnet-other"}
    for name in ("DeleteNetworkInterface", "CreateNetworkInterfacePermission"):
        yield "job", f"ec2:{name}", INTERFACE, other
    yield "job", "sagemaker:CreateProcessingJob", sagemaker("processing-job/pipelines-a-b-0"), {}
    yield "job", "iam:PassRole", JOB_ROLE, TO_SAGEMAKER
    yield "job", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/admin", {}

    ours = "pipelines-abc123-PackagingStep-x1-0"
    yield "pipeline", "sagemaker:CreateProcessingJob", sagemaker("processing-job/by-hand"), {}
    other_step = sagemaker("processing-job/pipelines-abc123-Evaluate-x1-0")
    yield "pipeline", "sagemaker:StopProcessingJob", other_step, {}
    yield "pipeline", "sagemaker:CreateTrainingJob", sagemaker("training-job/by-hand"), {}
    for name in ("CreateTransformJob", "CreateModel", "CreateEndpoint", "StartPipelineExecution"):
        yield "pipeline", f"sagemaker:{name}", sagemaker(f"processing-job/{ours}"), {}
    yield "pipeline", "sagemaker:StartPipelineExecution", sagemaker("pipeline/churn"), {}
    yield "pipeline", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin", TO_SAGEMAKER
    yield "pipeline", "iam:PassRole", f"{JOB_ROLE}2", TO_SAGEMAKER
    for role in (JOB_ROLE, TRAINING_ROLE):
        for service in ("lambda.amazonaws.com", "ec2.amazonaws.com"):
            yield "pipeline", "iam:PassRole", role, {"iam:PassedToService": service}
        yield "pipeline", "iam:PassRole", role, {}
    yield "pipeline", "s3:GetObject", model, {}


NEEDED = [*job_calls(), *pipeline_calls()]
FORBIDDEN = list(forbidden_calls())


def asset_in(stack: Stack, path: str | Path) -> s3_assets.Asset:
    return s3_assets.Asset(stack, f"Asset-{Path(path).name}", path=str(path))


class Roles:
    """The roles with every grant, as deployed: their statements and those of the keys."""

    def __init__(self, *, minimize: bool) -> None:
        stack = Stack(
            App(context={"@aws-cdk/aws-iam:minimizePolicies": minimize}),
            "Stack",
            synthesizer=DefaultStackSynthesizer(bucket_prefix="churn/"),
        )
        key = kms.Key(stack, "Key")
        bucket = s3.Bucket(stack, "Bucket", bucket_name="artifacts", encryption_key=key)
        roles = PackagingRoles(
            stack, "Roles", image_repository_arn=REPOSITORY, pipeline_name="Churn"
        )
        roles.grants.read(roles.job_role, bucket.bucket_arn, "models/*")
        assets = [
            asset_in(stack, path) for path in (__file__, str(Path(__file__).parent / "models"))
        ]
        roles.grants.read_assets(roles.job_role, *assets)
        roles.grants.read(roles.job_role, "arn:aws:s3:::extra", "calibration/*")
        roles.grants.write(roles.job_role, f"{bucket.bucket_arn}/packaged/*")
        roles.grants.write(roles.job_role, f"{bucket.bucket_arn}/reports/*")
        roles.grants.use_key(roles.job_role, key)
        roles.grants.encrypt_output(roles.job_role, OUTPUT_KEY)
        roles.grants.encrypt_volume(roles.job_role, VOLUME_KEY)
        roles.grants.attach_to_network(
            roles.job_role, subnet_ids=SUBNETS, security_group_ids=["sg-0"], confined=True
        )
        roles.grants.run_jobs(roles.pipeline_role, "training", TRAINING_ROLE)
        self.deployed = Deployed(Template.from_stack(stack).to_json())
        self.ids = {
            "job": self.deployed.find("AWS::IAM::Role", Description="Assumed by the packaging"),
            "pipeline": self.deployed.find("AWS::IAM::Role", Description="Assumed by the pipeline"),
        }
        self.statements = {
            role: self.deployed.identity(logical_id) for role, logical_id in self.ids.items()
        }
        self.key = self.deployed.find("AWS::KMS::Key")

    def may(self, call: Call, statements: list[Any] | None = None) -> bool:
        role, action, resource, context = call
        policy: list[Statement] | None = None
        if action.startswith("kms:"):
            # An existing key that leaves its use to the account, as a key made by the CDK does.
            policy = self.deployed.policy_of(self.key)
        elif resource.startswith(BUCKET):
            policy = self.deployed.policy_of(self.deployed.find("AWS::S3::Bucket"))
        request = Request(
            principal=self.deployed.arn(self.ids[role]),
            action=action,
            resource=resource.replace(JOB_ROLE, self.deployed.arn(self.ids["job"])).replace(
                BUCKET_KEY, self.deployed.arn(self.key)
            ),
            context={"aws:SecureTransport": "true"} | context,
        )
        return is_allowed(
            request, self.statements[role] if statements is None else statements, policy
        )

    def may_assume(self, role: str, principal: str = SAGEMAKER, **source: str) -> bool:
        context = {f"aws:Source{name.title()}": value for name, value in source.items()}
        arn = self.deployed.arn(self.ids[role])
        request = Request(principal, "sts:AssumeRole", arn, context)
        everything = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
        return is_allowed(request, everything, self.deployed.trust(self.ids[role]))


@pytest.fixture(scope="module", params=[True, False], ids=["minimized", "as written"])
def roles(request: pytest.FixtureRequest) -> Roles:
    return Roles(minimize=request.param)


def test_each_role_can_make_each_call_that_it_needs(roles: Roles) -> None:
    assert [call for call in NEEDED if not roles.may(call)] == []


def test_no_role_can_make_a_call_that_it_must_not(roles: Roles) -> None:
    assert [call for call in FORBIDDEN if roles.may(call)] == []


def test_every_action_and_every_resource_of_a_role_is_needed(roles: Roles) -> None:
    superfluous = [
        (role, element, value)
        for role, statements in roles.statements.items()
        for index, statement in enumerate(statements)
        for element in ("Action", "Resource")
        for value in listed(statement[element])
        if all(
            roles.may(call, without(statements, index, element, value))
            for call in NEEDED
            if call[0] == role
        )
    ]
    assert superfluous == []


def test_every_condition_of_a_role_keeps_something_out(roles: Roles) -> None:
    idle = [
        statement
        for role, statements in roles.statements.items()
        for index, statement in enumerate(statements)
        if "Condition" in statement
        and not any(
            roles.may(call, without(statements, index, "Condition"))
            for call in FORBIDDEN
            if call[0] == role
        )
    ]
    assert idle == []


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def without(statements: list[Any], index: int, element: str, value: str | None = None) -> list[Any]:
    changed = copy.deepcopy(statements)
    if value is None:
        del changed[index][element]
    else:
        changed[index][element] = [one for one in listed(changed[index][element]) if one != value]
    return changed


def test_the_job_role_is_assumed_for_jobs_of_this_accounts_pipelines(roles: Roles) -> None:
    job = sagemaker("processing-job/pipelines-abc123-PackagingStep-x1-0")
    assert roles.may_assume("job", arn=job, account=ACCOUNT)
    for other in ("processing-job/by-hand", "training-job/pipelines-abc", "pipeline/Churn/abc"):
        assert not roles.may_assume("job", arn=sagemaker(other), account=ACCOUNT)
    theirs = job.replace(ACCOUNT, "444455556666")
    assert not roles.may_assume("job", arn=theirs, account="444455556666")
    assert not roles.may_assume("job", arn=theirs, account=ACCOUNT)
    assert not roles.may_assume("job", arn=job)
    assert not roles.may_assume("job")


def test_the_pipelines_role_is_assumed_for_executions_of_this_pipeline(roles: Roles) -> None:
    # SageMaker has written names in lower case in ARNs.
    for name in ("Churn", "churn"):
        execution = sagemaker(f"pipeline/{name}/execution/abc123")
        assert roles.may_assume("pipeline", arn=execution, account=ACCOUNT)
    other = sagemaker("pipeline/Churn2/execution/abc123")
    assert not roles.may_assume("pipeline", arn=other, account=ACCOUNT)
    theirs = execution.replace(ACCOUNT, "444455556666")
    assert not roles.may_assume("pipeline", arn=theirs, account="444455556666")
    assert not roles.may_assume("pipeline", arn=sagemaker("processing-job/a"), account=ACCOUNT)


@pytest.mark.parametrize("role", ["job", "pipeline"])
@pytest.mark.parametrize(
    "principal",
    [
        "events.amazonaws.com",
        f"arn:aws:iam::{ACCOUNT}:role/admin",
        "arn:aws:iam::444455556666:role/admin",
    ],
)
def test_nobody_but_sagemaker_assumes_the_roles(roles: Roles, role: str, principal: str) -> None:
    arn = sagemaker("processing-job/pipelines-abc123-PackagingStep-x1-0")
    assert not roles.may_assume(role, principal, arn=arn, account=ACCOUNT)


def roles_in(stack: Stack, **given: Any) -> PackagingRoles:
    return PackagingRoles(stack, "Roles", image_repository_arn=REPOSITORY, **given)


def test_without_a_name_the_role_serves_every_pipeline_of_the_account() -> None:
    stack = Stack(App(), "Stack")
    roles_in(stack)
    deployed = Deployed(Template.from_stack(stack).to_json())
    trust = deployed.trust(deployed.find("AWS::IAM::Role", Description="Assumed by the pipeline"))
    execution = {
        "aws:SourceArn": sagemaker("pipeline/any/execution/1"),
        "aws:SourceAccount": ACCOUNT,
    }
    assert is_allowed(Request(SAGEMAKER, "sts:AssumeRole", "role", execution), (), trust)


def test_without_a_vpc_the_job_has_no_business_with_ec2() -> None:
    stack = Stack(App(), "Stack")
    roles_in(stack)
    assert "ec2:" not in json.dumps(Template.from_stack(stack).to_json())


def test_a_key_that_is_only_read_with_makes_no_data_keys() -> None:
    stack = Stack(App(), "Stack")
    roles = roles_in(stack)
    roles.grants.use_key(roles.job_role, OUTPUT_KEY, write=False)
    written = json.dumps(Template.from_stack(stack).to_json())
    assert "kms:Decrypt" in written
    assert "kms:GenerateDataKey" not in written


@pytest.mark.parametrize(
    ("synthesizer", "prefix"),
    [
        (DefaultStackSynthesizer(), ""),
        # All stacks whose name begins so would be meant, too.
        (DefaultStackSynthesizer(bucket_prefix="churn-"), "churn-"),
    ],
    ids=["no prefix", "part of a name"],
)
def test_without_a_folder_of_the_stack_the_job_reads_its_very_assets(
    synthesizer: DefaultStackSynthesizer, prefix: str
) -> None:
    stack = Stack(App(), "Stack", synthesizer=synthesizer)
    asset = asset_in(stack, __file__)
    job = Job(stack, asset)
    assert job.may_read(f"{prefix}{asset.asset_hash}.py")
    assert not job.may_read(f"{prefix}other.py")


def test_a_key_that_only_the_deployment_tells_stays_as_it_is() -> None:
    synthesizer = DefaultStackSynthesizer(bucket_prefix="${AWS::AccountId}/")
    stack = Stack(App(), "Stack", synthesizer=synthesizer)
    asset = asset_in(stack, __file__)
    job = Job(stack, asset)
    assert job.may_read(f"{ACCOUNT}/{asset.asset_hash}.py")
    assert not job.may_read(f"{ACCOUNT}/other.py")


def test_a_file_without_an_ending_does_not_open_the_folder(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("1")
    stack = Stack(App(), "Stack", synthesizer=DefaultStackSynthesizer(bucket_prefix="churn/"))
    asset = asset_in(stack, tmp_path / "VERSION")
    job = Job(stack, asset)
    assert job.may_read(asset.s3_object_key)
    assert not job.may_read("churn/other")
    assert not job.may_read(f"churn/other.{asset.asset_hash}")


def test_assets_may_be_in_the_bucket_of_an_account_that_is_named() -> None:
    stack = Stack(App(), "Stack", synthesizer=DefaultStackSynthesizer(bucket_prefix="churn/"))
    job = Job(stack, asset_in(stack, __file__), account="444455556666")
    assert job.may_read("churn/other.py", **CLAIMED)
    assert not job.may_read("churn/other.py")


class Job:
    """A job that may read an asset, and nothing else of S3."""

    def __init__(self, stack: Stack, asset: s3_assets.Asset, **account: str) -> None:
        roles = roles_in(stack)
        roles.grants.read_assets(roles.job_role, asset, **account)
        deployed = Deployed(Template.from_stack(stack).to_json())
        role = deployed.find("AWS::IAM::Role", Description="Assumed by the packaging")
        self.arn, self.statements = deployed.arn(role), deployed.identity(role)

    def may_read(self, key: str, **context: str) -> bool:
        read = Request(self.arn, "s3:GetObject", f"{ASSETS}/{key}", context)
        listed = Request(self.arn, "s3:ListBucket", ASSETS, {"s3:prefix": key} | context)
        may = {is_allowed(request, self.statements) for request in (read, listed)}
        assert len(may) == 1
        return may.pop()


def test_shared_subnets_are_named_by_the_account_that_shares_them() -> None:
    stack = Stack(App(), "Stack")
    roles = roles_in(stack)
    roles.grants.attach_to_network(
        roles.job_role,
        subnet_ids=["subnet-0"],
        security_group_ids=["sg-0"],
        subnet_account="444455556666",
        confined=True,
    )
    deployed = Deployed(Template.from_stack(stack).to_json())
    job = deployed.find("AWS::IAM::Role", Description="Assumed by the packaging")
    subnet = f"arn:aws:ec2:{REGION}:444455556666:subnet/subnet-0"
    request = Request(deployed.arn(job), "ec2:CreateNetworkInterface", subnet)
    assert is_allowed(request, deployed.identity(job))


def test_an_existing_role_gets_the_grants_and_no_other_is_made() -> None:
    stack = Stack(App(), "Stack")
    arn = f"arn:aws:iam::{ACCOUNT}:role/existing"
    existing = iam.Role.from_role_arn(stack, "Existing", arn)
    roles = roles_in(stack, job_role=existing, pipeline_role=existing)
    roles.grants.read(roles.job_role, BUCKET, "models/*")
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::IAM::Role", 0)
    statements = Deployed(template.to_json()).identity("existing")
    assert is_allowed(Request(arn, "s3:GetObject", f"{BUCKET}/models/a"), statements)
    assert is_allowed(Request(arn, "iam:PassRole", arn, TO_SAGEMAKER), statements)
    Annotations.from_stack(stack).has_no_warning("*", Match.any_value())


def test_an_existing_role_of_the_stack_gets_the_grants_without_a_warning() -> None:
    stack = Stack(App(), "Stack")
    existing = iam.Role(stack, "Existing", assumed_by=iam.ServicePrincipal(SAGEMAKER))
    roles_in(stack, job_role=existing)
    assert "ecr:BatchGetImage" in json.dumps(Template.from_stack(stack).to_json())
    Annotations.from_stack(stack).has_no_warning("*", Match.any_value())


@pytest.mark.parametrize(
    "arn", [f"arn:aws:iam::{ACCOUNT}:role/fixed", "arn:aws:iam::444455556666:role/fixed"]
)
def test_a_role_that_cannot_be_changed_is_warned_of_with_what_it_lacks(arn: str) -> None:
    stack = Stack(App(), "Stack", env={"account": ACCOUNT, "region": REGION})
    fixed = iam.Role.from_role_arn(stack, "Fixed", arn, mutable=ACCOUNT not in arn)
    roles = roles_in(stack, job_role=fixed)
    roles.grants.read(roles.job_role, BUCKET, "models/*")
    warnings = Annotations.from_stack(stack)
    for action in ("s3:GetObject", "s3:ListBucket", "ecr:BatchGetImage", "logs:PutLogEvents"):
        warnings.has_warning(
            "/Stack/Roles", Match.string_like_regexp(f"Stack/Fixed can't be changed.*{action}")
        )
    assert "s3:GetObject" not in json.dumps(Template.from_stack(stack).to_json())


def test_what_depends_on_the_policies_waits_for_those_of_both_roles() -> None:
    stack = Stack(App(), "Stack")
    roles = roles_in(stack)
    pipeline = CfnResource(stack, "Pipeline", type="AWS::SageMaker::Pipeline")
    pipeline.node.add_dependency(*roles.grants.policies)
    roles.grants.read(roles.job_role, BUCKET, "models/*")
    template = Template.from_stack(stack).to_json()["Resources"]
    policies = {name for name, value in template.items() if value["Type"] == "AWS::IAM::Policy"}
    assert len(policies) == 2
    assert set(template["Pipeline"]["DependsOn"]) == policies


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("transform", TRAINING_ROLE), "'transform' is unknown; use one of"),
        (("training",), "no role for the training jobs"),
        (("training", f"arn:aws:iam::{ACCOUNT}:role/*"), "has a wildcard"),
        (("training", TRAINING_ROLE, f"arn:aws:iam::{ACCOUNT}:role/?"), "role/\\?.*has a wildcard"),
    ],
)
def test_jobs_that_cannot_be_allowed_exactly_are_refused(arguments: Any, message: str) -> None:
    stack = Stack(App(), "Stack")
    roles = roles_in(stack)
    with pytest.raises(ValueError, match=message):
        roles.grants.run_jobs(roles.pipeline_role, *arguments)
    assert TRAINING_ROLE not in json.dumps(Template.from_stack(stack).to_json())


@pytest.mark.parametrize(
    "key", ["alias/models", f"arn:aws:kms:{LOCAL}:alias/models", "1234abcd", f"{VOLUME_KEY}*"]
)
def test_a_key_that_a_policy_cannot_name_is_refused(key: str) -> None:
    roles = roles_in(Stack(App(), "Stack"))
    for grant in (roles.grants.use_key, roles.grants.encrypt_output, roles.grants.encrypt_volume):
        with pytest.raises(ValueError, match="isn't the ARN of a KMS key"):
            grant(roles.job_role, key)


def test_a_grant_goes_to_whom_it_names_and_can_be_waited_for() -> None:
    stack = Stack(App(), "Stack")
    roles = roles_in(stack)
    auditor = iam.Role(stack, "Auditor", assumed_by=iam.AccountRootPrincipal())
    report = sqs.CfnQueue(stack, "Report")
    grant = roles.grants.read(auditor, BUCKET, "packaged/*")
    grant.apply_before(report)
    assert grant.success
    template = Template.from_stack(stack).to_json()
    [policy] = (
        logical_id
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Policy" and f"{BUCKET}/packaged/*" in json.dumps(resource)
    )
    assert policy.startswith("Auditor")
    assert policy in template["Resources"]["Report"]["DependsOn"]


def test_the_statement_for_network_interfaces_is_the_documented_one() -> None:
    # "CreateProcessingJob API: Execution Role Permissions", for a job with a VpcConfig: no
    # condition, and no resource but all.
    stack = Stack(App(), "Stack")
    roles = roles_in(stack)
    roles.grants.attach_to_network(
        roles.job_role, subnet_ids=["subnet-0"], security_group_ids=["sg-0"]
    )
    deployed = Deployed(Template.from_stack(stack).to_json())
    job = deployed.find("AWS::IAM::Role", Description="Assumed by the packaging")
    [statement] = [found for found in deployed.identity(job) if "ec2:" in json.dumps(found)]
    assert {**statement, "Action": {*statement["Action"]}} == {
        "Effect": "Allow",
        "Action": {
            "ec2:CreateNetworkInterface",
            "ec2:CreateNetworkInterfacePermission",
            "ec2:DeleteNetworkInterface",
            "ec2:DeleteNetworkInterfacePermission",
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        },
        "Resource": "*",
    }


@pytest.mark.parametrize("empty", ["subnet_ids", "security_group_ids"])
def test_a_network_without_subnets_or_groups_is_refused(empty: str) -> None:
    network = {"subnet_ids": ["subnet-0"], "security_group_ids": ["sg-0"], empty: []}
    roles = roles_in(Stack(App(), "Stack"))
    with pytest.raises(ValueError, match=f"{empty} is empty"):
        roles.grants.attach_to_network(roles.job_role, **network)


# From here on: the app itself, as it is deployed.


@pytest.fixture(scope="module")
def app(template: dict[str, Any]) -> Deployed:
    return Deployed(template)


def test_the_apps_job_may_read_and_write_what_its_definition_names(app: Deployed) -> None:
    pipeline = app.resources[app.find("AWS::SageMaker::Pipeline")]["Properties"]
    [step] = json.loads(pipeline["PipelineDefinition"]["PipelineDefinitionBody"])["Steps"]
    job = app.find("AWS::IAM::Role", Description="Assumed by the packaging job")
    artifacts = app.find("AWS::S3::Bucket", NotificationConfiguration="{")
    uris = [source["S3Input"]["S3Uri"] for source in step["Arguments"]["ProcessingInputs"]]
    assert [uri for uri in uris if not isinstance(uri, str)] == [
        {
            "Std:Join": {
                "On": "/",
                "Values": [
                    "s3:/",
                    {"Get": "Parameters.ModelBucket"},
                    {"Get": "Parameters.ModelKey"},
                ],
            }
        }
    ]
    bucket = app.names[artifacts]
    uploaded = f"s3://{bucket}/models/churn/model.tar.gz"
    for uri in (uri if isinstance(uri, str) else uploaded for uri in uris):
        name, _, key = uri.removeprefix("s3://").partition("/")
        arn = f"arn:aws:s3:::{name}"
        assert app_may(app, job, "s3:GetObject", f"{arn}/{key}")
        assert app_may(app, job, "s3:ListBucket", arn, {"s3:prefix": key})
        assert not app_may(app, job, "s3:PutObject", f"{arn}/{key}")
    for output in step["Arguments"]["ProcessingOutputConfig"]["Outputs"]:
        prefix = output["S3Output"]["S3Uri"]["Std:Join"]["Values"][0].removeprefix("s3://")
        package = f"arn:aws:s3:::{prefix}/abc123/model.tar.gz"
        assert app_may(app, job, "s3:PutObject", package)
        assert not app_may(app, job, "s3:PutObject", package, {"aws:SecureTransport": "false"})
        assert not app_may(app, job, "s3:GetObject", package)
    registry, _, image = step["Arguments"]["AppSpecification"]["ImageUri"].partition("/")
    repository = f"arn:aws:ecr:{REGION}:{registry.split('.')[0]}:repository/{image.split(':')[0]}"
    assert app_may(app, job, "ecr:BatchGetImage", repository)


def test_the_apps_pipeline_may_run_the_step_of_its_definition(app: Deployed) -> None:
    properties = app.resources[app.find("AWS::SageMaker::Pipeline")]["Properties"]
    [step] = json.loads(properties["PipelineDefinition"]["PipelineDefinitionBody"])["Steps"]
    pipeline = app.find("AWS::IAM::Role", Description="Assumed by the pipeline")
    assert properties["RoleArn"] == app.arn(pipeline)
    # "Customize access management for Pipelines jobs" has the form of the name.
    job = sagemaker(f"processing-job/pipelines-abc123-{step['Name'][:20]}-x1-0")
    assert app_may(app, pipeline, "sagemaker:CreateProcessingJob", job)
    assert app_may(app, pipeline, "iam:PassRole", step["Arguments"]["RoleArn"], TO_SAGEMAKER)


def test_the_rules_role_starts_this_pipeline_and_does_nothing_else(app: Deployed) -> None:
    rule = app.find("AWS::Events::Rule", Description="Starts ")
    [target] = app.resources[rule]["Properties"]["Targets"]
    role = app.find("AWS::IAM::Role", Description="Assumed by EventBridge")
    assert target["RoleArn"] == app.arn(role)
    assert app_may(app, role, "sagemaker:StartPipelineExecution", target["Arn"])
    for other in ("other", "model-packaging2"):
        assert not app_may(
            app, role, "sagemaker:StartPipelineExecution", sagemaker(f"pipeline/{other}")
        )
    for action in ("UpdatePipeline", "DeletePipeline", "StopPipelineExecution"):
        assert not app_may(app, role, f"sagemaker:{action}", target["Arn"])
    job_role = app.arn(app.find("AWS::IAM::Role", Description="Assumed by the packaging job"))
    assert not app_may(app, role, "iam:PassRole", job_role, TO_SAGEMAKER)

    ours = f"ModelPackaging-{rule}-1A2B3C4D5E6F"

    def assumed_by(principal: str, account: str, name: str = ours) -> bool:
        arn = f"arn:aws:events:{LOCAL}:rule/{name}"
        source = {"aws:SourceArn": arn, "aws:SourceAccount": account}
        request = Request(principal, "sts:AssumeRole", app.arn(role), source)
        return is_allowed(request, (), app.trust(role))

    assert assumed_by("events.amazonaws.com", ACCOUNT)
    assert not assumed_by("events.amazonaws.com", "444455556666")
    assert not assumed_by("events.amazonaws.com", ACCOUNT, "another-rule")
    assert not assumed_by(SAGEMAKER, ACCOUNT)


def test_this_rule_alone_sends_to_the_dead_letter_queue(app: Deployed) -> None:
    rule = app.arn(app.find("AWS::Events::Rule", Description="Starts "))
    queue = app.find("AWS::SQS::Queue")

    def may_send(source: str, principal: str = "events.amazonaws.com", tls: str = "true") -> bool:
        context = {"aws:SourceArn": source, "aws:SecureTransport": tls}
        request = Request(principal, "sqs:SendMessage", app.arn(queue), context)
        return is_allowed(request, (), app.policy_of(queue))

    assert may_send(rule)
    assert not may_send(f"{rule}2")
    assert not may_send(rule, principal="sns.amazonaws.com")
    assert not may_send(rule, tls="false")


def app_may(
    app: Deployed, role: str, action: str, resource: str, context: dict[str, str] | None = None
) -> bool:
    artifacts = app.find("AWS::S3::Bucket", NotificationConfiguration="{")
    policy = app.policy_of(artifacts) if resource.startswith(app.arn(artifacts)) else None
    safe = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
    request = Request(app.arn(role), action, resource, safe | (context or {}))
    return is_allowed(request, app.identity(role), policy)
