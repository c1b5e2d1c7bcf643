"""Messages that services send to topics and queues, if those let them."""

from collections.abc import Mapping

import boto3

from local_aws.authorization import (
    authorize,
    authorize_key,
    authorize_service,
    authorize_services_key,
)
from local_aws.identities import RoleSession
from local_aws.policy_evaluation import statements


def publish(
    service: str, topic_arn: str, message: str, source_arn: str, session: RoleSession | None = None
) -> None:
    """Publish to a topic, as a service or in a role that it has assumed.

    As a service, the topic's policy has to allow that, and so has its key's: "Amazon SNS: Key
    management", section "Enable compatibility between event sources from AWS services and encrypted
    topics".

    Args:
        service: The service's name.
        topic_arn: The topic.
        message: The message.
        source_arn: What the service acts for.
        session: The role. Default: the service as itself.

    Raises:
        AccessDeniedError: It may not.
    """
    sns = boto3.client("sns")
    attributes = sns.get_topic_attributes(TopicArn=topic_arn)["Attributes"]
    policy = statements(attributes.get("Policy"))
    key = attributes.get("KmsMasterKeyId")
    if session is None:
        authorize_service(service, "sns:Publish", topic_arn, policy, source_arn)
        if key:
            # "Managing Amazon SNS encryption keys and costs": conditions on the source are not
            # supported from EventBridge to encrypted topics.
            told = service != "events.amazonaws.com"
            authorize_services_key(service, key, source_arn, tells_source=told)
    else:
        authorize(session.caller, "sns:Publish", topic_arn, {}, policy=policy)
    sns.publish(TopicArn=topic_arn, Message=message)


def send(
    service: str,
    queue_arn: str,
    body: str,
    source_arn: str,
    attributes: Mapping[str, str] | None = None,
    session: RoleSession | None = None,
    group: str | None = None,
) -> None:
    """Send a message to a queue, as a service or in a role that it has assumed.

    As a service, a customer key's policy has to name it; that of alias/aws/sqs can't be changed
    ("Using dead-letter queues to process undelivered events in EventBridge"). A role needs the key
    itself ("Key management" of SQS: permissions for a producer).

    Args:
        service: The service's name.
        queue_arn: The queue.
        body: The message.
        source_arn: What the service acts for.
        attributes: The message's attributes.
        session: The role. Default: the service as itself.
        group: Group of the message, in a FIFO queue.

    Raises:
        AccessDeniedError: It may not.
    """
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=queue_arn.rpartition(":")[2])["QueueUrl"]
    names = ["KmsMasterKeyId", "Policy", "QueueArn"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    policy = statements(queue.get("Policy"))
    if session is None:
        authorize_service(service, "sqs:SendMessage", queue["QueueArn"], policy, source_arn)
        if key := queue.get("KmsMasterKeyId"):
            authorize_services_key(service, key, source_arn)
    else:
        authorize(session.caller, "sqs:SendMessage", queue["QueueArn"], {}, policy=policy)
        if key := queue.get("KmsMasterKeyId"):
            region = queue["QueueArn"].split(":")[3]
            via = {"kms:ViaService": f"sqs.{region}.amazonaws.com"}
            for action in ("kms:GenerateDataKey", "kms:Decrypt"):
                authorize_key(session.caller, action, key, region, via)
    sqs.send_message(
        QueueUrl=url,
        MessageBody=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value}
            for name, value in (attributes or {}).items()
        },
        **({"MessageGroupId": group} if group else {}),
    )
