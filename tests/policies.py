"""Asks IAM's question of policies as they stand in a template: may this principal do this?

The rules are those of "Policy evaluation logic" and "IAM JSON policy elements" in the IAM User
Guide. What isn't known here (an operator, a principal, a policy variable) is an error, never a
guess. The local AWS's own evaluator ignores conditions, and the published ones are linters or no
longer maintained.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.definitions import resolve

ACCOUNT = "111122223333"
REGION = "eu-west-1"

Statement = Mapping[str, Any]


class UnsupportedError(Exception):
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
    """

    principal: str
    action: str
    resource: str
    context: Mapping[str, str | list[str]] = field(default_factory=dict)
    owner: str = ACCOUNT

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
    """
    own = [statement for statement in identity if _applies(statement, request)]
    named = {"direct": [], "account": []}
    for statement in resource or ():
        if (how := _names(statement, request)) and _applies(statement, request):
            named[how].append(statement)
    if any(
        statement["Effect"] == "Deny" for statement in (*own, *named["direct"], *named["account"])
    ):
        return False
    if request.account is None:
        return bool(named["direct"])
    if named["direct"] and request.account == request.owner:
        return True
    # These resources' policies must agree; so must those of another account.
    must_agree = request.action.lower().startswith(("kms:", "sts:"))
    if must_agree or request.account != request.owner:
        return bool(own) and bool(named["direct"] or named["account"])
    return bool(own)


def _applies(statement: Statement, request: Request) -> bool:
    return (
        _element(statement, "Action", request.action.lower(), _action_matches)
        and (
            _is_trust(statement) or _element(statement, "Resource", request.resource, _arn_matches)
        )
        and all(
            _condition(operator, key, _strings(wanted), request.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _is_trust(statement: Statement) -> bool:
    """Whether a statement names no resource because it is the role's own trust policy."""
    return "Principal" in statement and not {"Resource", "NotResource"} & set(statement)


def _element(statement: Statement, name: str, value: str, matches: Any) -> bool:
    if (name in statement) == (f"Not{name}" in statement):
        raise UnsupportedError(f"a statement has either {name} or Not{name}: {statement}")
    if name in statement:
        return any(matches(pattern, value) for pattern in _strings(statement[name]))
    return not any(matches(pattern, value) for pattern in _strings(statement[f"Not{name}"]))


def _names(statement: Statement, request: Request) -> str | None:
    """How a resource's statement names the caller: in person, by its account, or not at all."""
    if "Principal" not in statement:
        raise UnsupportedError(f"a resource's statement has a Principal: {statement}")
    principal = statement["Principal"]
    if principal in ("*", {"AWS": "*"}):
        return "direct"
    if unknown := set(principal) - {"AWS", "Service"}:
        raise UnsupportedError(f"principals of type {sorted(unknown)}")
    if request.account is None:
        return "direct" if request.principal in _strings(principal.get("Service", ())) else None
    named = _strings(principal.get("AWS", ()))
    if "*" in named or request.principal in named:
        return "direct"
    root = re.compile(rf"(arn:[^:]+:iam::)?{request.account}(:root)?")
    return "account" if any(root.fullmatch(name) for name in named) else None


def _condition(
    operator: str, key: str, wanted: list[str], context: Mapping[str, str | list[str]]
) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    actual = {name.lower(): value for name, value in context.items()}.get(key.lower())
    if name == "Null":
        return (actual is None) == (wanted == ["true"])
    negated = "Not" in name
    test = _OPERATORS.get(name.replace("Not", ""))
    if test is None or quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise UnsupportedError(f"the condition operator {operator}")
    if actual is None:
        return if_exists or quantifier == "ForAllValues" or (negated and not quantifier)
    met = [any(test(value, one) for value in wanted) != negated for one in _strings(actual)]
    if quantifier == "":
        if not isinstance(actual, str):
            raise UnsupportedError(f"{key} has several values, and {operator} compares one")
        return met[0]
    return all(met) if quantifier == "ForAllValues" else any(met)


def _strings(value: Any) -> list[str]:
    values = [value] if isinstance(value, str | bool | int | float) else list(value)
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in values]
    if any("${" in text for text in texts):
        raise UnsupportedError(f"policy variables: {texts}")
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


_OPERATORS: dict[str, Any] = {
    "StringEquals": str.__eq__,
    "StringLike": _wildcard_matches,
    "ArnEquals": _arn_matches,  # both ArnEquals and ArnLike take wildcards
    "ArnLike": _arn_matches,
    "Bool": lambda wanted, actual: wanted.lower() == actual.lower(),
    "NumericLessThan": lambda wanted, actual: float(actual) < float(wanted),
}


class Deployed:
    """A template's roles and policies, as they would be in one account and region.

    Attributes:
        resources: The template's resources with every intrinsic function resolved.
    """

    def __init__(self, template: Mapping[str, Any]) -> None:
        self._template = template
        values = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::URLSuffix": "amazonaws.com",
        }
        for mapping, keys in template.get("Mappings", {}).items():
            for key, named in keys.items():
                values |= {f"{mapping}.{key}.{name}": value for name, value in named.items()}
        for logical_id, resource in template["Resources"].items():
            values |= _names_of(logical_id, resource["Type"], resource.get("Properties", {}))
        self.names = values
        self.resources: dict[str, Any] = resolve(template["Resources"], values)

    def find(self, kind: str, **properties: Any) -> str:
        """The logical id of the one resource of a type whose properties begin with these."""
        [found] = (
            logical_id
            for logical_id, resource in self.resources.items()
            if resource["Type"] == kind
            and all(
                str(resource.get("Properties", {}).get(name, "")).startswith(value)
                for name, value in properties.items()
            )
        )
        return found

    def arn(self, logical_id: str) -> str:
        return self.names[f"{logical_id}.Arn"]

    def identity(self, role: str) -> list[dict[str, Any]]:
        """Every statement of a role's own policies, by its logical id."""
        documents = [
            policy["PolicyDocument"]
            for policy in self.resources.get(role, {}).get("Properties", {}).get("Policies", ())
        ]
        for resource in self.resources.values():
            if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
                properties = resource["Properties"]
                if self.names.get(role, role) in properties.get("Roles", ()):
                    documents.append(properties["PolicyDocument"])
        return [statement for document in documents for statement in _statements(document)]

    def trust(self, role: str) -> list[dict[str, Any]]:
        """The statements of a role's trust policy."""
        return _statements(self.resources[role]["Properties"]["AssumeRolePolicyDocument"])

    def policy_of(self, logical_id: str) -> list[dict[str, Any]]:
        """The statements of a bucket's, a queue's or a key's policy."""
        resource = self.resources[logical_id]
        if resource["Type"] == "AWS::KMS::Key":
            return _statements(resource["Properties"]["KeyPolicy"])
        name = self.names[logical_id]
        return [
            statement
            for policy in self.resources.values()
            if policy["Type"] in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy")
            and name
            in (policy["Properties"].get("Bucket"), *policy["Properties"].get("Queues", ()))
            for statement in _statements(policy["Properties"]["PolicyDocument"])
        ]


def _statements(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = document["Statement"]
    return [found] if isinstance(found, dict) else found


def _names_of(logical_id: str, kind: str, properties: Mapping[str, Any]) -> dict[str, str]:
    """What ``Ref`` and ``Fn::GetAtt`` give for a resource."""
    name = logical_id
    local = f"{REGION}:{ACCOUNT}"
    given = properties.get("BucketName") or properties.get("PipelineName")
    if isinstance(given, str):
        name = given
    arns = {
        "AWS::Events::Rule": f"arn:aws:events:{local}:rule/{name}",
        "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "AWS::KMS::Key": f"arn:aws:kms:{local}:key/{name}",
        "AWS::S3::Bucket": f"arn:aws:s3:::{name.lower()}",
        "AWS::SQS::Queue": f"arn:aws:sqs:{local}:{name}",
    }
    names = {
        "AWS::S3::Bucket": name.lower(),
        "AWS::SQS::Queue": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}",
        "AWS::EC2::SecurityGroup": f"sg-{name}",
    }
    known = {logical_id: names.get(kind, name)}
    if kind == "AWS::EC2::SecurityGroup":
        known[f"{logical_id}.GroupId"] = names[kind]
    if kind in arns:
        known[f"{logical_id}.Arn"] = arns[kind]
    return known
