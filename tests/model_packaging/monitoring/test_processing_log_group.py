import json

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from model_packaging import ProcessingLogGroup
from tests.definitions import resolve


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


def test_no_stack_owns_the_log_group(stack: Stack) -> None:
    ProcessingLogGroup(stack, "Logs", retention=logs.RetentionDays.ONE_YEAR)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::Logs::LogGroup", 0)
    [resource] = template.find_resources("Custom::LogRetention").values()
    assert resource["Properties"]["LogGroupName"] == "/aws/sagemaker/ProcessingJobs"
    assert resource["Properties"]["RetentionInDays"] == 365
    # Without this, deleting the stack leaves the log group.
    assert "RemovalPolicy" not in resource["Properties"]


def test_what_uses_it_waits_until_it_exists(stack: Stack) -> None:
    group = ProcessingLogGroup(stack, "Logs", retention=logs.RetentionDays.ONE_YEAR).log_group
    [resource] = Template.from_stack(stack).find_resources("Custom::LogRetention")
    # A reference makes CloudFormation wait.
    assert resource in json.dumps(stack.resolve(group.log_group_name))


def test_the_function_may_touch_this_log_group_and_its_own_only(stack: Stack) -> None:
    ProcessingLogGroup(stack, "Logs", retention=logs.RetentionDays.ONE_YEAR)
    template = Template.from_stack(stack)
    [role] = template.find_resources("AWS::IAM::Role").values()
    assert "ManagedPolicyArns" not in role["Properties"]
    [policy] = template.find_resources("AWS::IAM::Policy").values()
    arn = "arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:"
    theirs = f"{arn}/aws/sagemaker/ProcessingJobs"
    own = f"{arn}/aws/lambda/*LogRetention*"
    assert [
        (statement["Action"], resolve(statement["Resource"], {}))
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ] == [
        (
            ["logs:CreateLogGroup", "logs:DeleteRetentionPolicy", "logs:PutRetentionPolicy"],
            [theirs, f"{theirs}:*", own],
        ),
        (["logs:CreateLogStream", "logs:PutLogEvents"], own),
    ]
