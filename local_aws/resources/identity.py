# ruff: noqa: D101, D102  # each class is one CloudFormation type
"""Roles, their inline policies, and managed policies."""

import json
from typing import Any

import boto3

from local_aws.resources.base import Properties, Resource


class Role(Resource):
    # moto's drops managed policies and tags, and an update of anything but the description.
    TYPE = "AWS::IAM::Role"
    NAME_PROPERTY = "RoleName"
    PROPERTIES = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "RoleName",
            "Tags",
        }
    )
    ATTRIBUTES = frozenset({"Arn", "RoleId"})
    REPLACED_BY = frozenset({"Path", "RoleName"})
    KEPT = frozenset({"Description"})

    def create(self) -> None:
        self.physical_resource_id = self.physical_resource_id[:64]
        trust = json.dumps(self.properties["AssumeRolePolicyDocument"])
        role = boto3.client("iam").create_role(
            RoleName=self.physical_resource_id,
            AssumeRolePolicyDocument=trust,
            Path=self.properties.get("Path", "/"),
        )["Role"]
        self.attributes = {"Arn": role["Arn"], "RoleId": role["RoleId"]}
        self.update({})

    def update(self, before: Properties) -> None:
        iam, role = boto3.client("iam"), {"RoleName": self.physical_resource_id}
        trust = self.properties["AssumeRolePolicyDocument"]
        if before and trust != before["AssumeRolePolicyDocument"]:
            iam.update_assume_role_policy(**role, PolicyDocument=json.dumps(trust))
        iam.update_role(
            **role,
            Description=self.properties.get("Description", ""),
            MaxSessionDuration=int(self.properties.get("MaxSessionDuration", 3600)),
        )
        if boundary := self.properties.get("PermissionsBoundary"):
            iam.put_role_permissions_boundary(**role, PermissionsBoundary=boundary)
        elif "PermissionsBoundary" in before:
            iam.delete_role_permissions_boundary(**role)
        old, new = _inline(before), _inline(self.properties)
        for name in set(old) - set(new):
            iam.delete_role_policy(**role, PolicyName=name)
        for name, document in new.items():
            iam.put_role_policy(**role, PolicyName=name, PolicyDocument=document)
        old_arns = set(before.get("ManagedPolicyArns", []))
        new_arns = set(self.properties.get("ManagedPolicyArns", []))
        for arn in sorted(old_arns - new_arns):
            iam.detach_role_policy(**role, PolicyArn=arn)
        for arn in sorted(new_arns - old_arns):
            iam.attach_role_policy(**role, PolicyArn=arn)
        if gone := [tag["Key"] for tag in before.get("Tags", []) if tag["Key"] not in self.tags()]:
            iam.untag_role(**role, TagKeys=gone)
        if tags := self.properties.get("Tags"):
            iam.tag_role(**role, Tags=tags)

    def remove(self) -> None:
        iam, role = boto3.client("iam"), {"RoleName": self.physical_resource_id}
        for name in _inline(self.properties):
            iam.delete_role_policy(**role, PolicyName=name)
        for arn in self.properties.get("ManagedPolicyArns", []):
            iam.detach_role_policy(**role, PolicyArn=arn)
        iam.delete_role(**role)


def _inline(properties: Properties) -> dict[str, str]:
    """The policies written in a role's own properties."""
    return {
        policy["PolicyName"]: json.dumps(policy["PolicyDocument"])
        for policy in properties.get("Policies", [])
    }


class Policy(Resource):
    TYPE = "AWS::IAM::Policy"
    PROPERTIES = frozenset({"PolicyDocument", "PolicyName", "Roles"})
    REPLACED_BY = frozenset({"PolicyName"})

    def create(self) -> None:
        self.physical_resource_id = self.properties["PolicyName"]
        self.update({})

    def update(self, before: Properties) -> None:
        self._delete_from(set(before.get("Roles", [])) - set(self.properties["Roles"]))
        for role in self.properties["Roles"]:
            boto3.client("iam").put_role_policy(
                RoleName=role,
                PolicyName=self.physical_resource_id,
                PolicyDocument=json.dumps(self.properties["PolicyDocument"]),
            )

    def remove(self) -> None:
        self._delete_from(self.properties["Roles"])

    def _delete_from(self, roles: Any) -> None:
        for role in roles:
            boto3.client("iam").delete_role_policy(
                RoleName=role, PolicyName=self.physical_resource_id
            )


class ManagedPolicy(Resource):
    TYPE = "AWS::IAM::ManagedPolicy"
    NAME_PROPERTY = "ManagedPolicyName"
    PROPERTIES = frozenset(
        {"Description", "ManagedPolicyName", "Path", "PolicyDocument", "Roles", "Tags"}
    )
    REPLACED_BY = frozenset({"Description", "ManagedPolicyName", "Path"})

    def create(self) -> None:
        made = boto3.client("iam").create_policy(
            PolicyName=self.physical_resource_id,
            Description=self.properties.get("Description", ""),
            Path=self.properties.get("Path", "/"),
            PolicyDocument=json.dumps(self.properties["PolicyDocument"]),
        )
        self.physical_resource_id = made["Policy"]["Arn"]
        self.update({"PolicyDocument": self.properties["PolicyDocument"]})

    def update(self, before: Properties) -> None:
        iam, policy = boto3.client("iam"), {"PolicyArn": self.physical_resource_id}
        if self.properties["PolicyDocument"] != before["PolicyDocument"]:
            # A policy keeps five versions ("IAM and AWS STS quotas"): here, the last one alone.
            document = json.dumps(self.properties["PolicyDocument"])
            iam.create_policy_version(**policy, PolicyDocument=document, SetAsDefault=True)
            for version in iam.list_policy_versions(**policy)["Versions"]:
                if not version["IsDefaultVersion"]:
                    iam.delete_policy_version(**policy, VersionId=version["VersionId"])
        old, new = set(before.get("Roles", [])), set(self.properties.get("Roles", []))
        for role in sorted(old - new):
            iam.detach_role_policy(RoleName=role, **policy)
        for role in sorted(new - old):
            iam.attach_role_policy(RoleName=role, **policy)
        given = {tag["Key"] for tag in before.get("Tags", [])}
        if gone := sorted(given - set(self.tags())):
            iam.untag_policy(**policy, TagKeys=gone)
        if tags := self.properties.get("Tags"):
            iam.tag_policy(**policy, Tags=tags)

    def remove(self) -> None:
        iam, policy = boto3.client("iam"), {"PolicyArn": self.physical_resource_id}
        for role in self.properties.get("Roles", []):
            iam.detach_role_policy(RoleName=role, **policy)
        iam.delete_policy(**policy)
