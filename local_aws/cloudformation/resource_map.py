"""The order in which a stack's resources are made, changed and deleted."""

import contextlib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from moto.cloudformation.parsing import ResourceMap, parse_and_update_resource

from local_aws.cloudformation.dependency_order import in_dependency_order, references

logger = logging.getLogger(__name__)

_RETAINED = ("Retain", "RetainExceptOnCreate")

Template = Mapping[str, Any]
Parameters = Mapping[str, Any]


class LocalResourceMap(ResourceMap):  # type: ignore[misc]  # moto is not checked
    """A stack's resources, in CloudFormation's order and able to go back.

    Attributes:
        on_failure: Told which resource could not be made or changed, what the template says of it,
            and why.
    """

    _resource_json_map: Mapping[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_failure: Callable[[str, Mapping[str, Any], Exception], None] | None = None
        self._replaced: dict[str, Any] = {}  # by the last update

    def __getitem__(self, key: str) -> Any:
        if key in self._parsed_resources or key not in self._resource_json_map:
            return super().__getitem__(key)
        with self._reporting(key):
            return super().__getitem__(key)  # makes it, and first what it refers to

    def update(self, template: Template, parameters: Parameters | None = None) -> None:
        """Make and change resources, then delete what the template no longer has.

        That order is CloudFormation's: a rollback finds everything that was there before.
        """
        self._update(template, parameters, restored=())

    def roll_back_update(self, template: Template, parameters: Parameters) -> None:
        """Undo an update that failed.

        Args:
            template: The template before the update.
            parameters: Its parameters.
        """
        replaced = self._replaced
        for name, old in replaced.items():
            self._parsed_resources[name].delete(self._account_id, self._region_name)
            self._parsed_resources[name] = old
        self._update(template, parameters, restored=replaced.keys())

    def delete(self) -> None:
        """Delete in the opposite order of creation, as CloudFormation; moto's is accidental."""
        for logical_id in reversed(list(self._parsed_resources)):
            resource_json = self._resource_json_map.get(logical_id)
            if resource_json is None or resource_json.get("DeletionPolicy") in _RETAINED:
                continue
            self._delete_resource(self._parsed_resources[logical_id], resource_json)
            del self._parsed_resources[logical_id]

    def _update(
        self, template: Template, parameters: Parameters | None, restored: Collection[str]
    ) -> None:
        self._replaced = {}
        before = self._resource_json_map
        changed = set(self.build_resource_diff(template, parameters)["Modify"])
        self._template = template
        if parameters:
            self.input_parameters = parameters
        self.load_mapping()
        self.load_parameters()
        self.load_conditions()
        self._resource_json_map = template["Resources"]
        wanted = [
            name
            for name in in_dependency_order(template["Resources"])
            if self.lazy_condition_map.get(template["Resources"][name].get("Condition"), True)
        ]
        for name in wanted:
            resource_json = template["Resources"][name]
            if name not in self._parsed_resources:
                self._parsed_resources[name] = self[name]
            elif name in changed or references(resource_json) & {*restored, *self._replaced}:
                self._change(name, resource_json)
        for name in reversed(in_dependency_order(before)):
            if name in self._replaced:
                self._clean_up(self._replaced[name], before[name], "UpdateReplacePolicy")
            elif name in self._parsed_resources and name not in wanted:
                self._clean_up(self._parsed_resources.pop(name), before[name], "DeletionPolicy")

    def _change(self, name: str, resource_json: Mapping[str, Any]) -> None:
        old = self._parsed_resources[name]
        with self._reporting(name):
            new = parse_and_update_resource(
                name, resource_json, self, self._account_id, self._region_name
            )
        self._parsed_resources[name] = new
        if new is not old:
            self._replaced[name] = old

    def _clean_up(self, resource: Any, resource_json: Mapping[str, Any], policy: str) -> None:
        if resource_json.get(policy) in _RETAINED:
            return
        try:
            self._delete_resource(resource, resource_json)
        except Exception:  # CloudFormation leaves the resource; the update has succeeded
            logger.exception("%s could not be deleted", resource.physical_resource_id)

    @contextlib.contextmanager
    def _reporting(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as fault:
            if self.on_failure is not None:
                self.on_failure(name, self._resource_json_map[name], fault)
            raise
