"""The roles of the pipeline: one that starts the processing job, one that the job assumes."""

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

_LOG_GROUP = "/aws/sagemaker/ProcessingJobs"


class PackagingRoles(Construct):
    """The pipeline's role and the processing job's role, each with what it does and no more.

    Sources: "IAM Access Management" of SageMaker Pipelines for the pipeline's role, and
    "How to use SageMaker AI execution roles", section CreateProcessingJob, for the job's.

    Args:
        image_repository_arn: ARN of the ECR repository that holds the job's container.

    Attributes:
        pipeline_role: Creates this account's pipeline jobs and passes them ``job_role``.
        job_role: Pulls the container, writes logs and metrics. What it may read and write in S3
            is granted with :meth:`grant_read` and :meth:`grant_write`.
    """

    def __init__(self, scope: Construct, construct_id: str, *, image_repository_arn: str) -> None:
        super().__init__(scope, construct_id)
        self.job_role = self._build_job_role(image_repository_arn)
        self.pipeline_role = self._build_pipeline_role()

    @property
    def policies(self) -> list[IConstruct]:
        """The roles' policies: what an execution must find in place."""
        return [
            role.node.find_child("DefaultPolicy") for role in (self.pipeline_role, self.job_role)
        ]

    def grant_read(self, bucket_arn: str, *key_patterns: str) -> None:
        """Let the job read the objects of a bucket whose keys match one of the patterns.

        A processing input is a prefix: SageMaker lists the bucket below it, then reads.

        Args:
            bucket_arn: ARN of the bucket.
            *key_patterns: Keys, or prefixes that end in ``*``.
        """
        self.job_role.add_to_policy(
            iam.PolicyStatement(
                actions=["s3:GetObject"],
                resources=[f"{bucket_arn}/{pattern}" for pattern in key_patterns],
            )
        )
        self.job_role.add_to_policy(
            iam.PolicyStatement(
                actions=["s3:ListBucket"],
                resources=[bucket_arn],
                conditions={"StringLike": {"s3:prefix": list(key_patterns)}},
            )
        )

    def grant_write(self, objects_arn: str) -> None:
        """Let the job write objects.

        Args:
            objects_arn: ARN of the objects, ending in ``/*``.
        """
        self.job_role.add_to_policy(
            iam.PolicyStatement(
                actions=["s3:AbortMultipartUpload", "s3:PutObject"], resources=[objects_arn]
            )
        )

    def _build_job_role(self, image_repository_arn: str) -> iam.Role:
        role = iam.Role(
            self,
            "JobRole",
            description="Assumed by the packaging job: reads the model and the scripts, "
            "writes the package.",
            assumed_by=_sagemaker_of_this_account(),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:GetDownloadUrlForLayer",
                ],
                resources=[image_repository_arn],
            )
        )
        role.add_to_policy(
            # The action has no resource to name: the token opens the registry, not a repository.
            iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"])
        )
        logs = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:{_LOG_GROUP}"
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "logs:CreateLogGroup",
                    "logs:CreateLogStream",
                    "logs:DescribeLogStreams",
                    "logs:PutLogEvents",
                ],
                resources=[logs, f"{logs}:log-stream:*"],
            )
        )
        role.add_to_policy(
            # Metrics have no ARN; the namespace is what confines the grant.
            iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": _LOG_GROUP}},
            )
        )
        return role

    def _build_pipeline_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "PipelineRole",
            description="Assumed by the pipeline: creates its processing jobs.",
            assumed_by=_sagemaker_of_this_account(),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "sagemaker:AddTags",
                    "sagemaker:CreateProcessingJob",
                    "sagemaker:DescribeProcessingJob",
                    "sagemaker:StopProcessingJob",
                ],
                # SageMaker names a pipeline's jobs pipelines-<execution>-<step>-<random>.
                resources=[
                    Stack.of(self).format_arn(
                        service="sagemaker", resource="processing-job", resource_name="pipelines-*"
                    )
                ],
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self.job_role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            )
        )
        return role


def _sagemaker_of_this_account() -> iam.PrincipalBase:
    # "Cross-service confused deputy prevention": only SageMaker acting for this account.
    return iam.ServicePrincipal("sagemaker.amazonaws.com").with_conditions(
        {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
    )
