"""Asks IAM's question: may this principal do this?

The rules are those of "Policy evaluation logic" and "IAM JSON policy elements" in the IAM User
Guide. What isn't known here (an operator, a principal, a policy variable) is an error, never a
guess. moto's own evaluator takes conditions for denials, and the published ones are linters or no
longer maintained.
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
        context: Condition keys and their values: what the caller's service would send.
        owner: Account of the resource.
        context_is_complete: Whether a key that is not in the context is not in the call either.
            If it may be, a condition on such a key is an error.
    """

    principal: str
    action: str
    resource: str
    context: Mapping[str, str | list[str]] = field(default_factory=dict)
    owner: str = field(kw_only=True)
    context_is_complete: bool = field(default=True, kw_only=True)

    @property
    def account(self) -> str | None:
        """The caller's account, unless it is a service."""
        return self.principal.split(":")[4] if self.principal.startswith("arn:") else None


def is_allowed(
    request: Request,
    identity: Iterable[Statement] = (),
    resource: Iterable[Statement] | None = None,
) -> bool:
    """Whether a request is allowed.

    Args:
        request: The request.
        identity: Statements of the caller's own policies.
        resource: Statements of the resource's policy, if it has one.

    Raises:
        UnsupportedPolicyError: A statement says something that is not understood here.
    """
    found = _Applying(request, identity, resource)
    if found.denials:
        return False
    if request.account is None:
        return bool(found.direct)
    if found.direct and request.account == request.owner:
        return True
    # These resources' policies must agree; so must those of another account.
    must_agree = request.action.lower().startswith(("kms:", "sts:"))
    if must_agree or request.account != request.owner:
        return bool(found.own) and bool(found.direct or found.by_account)
    return bool(found.own)


def is_denied(
    request: Request,
    identity: Iterable[Statement] = (),
    resource: Iterable[Statement] | None = None,
) -> bool:
    """Whether a statement denies a request; one that nothing allows is not allowed either.

    Args:
        request: The request.
        identity: Statements of the caller's own policies.
        resource: Statements of the resource's policy, if it has one.

    Raises:
        UnsupportedPolicyError: A statement says something that is not understood here.
    """
    return bool(_Applying(request, identity, resource).denials)


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
        own: Those of the caller's policies.
        direct: Those of the resource's policy that name the caller.
        by_account: Those of the resource's policy that name the caller's account.
    """

    def __init__(
        self,
        request: Request,
        identity: Iterable[Statement],
        resource: Iterable[Statement] | None,
    ) -> None:
        self.own = [statement for statement in identity if _applies(statement, request)]
        self.direct: list[Statement] = []
        self.by_account: list[Statement] = []
        named = {"direct": self.direct, "account": self.by_account}
        for statement in resource or ():
            if (how := _names(statement, request)) and _applies(statement, request):
                named[how].append(statement)

    @property
    def denials(self) -> list[Statement]:
        """Those that deny it."""
        everything = (*self.own, *self.direct, *self.by_account)
        return [statement for statement in everything if statement["Effect"] == "Deny"]


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
    """How a resource's statement names the caller: in person, by its account, or not at all."""
    if "Principal" not in statement:
        raise UnsupportedPolicyError(f"a resource's statement has a Principal: {statement}")
    principal = statement["Principal"]
    if principal in ("*", {"AWS": "*"}):
        return "direct"
    if unknown := set(principal) - {"AWS", "Service"}:
        raise UnsupportedPolicyError(f"principals of type {sorted(unknown)}")
    if request.account is None:
        return "direct" if request.principal in _strings(principal.get("Service", ())) else None
    named = _strings(principal.get("AWS", ()))
    if "*" in named or request.principal in named:
        return "direct"
    root = re.compile(rf"(arn:[^:]+:iam::)?{request.account}(:root)?")
    return "account" if any(root.fullmatch(name) for name in named) else None


def _condition(operator: str, key: str, wanted: list[str], request: Request) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    # "AWS global condition context keys": every request to S3, KMS or SQS carries it.
    sent = {"aws:ResourceAccount": request.owner, **request.context}
    actual = {name.lower(): value for name, value in sent.items()}.get(key.lower())
    if actual is None and not request.context_is_complete:
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
