"""Asks IAM's question: may this principal do this?

The rules are those of "Policy evaluation logic", "Permissions boundaries for IAM entities" and "IAM
JSON policy elements" in the IAM User Guide; the words of a refusal are those of its "Troubleshoot
access denied error messages". What isn't known here (an operator, a principal, a policy variable)
is an error, never a guess. moto's own evaluator takes conditions for denials, and the published
ones are linters or no longer maintained.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Statement = Mapping[str, Any]
_Test = Callable[[str, str], bool]  # of what a policy says, and what a request has

# What a request to the local AWS tells of itself. It arrives over loopback without TLS, which
# counts as TLS 1.3: loopback needs none, and a policy that demands TLS is part of what is deployed.
LOOPBACK: Mapping[str, str] = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}

_ELEMENTS = frozenset(
    {
        "Action",
        "Condition",
        "Effect",
        "NotAction",
        "NotResource",
        "Principal",
        "Resource",
        "Sid",
    }
)


class UnsupportedPolicyError(Exception):
    """A policy says something that is not understood here."""


@dataclass(frozen=True)
class Request:
    """One call.

    Attributes:
        principal: Who calls: the ARN of a role or the name of a service.
        action: Such as ``s3:GetObject``.
        resource: ARN of what is called upon; ``*`` for an action that names no resource.
        context: Condition keys and their values: what the caller's service would send. None is
            the value of a key that is known not to be in the call. The keys that tell of the
            principal and of the resource's account need not be in it.
        owner: Account of the resource.
        session: ARN of the session in which a role calls.
        context_is_complete: Whether a key that is not in the context is not in the call either.
            If it may be, a condition on such a key is an error.
    """

    principal: str
    action: str
    resource: str
    context: Mapping[str, str | list[str] | None] = field(default_factory=dict)
    owner: str = field(kw_only=True)
    session: str | None = field(default=None, kw_only=True)
    context_is_complete: bool = field(default=True, kw_only=True)

    @property
    def account(self) -> str | None:
        """The caller's account, unless it is a service."""
        return self.principal.split(":")[4] if self.principal.startswith("arn:") else None

    @property
    def keys(self) -> dict[str, str | list[str] | None]:
        """Every condition key of the call, in lower case: their names have none of their own."""
        # "AWS global condition context keys"
        keys: dict[str, str | list[str] | None] = {"aws:resourceaccount": self.owner}
        if self.account is None:
            keys |= {
                "aws:principalarn": None,
                "aws:principalaccount": None,
                "aws:principalisawsservice": "true",
                "aws:principalservicename": self.principal,
            }
        else:
            keys |= {
                "aws:principalarn": self.principal,
                "aws:principalaccount": self.account,
                "aws:principalisawsservice": "false",
                "aws:principalservicename": None,
            }
        return keys | {name.lower(): value for name, value in self.context.items()}


@dataclass(frozen=True)
class Decision:
    """What the policies say to a request.

    Attributes:
        is_allowed: Whether it may be.
        is_denied: Whether a statement denies it; one that nothing allows is not allowed either.
        reason: Why it may not be, as AWS ends its message.
    """

    is_allowed: bool
    is_denied: bool = False
    reason: str = ""


def decide(
    request: Request,
    identity: Iterable[Statement] = (),
    resource: Iterable[Statement] | None = None,
    boundary: Iterable[Statement] | None = None,
) -> Decision:
    """Decide on a request.

    Args:
        request: The request.
        identity: Statements of the caller's own policies.
        resource: Statements of the resource's policy, if it has one.
        boundary: Statements of the caller's permissions boundary, if it has one.

    Raises:
        UnsupportedPolicyError: A statement says something that is not understood here.
    """
    found = _Applying(request, identity, resource, boundary)
    for kind, applying in found.by_kind.items():
        if any(statement["Effect"] == "Deny" for statement in applying):
            return Decision(False, is_denied=True, reason=f"with an explicit deny in {kind}")
    if missing := found.missing():
        return Decision(False, reason=f"because no {missing} allows the {request.action} action")
    return Decision(True)


def is_allowed(
    request: Request,
    identity: Iterable[Statement] = (),
    resource: Iterable[Statement] | None = None,
    boundary: Iterable[Statement] | None = None,
) -> bool:
    """Whether a request is allowed; as :func:`decide`."""
    return decide(request, identity, resource, boundary).is_allowed


def is_denied(
    request: Request,
    identity: Iterable[Statement] = (),
    resource: Iterable[Statement] | None = None,
    boundary: Iterable[Statement] | None = None,
) -> bool:
    """Whether a statement denies a request; as :func:`decide`."""
    return decide(request, identity, resource, boundary).is_denied


def statements(document: str | Mapping[str, Any] | None) -> list[Statement]:
    """The statements of a policy's document.

    Args:
        document: The document or its JSON; None or empty if there is none.
    """
    parsed = json.loads(document) if isinstance(document, str) and document else document or {}
    found: list[Statement] | Statement = parsed.get("Statement", [])
    return [found] if isinstance(found, Mapping) else found


class _Applying:
    """The statements that apply to a request.

    Attributes:
        by_kind: All of them, by the kind of the policies that they are from.
    """

    def __init__(
        self,
        request: Request,
        identity: Iterable[Statement],
        resource: Iterable[Statement] | None,
        boundary: Iterable[Statement] | None,
    ) -> None:
        self._request = request
        self._own = [statement for statement in identity if _applies(statement, request)]
        # Of the resource's policy: what names the session, the caller, the caller's account.
        self._by_name: dict[str, list[Statement]] = {"session": [], "caller": [], "account": []}
        for statement in resource or ():
            if (how := _names(statement, request)) and _applies(statement, request):
                self._by_name[how].append(statement)
        self._boundary = None
        if boundary is not None:
            self._boundary = [statement for statement in boundary if _applies(statement, request)]

    @property
    def by_kind(self) -> dict[str, list[Statement]]:
        return {
            "an identity-based policy": self._own,
            "a resource-based policy": [one for named in self._by_name.values() for one in named],
            "a permissions boundary": self._boundary or [],
        }

    def missing(self) -> str | None:
        """The kind of policy that would have to allow the request, where none denies it."""
        request, by_name = self._request, self._by_name
        # A role's trust policy is its resource's policy.
        trusting = request.action == "sts:AssumeRole"
        by_resource = "role trust policy" if trusting else "resource-based policy"
        direct = by_name["session"] or by_name["caller"]
        if request.account is None:
            return None if direct else by_resource
        same_account = request.account == request.owner
        if by_name["session"] and same_account:
            return None  # not even a boundary limits what is granted to the session itself
        if not (direct and same_account):
            if not self._own:
                return "identity-based policy"
            # These resources' policies must agree; so must those of another account.
            must_agree = request.action.lower().startswith(("kms:", "sts:")) or not same_account
            if must_agree and not (direct or by_name["account"]):
                return by_resource
        return None if self._boundary is None or self._boundary else "permissions boundary"


def _applies(statement: Statement, request: Request) -> bool:
    if unknown := sorted(set(statement) - _ELEMENTS):
        raise UnsupportedPolicyError(f"the element {', '.join(unknown)} of a statement")
    if (effect := statement.get("Effect")) not in ("Allow", "Deny"):
        raise UnsupportedPolicyError(f"a statement's effect {effect!r}")
    return (
        _element(statement, "Action", request.action.lower(), _action_matches)
        and (
            _is_trust(statement) or _element(statement, "Resource", request.resource, _arn_matches)
        )
        and all(
            _condition(operator, key, _strings(wanted), request)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _is_trust(statement: Statement) -> bool:
    """Whether a statement names no resource because it is the role's own trust policy."""
    return "Principal" in statement and not {"Resource", "NotResource"} & set(statement)


def _element(statement: Statement, name: str, value: str, matches: _Test) -> bool:
    if (name in statement) == (f"Not{name}" in statement):
        raise UnsupportedPolicyError(f"a statement has either {name} or Not{name}: {statement}")
    if name in statement:
        return any(matches(pattern, value) for pattern in _strings(statement[name]))
    return not any(matches(pattern, value) for pattern in _strings(statement[f"Not{name}"]))


def _names(statement: Statement, request: Request) -> str | None:
    """How a resource's statement names the caller, as a key of what applies; None if it doesn't."""
    if "Principal" not in statement:
        raise UnsupportedPolicyError(f"a resource's statement has a Principal: {statement}")
    principal = statement["Principal"]
    if principal in ("*", {"AWS": "*"}):
        return "caller"
    if unknown := set(principal) - {"AWS", "Service"}:
        raise UnsupportedPolicyError(f"principals of type {sorted(unknown)}")
    if request.account is None:
        return "caller" if request.principal in _strings(principal.get("Service", ())) else None
    named = _strings(principal.get("AWS", ()))
    if request.session in named:
        return "session"
    if "*" in named or request.principal in named:
        return "caller"
    root = re.compile(rf"(arn:[^:]+:iam::)?{request.account}(:root)?")
    return "account" if any(root.fullmatch(name) for name in named) else None


def _condition(operator: str, key: str, wanted: list[str], request: Request) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    keys = request.keys
    actual = keys.get(key.lower())
    if key.lower() not in keys and not request.context_is_complete:
        raise UnsupportedPolicyError(f"the local AWS doesn't know the condition key {key}")
    if name == "Null":
        return (actual is None) == (wanted == ["true"])
    negated = "Not" in name
    test = _OPERATORS.get(name.replace("Not", ""))
    if test is None or quantifier not in ("", "ForAllValues", "ForAnyValue"):
        reason = f"the local AWS doesn't know the condition operator {operator}"
        raise UnsupportedPolicyError(reason)
    if actual is None:
        return if_exists or quantifier == "ForAllValues" or (negated and not quantifier)
    met = [any(test(value, one) for value in wanted) != negated for one in _strings(actual)]
    if quantifier == "":
        if not isinstance(actual, str):
            raise UnsupportedPolicyError(f"{key} has several values, and {operator} compares one")
        return met[0]
    return all(met) if quantifier == "ForAllValues" else any(met)


def _strings(value: Any) -> list[str]:
    values = [value] if isinstance(value, str | bool | int | float) else list(value)
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in values]
    if any("${" in text for text in texts):
        raise UnsupportedPolicyError(f"policy variables: {texts}")
    return texts


def _wildcard_matches(pattern: str, value: str) -> bool:
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _action_matches(pattern: str, action: str) -> bool:
    return _wildcard_matches(pattern.lower(), action)


def _arn_matches(pattern: str, arn: str) -> bool:
    """Each of the six parts by itself: a wildcard doesn't reach over a colon between them."""
    if pattern == "*":
        return True
    parts, values = pattern.split(":", 5), arn.split(":", 5)
    return len(parts) == len(values) and all(map(_wildcard_matches, parts, values))


_OPERATORS: Mapping[str, _Test] = {
    "StringEquals": str.__eq__,
    "StringLike": _wildcard_matches,
    "ArnEquals": _arn_matches,  # both ArnEquals and ArnLike take wildcards
    "ArnLike": _arn_matches,
    "Bool": lambda wanted, actual: wanted.lower() == actual.lower(),
    "NumericLessThan": lambda wanted, actual: float(actual) < float(wanted),
}
