"""Decides what a caller may do, and refuses the rest in AWS's words.

Every call that AWS would decide comes through here: what a role's session asks of S3 and SageMaker
(``s3_requests``, ``sagemaker_requests``), what a service asks as itself of a queue, a topic or a
bucket, and the keys that either needs for it.
"""

from collections.abc import Iterable, Mapping

from moto.kms.models import kms_backends

from local_aws.identities import Caller
from local_aws.policy_evaluation import LOOPBACK, Request, Statement, decide, statements

Context = Mapping[str, str | list[str] | None]


class AccessDeniedError(Exception):
    """A caller may not do what it asks for; the text is AWS's."""


def authorize(
    caller: Caller,
    action: str,
    resource: str,
    context: Context,
    *,
    owner: str | None = None,
    policy: Iterable[Statement] | None = None,
) -> None:
    """Let a caller do something, or refuse it.

    Args:
        caller: Who asks.
        action: Such as ``s3:GetObject``.
        resource: ARN of what it is done to.
        context: The condition keys that are known; of others, a policy can't speak here.
        owner: Account of the resource. Default: the one in its ARN.
        policy: The resource's policy, if it has one.

    Raises:
        AccessDeniedError: It may not.
        UnsupportedPolicyError: A policy says something that is not understood here.
    """
    request = Request(
        principal=caller.principal,
        action=action,
        resource=resource,
        context={**LOOPBACK, **context},
        owner=owner or resource.split(":")[4],
        session=caller.session,
        context_is_complete=False,
    )
    decision = decide(request, caller.identity, policy, caller.boundary)
    # The administrator has every permission; what is denied to everyone is denied to it.
    if decision.is_denied or not (decision.is_allowed or caller.is_administrator):
        raise AccessDeniedError(
            f"User: {caller.session or caller.principal} is not authorized to perform: {action} "
            f"on resource: {resource} {decision.reason}"
        )


def authorize_service(
    service: str,
    action: str,
    resource: str,
    policy: Iterable[Statement],
    source_arn: str,
    *,
    account: str | None = None,
    owner: str | None = None,
    tells_source: bool = True,
) -> None:
    """Let a service do something as itself, which the resource's policy has to allow.

    Args:
        service: Its name, such as ``events.amazonaws.com``.
        action: Such as ``sqs:SendMessage``.
        resource: ARN of what it is done to.
        policy: The resource's policy.
        source_arn: What the service acts for.
        account: Account of that. Default: the one in its ARN.
        owner: Account of the resource. Default: the one in its ARN.
        tells_source: Whether conditions know what it acts for.

    Raises:
        AccessDeniedError: It may not.
        UnsupportedPolicyError: The policy says something that is not understood here.
    """
    source = {
        "aws:SourceArn": source_arn,
        "aws:SourceAccount": account or source_arn.split(":")[4],
    }
    request = Request(
        principal=service,
        action=action,
        resource=resource,
        context={**LOOPBACK, **(source if tells_source else {})},
        owner=owner or resource.split(":")[4],
    )
    decision = decide(request, resource=policy)
    if not decision.is_allowed:
        raise AccessDeniedError(
            f"{service} is not authorized to perform: {action} on resource: {resource} "
            f"{decision.reason}"
        )


def authorize_key(caller: Caller, action: str, key: str, region: str, context: Context) -> None:
    """Let a caller use a KMS key, or refuse it.

    Args:
        caller: Who asks.
        action: Such as ``kms:Decrypt``.
        key: Id, ARN or alias of the key.
        region: Region of the key if its ARN is not given.
        context: As for :func:`authorize`.

    Raises:
        AccessDeniedError: It may not.
        UnsupportedPolicyError: A policy says something that is not understood here.
    """
    if found := _customer_key(key, caller.principal.split(":")[4], region):
        arn, policy = found
        authorize(caller, action, arn, context, policy=policy)


def authorize_services_key(
    service: str, key: str, source_arn: str, *, tells_source: bool = True
) -> None:
    """Let a service use a queue's or a topic's key as itself.

    Args:
        service: Its name.
        key: Id, ARN or alias of the key.
        source_arn: What the service acts for.
        tells_source: Whether conditions know it.

    Raises:
        AccessDeniedError: It may not.
        UnsupportedPolicyError: The key's policy says something that is not understood here.
    """
    _, _, _, region, account, _ = source_arn.split(":", 5)
    found = _customer_key(key, account, region)
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        if found is None:  # nobody can change who may use it
            raise AccessDeniedError(
                f"{service} is not authorized to perform: {action} on resource: {key} because no "
                f"resource-based policy allows the {action} action"
            )
        authorize_service(service, action, *found, source_arn, tells_source=tells_source)


def _customer_key(key: str, account: str, region: str) -> tuple[str, list[Statement]] | None:
    """The ARN of a key and its policy; None for AWS's own (``alias/aws/…``).

    Raises:
        AccessDeniedError: There is no such key.
    """
    if "alias/aws/" in key:
        return None
    if key.startswith("arn:"):
        _, _, _, region, account, _ = key.split(":", 5)
    try:
        described = kms_backends[account][region].describe_key(key)
    except KeyError:
        raise AccessDeniedError(f"KMS.NotFoundException: Key '{key}' does not exist") from None
    return described.arn, statements(described.policy)
