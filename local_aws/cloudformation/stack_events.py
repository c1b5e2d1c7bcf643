"""The events of a stack by which the CLI tells what failed, and why."""

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from moto.cloudformation.models import Event


@contextlib.contextmanager
def operation(stack: Any) -> Iterator[None]:
    """Give the events of one operation an id, by which the CLI finds those of a failure.

    A rollback is an operation of its own.
    """
    known = len(stack.events)
    operation_id = str(uuid.uuid4())
    try:
        yield
    finally:
        for event in stack.events[known:]:
            event.operation_id = operation_id


@contextlib.contextmanager
def failed_resources(stack: Any, action: str) -> Iterator[None]:
    """Record which resource failed, and why, as an event of the stack: the CLI prints it.

    Args:
        stack: The stack.
        action: ``CREATE`` or ``UPDATE``.
    """
    failed: set[str] = set()  # moto may try a failed resource again

    def record(logical_id: str, resource_json: Mapping[str, Any], fault: Exception) -> None:
        if logical_id in failed:
            return
        failed.add(logical_id)
        stack.events.append(
            Event(
                stack_id=stack.stack_id,
                stack_name=stack.name,
                logical_resource_id=logical_id,
                physical_resource_id="",
                resource_type=resource_json["Type"],
                resource_status=f"{action}_FAILED",
                resource_status_reason=str(fault) or type(fault).__name__,
                resource_properties=None,
            )
        )

    stack.resource_map.on_failure = record
    try:
        yield
    finally:
        stack.resource_map.on_failure = None
