# ruff: noqa: D101, D102  # each class is one CloudFormation type
"""Queues, topics and event rules."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import boto3

from local_aws.resources.base import Properties, Resource, UnsupportedError


class Queue(Resource):
    TYPE = "AWS::SQS::Queue"
    NAME_PROPERTY = "QueueName"
    PROPERTIES = frozenset(
        {
            "KmsDataKeyReusePeriodSeconds",
            "KmsMasterKeyId",
            "MessageRetentionPeriod",
            "QueueName",
            "SqsManagedSseEnabled",
            "Tags",
            "VisibilityTimeout",
        }
    )
    ATTRIBUTES = frozenset({"Arn", "QueueName", "QueueUrl"})
    REPLACED_BY = frozenset({"QueueName"})
    # What a queue has when its template says nothing ("SetQueueAttributes").
    _DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "KmsDataKeyReusePeriodSeconds": 300,
        "KmsMasterKeyId": "",
        "MessageRetentionPeriod": 345600,
        "VisibilityTimeout": 30,
    }

    def create(self) -> None:
        sqs, name = boto3.client("sqs"), self.physical_resource_id[:80]
        attributes = self._queue_attributes(self.given("QueueName", "Tags"))
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self.physical_resource_id = url
        self.attributes = {
            "Arn": arn["Attributes"]["QueueArn"],
            "QueueName": name,
            "QueueUrl": url,
        }
        self._tag({})

    def update(self, before: Properties) -> None:
        removed = {
            name: self._DEFAULTS[name] for name in before if name in self._DEFAULTS
        } | self.given("QueueName", "Tags")
        boto3.client("sqs").set_queue_attributes(
            QueueUrl=self.physical_resource_id, Attributes=self._queue_attributes(removed)
        )
        self._tag(before)

    def remove(self) -> None:
        boto3.client("sqs").delete_queue(QueueUrl=self.physical_resource_id)

    def _tag(self, before: Properties) -> None:
        sqs, url = boto3.client("sqs"), self.physical_resource_id
        if gone := [tag["Key"] for tag in before.get("Tags", []) if tag["Key"] not in self.tags()]:
            sqs.untag_queue(QueueUrl=url, TagKeys=gone)
        if tags := self.tags():
            sqs.tag_queue(QueueUrl=url, Tags=tags)

    @staticmethod
    def _queue_attributes(properties: Properties) -> dict[str, str]:
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in properties.items()
        }


class QueuePolicy(Resource):
    TYPE = "AWS::SQS::QueuePolicy"
    PROPERTIES = frozenset({"PolicyDocument", "Queues"})

    def create(self) -> None:
        self.update({})

    def update(self, before: Properties) -> None:
        self._put(
            set(before.get("Queues", [])) - set(self.properties["Queues"]),
            "",
        )
        self._put(self.properties["Queues"], json.dumps(self.properties["PolicyDocument"]))

    def remove(self) -> None:
        self._put(self.properties["Queues"], "")

    def _put(self, queues: Any, policy: str) -> None:
        for url in queues:
            boto3.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


class Topic(Resource):
    TYPE = "AWS::SNS::Topic"
    NAME_PROPERTY = "TopicName"
    PROPERTIES = frozenset(
        {"DisplayName", "KmsMasterKeyId", "Subscription", "Tags", "TopicName", "TracingConfig"}
    )
    ATTRIBUTES = frozenset({"TopicArn", "TopicName"})
    REPLACED_BY = frozenset({"TopicName"})
    _SETTABLE = ("DisplayName", "KmsMasterKeyId", "TracingConfig")

    def create(self) -> None:
        sns, name = boto3.client("sns"), self.physical_resource_id
        self.physical_resource_id = sns.create_topic(Name=name)["TopicArn"]
        self.attributes = {"TopicArn": self.physical_resource_id, "TopicName": name}
        self.update({})

    def update(self, before: Properties) -> None:
        sns, arn = boto3.client("sns"), self.physical_resource_id
        for name in self._SETTABLE:
            if (value := self.properties.get(name, "")) != before.get(name, ""):
                sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=value)
        if self.properties.get("Subscription", []) != before.get("Subscription", []):
            for old in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
                sns.unsubscribe(SubscriptionArn=old["SubscriptionArn"])
            for new in self.properties.get("Subscription", []):
                sns.subscribe(TopicArn=arn, **new)
        if gone := [tag["Key"] for tag in before.get("Tags", []) if tag["Key"] not in self.tags()]:
            sns.untag_resource(ResourceArn=arn, TagKeys=gone)
        if tags := self.properties.get("Tags"):
            sns.tag_resource(ResourceArn=arn, Tags=tags)

    def remove(self) -> None:
        boto3.client("sns").delete_topic(TopicArn=self.physical_resource_id)


class TopicPolicy(Resource):
    TYPE = "AWS::SNS::TopicPolicy"
    PROPERTIES = frozenset({"PolicyDocument", "Topics"})
    REPLACED_BY = frozenset({"Topics"})

    def create(self) -> None:
        self.update({})

    def update(self, before: Properties) -> None:
        self._put(self.properties["PolicyDocument"])

    def remove(self) -> None:
        # As CloudFormation does: a topic without a policy there is not.
        self._put({"Version": "2012-10-17", "Statement": []})

    def _put(self, policy: Any) -> None:
        for arn in self.properties["Topics"]:
            boto3.client("sns").set_topic_attributes(
                TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(policy)
            )


class Subscription(Resource):
    TYPE = "AWS::SNS::Subscription"
    PROPERTIES = frozenset({"Endpoint", "Protocol", "RawMessageDelivery", "TopicArn"})
    REPLACED_BY = frozenset({"Endpoint", "Protocol", "TopicArn"})

    def create(self) -> None:
        self.physical_resource_id = boto3.client("sns").subscribe(
            **self.given("RawMessageDelivery"), ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        self.update({})

    def update(self, before: Properties) -> None:
        raw = self.properties.get("RawMessageDelivery", False)
        if raw != before.get("RawMessageDelivery", False):
            boto3.client("sns").set_subscription_attributes(
                SubscriptionArn=self.physical_resource_id,
                AttributeName="RawMessageDelivery",
                AttributeValue=str(raw).lower(),
            )

    def remove(self) -> None:
        boto3.client("sns").unsubscribe(SubscriptionArn=self.physical_resource_id)


class Rule(Resource):
    # moto's gives an updated rule another name, so that policies which name it miss it.
    TYPE = "AWS::Events::Rule"
    NAME_PROPERTY = "Name"
    PROPERTIES = frozenset(
        {
            "Description",
            "EventBusName",
            "EventPattern",
            "Name",
            "RoleArn",
            "ScheduleExpression",
            "State",
            "Tags",
            "Targets",
        }
    )
    ATTRIBUTES = frozenset({"Arn"})
    REPLACED_BY = frozenset({"EventBusName", "Name"})

    def create(self) -> None:
        name = self.physical_resource_id[:64]
        if name in {rule["Name"] for rule in boto3.client("events").list_rules()["Rules"]}:
            raise UnsupportedError(f"{name} already exists")
        self.physical_resource_id = name
        self.update({})

    def update(self, before: Properties) -> None:
        events, bus = boto3.client("events"), self._bus()
        settings = self.given("EventBusName", "EventPattern", "Name", "Tags", "Targets")
        if pattern := self.properties.get("EventPattern"):
            settings["EventPattern"] = json.dumps(pattern)
        arn = events.put_rule(Name=self.physical_resource_id, **bus, **settings)["RuleArn"]
        self.attributes = {"Arn": arn}
        targets = self.properties.get("Targets", [])
        wanted = {target["Id"] for target in targets}
        old = [target["Id"] for target in before.get("Targets", []) if target["Id"] not in wanted]
        if old:
            events.remove_targets(Rule=self.physical_resource_id, Ids=old, **bus)
        if targets:
            events.put_targets(Rule=self.physical_resource_id, Targets=targets, **bus)
        if tags := self.properties.get("Tags"):
            events.tag_resource(ResourceARN=arn, Tags=tags)

    def remove(self) -> None:
        events, bus = boto3.client("events"), self._bus()
        if targets := self.properties.get("Targets", []):
            ids = [target["Id"] for target in targets]
            events.remove_targets(Rule=self.physical_resource_id, Ids=ids, **bus)
        events.delete_rule(Name=self.physical_resource_id, **bus)

    def _bus(self) -> dict[str, str]:
        bus = self.properties.get("EventBusName")
        return {"EventBusName": bus} if bus else {}
