"""What a template allows and denies, and to whom: its policies taken apart into single grants.

A grant is one action on one resource for one principal, so that it doesn't show how statements
are split, merged, ordered or spread over policies. The elements are those of "IAM JSON policy
elements reference" in the IAM User Guide.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import product
from typing import Any, Literal

from operations.review.template.names import Token, function_of, pieces

Template = Mapping[str, Any]
Value = tuple[str | Token, ...]

_IDENTITY_POLICIES = {
    "AWS::IAM::Policy": ("Roles", "Users", "Groups"),
    "AWS::IAM::ManagedPolicy": ("Roles", "Users", "Groups"),
    "AWS::IAM::RolePolicy": ("RoleName",),
    "AWS::IAM::UserPolicy": ("UserName",),
    "AWS::IAM::GroupPolicy": ("GroupName",),
}
_IDENTITIES = ("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group")
_RESOURCE_POLICIES = {
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::SQS::QueuePolicy": "Queues",
    "AWS::SNS::TopicPolicy": "Topics",
}
# Of types whose whole resource says nothing but who may what.
POLICY_TYPES = frozenset({*_IDENTITY_POLICIES, *_RESOURCE_POLICIES, "AWS::Lambda::Permission"})

# What an ARN consists of, where Fn::GetAtt gives it: the table "Resource types" of each service in
# the Service Authorization Reference.
_P, _R, _A = Token("AWS::Partition"), Token("AWS::Region"), Token("AWS::AccountId")
_ARNS: Mapping[str, Value] = {
    "AWS::IAM::Role": ("arn:", _P, ":iam::", _A, ":role/"),
    "AWS::KMS::Key": ("arn:", _P, ":kms:", _R, ":", _A, ":key/"),
    "AWS::S3::Bucket": ("arn:", _P, ":s3:::"),
    "AWS::SQS::Queue": ("arn:", _P, ":sqs:", _R, ":", _A, ":"),
}
# Of these types Ref gives the ARN, and the attribute if there is one ("Return values" of each type
# in the CloudFormation reference).
_ARN_BY_REF = {"AWS::IAM::ManagedPolicy": "PolicyArn", "AWS::SNS::Topic": "TopicArn"}
# The function of a token that IAM puts in with each request, and that of a parameter.
VARIABLE = "Variable"
PARAMETER = "Ref"
# The operator of a condition of the template's that a whole resource depends on.
TEMPLATE = "Template"
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_STATEMENT = frozenset(
    {"Action", "Condition", "Effect", "NotAction", "NotResource", "Principal", "Resource", "Sid"}
)


@dataclass(frozen=True)
class Condition:
    """One key of a statement's condition.

    Attributes:
        operator: Such as ``StringLike``.
        key: The condition key.
        values: What it is compared with; one of them is enough.
    """

    operator: str
    key: str
    values: frozenset[Value]


@dataclass(frozen=True)
class Grant:
    """One thing that is allowed or denied.

    Attributes:
        effect: ``Allow`` or ``Deny``.
        principal: Who, in a resource's policy: such as ``Service:events.amazonaws.com``; ``*`` is
            everyone. Empty in the policies of a role.
        actions: The action, or with ``but_actions`` all but these.
        resources: The resource, or with ``but_resources`` all but these. None in a trust policy.
        conditions: All of them must hold.
    """

    effect: Literal["Allow", "Deny"]
    principal: Value
    actions: tuple[Value, ...]
    resources: tuple[Value, ...]
    conditions: frozenset[Condition] = frozenset()
    but_actions: bool = False
    but_resources: bool = False


@dataclass(frozen=True)
class Subject:
    """Whose permissions they are, or who grants them.

    Attributes:
        kind: ``identity`` for what a role may do, ``trust`` for who may become it, ``resource``
            for a resource's own policy.
        name: Its logical id, or its name or ARN where it isn't in the template.
    """

    kind: Literal["identity", "trust", "resource"]
    name: str


def order(value: Any) -> str:
    """What grants or their parts are sorted by: alike in every process, as a set's repr isn't."""
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(order, value)))}}}"
    if isinstance(value, tuple):
        return f"({', '.join(map(order, value))})"
    if is_dataclass(value):
        return order(tuple(getattr(value, one.name) for one in fields(value)))
    return repr(value)


def arn_of_role(logical_id: str) -> Value:
    """The ARN of a role in the template, as grants have it."""
    return (*_ARNS["AWS::IAM::Role"], Token(logical_id))


@dataclass
class Rules:
    """All that is said about one subject.

    Attributes:
        grants: What is understood.
        unknown: Statements that are not, as JSON.
        documents: The documents as they are written.
        attached: ARNs of the managed policies that are attached.
        boundary: ARN of the permissions boundary.
    """

    grants: set[Grant] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    documents: list[Any] = field(default_factory=list)
    attached: set[Value] = field(default_factory=set)
    boundary: Value | None = None


def is_policy(resource_type: str, name: str, value: Any) -> bool:
    """Whether a property says who may what.

    Args:
        resource_type: Type of its resource.
        name: Name of the property.
        value: What it is.
    """
    if resource_type in POLICY_TYPES:
        return True
    if resource_type in _IDENTITIES and name in (
        *("AssumeRolePolicyDocument", "ManagedPolicyArns"),
        *("PermissionsBoundary", "Policies"),
    ):
        return True
    return isinstance(value, Mapping) and "Statement" in value


def rules_of(template: Template) -> dict[Subject, Rules]:
    """Every subject of a template and what is said about it."""
    return _Reader(template).read()


class _Reader:
    def __init__(self, template: Template) -> None:
        self._template = template
        self._resources: Mapping[str, Any] = template.get("Resources", {})
        self._found: dict[Subject, Rules] = {}
        self._only_if: frozenset[Condition] = frozenset()

    def read(self) -> dict[Subject, Rules]:
        for logical_id, resource in self._resources.items():
            self._only_if = frozenset(self._conditions_of(resource))
            kind, properties = resource["Type"], resource.get("Properties", {})
            if kind in _IDENTITY_POLICIES:
                for holder in self._holders(logical_id, kind, properties):
                    self._add(Subject("identity", holder), properties.get("PolicyDocument", {}))
            elif kind in _RESOURCE_POLICIES:
                for target in _listed(properties.get(_RESOURCE_POLICIES[kind], [])):
                    name = self._name(target)
                    self._add(Subject("resource", name), properties.get("PolicyDocument", {}))
            elif kind == "AWS::Lambda::Permission":
                name = self._name(properties.get("FunctionName", ""))
                self._add(Subject("resource", name), _document_of_permission(properties))
            elif kind in _IDENTITIES:
                self._identity(logical_id, properties)
            else:
                for name, value in properties.items():
                    if is_policy(kind, name, value):
                        self._add(Subject("resource", logical_id), value)
        return self._found

    def _conditions_of(self, resource: Mapping[str, Any]) -> Iterator[Condition]:
        """The condition of the template's, if any, without which there is no such resource."""
        if "Condition" in resource:
            name = resource["Condition"]
            declared = json.dumps(self._depends_on(name), sort_keys=True)
            yield Condition(TEMPLATE, name, frozenset({(declared,)}))

    def _identity(self, logical_id: str, properties: Mapping[str, Any]) -> None:
        rules = self._rules(Subject("identity", logical_id))
        for arn in _listed(properties.get("ManagedPolicyArns", [])):
            if self._name(arn) not in self._resources:
                rules.attached.add(self._value(arn))
        if "PermissionsBoundary" in properties:
            rules.boundary = self._value(properties["PermissionsBoundary"])
        for policy in _listed(properties.get("Policies", [])):
            document = policy.get("PolicyDocument", {"Statement": policy})
            self._add(Subject("identity", logical_id), document)
        if "AssumeRolePolicyDocument" in properties:
            self._add(Subject("trust", logical_id), properties["AssumeRolePolicyDocument"])

    def _holders(self, logical_id: str, kind: str, properties: Mapping[str, Any]) -> Sequence[str]:
        """Who has an identity's policy; itself, if nobody in the template has it."""
        names = [
            self._name(holder)
            for property_name in _IDENTITY_POLICIES[kind]
            for holder in _listed(properties.get(property_name, []))
        ]
        if kind == "AWS::IAM::ManagedPolicy":
            names += [
                name
                for name, resource in self._resources.items()
                if resource["Type"] in _IDENTITIES
                and logical_id
                in map(
                    self._name, _listed(resource.get("Properties", {}).get("ManagedPolicyArns", []))
                )
            ]
        return sorted(set(names)) or [logical_id]

    def _rules(self, subject: Subject) -> Rules:
        return self._found.setdefault(subject, Rules())

    def _add(self, subject: Subject, document: Any) -> None:
        rules = self._rules(subject)
        rules.documents.append(document)
        if not isinstance(document, Mapping) or function_of(document) is not None:
            rules.unknown.add(self._json(document))
            return
        for statement in _listed(document.get("Statement", [])):
            try:
                rules.grants.update(self._grants(statement))
            except _NotUnderstoodError:
                rules.unknown.add(self._json(statement))

    def _grants(self, statement: Any) -> Iterator[Grant]:
        if not _is_plain(statement) or not set(statement) <= _STATEMENT:
            raise _NotUnderstoodError
        effect = statement.get("Effect")
        if effect not in ("Allow", "Deny"):
            raise _NotUnderstoodError
        conditions = self._only_if | set(self._conditions(statement.get("Condition", {})))
        actions, but_actions = self._element(statement, "Action")
        resources, but_resources = self._element(statement, "Resource")
        if not actions:
            raise _NotUnderstoodError
        principals = list(self._principals(statement.get("Principal")))
        for principal, action, resource in product(
            principals,
            [tuple(actions)] if but_actions else [(action,) for action in actions],
            [tuple(resources)] if but_resources or not resources else [(r,) for r in resources],
        ):
            yield Grant(
                *(effect, principal, action, resource, conditions, but_actions, but_resources)
            )

    def _element(self, statement: Mapping[str, Any], name: str) -> tuple[list[Value], bool]:
        but = f"Not{name}" in statement
        if but and name in statement:
            raise _NotUnderstoodError
        return self._values(statement.get(f"Not{name}" if but else name, [])), but

    def _principals(self, principal: Any) -> Iterator[Value]:
        if principal is None:
            yield ()
        elif principal == "*":
            yield ("*",)
        elif not _is_plain(principal):
            raise _NotUnderstoodError
        else:
            for kind, names in principal.items():
                for value in self._values(names):
                    yield _principal(kind, value)

    def _conditions(self, condition: Any) -> Iterator[Condition]:
        if not _is_plain(condition):
            raise _NotUnderstoodError
        for operator, keys in condition.items():
            if not _is_plain(keys):
                raise _NotUnderstoodError
            for key, values in keys.items():
                yield Condition(operator, key, frozenset(self._values(values)))

    def _values(self, values: Any) -> list[Value]:
        listed = _listed(values)
        if any(
            isinstance(one, list)
            or (isinstance(one, Mapping) and function_of(one) in (None, "Fn::If"))
            for one in listed
        ):
            raise _NotUnderstoodError
        return [self._value(one) for one in listed]

    def _name(self, value: Any) -> str:
        """The logical id of what a value refers to, or the value as text."""
        found = pieces(value)
        for piece in found:
            if isinstance(piece, Token) and not piece.function and piece.name in self._resources:
                return piece.name
        return "".join(piece if isinstance(piece, str) else f"${{{piece.name}}}" for piece in found)

    def _json(self, value: Any) -> str:
        return json.dumps([value, *self._depends_on(value)], sort_keys=True)

    def _value(self, value: Any) -> Value:
        """A value in pieces, one way for all ways of writing it."""
        found: list[str | Token] = []
        for piece in pieces(value):
            for one in self._known(piece):
                if isinstance(one, str) and found and isinstance(found[-1], str):
                    found[-1] += one
                else:
                    found.append(one)
        return tuple(found)

    def _known(self, piece: str | Token) -> Value:
        """An ARN in its parts, and a token with what the template says about its value."""
        if isinstance(piece, str):
            return tuple(_with_variables(piece))
        if piece.function:
            depends_on = self._depends_on(json.loads(piece.name))
            return (replace(piece, attribute=json.dumps(depends_on, sort_keys=True)),)
        if piece.name in self._template.get("Parameters", {}):
            depends_on = self._depends_on({"Ref": piece.name})
            return (
                Token(json.dumps(piece.name), json.dumps(depends_on, sort_keys=True), PARAMETER),
            )
        kind = self._resources.get(piece.name, {}).get("Type")
        if piece.attribute == "Arn" and kind in _ARNS:
            return (*_ARNS[kind], Token(piece.name))
        if kind in _ARN_BY_REF and piece.attribute in ("", _ARN_BY_REF[kind]):
            return (Token(piece.name, "Arn"),)
        return (piece,)

    def _depends_on(self, value: Any) -> list[Any]:
        """What else in the template decides a value: parameters, mappings and conditions."""
        words = set(_words(value))
        return [
            declared
            for section in ("Parameters", "Mappings", "Conditions")
            for name, declared in sorted(self._template.get(section, {}).items())
            if name in words
        ]


class _NotUnderstoodError(Exception):
    """A statement says what is not understood here."""


def _with_variables(text: str) -> Iterator[str | Token]:
    """A text whose policy variables, such as ``${aws:username}``, are tokens."""
    for place, part in enumerate(_VARIABLE.split(text)):
        if place % 2:
            yield Token(json.dumps(part), function=VARIABLE)
        elif part:
            yield part


def _is_plain(value: Any) -> bool:
    """Whether a value is a mapping that stands for itself."""
    return isinstance(value, Mapping) and function_of(value) is None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)


def _principal(kind: str, value: Value) -> Value:
    """A principal; an account's number stands for its root user's ARN."""
    if not value:
        return (f"{kind}:",)
    if kind == "AWS" and value == ("*",):
        return value
    if kind == "AWS" and (value == (_A,) or (len(str(value[0])) == 12 and str(value[0]).isdigit())):
        return "AWS:arn:", _P, ":iam::", *value, ":root"
    first, *rest = value
    if isinstance(first, str):
        return (f"{kind}:{first}", *rest)
    return (f"{kind}:", *value)


def _document_of_permission(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The statement that ``AddPermission`` of Lambda writes, by botocore's model of it."""
    principal = properties.get("Principal", "*")
    is_service = isinstance(principal, str) and "." in principal
    conditions = {
        operator: {key: properties[name]}
        for name, operator, key in (
            ("SourceArn", "ArnLike", "AWS:SourceArn"),
            ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
            ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        )
        if name in properties
    }
    understood = {"Action", "FunctionName", "Principal"} | {
        *("PrincipalOrgID", "SourceAccount", "SourceArn")
    }
    rest = {name: value for name, value in properties.items() if name not in understood}
    statement = {
        "Effect": "Allow",
        "Principal": {"Service" if is_service else "AWS": principal},
        "Action": properties.get("Action", "lambda:InvokeFunction"),
        "Resource": properties.get("FunctionName", "*"),
        "Condition": conditions,
        **rest,
    }
    return {"Statement": [statement]}
