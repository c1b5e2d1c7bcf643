"""Whether a resource's policy lets an AWS service in: statements, wildcards and conditions."""

import fnmatch
import json
from collections.abc import Mapping
from typing import Any


def allows(policy: str | None, service: str, action: str, context: Mapping[str, str]) -> bool:
    """Whether a resource's policy allows a service an action, and does not deny it.

    Args:
        policy: The policy's JSON; None or empty if there is none.
        service: Such as ``events.amazonaws.com``.
        action: Such as ``sqs:SendMessage``.
        context: Values of the condition keys that the service sends. TLS is used.

    Raises:
        ValueError: A condition's operator is not known.
    """
    statements = json.loads(policy or "{}").get("Statement", [])
    context = {"aws:SecureTransport": "true", **context}
    effects = [
        statement["Effect"]
        for statement in statements
        if _names(statement.get("Principal", {}), service)
        and any(fnmatch.fnmatch(action, pattern) for pattern in _list(statement.get("Action", [])))
        and all(
            _holds(name, context.get(key), _list(wanted))
            for name, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    ]
    return "Allow" in effects and "Deny" not in effects


def _list(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _names(principal: Any, service: str) -> bool:
    if isinstance(principal, str):
        return principal == "*"
    return service in _list(principal.get("Service", [])) or principal.get("AWS") == "*"


def _holds(name: str, actual: str | None, wanted: list[str]) -> bool:
    negated = "Not" in name
    if actual is None:
        return negated or name.endswith("IfExists")
    name = name.removesuffix("IfExists").replace("Not", "")
    if name in ("StringEquals", "ArnEquals", "ArnLike", "StringLike", "Bool"):
        exact = name in ("StringEquals", "Bool")
        found = any(
            actual == pattern if exact else fnmatch.fnmatchcase(actual, pattern)
            for pattern in wanted
        )
        return found != negated
    raise ValueError(f"the local AWS doesn't know the condition operator {name}")
