"""The events that services of the local AWS send to EventBridge."""

import datetime
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Event = dict[str, Any]

_deliver: Callable[[str, Event], None]


def deliver_by(deliver: Callable[[str, Event], None]) -> None:
    """Say who delivers events: called with the account of the event buses and the event."""
    global _deliver
    _deliver = deliver


def send(
    account_id: str,
    region: str,
    source: str,
    detail_type: str,
    resources: Sequence[str],
    detail: Mapping[str, Any],
) -> Event:
    """Send an event, which is delivered at some time: who sends it waits for nothing.

    Args:
        account_id: Account of the event buses.
        region: Their region.
        source: Such as ``aws.s3``.
        detail_type: What kind of event of the source's it is.
        resources: ARNs of what it is about.
        detail: What it tells.

    Returns:
        The event, as EventBridge passes it.
    """
    event: Event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account_id,
        "time": zulu(datetime.datetime.now(datetime.timezone.utc)),
        "region": region,
        "resources": list(resources),
        "detail": dict(detail),
    }
    threading.Thread(target=_deliver, args=(account_id, event), daemon=True).start()
    return event


def zulu(time: datetime.datetime) -> str:
    """A time as events write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
