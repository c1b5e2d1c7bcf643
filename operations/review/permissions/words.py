"""Grants in words: "can delete objects (s3:DeleteObject) in `Artifacts/Bucket/models/*`"."""

import json
import re
from collections.abc import Iterable, Sequence

from operations.review.permissions.grants import (
    PARAMETER,
    TEMPLATE,
    VARIABLE,
    Condition,
    Grant,
    Value,
)
from operations.review.template.names import Names, Token
from operations.review.template.wording import listed

# For actions whose names say less than a few words do. All others are said by their names alone.
_DEEDS = {
    "kms:decrypt": "decrypt",
    "kms:encrypt": "encrypt",
    "s3:deleteobject": "delete objects",
    "s3:deleteobjectversion": "delete versions of objects",
    "s3:getobject": "read objects",
    "s3:listbucket": "list objects",
    "s3:putobject": "write objects",
    "sagemaker:createprocessingjob": "create processing jobs",
    "sagemaker:startpipelineexecution": "start the pipeline",
    "sns:publish": "publish messages",
    "sqs:receivemessage": "receive messages",
    "sqs:sendmessage": "send messages",
}
_OPERATORS = {
    "ArnEquals": "is like",  # it takes wildcards, as ArnLike does
    "ArnLike": "is like",
    "ArnNotEquals": "is not like",
    "ArnNotLike": "is not like",
    "Bool": "is",
    "NumericEquals": "is",
    "NumericGreaterThan": "is above",
    "NumericGreaterThanEquals": "is at least",
    "NumericLessThan": "is below",
    "NumericLessThanEquals": "is at most",
    "StringEquals": "is",
    "StringLike": "is like",
    "StringNotEquals": "is not",
    "StringNotLike": "is not like",
}
_OWN_ARN = re.compile(
    r"arn:\$\{AWS::Partition\}:(?P<service>[\w-]+):"
    r"(\$\{AWS::Region\})?:(\$\{AWS::AccountId\})?:(?P<rest>.+)"
)
# What stands before a name in ARNs of resources that a template's reader knows by name alone.
_SAID_BY_NAME = {"iam": "role/", "kms": "key/", "s3": "", "sns": "", "sqs": ""}
_THIS_ACCOUNT = "AWS:arn:${AWS::Partition}:iam::${AWS::AccountId}:root"


class Words:
    """Says what is granted, with the names of a template.

    Args:
        names: What its resources are called.
    """

    def __init__(self, names: Names) -> None:
        self._names = names

    def text(self, value: Value) -> str:
        """A value in pieces as one line."""
        return "".join(map(self._piece, value))

    def _piece(self, piece: str | Token) -> str:
        if isinstance(piece, Token) and piece.function in (PARAMETER, VARIABLE):
            return f"${{{json.loads(piece.name)}}}"
        return self._names.piece(piece)

    def resource(self, value: Value) -> str:
        """A resource; of ARNs in this account and region the telling part."""
        text = re.sub(r"^\$\{([^{}]+)\.Arn\}", r"${\1}", self.text(value))
        own = _OWN_ARN.fullmatch(text)
        if own:
            service, rest = own["service"], own["rest"]
            said = rest.removeprefix(_SAID_BY_NAME.get(service, ""))
            if service in _SAID_BY_NAME and said.startswith("${"):
                text = said
            else:
                text = f"{service}:{rest}"
        return f"`{text}`"

    def principal(self, value: Value) -> str:
        """Who, in the policy of a resource."""
        text = self.text(value)
        if text == "*":
            return "anyone"
        if text == _THIS_ACCOUNT:
            return "this account, by its own policies,"
        kind, _, name = text.partition(":")
        if kind == "Service":
            return f"the service {name}"
        account = re.fullmatch(r"arn:[^:]+(?:::[^:]+)?:iam::(\d{12}):root", name)
        if account:
            return f"the account {account[1]}"
        if kind != "AWS":
            return f"`{text}`"
        said = self.resource((name,))
        role = re.fullmatch(r"`\$\{([^{}]+)\}`", said)
        return f"the role {role[1]}" if role else said

    def actions(self, values: Iterable[Value]) -> str:
        """What is done: "delete objects (s3:DeleteObject) and call s3:PutObjectTagging"."""
        known, called = [], []
        for name in sorted(self.text(value) for value in values):
            if name == "*":
                known.append("do anything at all (*)")
            elif name.endswith(":*"):
                known.append(f"do anything of {name.partition(':')[0]} ({name})")
            elif name.lower() in _DEEDS:
                known.append(f"{_DEEDS[name.lower()]} ({name})")
            else:
                called.append(name)
        return listed([*known, f"call {listed(called)}"] if called else known)

    def deeds(self, grants: Sequence[Grant]) -> str:
        """What grants that differ in their actions alone let somebody do."""
        if grants[0].but_actions:
            return f"do all but {listed(sorted(map(self.text, grants[0].actions)))}"
        return self.actions({action for grant in grants for action in grant.actions})

    def place(self, grants: Sequence[Grant]) -> str:
        """On what, for grants that differ in their resources alone; empty for a trust policy."""
        resources = {resource for grant in grants for resource in grant.resources}
        if not resources:
            return ""
        if resources == {("*",)} and not grants[0].but_resources:
            return "on every resource"
        objects = all(self.text(action).startswith("s3:") for action in grants[0].actions)
        all_but = "all but " if grants[0].but_resources else ""
        said = listed(sorted(map(self.resource, resources)))
        return f"{'in' if objects else 'on'} {all_but}{said}"

    def conditions(self, conditions: Iterable[Condition]) -> str:
        """When: "where `s3:prefix` is like `models/*`"; empty if always."""
        said = sorted(map(self._condition, conditions))
        return f"where {listed(said)}" if said else ""

    def _condition(self, condition: Condition) -> str:
        key = f"`{condition.key}`"
        if condition.operator == TEMPLATE:
            return f"the template's condition {key} holds"
        values = sorted(f"`{self.text(value)}`" for value in condition.values)
        quantifier, _, name = condition.operator.rpartition(":")
        if name == "Null":
            return f"{key} is {'absent' if values == ['`true`'] else 'present'}"
        plain = name.removesuffix("IfExists")
        if quantifier or plain not in _OPERATORS:
            return f"{key} {condition.operator} {' or '.join(values)}"
        joined = " nor " if "Not" in plain else " or "
        absent = " or absent" if plain != name else ""
        return f"{key} {_OPERATORS[plain]} {joined.join(values)}{absent}"

    def grant(self, grant: Grant) -> str:
        """One grant without who has it."""
        parts = (
            self.deeds([grant]),
            self.place([grant]),
            self.conditions(grant.conditions),
        )
        return " ".join(filter(None, parts))
