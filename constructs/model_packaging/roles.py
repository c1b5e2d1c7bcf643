"""The roles of the pipeline: one that starts its jobs, one that the packaging job assumes."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from model_packaging.acknowledgements import acknowledge_inline_policy
from model_packaging.arns import Arns, spellings
from model_packaging.grants import PackagingGrants
from model_packaging.step import contract


class PackagingRoles(Construct):
    """The pipeline's role and the processing job's role, each with what it does and no more.

    Sources: "IAM Access Management" of SageMaker Pipelines for the pipeline's role, "How to use
    SageMaker AI execution roles", section CreateProcessingJob, for the job's, and "Cross-service
    confused deputy prevention" of SageMaker for who may assume them.

    A role that is given gets the same grants as one that is made. Who may assume it isn't
    changed: it must trust ``sagemaker.amazonaws.com``.

    Args:
        image_repository_arn: ARN of the ECR repository that holds the job's container.
        pipeline_name: Name of the pipeline that may assume its role. Default: any of the account.
        step_name: Name of the packaging step, by which its jobs are known.
        pipeline_role: An existing role for the pipeline. Default: one is made.
        job_role: An existing role for the job. Default: one is made.

    Attributes:
        pipeline_role: Creates, describes, stops and tags the step's jobs and passes them
            ``job_role``.
        job_role: Pulls the container, writes logs and metrics.
        grants: Grants them, or whom you say, what else they need.
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
        self._arns = Arns(Stack.of(self))
        self.grants = PackagingGrants(self)
        self.job_role = job_role or self._build_job_role()
        self.pipeline_role = pipeline_role or self._build_pipeline_role(pipeline_name)
        self.grants.pull_container(self.job_role, image_repository_arn)
        self.grants.write_logs_and_metrics(self.job_role)
        self.grants.run_jobs(
            self.pipeline_role, "processing", self.job_role.role_arn, step_name=step_name
        )

    def _build_job_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "JobRole",
            description="Assumed by the packaging job: reads the model and the scripts, "
            "writes the package.",
            assumed_by=self._sagemaker_for(
                self._arns.of("sagemaker", "processing-job", "pipelines-*")
            ),
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
                    self._arns.of("sagemaker", "pipeline", f"{name}/*" if name else "*")
                    for name in spellings(pipeline_name or "")
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
