"""What a role's session may ask of EventBridge, CloudWatch Logs, SQS and CloudFormation."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest

from local_aws.cloud import ACCOUNT, REGION, LocalCloud, local_cloud
from tests.local_aws.conftest import make_role

IN_ACCOUNT = f"{REGION}:{ACCOUNT}"
GROUP, STREAM = "/aws/sagemaker/ProcessingJobs", "pipelines-a/algo-1"
PATTERN = json.dumps({"source": ["aws.s3"]})
EVENT = {"id": "1", "source": "aws.s3", "account": ACCOUNT, "region": REGION, "resources": []}
EVENT |= {"detail-type": "x", "time": "2026-01-01T00:00:00Z", "detail": {}}


@dataclass(frozen=True)
class Made:
    """What there is to ask for."""

    cloud: LocalCloud
    queue: str
    encrypted_queue: str
    key: str
    stack: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        cloud.client("events").put_rule(Name="uploads", EventPattern=PATTERN)
        logs = cloud.client("logs")
        logs.create_log_group(logGroupName=GROUP)
        logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
        key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
        sqs = cloud.client("sqs")
        queues = [
            sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
            for name, attributes in (("plain", {}), ("encrypted", {"KmsMasterKeyId": key}))
        ]
        template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {}}}}
        stack = cloud.client("cloudformation").create_stack(
            StackName="packaging", TemplateBody=json.dumps(template)
        )["StackId"]
        make_role(cloud, "operator", "lambda", allow("iam:ListRoles", "*"))
        yield Made(cloud, *queues, key, stack)


Ask = Callable[..., Any]


@pytest.fixture
def ask(made: Made) -> Ask:
    """Asks a service something, in a role that may do what the statements say."""

    def ask(service: str, action: str, request: dict[str, Any], *statements: Any) -> Any:
        document = json.dumps(
            {"Version": "2012-10-17", "Statement": statements or [allow("iam:ListRoles", "*")]}
        )
        made.cloud.client("iam").put_role_policy(
            RoleName="operator", PolicyName="Policy", PolicyDocument=document
        )
        assumed = made.cloud.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/operator", RoleSessionName="test"
        )["Credentials"]
        client = boto3.client(
            service,
            endpoint_url=made.cloud.endpoint,
            region_name=REGION,
            aws_access_key_id=assumed["AccessKeyId"],
            aws_secret_access_key=assumed["SecretAccessKey"],
            aws_session_token=assumed["SessionToken"],
            config=botocore.config.Config(proxies={}, retries={"max_attempts": 0}),
        )
        return getattr(client, action)(**request)

    return ask


def allow(action: str, resource: str, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def refused(action: str, resource: str) -> Any:
    """What is raised when an action is refused."""
    return pytest.raises(
        botocore.exceptions.ClientError,
        match=rf"AccessDenied.*assumed-role/operator/test is not authorized to perform: {action} "
        rf"on resource: {resource} because no identity-based policy allows",
    )


@pytest.mark.parametrize(
    ("action", "method", "request_", "resource"),
    [
        (
            "events:ListRuleNamesByTarget",
            "list_rule_names_by_target",
            {"TargetArn": f"arn:aws:sqs:{IN_ACCOUNT}:plain"},
            "*",
        ),
        (
            "events:TestEventPattern",
            "test_event_pattern",
            {"EventPattern": PATTERN, "Event": json.dumps(EVENT)},
            "*",
        ),
        (
            "events:DescribeRule",
            "describe_rule",
            {"Name": "uploads"},
            f"arn:aws:events:{IN_ACCOUNT}:rule/uploads",
        ),
        (
            "events:ListTargetsByRule",
            "list_targets_by_rule",
            {"Rule": "uploads"},
            f"arn:aws:events:{IN_ACCOUNT}:rule/uploads",
        ),
        (
            "logs:DescribeLogStreams",
            "describe_log_streams",
            {"logGroupName": GROUP},
            f"arn:aws:logs:{IN_ACCOUNT}:log-group:{GROUP}:log-stream:",
        ),
        (
            "logs:GetLogEvents",
            "get_log_events",
            {"logGroupName": GROUP, "logStreamName": STREAM},
            f"arn:aws:logs:{IN_ACCOUNT}:log-group:{GROUP}:log-stream:{STREAM}",
        ),
        (
            "sqs:ReceiveMessage",
            "receive_message",
            {"QueueUrl": "{queue}"},
            f"arn:aws:sqs:{IN_ACCOUNT}:plain",
        ),
        (
            "cloudformation:DescribeStacks",
            "describe_stacks",
            {"StackName": "packaging"},
            "{stack}",
        ),
        (
            "cloudformation:DescribeStacks",
            "describe_stacks",
            {"StackName": "{stack}"},
            "{stack}",
        ),
    ],
)
def test_an_action_needs_its_own_permission_on_its_resource(
    made: Made, ask: Ask, action: str, method: str, request_: dict[str, str], resource: str
) -> None:
    service = action.partition(":")[0]
    named = vars(made)
    request = {name: named.get(value.strip("{}"), value) for name, value in request_.items()}
    resource = named.get(resource.strip("{}"), resource)
    with refused(action, resource.replace("*", r"\*")):
        ask(service, method, request)
    if resource != "*":
        with refused(action, resource):
            ask(service, method, request, allow(action, f"{resource}-2"))
    ask(service, method, request, allow(action, resource))


def test_a_log_group_is_compared_with_more_at_its_end(ask: Ask) -> None:
    group = f"arn:aws:logs:{IN_ACCOUNT}:log-group:{GROUP}"
    request = {"logGroupName": GROUP}
    with refused("logs:DescribeLogStreams", f"{group}:log-stream:"):
        ask("logs", "describe_log_streams", request, allow("logs:DescribeLogStreams", group))
    ask("logs", "describe_log_streams", request, allow("logs:DescribeLogStreams", f"{group}:*"))


def test_receiving_from_an_encrypted_queue_needs_its_key(made: Made, ask: Ask) -> None:
    request = {"QueueUrl": made.encrypted_queue}
    receive = allow("sqs:ReceiveMessage", f"arn:aws:sqs:{IN_ACCOUNT}:encrypted")
    with refused("kms:Decrypt", made.key):
        ask("sqs", "receive_message", request, receive)
    via_s3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    with refused("kms:Decrypt", made.key):
        ask(
            "sqs",
            "receive_message",
            request,
            receive,
            allow("kms:Decrypt", made.key, StringEquals=via_s3),
        )
    via_sqs = {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}
    decrypt = allow("kms:Decrypt", made.key, StringEquals=via_sqs)
    ask("sqs", "receive_message", request, receive, decrypt)


@pytest.mark.parametrize(
    ("service", "action", "request_"),
    [
        ("events", "delete_rule", {"Name": "uploads"}),
        ("logs", "delete_log_group", {"logGroupName": GROUP}),
        ("sqs", "list_queues", {}),
    ],
)
def test_an_action_of_which_it_is_not_known_what_it_needs_is_an_error(
    ask: Ask, service: str, action: str, request_: dict[str, str]
) -> None:
    with pytest.raises(botocore.exceptions.ClientError, match="500"):
        ask(service, action, request_, allow("*", "*"))
