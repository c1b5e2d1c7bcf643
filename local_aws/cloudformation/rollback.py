"""The rollback of a change set whose execution failed."""

import logging
from typing import Any

from local_aws.cloudformation.template_reading import read_template

logger = logging.getLogger(__name__)


def roll_back(
    stack: Any, action: str, template: Any, parameters: dict[str, Any], reason: str
) -> None:
    """Bring a stack back to where it was.

    Args:
        stack: The stack.
        action: What failed, ``CREATE`` or ``UPDATE``.
        template: Its template before.
        parameters: Its parameters before.
        reason: Why it failed.
    """
    status = "ROLLBACK" if action == "CREATE" else "UPDATE_ROLLBACK"
    stack._add_stack_event(f"{status}_IN_PROGRESS", resource_status_reason=reason)
    try:
        if action == "CREATE":
            stack.resource_map.delete()
        else:
            stack.resource_map.roll_back_update(read_template(template), parameters)
        stack.status = f"{status}_COMPLETE"
    except Exception:
        logger.exception("the rollback of stack %s failed", stack.name)
        stack.status = f"{status}_FAILED"
    stack._add_stack_event(stack.status)
