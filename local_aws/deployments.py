"""CloudFormation as moto does it, with what a deployment must not get wrong put right.

A template with an unknown resource type is refused, a stack that was made from a change set has
its outputs, an update deletes only when all else is done, and a change set that can't be executed
rolls back and says why.
"""

import contextlib
import json
import logging
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Event, Stack
from moto.cloudformation.responses import CloudFormationResponse
from moto.cloudformation.utils import yaml_tag_constructor
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.iam.models import IAMBackend

from local_aws.resources import RESOURCES

logger = logging.getLogger(__name__)

# What `cdk bootstrap` deploys besides. Others of moto's resources drop properties, or become
# nothing when they are updated; they are unknown here.
_MOTO_RESOURCES = ("AWS::ECR::Repository", "AWS::IAM::ManagedPolicy", "AWS::SSM::Parameter")
_RETAINED = ("Retain", "RetainExceptOnCreate")


def install() -> None:
    """Make moto's CloudFormation deploy this project's resources."""
    moto_models = parsing.get_model_map()
    models = {name: moto_models[name] for name in _MOTO_RESOURCES} | {
        resource.TYPE: resource for resource in RESOURCES
    }
    parsing.get_model_map = lambda: models
    parsing.get_model_list = lambda: list(models.values())
    parsing.resource_class_from_type = models.__getitem__
    CloudFormationBackend.create_change_set = _create_change_set
    CloudFormationBackend.describe_change_set = _describe_change_set
    CloudFormationBackend.delete_change_set = _delete_change_set
    CloudFormationBackend.execute_change_set = _execute_change_set
    CloudFormationBackend.delete_stack = _delete_stack
    CloudFormationResponse.update_termination_protection = _protect
    Stack.parse_template = staticmethod(_parse_template)
    ChangeSet._parse_template = _read_template
    IAMBackend._init_aws_policies = _init_aws_policies
    parsing.ResourceMap.delete = _delete_resources
    parsing.ResourceMap.update = _update_resources
    # The CLI asks CloudTrail why a deployment failed, and would ask for half a minute.
    CloudTrailResponse.lookup_events = lambda self: ActionResult({"Events": []})


class _TemplateLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with CloudFormation's short forms, such as ``!Ref``."""


_TemplateLoader.add_multi_constructor("", yaml_tag_constructor)


def _parse_template(template: str) -> Any:
    """A template as the CDK writes it; moto takes a second to read its JSON as YAML."""
    try:
        return json.loads(template)
    except ValueError:
        return yaml.load(template, Loader=_TemplateLoader)  # noqa: S506  # it is a safe one


def _read_template(self: Any) -> None:
    self.template_dict = _parse_template(self.template)


_moto_init_aws_policies = IAMBackend._init_aws_policies


def _init_aws_policies(self: Any) -> Any:
    """AWS's managed policies, in the partition that is used; moto reads them for all six."""
    return _moto_init_aws_policies(self) if self.region_name == "aws" else []


_moto_create_change_set = CloudFormationBackend.create_change_set


def _create_change_set(self: Any, **kwargs: Any) -> Any:
    template = Stack.parse_template(kwargs["template"])
    types = {resource["Type"] for resource in template["Resources"].values()}
    if unknown := sorted(types - set(parsing.get_model_map())):
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
    try:
        with _operation(stack):
            stack._add_stack_event(f"{action}_IN_PROGRESS", resource_status_reason="User Initiated")
            with _failed_resource(stack, action):
                change_set.apply()
            _complete(self, stack, action, change_set)
    except Exception as fault:
        logger.exception("change set %s of stack %s failed", change_set_name, stack.name)
        with _operation(stack):
            _roll_back(stack, action, template_before, parameters_before, str(fault))
        change_set.execution_status = "EXECUTE_FAILED"


def _complete(self: Any, stack: Any, action: str, change_set: Any) -> None:
    stack.template, stack.parameters = change_set.template, change_set.parameters
    stack._parse_template()
    stack.description = stack.template_dict.get("Description")
    stack.output_map = stack._create_output_map()
    for export in stack.exports:
        self.exports[export.name] = export
    change_set.execution_status = "EXECUTE_COMPLETE"
    stack.status = f"{action}_COMPLETE"
    stack._add_stack_event(stack.status)


@contextlib.contextmanager
def _operation(stack: Any) -> Iterator[None]:
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


def _protect(self: Any) -> Any:
    """``UpdateTerminationProtection``, which moto lacks."""
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
    return ActionResult({"StackId": stack.stack_id})


def _delete_stack(self: Any, name_or_stack_id: str) -> None:
    for stack in list(self.stacks.values()):
        if name_or_stack_id in (stack.name, stack.stack_id):
            break
    else:
        return  # deleting one that is not there succeeds
    if stack.enable_termination_protection:
        raise ValidationError(
            message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        )
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
        if resource_json is None or resource_json.get("DeletionPolicy") in _RETAINED:
            continue
        self._delete_resource(self._parsed_resources[logical_id], resource_json)
        del self._parsed_resources[logical_id]


def _update_resources(
    self: Any, template: dict[str, Any], parameters: dict[str, Any] | None = None
) -> None:
    """Make and change resources, then delete what the template no longer has.

    That order is CloudFormation's: a rollback finds everything that was there before.
    """
    before = self._resource_json_map
    changed = set(self.build_resource_diff(template, parameters)["Modify"])
    self._template = template
    if parameters:
        self.input_parameters = parameters
    self.load_mapping()
    self.load_parameters()
    self.load_conditions()
    self._resource_json_map = template["Resources"]
    restored, self.replaced = self.__dict__.pop("restored", set()), {}
    wanted = [
        name
        for name in _in_dependency_order(template["Resources"])
        if self.lazy_condition_map.get(template["Resources"][name].get("Condition"), True)
    ]
    for name in wanted:
        resource_json = template["Resources"][name]
        if name not in self._parsed_resources:
            self._parsed_resources[name] = self[name]
        elif name in changed or _references(resource_json) & (restored | self.replaced.keys()):
            old = self._parsed_resources[name]
            new = parsing.parse_and_update_resource(
                name, resource_json, self, self._account_id, self._region_name
            )
            self._parsed_resources[name] = new
            if new is not old:
                self.replaced[name] = old
    for name in reversed(_in_dependency_order(before)):
        if name in self.replaced:
            _clean_up(self, self.replaced[name], before[name], "UpdateReplacePolicy")
        elif name in self._parsed_resources and name not in wanted:
            _clean_up(self, self._parsed_resources.pop(name), before[name], "DeletionPolicy")


def _clean_up(self: Any, resource: Any, resource_json: dict[str, Any], policy: str) -> None:
    if resource_json.get(policy) in _RETAINED:
        return
    try:
        self._delete_resource(resource, resource_json)
    except Exception:  # CloudFormation leaves the resource; the update has succeeded
        logger.exception("%s could not be deleted", resource.physical_resource_id)


def _in_dependency_order(resources: Mapping[str, Any]) -> list[str]:
    """Logical ids, each after those that it depends on."""
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in ordered or name not in resources:
            return
        depends_on = resources[name].get("DependsOn", [])
        explicit = [depends_on] if isinstance(depends_on, str) else depends_on
        for dependency in (*explicit, *sorted(_references(resources[name]))):
            visit(dependency)
        ordered[name] = None

    for name in resources:
        visit(name)
    return list(ordered)


def _references(value: Any) -> set[str]:
    """What a part of a template refers to, by logical id or parameter name."""
    if isinstance(value, list):
        return set().union(*(_references(item) for item in value))
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, argument in value.items():
        if key == "Ref":
            found.add(argument)
        elif key == "Fn::GetAtt":
            found.add(argument.partition(".")[0] if isinstance(argument, str) else argument[0])
        else:
            if key == "Fn::Sub":
                text = argument if isinstance(argument, str) else argument[0]
                found |= set(re.findall(r"\$\{([A-Za-z0-9]+)[.}]", text))
            found |= _references(argument)
    return found


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
            resources = stack.resource_map
            for name, old in resources.replaced.items():
                resources._parsed_resources[name].delete(stack.account_id, stack.region_name)
                resources._parsed_resources[name] = old
            resources.restored = set(resources.replaced)
            resources.update(Stack.parse_template(template), parameters)
        stack.status = f"{status}_COMPLETE"
    except Exception:
        logger.exception("the rollback of stack %s failed", stack.name)
        stack.status = f"{status}_FAILED"
    stack._add_stack_event(stack.status)
