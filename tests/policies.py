"""A template's roles and policies: what IAM's question, may this principal do this, is asked of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_aws import policy_evaluation
from local_aws.policy_evaluation import Statement, is_allowed
from tests.definitions import resolve

__all__ = ["ACCOUNT", "REGION", "Deployed", "Request", "Statement", "is_allowed"]

ACCOUNT = "111122223333"
REGION = "eu-west-1"


@dataclass(frozen=True)
class Request(policy_evaluation.Request):
    """One call, upon a resource of the account that the template is in unless told otherwise."""

    owner: str = field(default=ACCOUNT, kw_only=True)


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
