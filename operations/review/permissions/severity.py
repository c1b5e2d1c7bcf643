"""How much attention a permission needs that somebody gets."""

from operations.review.changes import Level
from operations.review.permissions.grants import Grant, Value
from operations.review.template.names import Token

# Verbs of actions that change nothing. The access levels "Read" and "List" of the Service
# Authorization Reference begin with them; what begins otherwise is taken for writing.
_READING = (
    *("BatchCheck", "BatchGet", "Describe", "Filter", "Get", "Head", "List", "Lookup"),
    *("Query", "Scan", "Search", "Select", "View"),
)
# These read what is secret.
_SECRETS = frozenset({"secretsmanager:getsecretvalue", "secretsmanager:batchgetsecretvalue"})


def of_gain(grant: Grant, *, trust: bool, on_new: bool = False) -> Level:
    """How much attention it needs that somebody may do this now.

    Args:
        grant: What is allowed.
        trust: Whether it is to assume a role.
        on_new: Whether it is the policy of a resource that the change brings, which holds nothing
            yet: what this account or a service may do there opens nothing that was closed.
    """
    if trust or grant.but_actions or grant.but_resources or _is_stranger(grant.principal):
        return "danger"
    return "warning" if on_new or all(map(_only_reads, grant.actions)) else "danger"


def _only_reads(action: Value) -> bool:
    text = "".join(piece if isinstance(piece, str) else "*" for piece in action)
    service, _, name = text.partition(":")
    if text.lower() in _SECRETS or "*" in service:
        return False
    return name.lower().startswith(tuple(verb.lower() for verb in _READING))


def _is_stranger(principal: Value) -> bool:
    """Whether somebody outside of this account is named, or may be."""
    if not principal or str(principal[0]).startswith("Service:"):
        return False
    return Token("AWS::AccountId") not in principal and not _is_own_role(principal)


def _is_own_role(principal: Value) -> bool:
    return any(
        isinstance(piece, Token) and not piece.function and "::" not in piece.name
        for piece in principal
    )
