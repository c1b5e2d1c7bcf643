# ruff: noqa: D101, D102  # each class is one CloudFormation type
"""Networks: what a job in a VPC needs.

Only tags, and the rules of security groups, can be changed in a deployed network here.
"""

import json
from abc import abstractmethod
from typing import Any, ClassVar

import boto3

from local_aws.resources.base import Properties, Resource, UnsupportedError


class NetworkResource(Resource):
    """A resource that EC2 makes in one call and deletes in another."""

    TAG_TYPE: ClassVar[str] = ""  # EC2's word for the kind of thing; "": it has no tags

    def create(self) -> None:
        tags = self.properties.get("Tags")
        specification = [{"ResourceType": self.TAG_TYPE, "Tags": tags}]
        self.make(**({"TagSpecifications": specification} if tags else {}))

    @abstractmethod
    def make(self, **tags: Any) -> None:
        """Make the resource, with its tags as EC2 takes them."""

    def update(self, before: Properties) -> None:
        if changed := sorted(
            name
            for name in set(self.properties) | set(before)
            if name != "Tags" and self.properties.get(name) != before.get(name)
        ):
            raise UnsupportedError(f"{self.TYPE}: the local AWS can't change {', '.join(changed)}")
        ec2, resources = boto3.client("ec2"), [self.physical_resource_id]
        ec2.delete_tags(Resources=resources, Tags=before.get("Tags", []))
        ec2.create_tags(Resources=resources, Tags=self.properties.get("Tags", []))


class Vpc(NetworkResource):
    TYPE = "AWS::EC2::VPC"
    TAG_TYPE = "vpc"
    PROPERTIES = frozenset(
        {"CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"}
    )
    ATTRIBUTES = frozenset({"CidrBlock", "DefaultSecurityGroup", "VpcId"})

    def make(self, **tags: Any) -> None:
        ec2 = boto3.client("ec2")
        tenancy = self.properties.get("InstanceTenancy", "default")
        vpc = ec2.create_vpc(
            CidrBlock=self.properties["CidrBlock"], InstanceTenancy=tenancy, **tags
        )["Vpc"]["VpcId"]
        for name in ("EnableDnsHostnames", "EnableDnsSupport"):
            if name in self.properties:
                value = {"Value": str(self.properties[name]).lower() == "true"}
                ec2.modify_vpc_attribute(VpcId=vpc, **{name: value})
        [group] = ec2.describe_security_groups(
            Filters=[
                {"Name": "vpc-id", "Values": [vpc]},
                {"Name": "group-name", "Values": ["default"]},
            ]
        )["SecurityGroups"]
        self.physical_resource_id = vpc
        self.attributes = {
            "CidrBlock": self.properties["CidrBlock"],
            "DefaultSecurityGroup": group["GroupId"],
            "VpcId": vpc,
        }

    def remove(self) -> None:
        boto3.client("ec2").delete_vpc(VpcId=self.physical_resource_id)


class Subnet(NetworkResource):
    TYPE = "AWS::EC2::Subnet"
    TAG_TYPE = "subnet"
    PROPERTIES = frozenset(
        {"AvailabilityZone", "CidrBlock", "MapPublicIpOnLaunch", "Tags", "VpcId"}
    )
    ATTRIBUTES = frozenset({"AvailabilityZone", "SubnetId", "VpcId"})

    def make(self, **tags: Any) -> None:
        ec2 = boto3.client("ec2")
        subnet = ec2.create_subnet(**self.given("MapPublicIpOnLaunch", "Tags"), **tags)["Subnet"]
        if self.properties.get("MapPublicIpOnLaunch"):
            ec2.modify_subnet_attribute(
                SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": True}
            )
        self.physical_resource_id = subnet["SubnetId"]
        self.attributes = {name: subnet[name] for name in self.ATTRIBUTES}

    def remove(self) -> None:
        boto3.client("ec2").delete_subnet(SubnetId=self.physical_resource_id)


class RouteTable(NetworkResource):
    TYPE = "AWS::EC2::RouteTable"
    TAG_TYPE = "route-table"
    PROPERTIES = frozenset({"Tags", "VpcId"})
    ATTRIBUTES = frozenset({"RouteTableId"})

    def make(self, **tags: Any) -> None:
        table = boto3.client("ec2").create_route_table(VpcId=self.properties["VpcId"], **tags)
        self.physical_resource_id = table["RouteTable"]["RouteTableId"]
        self.attributes = {"RouteTableId": self.physical_resource_id}

    def remove(self) -> None:
        boto3.client("ec2").delete_route_table(RouteTableId=self.physical_resource_id)


class SubnetRouteTableAssociation(NetworkResource):
    TYPE = "AWS::EC2::SubnetRouteTableAssociation"
    PROPERTIES = frozenset({"RouteTableId", "SubnetId"})

    def make(self, **tags: Any) -> None:
        self.physical_resource_id = boto3.client("ec2").associate_route_table(**self.properties)[
            "AssociationId"
        ]

    def remove(self) -> None:
        boto3.client("ec2").disassociate_route_table(AssociationId=self.physical_resource_id)


# What a security group lets out when its template gives no egress rule.
_EVERYTHING = [{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]


class SecurityGroup(NetworkResource):
    TYPE = "AWS::EC2::SecurityGroup"
    NAME_PROPERTY = "GroupName"
    TAG_TYPE = "security-group"
    PROPERTIES = frozenset(
        {
            "GroupDescription",
            "GroupName",
            "SecurityGroupEgress",
            "SecurityGroupIngress",
            "Tags",
            "VpcId",
        }
    )
    ATTRIBUTES = frozenset({"GroupId", "VpcId"})
    REPLACED_BY = frozenset({"GroupDescription", "GroupName", "VpcId"})

    def make(self, **tags: Any) -> None:
        ec2 = boto3.client("ec2")
        self.physical_resource_id = ec2.create_security_group(
            GroupName=self.physical_resource_id,
            Description=self.properties["GroupDescription"],
            VpcId=self.properties["VpcId"],
            **tags,
        )["GroupId"]
        self.attributes = {
            "GroupId": self.physical_resource_id,
            "VpcId": self.properties["VpcId"],
        }
        self._change_rules({"SecurityGroupEgress": _EVERYTHING}, self.properties)

    def update(self, before: Properties) -> None:
        rules = {"SecurityGroupEgress", "SecurityGroupIngress"}
        others = {name: value for name, value in before.items() if name not in rules}
        super().update(
            others | {name: self.properties[name] for name in rules & {*self.properties}}
        )
        self._change_rules({"SecurityGroupEgress": _EVERYTHING} | dict(before), self.properties)

    def remove(self) -> None:
        boto3.client("ec2").delete_security_group(GroupId=self.physical_resource_id)

    def _change_rules(self, before: Properties, after: Properties) -> None:
        """Change the group's own rules; others belong to resources of their own."""
        after = {"SecurityGroupEgress": _EVERYTHING} | dict(after)
        for direction in ("Egress", "Ingress"):
            name = f"SecurityGroup{direction}"
            old, new = before.get(name, []), after.get(name, [])
            for verb, rules in (
                ("revoke", [rule for rule in old if rule not in new]),
                ("authorize", [rule for rule in new if rule not in old]),
            ):
                if rules:
                    getattr(boto3.client("ec2"), f"{verb}_security_group_{direction.lower()}")(
                        GroupId=self.physical_resource_id,
                        IpPermissions=[_permission(rule) for rule in rules],
                    )


def clear_security_group(group_id: str) -> None:
    """Revoke every rule of a security group."""
    ec2 = boto3.client("ec2")
    [group] = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    if ingress := group["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=group_id, IpPermissions=ingress)
    if egress := group["IpPermissionsEgress"]:
        ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=egress)


def _permission(rule: Properties) -> dict[str, Any]:
    """A rule of a template, as EC2 takes it."""
    known = {
        "CidrIp": ("IpRanges", "CidrIp"),
        "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "DestinationPrefixListId": ("PrefixListIds", "PrefixListId"),
        "DestinationSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
        "SourcePrefixListId": ("PrefixListIds", "PrefixListId"),
        "SourceSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    }
    plain = {"FromPort", "IpProtocol", "ToPort"}
    if unknown := sorted(set(rule) - set(known) - plain - {"Description"}):
        raise UnsupportedError(f"security group rule: {', '.join(unknown)}")
    description = {"Description": rule["Description"]} if "Description" in rule else {}
    return {name: int(rule[name]) for name in ("FromPort", "ToPort") if name in rule} | {
        "IpProtocol": rule["IpProtocol"],
        **{
            plural: [{singular: rule[name], **description}]
            for name, (plural, singular) in known.items()
            if name in rule
        },
    }


class SecurityGroupIngress(NetworkResource):
    TYPE = "AWS::EC2::SecurityGroupIngress"
    PROPERTIES = frozenset(
        {
            "CidrIp",
            "CidrIpv6",
            "Description",
            "FromPort",
            "GroupId",
            "IpProtocol",
            "SourcePrefixListId",
            "SourceSecurityGroupId",
            "ToPort",
        }
    )
    DIRECTION: ClassVar[str] = "ingress"

    def make(self, **tags: Any) -> None:
        self._call("authorize")

    def remove(self) -> None:
        self._call("revoke")

    def _call(self, verb: str) -> None:
        getattr(boto3.client("ec2"), f"{verb}_security_group_{self.DIRECTION}")(
            GroupId=self.properties["GroupId"], IpPermissions=[_permission(self.given("GroupId"))]
        )


class SecurityGroupEgress(SecurityGroupIngress):
    TYPE = "AWS::EC2::SecurityGroupEgress"
    PROPERTIES = frozenset(
        {
            "CidrIp",
            "CidrIpv6",
            "Description",
            "DestinationPrefixListId",
            "DestinationSecurityGroupId",
            "FromPort",
            "GroupId",
            "IpProtocol",
            "ToPort",
        }
    )
    DIRECTION = "egress"


class VpcEndpoint(NetworkResource):
    TYPE = "AWS::EC2::VPCEndpoint"
    TAG_TYPE = "vpc-endpoint"
    PROPERTIES = frozenset(
        {
            "PolicyDocument",
            "PrivateDnsEnabled",
            "RouteTableIds",
            "SecurityGroupIds",
            "ServiceName",
            "SubnetIds",
            "Tags",
            "VpcEndpointType",
            "VpcId",
        }
    )
    ATTRIBUTES = frozenset({"Id"})

    def make(self, **tags: Any) -> None:
        arguments = self.given("Tags")
        if policy := arguments.get("PolicyDocument"):
            arguments["PolicyDocument"] = json.dumps(policy)
        endpoint = boto3.client("ec2").create_vpc_endpoint(**arguments, **tags)["VpcEndpoint"]
        self.physical_resource_id = endpoint["VpcEndpointId"]
        self.attributes = {"Id": self.physical_resource_id}

    def remove(self) -> None:
        boto3.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[self.physical_resource_id])


class FlowLog(NetworkResource):
    TYPE = "AWS::EC2::FlowLog"
    TAG_TYPE = "vpc-flow-log"
    PROPERTIES = frozenset(
        {
            "DeliverLogsPermissionArn",
            "LogDestination",
            "LogDestinationType",
            "LogGroupName",
            "MaxAggregationInterval",
            "ResourceId",
            "ResourceType",
            "Tags",
            "TrafficType",
        }
    )

    def make(self, **tags: Any) -> None:
        answer = boto3.client("ec2").create_flow_logs(
            **self.given("ResourceId", "Tags"), ResourceIds=[self.properties["ResourceId"]], **tags
        )
        if failed := answer.get("Unsuccessful"):
            raise ValueError(failed[0]["Error"]["Message"])
        [self.physical_resource_id] = answer["FlowLogIds"]

    def remove(self) -> None:
        boto3.client("ec2").delete_flow_logs(FlowLogIds=[self.physical_resource_id])
