"""CloudFormation as moto does it, with what a deployment must not get wrong put right.

A template with an unknown resource type is refused, a stack that was made from a change set has
its outputs, and a change set that can't be executed rolls back and says why.
"""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, Event, Stack
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from local_aws.resources import RESOURCES

logger = logging.getLogger(__name__)


def install() -> None:
    """Make moto's CloudFormation deploy this project's resources."""
    moto_models = parsing.get_model_map()
    models = moto_models | {resource.TYPE: resource for resource in RESOURCES}
    parsing.get_model_map = lambda: models
    parsing.get_model_list = lambda: list(models.values())
    CloudFormationBackend.create_change_set = _create_change_set
    CloudFormationBackend.describe_change_set = _describe_change_set
    CloudFormationBackend.delete_change_set = _delete_change_set
    CloudFormationBackend.execute_change_set = _execute_change_set
    CloudFormationBackend.delete_stack = _delete_stack
    parsing.ResourceMap.delete = _delete_resources
    # The CLI asks CloudTrail why a deployment failed, and would ask for half a minute.
    CloudTrailResponse.lookup_events = lambda self: ActionResult({"Events": []})


_moto_create_change_set = CloudFormationBackend.create_change_set


def _create_change_set(self: Any, **kwargs: Any) -> Any:
    template = Stack.parse_template(kwargs["template"])
    types = {resource["Type"] for resource in template["Resources"].values()}
    known = set(parsing.get_model_map()) | set(parsing.NULL_MODELS)
    if unknown := sorted(types - known):
        raise ValidationError(
            message=f"Template format error: Unrecognized resource types: {unknown}"
        )
    before: dict[str, Any] = {}
    if kwargs["change_set_type"] == "UPDATE":
        stack = self.get_stack(kwargs["stack_name"])
        before = stack.template_dict
        kwargs["parameters"] = _unresolved(kwargs["parameters"], stack, template)
    change_set_id, stack_id = _moto_create_change_set(self, **kwargs)
    for change in self.change_sets[change_set_id].changes:
        change.details = _details(change, before, template)
    return change_set_id, stack_id


def _unresolved(parameters: dict[str, str], stack: Any, template: dict[str, Any]) -> dict[str, str]:
    """Parameters with ``UsePreviousValue`` as they were given; moto gives them resolved."""
    return {
        name: stack.parameters.get(name) or template["Parameters"][name].get("Default", value)
        if value == stack.stack_parameters.get(name)
        else value
        for name, value in parameters.items()
    }


def _details(change: Any, before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Which properties a change touches: without it, `cdk diff` shows no difference."""
    old, new = (
        template.get("Resources", {}).get(change.logical_resource_id, {}).get("Properties", {})
        for template in (before, after)
    )
    replaced_by = getattr(parsing.get_model_map()[change.resource_type], "REPLACED_BY", ())
    return [
        {
            "Target": {
                "Attribute": "Properties",
                "Name": name,
                "RequiresRecreation": "Always" if name in replaced_by else "Never",
            },
            "Evaluation": "Static",
            "ChangeSource": "DirectModification",
        }
        for name in sorted(set(old) | set(new))
        if old.get(name) != new.get(name)
    ]


class ChangeSetNotFound(ServiceException):  # type: ignore[misc]  # moto is not checked
    """The answer that the CLI waits for after it has deleted a change set."""

    code = "ChangeSetNotFound"


def _describe_change_set(self: Any, change_set_name: str) -> Any:
    for change_set_id, change_set in reversed(self.change_sets.items()):
        if change_set_name in (change_set_id, change_set.change_set_name):
            return change_set
    raise ChangeSetNotFound(f"ChangeSet [{change_set_name}] does not exist")


def _delete_change_set(self: Any, change_set_name: str) -> None:
    # Deleting one that is not there succeeds; `cdk diff` and `cdk deploy` rely on it.
    for change_set_id, change_set in list(self.change_sets.items()):
        if change_set_name in (change_set_id, change_set.change_set_name):
            del self.change_sets[change_set_id]


def _execute_change_set(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
    change_set = self.describe_change_set(change_set_name)
    self.delete_change_set(change_set_name)
    stack = self.stacks[change_set.stack_id]
    action = change_set.change_set_type  # CREATE or UPDATE
    template_before, parameters_before = stack.template, stack.parameters
    stack._add_stack_event(f"{action}_IN_PROGRESS", resource_status_reason="User Initiated")
    try:
        with _failed_resource(stack, action):
            change_set.apply()
    except Exception as fault:
        logger.exception("change set %s of stack %s failed", change_set_name, stack.name)
        _roll_back(stack, action, template_before, parameters_before, str(fault))
        change_set.execution_status = "EXECUTE_FAILED"
        return
    stack.template, stack.parameters = change_set.template, change_set.parameters
    stack._parse_template()
    stack.description = stack.template_dict.get("Description")
    stack.output_map = stack._create_output_map()
    for export in stack.exports:
        self.exports[export.name] = export
    change_set.execution_status = "EXECUTE_COMPLETE"
    stack.status = f"{action}_COMPLETE"
    stack._add_stack_event(stack.status)


def _delete_stack(self: Any, name_or_stack_id: str) -> None:
    for stack in list(self.stacks.values()):
        if name_or_stack_id in (stack.name, stack.stack_id):
            break
    else:
        return  # deleting one that is not there succeeds
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


def _delete_resources(self: Any) -> None:
    # In the opposite order of creation, as CloudFormation does; moto's order is accidental.
    for logical_id in reversed(list(self._parsed_resources)):
        resource_json = self._resource_json_map.get(logical_id)
        if resource_json is None or resource_json.get("DeletionPolicy") == "Retain":
            continue
        self._delete_resource(self._parsed_resources[logical_id], resource_json)
        del self._parsed_resources[logical_id]


@contextlib.contextmanager
def _failed_resource(stack: Any, action: str) -> Iterator[None]:
    """Record which resource failed, and why, as an event of the stack: the CLI prints it."""
    create, update = parsing.parse_and_create_resource, parsing.parse_and_update_resource
    failed: set[str] = set()  # moto tries a failed resource again and again

    def recorded(function: Any) -> Any:
        def call(logical_id: str, resource_json: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return function(logical_id, resource_json, *args, **kwargs)
            except Exception as fault:
                if logical_id not in failed:
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
                raise

        return call

    parsing.parse_and_create_resource = recorded(create)
    parsing.parse_and_update_resource = recorded(update)
    try:
        yield
    finally:
        parsing.parse_and_create_resource = create
        parsing.parse_and_update_resource = update


def _roll_back(
    stack: Any, action: str, template: Any, parameters: dict[str, Any], reason: str
) -> None:
    status = "ROLLBACK" if action == "CREATE" else "UPDATE_ROLLBACK"
    stack._add_stack_event(f"{status}_IN_PROGRESS", resource_status_reason=reason)
    try:
        if action == "CREATE":
            stack.resource_map.delete()
        else:
            stack.resource_map.update(Stack.parse_template(template), parameters)
        stack.status = f"{status}_COMPLETE"
    except Exception:
        logger.exception("the rollback of stack %s failed", stack.name)
        stack.status = f"{status}_FAILED"
    stack._add_stack_event(stack.status)
