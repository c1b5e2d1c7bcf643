"""The policies of a deployed stack, and what becomes of them without one of their permissions."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from local_aws.cloud import LocalCloud
from local_aws.policy_evaluation import Statement, statements

Document = dict[str, Any]


@dataclass(frozen=True)
class Policy:
    """A policy that the stack has deployed.

    Attributes:
        of: Logical id of the role or resource that it is the policy of.
        arn: ARN of that.
        kind: ``identity``, ``trust`` or ``resource``.
        read: Reads its document.
        write: Puts another one in its place.
    """

    of: str
    arn: str
    kind: str
    read: Callable[[], Document] = field(compare=False)
    write: Callable[[Document], Any] = field(compare=False)

    def permissions(self) -> Iterator["Permission"]:
        """Every pair of an action and a resource that it allows."""
        for place, statement in enumerate(statements(self.read())):
            if statement["Effect"] != "Allow":
                continue
            [whom] = statement.get("Principal", {"": ""}).values()
            tests = statement.get("Condition", {}).values()
            conditions = tuple(sorted(key for test in tests for key in test))
            for action in listed(statement["Action"]):
                for resource in listed(statement.get("Resource", self.arn)):
                    yield Permission(self, place, action, resource, whom, conditions)


@dataclass(frozen=True)
class Permission:
    """One action upon one resource, which a policy allows.

    Attributes:
        policy: The policy.
        place: Which of its statements.
        action: The action.
        resource: The resource.
        whom: Whom a trust policy or a resource's policy allows it.
        conditions: The keys that the conditions ask for.
    """

    policy: Policy
    place: int
    action: str
    resource: str
    whom: str
    conditions: tuple[str, ...]

    def __str__(self) -> str:
        whose = f"{self.whom} at {self.policy.of}" if self.whom else self.policy.of
        under = f" under {', '.join(self.conditions)}" if self.conditions else ""
        return f"{whose}: {self.action} on {self.resource}{under}"

    @contextmanager
    def taken_away(self) -> Iterator[None]:
        """The running local AWS without this permission, with all others."""
        before = self.policy.read()
        self.policy.write(self._document_without(before))
        try:
            yield
        finally:
            self.policy.write(before)

    def _document_without(self, document: Document) -> Document:
        kept: list[Statement] = []
        for place, statement in enumerate(statements(document)):
            if place != self.place:
                kept.append(statement)
                continue
            for action in listed(statement["Action"]):
                for resource in listed(statement.get("Resource", self.policy.arn)):
                    if (action, resource) != (self.action, self.resource):
                        one = copy.deepcopy(dict(statement)) | {"Action": action}
                        kept.append(one | {"Resource": resource} if "Resource" in one else one)
        # IAM takes no document without a statement. This action needs no permission.
        nothing = dict(statements(document)[self.place]) | {"Action": "sts:GetCallerIdentity"}
        return document | {"Statement": kept or [nothing]}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def policies(cloud: LocalCloud, stack: str) -> list[Policy]:
    """Every policy of a deployed stack and its resources, but for AWS's managed ones."""
    client = cloud.client
    found: list[Policy] = []
    for item in client("cloudformation").list_stack_resources(StackName=stack)[
        "StackResourceSummaries"
    ]:
        make = _MAKERS.get(item["ResourceType"])
        if make is not None:
            found += make(client, item["LogicalResourceId"], item["PhysicalResourceId"])
    return found


def _of_role(client: Any, of: str, name: str) -> list[Policy]:
    iam = client("iam")
    role = iam.get_role(RoleName=name)["Role"]

    def trust() -> Document:
        document: Document = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        return document

    def put_trust(document: Document) -> None:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))

    def inline(policy: str) -> Policy:
        key = {"RoleName": name, "PolicyName": policy}
        return Policy(
            of,
            role["Arn"],
            "identity",
            lambda: iam.get_role_policy(**key)["PolicyDocument"],
            lambda document: iam.put_role_policy(**key, PolicyDocument=json.dumps(document)),
        )

    names = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return [Policy(of, role["Arn"], "trust", trust, put_trust), *(inline(one) for one in names)]


def _managed(client: Any, of: str, arn: str) -> list[Policy]:
    iam, policy = client("iam"), {"PolicyArn": arn}

    def version() -> str:
        found: str = iam.get_policy(**policy)["Policy"]["DefaultVersionId"]
        return found

    def read() -> Document:
        document: Document = iam.get_policy_version(**policy, VersionId=version())["PolicyVersion"][
            "Document"
        ]
        return document

    def write(document: Document) -> None:
        before = version()
        iam.create_policy_version(**policy, PolicyDocument=json.dumps(document), SetAsDefault=True)
        iam.delete_policy_version(**policy, VersionId=before)  # there may be five

    return [Policy(of, arn, "identity", read, write)]


def _of_bucket(client: Any, of: str, name: str) -> list[Policy]:
    s3 = client("s3")
    return [
        Policy(
            of,
            f"arn:aws:s3:::{name}",
            "resource",
            lambda: json.loads(s3.get_bucket_policy(Bucket=name)["Policy"]),
            lambda document: s3.put_bucket_policy(Bucket=name, Policy=json.dumps(document)),
        )
    ]


def _of_queue(client: Any, of: str, url: str) -> list[Policy]:
    sqs = client("sqs")

    def attribute(name: str) -> str:
        names = [name]
        found: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][
            name
        ]
        return found

    def put(document: Document) -> None:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(document)})

    arn = attribute("QueueArn")
    return [Policy(of, arn, "resource", lambda: json.loads(attribute("Policy")), put)]


def _of_topic(client: Any, of: str, arn: str) -> list[Policy]:
    sns = client("sns")

    def put(document: Document) -> None:
        policy = json.dumps(document)
        sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)

    return [
        Policy(
            of,
            arn,
            "resource",
            lambda: json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]),
            put,
        )
    ]


def _of_key(client: Any, of: str, name: str) -> list[Policy]:
    kms, key = client("kms"), {"KeyId": name, "PolicyName": "default"}
    return [
        Policy(
            of,
            kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"],
            "resource",
            lambda: json.loads(kms.get_key_policy(**key)["Policy"]),
            lambda document: kms.put_key_policy(**key, Policy=json.dumps(document)),
        )
    ]


_MAKERS: dict[str, Callable[[Any, str, str], list[Policy]]] = {
    "AWS::IAM::ManagedPolicy": _managed,
    "AWS::IAM::Role": _of_role,
    "AWS::KMS::Key": _of_key,
    "AWS::S3::Bucket": _of_bucket,
    "AWS::SNS::Topic": _of_topic,
    "AWS::SQS::Queue": _of_queue,
}
