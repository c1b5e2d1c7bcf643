"""Change sets and stacks."""

import logging
from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend
from moto.core.exceptions import ServiceException

from local_aws.cloudformation.change_details import details
from local_aws.cloudformation.rollback import roll_back
from local_aws.cloudformation.stack_events import failed_resources, operation
from local_aws.cloudformation.template_reading import read_template
from local_aws.cloudformation.unknown_types import refuse_unknown_types
from local_aws.moto_seams import OwnBackend

logger = logging.getLogger(__name__)


class ChangeSetNotFound(ServiceException):  # type: ignore[misc]  # moto is not checked
    """The answer that the CLI waits for after it has deleted a change set."""

    code = "ChangeSetNotFound"


class LocalCloudFormationBackend(OwnBackend, CloudFormationBackend):  # type: ignore[misc]
    """moto's, whose change sets tell what they change, and are executed or rolled back whole."""

    def create_change_set(self, **kwargs: Any) -> tuple[str, str]:
        """Refuse what can't be deployed, and say which properties change."""
        template = read_template(kwargs["template"])
        refuse_unknown_types(template)
        before: dict[str, Any] = {}
        if kwargs["change_set_type"] == "UPDATE":
            stack = self.get_stack(kwargs["stack_name"])
            before = stack.template_dict
            kwargs["parameters"] = _unresolved(kwargs["parameters"], stack, template)
        change_set_id, stack_id = super().create_change_set(**kwargs)
        for change in self.change_sets[change_set_id].changes:
            change.details = details(change, before, template)
        return change_set_id, stack_id

    def describe_change_set(self, change_set_name: str) -> Any:
        """Find the newest of a name."""
        for change_set_id, change_set in reversed(self.change_sets.items()):
            if change_set_name in (change_set_id, change_set.change_set_name):
                return change_set
        raise ChangeSetNotFound(f"ChangeSet [{change_set_name}] does not exist")

    def delete_change_set(self, change_set_name: str) -> None:
        """Succeed where there is none, too; `cdk diff` and `cdk deploy` rely on it."""
        for change_set_id, change_set in list(self.change_sets.items()):
            if change_set_name in (change_set_id, change_set.change_set_name):
                del self.change_sets[change_set_id]

    def execute_change_set(self, change_set_name: str, stack_name: str | None = None) -> None:
        """Apply all of a change set, or roll back."""
        change_set = self.describe_change_set(change_set_name)
        self.delete_change_set(change_set_name)
        stack = self.stacks[change_set.stack_id]
        action = change_set.change_set_type  # CREATE or UPDATE
        template_before, parameters_before = stack.template, stack.parameters
        try:
            with operation(stack):
                reason = "User Initiated"
                stack._add_stack_event(f"{action}_IN_PROGRESS", resource_status_reason=reason)
                with failed_resources(stack, action):
                    change_set.apply()
                self._complete(stack, action, change_set)
        except Exception as fault:
            logger.exception("change set %s of stack %s failed", change_set_name, stack.name)
            with operation(stack):
                roll_back(stack, action, template_before, parameters_before, str(fault))
            change_set.execution_status = "EXECUTE_FAILED"

    def _complete(self, stack: Any, action: str, change_set: Any) -> None:
        stack.template, stack.parameters = change_set.template, change_set.parameters
        stack._parse_template()
        stack.description = stack.template_dict.get("Description")
        stack.output_map = stack._create_output_map()
        for export in stack.exports:
            self.exports[export.name] = export
        change_set.execution_status = "EXECUTE_COMPLETE"
        stack.status = f"{action}_COMPLETE"
        stack._add_stack_event(stack.status)

    def delete_stack(self, name_or_stack_id: str) -> None:
        """Delete a stack that is not protected, in sight of those who watch."""
        for stack in list(self.stacks.values()):
            if name_or_stack_id in (stack.name, stack.stack_id):
                break
        else:
            return  # deleting one that is not there succeeds
        if stack.enable_termination_protection:
            reason = (
                f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            )
            raise ValidationError(message=reason)
        # moto hides the stack while it deletes it; the CLI, which watches, then takes it for gone.
        exports = [export.name for export in stack.exports]
        stack.status = "DELETE_IN_PROGRESS"
        try:
            stack.delete()
        except Exception as fault:
            logger.exception("the deletion of stack %s failed", stack.name)
            stack.status = "DELETE_FAILED"
            stack._add_stack_event(stack.status, resource_status_reason=str(fault))
            return
        for name in exports:
            self.exports.pop(name, None)
        self.deleted_stacks[stack.stack_id] = stack
        del self.stacks[stack.stack_id]


def _unresolved(parameters: dict[str, str], stack: Any, template: dict[str, Any]) -> dict[str, str]:
    """Parameters with ``UsePreviousValue`` as they were given; moto gives them resolved."""
    return {
        name: stack.parameters.get(name) or template["Parameters"][name].get("Default", value)
        if value == stack.stack_parameters.get(name)
        else value
        for name, value in parameters.items()
    }
