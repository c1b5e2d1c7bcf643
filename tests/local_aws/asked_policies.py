"""Asks the policies of a running stage who may do what."""

from collections.abc import Mapping

from local_aws.cloud import ACCOUNT, REGION
from local_aws.policy_evaluation import LOOPBACK, Request, Statement, is_allowed
from tests.local_aws.running_stage import Stage

ROLES = {
    "rule": "TriggerRole",
    "pipeline": "PipelineRole",
    "job": "JobRole",
    "schedule": "NightlyRole",
    "operator": "OperatorsPolicy",  # whoever it is attached to
}
SAGEMAKER, EVENTS = "sagemaker.amazonaws.com", "events.amazonaws.com"
OTHER_ACCOUNT = "210987654321"
THROUGH_S3 = {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
THROUGH_SQS = {"kms:ViaService": "sqs.us-east-1.amazonaws.com"}
PASSED = {"iam:PassedToService": SAGEMAKER}


class Asked:
    """Asks the policies of a running stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        pipeline = stage.outputs["PipelineArn"]
        account = f"{REGION}:{ACCOUNT}"
        assets, packager = stage.code()
        self.names = {
            "alarm": f"arn:aws:cloudwatch:{account}:alarm:failed",
            "assets": f"arn:aws:s3:::{assets}",
            "bucket": f"arn:aws:s3:::{stage.bucket}",
            "job": stage.arn("JobRole"),
            "jobs": f"{pipeline.rpartition(':')[0]}:processing-job",
            "log_group": f"arn:aws:logs:{account}:log-group:",
            "name": pipeline.rpartition("/")[2],
            "packager": packager,
            "pipeline": pipeline,
            "queue": stage.arn("DeadLetterQueue"),
            "role": stage.arn("PipelineRole"),
            "rule": stage.rule(),
            "rule_role": stage.arn("TriggerRole"),
            "sagemaker": pipeline.rpartition(":")[0],
            "rules": stage.rule().rpartition("/")[0],
            "stack": "ModelPackaging",  # the construct's path
            "stacks": f"arn:aws:cloudformation:{account}:stack",
        }
        if stage.physical("AWS::Scheduler::Schedule"):
            self.names |= {
                "approval": stage.rule("Approval"),
                "approved": stage.arn("Approved"),
                "notification": stage.rule("Notifications"),
                "schedule_role": stage.arn("NightlyRole"),
                "schedules": f"arn:aws:scheduler:{account}:schedule-group/default",
            }
        if stage.physical("AWS::KMS::Key"):
            self.names |= {
                "key": stage.arn("ArtifactsKey"),
                "logs": stage.arn("AccessLogs"),
                "topic": stage.arn("MonitoringTopic"),
            }

    def may(self, who: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether a role or a service may do something, by its policies and the resource's."""
        arn = resource.format(**self.names)
        values = {key: value.format(**self.names) for key, value in context.items()}
        role = ROLES.get(who)
        request = Request(
            self._stage.arn(role) if role else who,
            action,
            arn,
            {**LOOPBACK, **values},
            owner=ACCOUNT,
        )
        identity = self._stage.policy(role, "identity") if role else ()
        return is_allowed(request, identity, self._of_resource(arn, action))

    def _of_resource(self, arn: str, action: str) -> list[Statement] | None:
        kind = "trust" if action == "sts:AssumeRole" else "resource"
        found = {
            policy.of
            for policy in self._stage.policies
            if policy.kind == kind and (arn == policy.arn or arn.startswith(f"{policy.arn}/"))
        }
        return [one for of in found for one in self._stage.policy(of, kind)] or None


Call = tuple[str, str, str, dict[str, str]]


def source(arn: str, account: str = ACCOUNT) -> dict[str, str]:
    return {"aws:SourceArn": arn, "aws:SourceAccount": account}
