# ruff: noqa: D101, D102  # each class is one CloudFormation type
"""Schedules of EventBridge Scheduler."""

from typing import Any

import boto3

from local_aws.resources.base import Properties, Resource


class Schedule(Resource):
    TYPE = "AWS::Scheduler::Schedule"
    NAME_PROPERTY = "Name"
    PROPERTIES = frozenset(
        {
            "Description",
            "EndDate",
            "FlexibleTimeWindow",
            "GroupName",
            "KmsKeyArn",
            "Name",
            "ScheduleExpression",
            "ScheduleExpressionTimezone",
            "StartDate",
            "State",
            "Target",
        }
    )
    ATTRIBUTES = frozenset({"Arn"})
    REPLACED_BY = frozenset({"Name"})

    def create(self) -> None:
        self.physical_resource_id = self.physical_resource_id[:64]
        made = boto3.client("scheduler").create_schedule(**self._arguments())
        self.attributes = {"Arn": made["ScheduleArn"]}

    def update(self, before: Properties) -> None:
        # "UpdateSchedule" takes all of a schedule: what is not given has its default again.
        boto3.client("scheduler").update_schedule(**self._arguments())

    def remove(self) -> None:
        name, group = self.physical_resource_id, self.properties.get("GroupName", "default")
        boto3.client("scheduler").delete_schedule(Name=name, GroupName=group)

    def _arguments(self) -> dict[str, Any]:
        return self.given("Name") | {"Name": self.physical_resource_id}
