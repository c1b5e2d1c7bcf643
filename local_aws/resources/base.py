# ruff: noqa: D102  # what moto's parser calls is documented there
"""What every CloudFormation resource of the local AWS has in common."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from moto.core.common_models import CloudFormationModel

Properties = Mapping[str, Any]


class UnsupportedError(Exception):
    """The template asks for something that the local AWS does not do."""


class Resource(CloudFormationModel):  # type: ignore[misc]  # moto is not checked
    """A resource of a stack, made through its service's own API.

    Attributes:
        physical_resource_id: What ``Ref`` gives.
        attributes: What ``Fn::GetAtt`` gives.
    """

    TYPE: ClassVar[str] = "AWS::SERVICE::RESOURCE"  # as in the base: a class of no type
    NAME_PROPERTY: ClassVar[str | None] = None
    PROPERTIES: ClassVar[frozenset[str]]
    ATTRIBUTES: ClassVar[frozenset[str]] = frozenset()
    # Changing one of these makes a new resource in CloudFormation.
    REPLACED_BY: ClassVar[frozenset[str]] = frozenset()
    # Of these, update() can't take away what an earlier template gave.
    KEPT: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str, properties: Properties) -> None:
        self.physical_resource_id = name
        self.properties = properties
        self.attributes: dict[str, str] = {}

    @abstractmethod
    def create(self) -> None:
        """Make the resource."""

    @abstractmethod
    def update(self, before: Properties) -> None:
        """Apply ``self.properties`` to the existing resource.

        Args:
            before: The properties that it has.
        """

    @abstractmethod
    def remove(self) -> None:
        """Delete the resource."""

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.TYPE

    @classmethod
    def cloudformation_name_type(cls) -> str | None:
        return cls.NAME_PROPERTY

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in cls.ATTRIBUTES

    def get_cfn_attribute(self, attribute_name: str) -> str:
        if attribute_name not in self.attributes:
            raise UnsupportedError(f"{self.TYPE} has no attribute {attribute_name} here")
        return self.attributes[attribute_name]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, *_: Any, **__: Any
    ) -> "Resource":
        resource = cls(resource_name, cls._known(cloudformation_json))
        resource.create()
        return resource

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: "Resource",
        new_resource_name: str,
        cloudformation_json: Any,
        **_: Any,
    ) -> "Resource":
        before, new = original_resource.properties, cls._known(cloudformation_json)
        if any(new.get(name) != before.get(name) for name in cls.REPLACED_BY):
            return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json)
        if kept := sorted(cls.KEPT & set(before) - set(new)):
            raise UnsupportedError(f"{cls.TYPE}: the local AWS can't remove {', '.join(kept)}")
        original_resource.properties = new
        original_resource.update(before)
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        self.remove()

    @classmethod
    def _known(cls, cloudformation_json: Any) -> Properties:
        properties: Properties = _without_nulls(cloudformation_json.get("Properties", {}))
        if unknown := sorted(set(properties) - cls.PROPERTIES):
            raise UnsupportedError(
                f"{cls.TYPE}: the local AWS doesn't support the property {', '.join(unknown)}"
            )
        return properties

    def given(self, *without: str) -> dict[str, Any]:
        """The properties whose names are those of the service's API, too."""
        return {name: value for name, value in self.properties.items() if name not in without}

    def tags(self) -> dict[str, str]:
        """The resource's tags by key."""
        return {tag["Key"]: tag["Value"] for tag in self.properties.get("Tags", [])}


def _without_nulls(value: Any) -> Any:
    """Leave out what is ``AWS::NoValue``: moto does so in mappings, but not in lists."""
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items()}
    return value
