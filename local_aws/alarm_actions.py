"""What alarms do when they change their state: CloudWatch publishes to topics, if it may.

moto's alarms change when someone sets their state (``SetAlarmState``), as CloudWatch's do too, but
tell nobody. What came of it stands in the alarm's history.
"""

import datetime
import json
from typing import Any

from moto.cloudwatch import urls
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from local_aws.authorization import AccessDeniedError
from local_aws.messages import publish
from local_aws.moto_seams import OwnBackend, use_backend, use_responses

_SERVICE = "cloudwatch.amazonaws.com"
_ACTIONS = {
    "ALARM": "alarm_actions",
    "INSUFFICIENT_DATA": "insufficient_data_actions",
    "OK": "ok_actions",
}


def install() -> None:
    """Make moto's alarms act."""
    use_backend(cloudwatch_backends, LocalCloudWatchBackend)
    use_responses(urls, LocalCloudWatchResponse)


class LocalCloudWatchBackend(OwnBackend, CloudWatchBackend):  # type: ignore[misc]
    """moto's, whose alarms act."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.alarm_history: list[dict[str, Any]] = []

    def set_alarm_state(
        self, alarm_name: str, reason: str, reason_data: str, state_value: str
    ) -> None:
        """Set the state, and do what the alarm does in it."""
        super().set_alarm_state(alarm_name, reason, reason_data, state_value)
        alarm = self.alarms[alarm_name]
        if not alarm.actions_enabled:
            return
        for action in getattr(alarm, _ACTIONS[state_value]):
            told = {"AlarmName": alarm_name, "NewStateValue": state_value, "Reason": reason}
            try:
                _publish(alarm.alarm_arn, action, json.dumps(told))
                summary = f"Successfully executed action {action}"
            except AccessDeniedError as refusal:
                summary = f"Failed to execute action {action}. Received error: {refusal}"
            self.alarm_history.append(
                {
                    "AlarmName": alarm_name,
                    "HistoryItemType": "Action",
                    "HistorySummary": summary,
                    "Timestamp": datetime.datetime.now(datetime.timezone.utc),
                }
            )


class LocalCloudWatchResponse(CloudWatchResponse):  # type: ignore[misc]  # moto is not checked
    """moto's, with the action that it lacks."""

    def describe_alarm_history(self) -> Any:
        """``DescribeAlarmHistory``, newest first."""
        name = self._get_param("AlarmName")
        history = reversed(self.cloudwatch_backend.alarm_history)
        items = [item for item in history if name in (None, item["AlarmName"])]
        return ActionResult({"AlarmHistoryItems": items})


def _publish(alarm_arn: str, topic_arn: str, message: str) -> None:
    service = topic_arn.split(":")[2]
    if service != "sns":
        raise NotImplementedError(f"the local AWS's alarms publish to topics, not to {topic_arn}")
    publish(_SERVICE, topic_arn, message, alarm_arn)
