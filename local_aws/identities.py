"""Who calls: the account's administrator, or a role that a service has assumed.

A session has credentials of its own, as on AWS, so that each request tells whose it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local_aws.policy_evaluation import LOOPBACK, Request, Statement, decide, statements

PARTITION = "aws"


class AssumeRoleError(Exception):
    """A service may not assume a role; the text says why, in IAM's words."""


@dataclass(frozen=True)
class Caller:
    """Whose a request is.

    Attributes:
        principal: ARN of the role, or of the account if its administrator calls.
        session: ARN of the role's session, which AWS's messages name.
        identity: Statements of the role's policies.
        boundary: Statements of its permissions boundary, if it has one.
    """

    principal: str
    session: str | None = None
    identity: tuple[Statement, ...] = ()
    boundary: tuple[Statement, ...] | None = None

    @property
    def is_administrator(self) -> bool:
        """Whether no policy of the caller's own could forbid it anything."""
        return self.session is None


class RoleSession:
    """A role that a service has assumed.

    Attributes:
        caller: Whose requests are made with it.
    """

    def __init__(self, account: str, access_key: str, credentials: Mapping[str, str]) -> None:
        self._account = account
        self._access_key = access_key
        self._credentials = credentials
        self._clients: dict[str, Any] = {}

    @property
    def caller(self) -> Caller:
        """The role with the policies that it has now."""
        return caller_of(self._account, self._access_key)

    def client(self, service: str) -> Any:
        """The boto3 client of a service that calls in the role."""
        if service not in self._clients:  # it takes longer to make than most of its calls
            self._clients[service] = boto3.client(service, **self._credentials)
        return self._clients[service]


def assume(service: str, role_arn: str, source_arn: str, session_name: str) -> RoleSession:
    """Let a service assume a role.

    Args:
        service: Its name, such as ``events.amazonaws.com``.
        role_arn: The role.
        source_arn: What the service acts for, in the account of the role's owner
            ("Cross-service confused deputy prevention").
        session_name: Name of the session.

    Raises:
        AssumeRoleError: The role is not there, or does not trust the service in that.
    """
    account, role = role_arn.split(":")[4], _role(role_arn)
    request = Request(
        principal=service,
        action="sts:AssumeRole",
        resource=role_arn,
        context={**LOOPBACK, "aws:SourceArn": source_arn, "aws:SourceAccount": account},
        owner=account,
    )
    trust = statements(role.assume_role_policy_document) if role else []
    decision = decide(request, resource=trust)
    if not decision.is_allowed:
        raise AssumeRoleError(
            f"{service} is not authorized to perform: sts:AssumeRole on resource: {role_arn} "
            f"{decision.reason}"
        )
    made = sts_backends[account][PARTITION].assume_role(
        region_name=boto3.session.Session().region_name,
        role_session_name=session_name,
        role_arn=role_arn,
        policy=None,
        duration=3600,
        external_id=None,
    )
    return _session(account, made)


def session_of(account: str, access_key: str) -> RoleSession:
    """Whoever calls, to go on in their name as services do ("forward access sessions").

    Args:
        account: Account that the key belongs to.
        access_key: Id of the caller's key.
    """
    found = sts_backends[account][PARTITION].get_assumed_role_from_access_key(access_key)
    # The local AWS itself calls as the administrator.
    return RoleSession(account, access_key, {}) if found is None else _session(account, found)


def caller_of(account: str, access_key: str) -> Caller:
    """Whose an access key is: that of a role's session, or else the administrator's.

    Args:
        account: Account that the key belongs to.
        access_key: Id of the key.
    """
    session = sts_backends[account][PARTITION].get_assumed_role_from_access_key(access_key)
    if session is None:
        return Caller(f"arn:{PARTITION}:iam::{account}:root")
    role = _role(session.role_arn)
    if role is None:
        return Caller(session.role_arn, session.arn)  # deleted: the session may do nothing more
    documents = [*role.policies.values(), *map(_document, role.managed_policies.values())]
    boundary = None
    if role.permissions_boundary_arn:
        managed = iam_backends[account][PARTITION].managed_policies
        boundary = tuple(statements(_document(managed[role.permissions_boundary_arn])))
    return Caller(
        session.role_arn,
        session.arn,
        tuple(one for document in documents for one in statements(document)),
        boundary,
    )


def _session(account: str, made: Any) -> RoleSession:
    credentials = {
        "aws_access_key_id": made.access_key_id,
        "aws_secret_access_key": made.secret_access_key,
        "aws_session_token": made.session_token,
    }
    return RoleSession(account, made.access_key_id, credentials)


def _document(managed_policy: Any) -> str:
    [document] = (
        version.document
        for version in managed_policy.versions
        if version.version_id == managed_policy.default_version_id
    )
    return str(document)


def _role(arn: str) -> Any:
    roles = iam_backends[arn.split(":")[4]][PARTITION].roles.values()
    return next((role for role in list(roles) if role.arn == arn), None)
