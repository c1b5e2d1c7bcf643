from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Match, Template

from model_packaging import JobNetwork, PackagingRoles
from tests.policies import ACCOUNT, REGION, Deployed, Request, is_allowed

PRIVATE = ec2.SubnetConfiguration(name="private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
ISOLATED = ec2.SubnetConfiguration(name="isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
PUBLIC = ec2.SubnetConfiguration(name="public", subnet_type=ec2.SubnetType.PUBLIC)
HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}


def vpc_with(*subnets: ec2.SubnetConfiguration) -> ec2.Vpc:
    return ec2.Vpc(Stack(App(), "Stack"), "Vpc", max_azs=2, subnet_configuration=list(subnets))


def network_in(vpc: ec2.IVpc, **settings: Any) -> JobNetwork:
    return JobNetwork(Stack.of(vpc), "Network", vpc=vpc, **settings)


def template_of(vpc: ec2.IVpc) -> Template:
    return Template.from_stack(Stack.of(vpc))


def ids_of(vpc: ec2.IVpc, network: JobNetwork) -> list[str]:
    """The logical ids of the job's subnets."""
    return [found["Ref"] for found in Stack.of(vpc).resolve(list(network.subnet_ids))]


def group_of(template: Template, description: str) -> tuple[str, dict[str, Any]]:
    [(logical_id, group)] = template.find_resources(
        "AWS::EC2::SecurityGroup",
        {"Properties": {"GroupDescription": Match.string_like_regexp(description)}},
    ).items()
    return logical_id, group["Properties"]


@pytest.mark.parametrize(
    ("subnets", "chosen"),
    [((PUBLIC, PRIVATE, ISOLATED), "private"), ((PUBLIC, ISOLATED), "isolated")],
)
def test_the_job_runs_in_private_subnets_or_else_in_isolated_ones(
    subnets: tuple[ec2.SubnetConfiguration, ...], chosen: str
) -> None:
    vpc = vpc_with(*subnets)
    found = ids_of(vpc, network_in(vpc))
    assert len(found) == 2
    assert all(chosen in logical_id for logical_id in found)


def test_the_job_never_falls_back_to_public_subnets() -> None:
    with pytest.raises(ValueError, match="VPC Stack/Vpc has no private or isolated subnet"):
        network_in(vpc_with(PUBLIC))


def test_subnets_may_be_chosen() -> None:
    vpc = vpc_with(PUBLIC, PRIVATE, ISOLATED)
    selection = ec2.SubnetSelection(subnet_group_name="isolated")
    assert all("isolated" in name for name in ids_of(vpc, network_in(vpc, subnets=selection)))


def test_an_existing_vpc_needs_no_lookup() -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        Stack(App(), "Stack"),
        "Vpc",
        vpc_id="vpc-0",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        private_subnet_ids=["subnet-0a", "subnet-0b"],
    )
    assert network_in(vpc).subnet_ids == ("subnet-0a", "subnet-0b")
    template_of(vpc).has_resource_properties("AWS::EC2::SecurityGroup", {"VpcId": "vpc-0"})


@pytest.mark.parametrize("token", [False, True])
def test_nothing_comes_in_and_https_goes_out_to_s3_alone(token: bool) -> None:
    vpc = vpc_with(PUBLIC, PRIVATE)
    parameter = CfnParameter(Stack.of(vpc), "S3PrefixList").value_as_string
    network_in(vpc, s3_prefix_list_id=parameter if token else "pl-6da54004")
    template = template_of(vpc)
    _, group = group_of(template, "The packaging job")
    assert "SecurityGroupIngress" not in group
    assert "SecurityGroupEgress" not in group
    template.resource_count_is("AWS::EC2::SecurityGroupIngress", 0)
    [rule] = template.find_resources("AWS::EC2::SecurityGroupEgress").values()
    destination = {"Ref": "S3PrefixList"} if token else "pl-6da54004"
    assert rule["Properties"] | HTTPS == rule["Properties"]
    assert rule["Properties"]["DestinationPrefixListId"] == destination


def test_without_a_prefix_list_https_goes_out_and_nothing_else() -> None:
    vpc = vpc_with(PUBLIC, PRIVATE)
    network_in(vpc)
    template = template_of(vpc)
    _, group = group_of(template, "The packaging job")
    assert group["SecurityGroupEgress"] == [HTTPS | {"CidrIp": "0.0.0.0/0", "Description": "S3"}]
    template.resource_count_is("AWS::EC2::SecurityGroupEgress", 0)


def test_no_endpoint_is_made_unasked() -> None:
    vpc = vpc_with(PUBLIC, PRIVATE)
    network_in(vpc)
    template_of(vpc).resource_count_is("AWS::EC2::VPCEndpoint", 0)


def test_the_gateway_endpoint_for_s3_serves_the_jobs_subnets() -> None:
    vpc = vpc_with(PUBLIC, PRIVATE, ISOLATED)
    network_in(vpc, s3_endpoint=True)
    template = template_of(vpc)
    [endpoint] = template.find_resources("AWS::EC2::VPCEndpoint").values()
    properties = endpoint["Properties"]
    assert properties["VpcEndpointType"] == "Gateway"
    assert properties["ServiceName"]["Fn::Join"][1][-1] == ".s3"
    tables = [table["Ref"] for table in properties["RouteTableIds"]]
    assert len(tables) == 2
    assert all("private" in table for table in tables)


def test_a_gateway_endpoint_without_route_tables_is_refused() -> None:
    # The CDK would make one that no subnet uses.
    vpc = ec2.Vpc.from_vpc_attributes(
        Stack(App(), "Stack"),
        "Vpc",
        vpc_id="vpc-0",
        availability_zones=["eu-west-1a"],
        private_subnet_ids=["subnet-0a"],
    )
    with pytest.raises(ValueError, match=r"PrivateSubnet1 has no known route table.*s3_endpoint"):
        network_in(vpc, s3_endpoint=True)


def test_interface_endpoints_let_the_job_in_and_nobody_else() -> None:
    vpc = vpc_with(PUBLIC, PRIVATE)
    services = [
        ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
        ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    ]
    network = network_in(vpc, interface_endpoints=services, s3_prefix_list_id="pl-6da54004")
    template = template_of(vpc)
    job, _ = group_of(template, "The packaging job")
    endpoints, group = group_of(template, "Interface endpoints")
    assert "SecurityGroupIngress" not in group
    [entry] = template.find_resources("AWS::EC2::SecurityGroupIngress").values()
    assert entry["Properties"] | HTTPS == entry["Properties"]
    assert entry["Properties"]["GroupId"] == {"Fn::GetAtt": [endpoints, "GroupId"]}
    assert entry["Properties"]["SourceSecurityGroupId"] == {"Fn::GetAtt": [job, "GroupId"]}
    exits = [
        rule["Properties"]
        for rule in template.find_resources("AWS::EC2::SecurityGroupEgress").values()
    ]
    assert len(exits) == 2
    [exit_] = [rule for rule in exits if "DestinationSecurityGroupId" in rule]
    assert exit_ | HTTPS == exit_
    assert exit_["GroupId"] == {"Fn::GetAtt": [job, "GroupId"]}
    assert exit_["DestinationSecurityGroupId"] == {"Fn::GetAtt": [endpoints, "GroupId"]}
    made = template.find_resources("AWS::EC2::VPCEndpoint").values()
    assert len(made) == 2
    for endpoint in made:
        properties = endpoint["Properties"]
        assert properties["VpcEndpointType"] == "Interface"
        assert properties["PrivateDnsEnabled"] is True
        assert properties["SecurityGroupIds"] == [{"Fn::GetAtt": [endpoints, "GroupId"]}]
        assert [subnet["Ref"] for subnet in properties["SubnetIds"]] == ids_of(vpc, network)


def test_an_interface_endpoint_has_one_subnet_in_each_zone() -> None:
    second = ec2.SubnetConfiguration(name="second", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
    vpc = vpc_with(PUBLIC, PRIVATE, second)
    network = network_in(vpc, interface_endpoints=[ec2.InterfaceVpcEndpointAwsService.STS])
    assert len(network.subnet_ids) == 4
    [endpoint] = template_of(vpc).find_resources("AWS::EC2::VPCEndpoint").values()
    subnets = [subnet["Ref"] for subnet in endpoint["Properties"]["SubnetIds"]]
    assert len(subnets) == 2
    assert all("private" in subnet for subnet in subnets)


@pytest.mark.parametrize("given", ["s3", "sg-0123456789", "pl-", "com.amazonaws.eu-west-1.s3"])
def test_what_is_not_a_prefix_list_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=f"s3_prefix_list_id '{given}' isn't the id"):
        network_in(vpc_with(PUBLIC, PRIVATE), s3_prefix_list_id=given)


def test_the_jobs_role_may_be_confined_to_this_network() -> None:
    vpc = vpc_with(PUBLIC, PRIVATE)
    network = network_in(vpc)
    roles = PackagingRoles(
        Stack.of(vpc), "Roles", image_repository_arn="arn:aws:ecr:eu-west-1:1:repository/image"
    )
    roles.grants.attach_to_network(
        roles.job_role,
        subnet_ids=network.subnet_ids,
        security_group_ids=network.security_group_ids,
        confined=True,
    )
    deployed = Deployed(template_of(vpc).to_json())
    job = deployed.find("AWS::IAM::Role", Description="Assumed by the packaging job")
    group = deployed.find("AWS::EC2::SecurityGroup", GroupDescription="The packaging job")
    ec2_arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}"

    def may_create(resource: str) -> bool:
        request = Request(deployed.arn(job), "ec2:CreateNetworkInterface", f"{ec2_arn}:{resource}")
        return is_allowed(request, deployed.identity(job))

    for subnet in ids_of(vpc, network):
        assert may_create(f"subnet/{subnet}")
    assert may_create(f"security-group/{deployed.names[f'{group}.GroupId']}")
    assert not may_create("security-group/sg-other")
    for name, resource in deployed.resources.items():
        if resource["Type"] == "AWS::EC2::Subnet" and name not in ids_of(vpc, network):
            assert not may_create(f"subnet/{name}")
