"""Where the packaging job runs in a VPC: its subnets, its security group, its endpoints."""

import re
from collections.abc import Sequence

from aws_cdk import Token
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

_HTTPS = ec2.Port.tcp(443)
_PREFIX_LIST_ID = re.compile(r"pl-[0-9a-f]{8,17}")


class JobNetwork(Construct):
    """Subnets and a security group for the packaging job, with the way to S3 and nothing else.

    The job's container stays isolated from any network. What passes through the VPC is the
    service's own download and upload from and to S3 ("Run training and inference containers in
    internet-free mode", section Network isolation with a VPC). So a way to S3 is all that the job
    needs: a gateway endpoint or a NAT gateway, the VPC's own or an endpoint made here. "Give
    SageMaker Processing Jobs Access to Resources in Your Amazon VPC" asks for no other: neither
    the image, nor the logs, nor the metrics come this way.

    Creates the security group: nothing comes in; HTTPS goes out to S3 and to the interface
    endpoints made here. Instances of one job don't talk to each other.

    Args:
        vpc: The VPC.
        subnets: The job's subnets, each with two free addresses per instance. Default: the
            private ones, or else the isolated ones.
        s3_prefix_list_id: Id of the Region's prefix list for S3 (``pl-…``, shown by ``aws ec2
            describe-managed-prefix-lists``). With it, HTTPS goes out to S3's addresses only;
            without it, to any, since a template can't look the list up. The list works with a
            gateway endpoint and with a NAT gateway, not with an interface endpoint for S3.
        s3_endpoint: Whether to make a gateway endpoint for S3 in the subnets' route tables.
            Default: the VPC's own way is used.
        interface_endpoints: Services to make interface endpoints for. Default: none. The
            packaging job needs none; a step beside it may.

    Attributes:
        subnet_ids: For ``PackageStepConfig.subnets`` and ``PackagingGrants.attach_to_network``.
        security_group_ids: For ``PackageStepConfig.security_group_ids`` and the same grant.
        security_group: The job's security group.

    Raises:
        ValueError: No subnet matches, the prefix list's id isn't one, or a gateway endpoint is
            wanted for subnets whose route tables aren't known.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection | None = None,
        s3_prefix_list_id: str | None = None,
        s3_endpoint: bool = False,
        interface_endpoints: Sequence[ec2.InterfaceVpcEndpointAwsService] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        self._subnets = _select(vpc, subnets)
        self.subnet_ids = tuple(subnet.subnet_id for subnet in self._subnets)
        self.security_group = self._build_security_group(vpc, s3_prefix_list_id)
        self.security_group_ids = (self.security_group.security_group_id,)
        if s3_endpoint:
            self._build_s3_endpoint(vpc)
        if interface_endpoints:
            self._build_interface_endpoints(vpc, interface_endpoints)

    def _build_security_group(
        self, vpc: ec2.IVpc, s3_prefix_list_id: str | None
    ) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=vpc,
            description="The packaging job: nothing comes in, HTTPS goes out to S3.",
            allow_all_outbound=False,
        )
        group.add_egress_rule(_s3(s3_prefix_list_id), _HTTPS, "S3")
        return group

    def _build_s3_endpoint(self, vpc: ec2.IVpc) -> None:
        for subnet in self._subnets:
            _check_route_table(subnet)
        ec2.GatewayVpcEndpoint(
            self,
            "S3Endpoint",
            vpc=vpc,
            service=ec2.GatewayVpcEndpointAwsService.S3,
            subnets=[ec2.SubnetSelection(subnets=self._subnets)],
        )

    def _build_interface_endpoints(
        self, vpc: ec2.IVpc, services: Sequence[ec2.InterfaceVpcEndpointAwsService]
    ) -> None:
        group = ec2.SecurityGroup(
            self,
            "EndpointsSecurityGroup",
            vpc=vpc,
            description="Interface endpoints: HTTPS comes in from the job, nothing goes out.",
            allow_all_outbound=False,
        )
        group.connections.allow_from(self.security_group, _HTTPS, "HTTPS from the job")
        # An interface endpoint takes one subnet in each zone; the others reach it there.
        zones = {subnet.availability_zone: subnet for subnet in reversed(self._subnets)}
        for service in services:
            ec2.InterfaceVpcEndpoint(
                self,
                f"Endpoint-{service.short_name}",
                vpc=vpc,
                service=service,
                subnets=ec2.SubnetSelection(subnets=list(reversed(zones.values()))),
                security_groups=[group],
                open=False,
            )


def _select(vpc: ec2.IVpc, selection: ec2.SubnetSelection | None) -> list[ec2.ISubnet]:
    if selection is None:
        # Not the CDK's own default: it takes public subnets when there is nothing else.
        subnets = vpc.private_subnets or vpc.isolated_subnets
    else:
        subnets = vpc.select_subnets(
            availability_zones=selection.availability_zones,
            one_per_az=selection.one_per_az,
            subnet_filters=selection.subnet_filters,
            subnet_group_name=selection.subnet_group_name,
            subnets=selection.subnets,
            subnet_type=selection.subnet_type,
        ).subnets
    if not subnets:
        raise ValueError(
            f"VPC {vpc.node.path} has no private or isolated subnet for the job; name its subnets "
            "with subnets=SubnetSelection(…)"
        )
    return subnets


def _check_route_table(subnet: ec2.ISubnet) -> None:
    try:
        _ = subnet.route_table.route_table_id
    except RuntimeError:  # jsii's way to say that an imported subnet has none
        raise ValueError(
            f"{subnet.node.path} has no known route table, so s3_endpoint would serve nobody; "
            "import the VPC with its route tables (private_subnet_route_table_ids) or leave "
            "s3_endpoint out"
        ) from None


def _s3(prefix_list_id: str | None) -> ec2.IPeer:
    if prefix_list_id is None:
        # S3 has public addresses. Isolation, route tables and the job's role confine the rest.
        return ec2.Peer.any_ipv4()
    if not Token.is_unresolved(prefix_list_id) and not _PREFIX_LIST_ID.fullmatch(prefix_list_id):
        raise ValueError(
            f"s3_prefix_list_id {prefix_list_id!r} isn't the id of a prefix list; write the one "
            "that the Region has for S3, such as pl-6da54004"
        )
    return ec2.Peer.prefix_list(prefix_list_id)
