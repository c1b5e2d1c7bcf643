"""What an alarm does when its state changes, and what its history tells of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.cloud import ACCOUNT, LocalCloud, local_cloud

CLOUDWATCH = {"Principal": {"Service": "cloudwatch.amazonaws.com"}, "Effect": "Allow"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


class Alarm:
    """An alarm with a topic, to which a queue is subscribed."""

    def __init__(self, cloud: LocalCloud, name: str, *statements: dict[str, Any]) -> None:
        self._cloud, self._name = cloud, name
        sns, sqs = cloud.client("sns"), cloud.client("sqs")
        self.topic = sns.create_topic(Name=name)["TopicArn"]
        policy = {"Version": "2012-10-17", "Statement": statements}
        self.set("Policy", json.dumps(policy))
        self._queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        endpoint = arn["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=endpoint)
        cloud.client("cloudwatch").put_metric_alarm(
            AlarmName=name,
            AlarmActions=[self.topic],
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            MetricName="ExecutionFailed",
            Namespace="AWS/Sagemaker/ModelBuildingPipeline",
            Period=60,
            Statistic="Sum",
            Threshold=0,
        )

    def set(self, name: str, value: str) -> None:
        self._cloud.client("sns").set_topic_attributes(
            TopicArn=self.topic, AttributeName=name, AttributeValue=value
        )

    def becomes(self, state: str) -> list[str]:
        """What the history tells when the alarm is in a state, newest first."""
        cloudwatch = self._cloud.client("cloudwatch")
        cloudwatch.set_alarm_state(AlarmName=self._name, StateValue=state, StateReason="a test")
        history = cloudwatch.describe_alarm_history(AlarmName=self._name)["AlarmHistoryItems"]
        return [item["HistorySummary"] for item in history]

    def received(self) -> list[dict[str, Any]]:
        received = self._cloud.client("sqs").receive_message(QueueUrl=self._queue)
        bodies = [json.loads(message["Body"]) for message in received.get("Messages", [])]
        return [json.loads(body["Message"]) for body in bodies]


def publish(**more: Any) -> dict[str, Any]:
    return CLOUDWATCH | {"Action": "sns:Publish", "Resource": "*"} | more


def test_an_alarm_tells_its_topic_of_the_states_that_have_an_action(cloud: LocalCloud) -> None:
    alarm = Alarm(cloud, "heard", publish())
    assert alarm.becomes("OK") == []
    assert alarm.becomes("ALARM") == [f"Successfully executed action {alarm.topic}"]
    [told] = alarm.received()
    assert told == {"AlarmName": "heard", "NewStateValue": "ALARM", "Reason": "a test"}
    cloud.client("cloudwatch").disable_alarm_actions(AlarmNames=["heard"])
    alarm.becomes("ALARM")
    assert alarm.received() == []


def test_a_topic_that_does_not_let_it_hears_nothing_and_the_history_says_why(
    cloud: LocalCloud,
) -> None:
    other = {"StringEquals": {"aws:SourceAccount": "210987654321"}}
    alarm = Alarm(cloud, "unheard", publish(Condition=other))
    [told] = alarm.becomes("ALARM")
    assert told == (
        f"Failed to execute action {alarm.topic}. Received error: cloudwatch.amazonaws.com is not "
        f"authorized to perform: sns:Publish on resource: {alarm.topic} because no resource-based "
        "policy allows the sns:Publish action"
    )
    assert alarm.received() == []


@pytest.mark.parametrize("lets_it", [True, False])
def test_an_encrypted_topic_needs_the_keys_policy_too(cloud: LocalCloud, lets_it: bool) -> None:
    kms = cloud.client("kms")
    action = ["kms:Decrypt", "kms:GenerateDataKey*"] if lets_it else ["kms:GenerateDataKey*"]
    statement = CLOUDWATCH | {"Action": action, "Resource": "*"}
    key = kms.create_key(Policy=json.dumps({"Statement": [statement]}))["KeyMetadata"]["Arn"]
    alarm = Alarm(cloud, f"encrypted-{lets_it}", publish())
    alarm.set("KmsMasterKeyId", key)
    [told] = alarm.becomes("ALARM")
    assert len(alarm.received()) == lets_it
    assert lets_it or f"to perform: kms:Decrypt on resource: {key} because" in told


def test_the_key_of_aws_lets_no_service_publish(cloud: LocalCloud) -> None:
    alarm = Alarm(cloud, "aws-key", publish())
    alarm.set("KmsMasterKeyId", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/aws/sns")
    [told] = alarm.becomes("ALARM")
    assert "kms:GenerateDataKey on resource" in told
    assert alarm.received() == []
