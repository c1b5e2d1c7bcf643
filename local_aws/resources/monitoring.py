# ruff: noqa: D101, D102  # each class is one CloudFormation type
"""Alarms, dashboards, log groups and metric filters."""

from typing import Any

import boto3

from local_aws.log_filters import FilterPattern
from local_aws.resources.base import Properties, Resource, UnsupportedError


class Alarm(Resource):
    TYPE = "AWS::CloudWatch::Alarm"
    NAME_PROPERTY = "AlarmName"
    PROPERTIES = frozenset(
        {
            "ActionsEnabled",
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "ComparisonOperator",
            "DatapointsToAlarm",
            "Dimensions",
            "EvaluationPeriods",
            "ExtendedStatistic",
            "InsufficientDataActions",
            "MetricName",
            "Metrics",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Tags",
            "Threshold",
            "TreatMissingData",
            "Unit",
        }
    )
    ATTRIBUTES = frozenset({"Arn"})
    REPLACED_BY = frozenset({"AlarmName"})

    def create(self) -> None:
        self.update({})
        [alarm] = boto3.client("cloudwatch").describe_alarms(
            AlarmNames=[self.physical_resource_id]
        )["MetricAlarms"]
        self.attributes = {"Arn": alarm["AlarmArn"]}

    def update(self, before: Properties) -> None:
        boto3.client("cloudwatch").put_metric_alarm(
            **self.given() | {"AlarmName": self.physical_resource_id}
        )

    def remove(self) -> None:
        boto3.client("cloudwatch").delete_alarms(AlarmNames=[self.physical_resource_id])


class Dashboard(Resource):
    TYPE = "AWS::CloudWatch::Dashboard"
    NAME_PROPERTY = "DashboardName"
    PROPERTIES = frozenset({"DashboardBody", "DashboardName", "Tags"})
    REPLACED_BY = frozenset({"DashboardName"})

    def create(self) -> None:
        self.update({})

    def update(self, before: Properties) -> None:
        boto3.client("cloudwatch").put_dashboard(
            DashboardName=self.physical_resource_id, DashboardBody=self.properties["DashboardBody"]
        )

    def remove(self) -> None:
        boto3.client("cloudwatch").delete_dashboards(DashboardNames=[self.physical_resource_id])


class LogGroup(Resource):
    TYPE = "AWS::Logs::LogGroup"
    NAME_PROPERTY = "LogGroupName"
    PROPERTIES = frozenset({"KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags"})
    ATTRIBUTES = frozenset({"Arn"})
    REPLACED_BY = frozenset({"LogGroupName", "LogGroupClass"})
    KEPT = frozenset({"KmsKeyId"})

    def create(self) -> None:
        logs, name = boto3.client("logs"), self.physical_resource_id
        key = {"kmsKeyId": self.properties["KmsKeyId"]} if "KmsKeyId" in self.properties else {}
        logs.create_log_group(logGroupName=name, tags=self.tags(), **key)
        region = boto3.session.Session().region_name
        account = boto3.client("sts").get_caller_identity()["Account"]
        self.attributes = {"Arn": f"arn:aws:logs:{region}:{account}:log-group:{name}:*"}
        set_retention(name, self.properties.get("RetentionInDays"))

    def update(self, before: Properties) -> None:
        logs, name = boto3.client("logs"), self.physical_resource_id
        for changed in ("KmsKeyId", "Tags"):
            if self.properties.get(changed) != before.get(changed):
                raise UnsupportedError(f"{self.TYPE}: the local AWS can't change {changed}")
        set_retention(name, self.properties.get("RetentionInDays"))
        del logs

    def remove(self) -> None:
        boto3.client("logs").delete_log_group(logGroupName=self.physical_resource_id)


def set_retention(log_group: str, days: int | None) -> None:
    """Keep a log group's events for a number of days, or for ever."""
    logs = boto3.client("logs")
    if days:
        logs.put_retention_policy(logGroupName=log_group, retentionInDays=int(days))
    else:
        logs.delete_retention_policy(logGroupName=log_group)


class MetricFilter(Resource):
    TYPE = "AWS::Logs::MetricFilter"
    NAME_PROPERTY = "FilterName"
    PROPERTIES = frozenset({"FilterName", "FilterPattern", "LogGroupName", "MetricTransformations"})
    REPLACED_BY = frozenset({"FilterName", "LogGroupName"})

    def create(self) -> None:
        logs, group = boto3.client("logs"), self.properties["LogGroupName"]
        found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if group not in [item["logGroupName"] for item in found]:  # moto doesn't ask
            raise UnsupportedError(f"the log group {group} does not exist")
        self._put()

    def update(self, before: Properties) -> None:
        self.remove()  # moto would keep both
        self._put()

    def remove(self) -> None:
        boto3.client("logs").delete_metric_filter(
            filterName=self.physical_resource_id, logGroupName=self.properties["LogGroupName"]
        )

    def _put(self) -> None:
        FilterPattern(self.properties["FilterPattern"])  # raises what it can't read
        boto3.client("logs").put_metric_filter(
            filterName=self.physical_resource_id,
            logGroupName=self.properties["LogGroupName"],
            filterPattern=self.properties["FilterPattern"],
            metricTransformations=[
                _transformation(item) for item in self.properties["MetricTransformations"]
            ],
        )


def _transformation(given: dict[str, Any]) -> dict[str, Any]:
    written = {name[0].lower() + name[1:]: value for name, value in given.items()}
    if dimensions := written.get("dimensions"):
        written["dimensions"] = {item["Key"]: item["Value"] for item in dimensions}
    return written
