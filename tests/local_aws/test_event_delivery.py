import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.cloud import LocalCloud, local_cloud
from local_aws.metrics import EVENTS_NAMESPACE
from local_aws.policy_evaluation import Request, is_allowed
from local_aws.rule_targets import resolve
from tests.local_aws.conftest import EVERYTHING, make_role

EVENT = {"source": "aws.s3", "detail": {"object": {"key": "models/a b.tar.gz", "size": 5}}}


def test_a_whole_path_gives_what_it_leads_to() -> None:
    assert resolve("$.detail.object.key", EVENT) == "models/a b.tar.gz"
    assert resolve("$.detail.object.size", EVENT) == "5"
    assert resolve("$.resources[1]", {"resources": ["arn:1", "arn:2"]}) == "arn:2"


def test_anything_else_is_a_constant() -> None:
    assert resolve("s3://$.detail.object.key", EVENT) == "s3://$.detail.object.key"


def test_a_path_that_leads_nowhere_is_named() -> None:
    with pytest.raises(ValueError, match=r"nothing at \$.detail.object.etag"):
        resolve("$.detail.object.etag", EVENT)


RULE = "arn:aws:events:us-east-1:123456789012:rule/uploads"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:letters"
SENDING = Request(
    principal="events.amazonaws.com",
    action="sqs:SendMessage",
    resource=QUEUE,
    context={
        "aws:SecureTransport": "true",
        "aws:SourceArn": RULE,
        "aws:SourceAccount": "123456789012",
    },
    owner="123456789012",
)


def policy(effect: str = "Allow", **changed: Any) -> dict[str, Any]:
    return {
        "Effect": effect,
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Condition": {"ArnEquals": {"aws:SourceArn": RULE}},
    } | changed


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([], False),
        ([policy()], True),
        ([policy(Action=["sqs:*"])], True),
        ([policy(Resource=QUEUE)], True),
        ([policy(Resource=f"{QUEUE}-2")], False),
        ([policy(Principal={"Service": "sns.amazonaws.com"})], False),
        ([policy(Condition={"ArnEquals": {"aws:SourceArn": f"{RULE}-2"}})], False),
        ([policy(Condition={"StringEquals": {"aws:SourceAccount": "210987654321"}})], False),
        ([policy(Condition={"StringEquals": {"aws:SourceOrgID": "o-1"}})], False),
        ([policy(), policy("Deny", Principal="*", Condition={})], False),
        (
            [
                policy(),
                policy("Deny", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}}),
            ],
            True,
        ),
    ],
)
def test_a_queue_takes_what_its_policy_allows(
    statements: list[dict[str, Any]], allowed: bool
) -> None:
    assert is_allowed(SENDING, resource=statements) == allowed


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.mark.parametrize(("service", "arrives"), [("events", True), ("sns", False)])
def test_a_dead_letter_needs_the_queues_key_too(
    cloud: LocalCloud, service: str, arrives: bool
) -> None:
    key = cloud.client("kms").create_key(
        Policy=json.dumps(
            {
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": f"{service}.amazonaws.com"},
                        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
                        "Resource": "*",
                    }
                ]
            }
        )
    )["KeyMetadata"]["Arn"]
    statement = policy(Condition={"StringEquals": {"aws:SourceAccount": "123456789012"}})
    sqs, events = cloud.client("sqs"), cloud.client("events")
    letters, rule, source = f"letters-{service}", f"uploads-{service}", f"aws.s3.{service}"
    queue = sqs.create_queue(
        QueueName=letters,
        Attributes={
            "KmsMasterKeyId": key,
            "Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        },
    )["QueueUrl"]
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(
        Rule=rule,
        Targets=[
            {
                "Id": "Pipeline",
                "Arn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/gone",
                "RoleArn": make_role(cloud, letters, "events", EVERYTHING),
                "DeadLetterConfig": {"Arn": f"arn:aws:sqs:us-east-1:123456789012:{letters}"},
            }
        ],
    )
    events.put_events(Entries=[{"Source": source, "DetailType": "Object Created", "Detail": "{}"}])
    name = "InvocationsSentToDlq" if arrives else "InvocationsFailedToBeSentToDlq"
    deadline = time.monotonic() + 30
    while name not in metrics(cloud, rule):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert metrics(cloud, rule) == {"Invocations", "FailedInvocations", name}
    received = sqs.receive_message(QueueUrl=queue).get("Messages", [])
    assert len(received) == arrives


def metrics(cloud: LocalCloud, rule: str) -> set[str]:
    """The names of a rule's metrics."""
    listed = cloud.client("cloudwatch").list_metrics(
        Namespace=EVENTS_NAMESPACE, Dimensions=[{"Name": "RuleName", "Value": rule}]
    )["Metrics"]
    return {metric["MetricName"] for metric in listed}
