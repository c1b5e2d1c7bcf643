"""What EventBridge, CloudWatch Logs, SQS and CloudFormation ask IAM before they do what is asked.

S3 and SageMaker have modules of their own: ``s3_requests``, ``sagemaker_requests``.
"""

import json
from collections.abc import Iterator
from typing import Any

from moto.cloudformation.models import CloudFormationBackend
from moto.core.exceptions import AccessDeniedError as MotoAccessDeniedError
from moto.logs import urls as logs_urls
from moto.logs.responses import LogsResponse
from moto.sqs import urls as sqs_urls
from moto.sqs.models import sqs_backends
from moto.sqs.responses import SQSResponse

from local_aws.authorization import AccessDeniedError, authorize, authorize_key
from local_aws.identities import PARTITION, Caller, caller_of
from local_aws.moto_seams import use_responses
from local_aws.policy_evaluation import statements

_ALL = "*"  # of an action that has no resource


def install() -> None:
    """Make moto's CloudWatch Logs and SQS ask; the others have responses of their own elsewhere."""
    use_responses(logs_urls, LocalLogsResponse)
    use_responses(sqs_urls, LocalSQSResponse)


class RefusalError(MotoAccessDeniedError):  # type: ignore[misc]  # moto is not checked
    """The answer to a request that is not allowed."""

    def __init__(self, code: str, message: str) -> None:
        super(MotoAccessDeniedError, self).__init__(code, message)


class AsksIAM:
    """To be inherited from before one of moto's responses: lets a role's session do what it may."""

    current_account: str
    region: str
    access_key: str
    body: Any

    def _authenticate_and_authorize_normal_action(self, resource: str = _ALL) -> None:
        """Moto calls this before it does anything."""
        caller = caller_of(self.current_account, self.access_key)
        if caller.is_administrator:
            return
        try:
            self.authorize(caller, self._get_action())  # type: ignore[attr-defined]  # of moto's
        except AccessDeniedError as refusal:
            raise self.refusal(str(refusal)) from refusal

    def authorize(self, caller: Caller, action: str) -> None:
        """Let a caller do something, or refuse it.

        Raises:
            AccessDeniedError: It may not.
            NotImplementedError: What the action needs is not known here.
        """
        raise NotImplementedError

    def refusal(self, message: str) -> Exception:
        """The service's answer to who may not."""
        error: Exception = RefusalError("AccessDeniedException", message).to_json()
        return error

    @property
    def _request(self) -> dict[str, Any]:
        request: dict[str, Any] = json.loads(self.body)
        return request

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{PARTITION}:{service}:{self.region}:{self.current_account}:{resource}"


class AsksForRules(AsksIAM):
    """Before moto's EventBridge."""

    def authorize(self, caller: Caller, action: str) -> None:
        """Source: "Actions, resources, and condition keys for Amazon EventBridge"."""
        owner = self.current_account
        if action in ("ListRuleNamesByTarget", "TestEventPattern"):
            authorize(caller, f"events:{action}", _ALL, {}, owner=owner)
        elif action in ("DescribeRule", "ListTargetsByRule"):
            name = self._request["Name" if action == "DescribeRule" else "Rule"]
            authorize(caller, f"events:{action}", self._arn("events", f"rule/{name}"), {})
        else:
            raise NotImplementedError(f"the local AWS doesn't know what events:{action} needs")


class LocalLogsResponse(AsksIAM, LogsResponse):  # type: ignore[misc]  # moto is not checked
    """moto's, which asks IAM."""

    def authorize(self, caller: Caller, action: str) -> None:
        """Source: "Actions, resources, and condition keys for Amazon CloudWatch Logs".

        A group is compared with ``:*`` at its end ("Overview of managing access permissions to
        your CloudWatch Logs resources"): its ARN goes on as those of its streams do.
        """
        if action not in ("DescribeLogStreams", "GetLogEvents"):
            raise NotImplementedError(f"the local AWS doesn't know what logs:{action} needs")
        request = self._request
        stream = request["logStreamName"] if action == "GetLogEvents" else ""
        group = f"log-group:{request['logGroupName']}:log-stream:{stream}"
        authorize(caller, f"logs:{action}", self._arn("logs", group), {})


class LocalSQSResponse(AsksIAM, SQSResponse):  # type: ignore[misc]  # moto is not checked
    """moto's, which asks IAM, the queue's policy and its key."""

    def authorize(self, caller: Caller, action: str) -> None:
        """Sources: "Actions, resources, and condition keys for Amazon SQS"; "Encryption at rest".

        Whoever receives from an encrypted queue needs its key's ``kms:Decrypt``.
        """
        if action not in ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"):
            raise NotImplementedError(f"the local AWS doesn't know what sqs:{action} needs")
        name = self._request["QueueUrl"].rpartition("/")[2]
        queue = sqs_backends[self.current_account][self.region].get_queue(name)
        authorize(caller, f"sqs:{action}", queue.queue_arn, {}, policy=statements(queue.policy))
        if action == "ReceiveMessage" and (key := queue.kms_master_key_id):
            via = {"kms:ViaService": f"sqs.{self.region}.amazonaws.com"}
            authorize_key(caller, "kms:Decrypt", key, self.region, via)


class AsksForStacks(AsksIAM):
    """Before moto's CloudFormation."""

    cloudformation_backend: CloudFormationBackend

    def authorize(self, caller: Caller, action: str) -> None:
        """Source: "Actions, resources, and condition keys for AWS CloudFormation"."""
        name = self._get_param("StackName")  # type: ignore[attr-defined]  # of moto's
        authorize(caller, f"cloudformation:{action}", next(self._stacks(name), _ALL), {})

    def refusal(self, message: str) -> Exception:
        """In XML."""
        return RefusalError("AccessDenied", message)

    def _stacks(self, name: str | None) -> Iterator[str]:
        for stack in list(self.cloudformation_backend.stacks.values()):
            if name in (stack.name, stack.stack_id):
                yield stack.stack_id
        if name:
            yield self._arn("cloudformation", f"stack/{name}/*")
