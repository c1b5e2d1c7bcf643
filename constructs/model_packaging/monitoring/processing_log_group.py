"""The log group of SageMaker's processing jobs."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from model_packaging.acknowledgements import acknowledge_inline_policy, acknowledge_wildcards

NAME = "/aws/sagemaker/ProcessingJobs"


class ProcessingLogGroup(Construct):
    """Makes sure that the log group of processing jobs exists, and how long it keeps its lines.

    SageMaker writes the logs of all processing jobs of an account and region to the one log group
    ``/aws/sagemaker/ProcessingJobs``, and makes it when the first job runs. So a stack can't own
    it: its creation would fail where a job has run before, or where another stack owns it, and
    its deletion would take everybody's logs. But a metric filter needs it to exist. Here a custom
    resource (a Lambda function) makes it if it is missing and sets the retention, in any number
    of stacks; deleting a stack leaves it as it is.

    **The retention is that of all processing jobs of the account and region**, and of several
    stacks the last one to be deployed wins. Where a team owns the log group, don't use this: give
    :class:`PipelineMonitoring` a ``logs.LogGroup.from_log_group_name(…)``.

    Args:
        retention: How long lines are kept. No default, since it concerns others.

    Attributes:
        log_group: The log group. What uses it is deployed after it exists.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, retention: logs.RetentionDays
    ) -> None:
        super().__init__(scope, construct_id)
        role = self._build_role()
        resource = logs.LogRetention(
            self,
            "Retention",
            log_group_name=NAME,
            retention=retention,
            # Else the CDK adds a statement for all log groups.
            role=role.without_policy_updates(),
        )
        resource.node.add_dependency(role)
        self.log_group = logs.LogGroup.from_log_group_arn(self, "LogGroup", resource.log_group_arn)

    def _build_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            description="Assumed by the Lambda function that sets the retention of "
            "processing jobs' logs.",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        arn = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:"
        own = f"{arn}/aws/lambda/*LogRetention*"
        acknowledge_inline_policy(role)
        acknowledge_wildcards(
            role,
            "CloudWatch Logs compares a group's ARN with ':*' at its end. The group is named.",
            [f"{arn}{NAME}:*"],
        )
        acknowledge_wildcards(
            role,
            "The function's own log group has the function's name, which CloudFormation makes up.",
            [own],
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "logs:CreateLogGroup",
                    "logs:DeleteRetentionPolicy",
                    "logs:PutRetentionPolicy",
                ],
                resources=[f"{arn}{NAME}", f"{arn}{NAME}:*", own],
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[own]
            )
        )
        return role
