"""The order in which a stack's resources are made, changed and deleted, without a stack."""

from collections.abc import Mapping
from typing import Any

import pytest
from moto.cloudformation import parsing

from local_aws.cloudformation.resource_map import LocalResourceMap
from local_aws.resources.base import Properties, Resource

done: list[str] = []


class Thing(Resource):
    """Does nothing but tell; one named "Broken" can't be made."""

    TYPE = "Test::Thing"
    PROPERTIES = frozenset({"Name", "Note"})
    REPLACED_BY = frozenset({"Name"})

    def create(self) -> None:
        if self.properties["Name"] == "Broken":
            raise ValueError("it is broken")
        done.append(f"make {self.properties['Name']}")

    def update(self, before: Properties) -> None:
        done.append(f"change {self.properties['Name']}")

    def remove(self) -> None:
        done.append(f"delete {self.properties['Name']}")


def template(parameters: Mapping[str, Any] | None = None, **names: str) -> dict[str, Any]:
    """A template of things, each made after the one before it."""
    ids = list(names)
    return {
        "Parameters": parameters or {},
        "Resources": {
            logical_id: {
                "Type": Thing.TYPE,
                "Properties": {"Name": names[logical_id]},
                "DependsOn": ids[: ids.index(logical_id)],
            }
            for logical_id in reversed(ids)
        },
    }


@pytest.fixture
def resources(monkeypatch: pytest.MonkeyPatch) -> LocalResourceMap:
    monkeypatch.setattr(parsing, "resource_class_from_type", {Thing.TYPE: Thing}.__getitem__)
    done.clear()
    made = LocalResourceMap(
        "stack-id",
        "Stack",
        {},
        {},
        region_name="us-east-1",
        account_id="123456789012",
        template={},
        cross_stack_resources={},
    )
    made.load()
    made.update(template(A="a", B="b", C="c"))
    assert done == ["make a", "make b", "make c"]
    done.clear()
    return made


def test_an_update_deletes_when_all_else_is_done(resources: LocalResourceMap) -> None:
    resources.update(template(A="a2", D="d"))
    assert done == ["make a2", "make d", "delete c", "delete b", "delete a"]


def test_a_stack_is_deleted_in_the_opposite_order(resources: LocalResourceMap) -> None:
    resources.delete()
    assert done == ["delete c", "delete b", "delete a"]


def test_a_failure_is_told_and_taken_back(resources: LocalResourceMap) -> None:
    told: list[tuple[str, str]] = []
    resources.on_failure = lambda name, _, fault: told.append((name, str(fault)))
    with pytest.raises(ValueError, match="broken"):
        resources.update(template(A="a2", B="b", C="c", D="Broken"))
    assert told == [("D", "it is broken")]
    done.clear()
    resources.on_failure = None
    resources.roll_back_update(template(A="a", B="b", C="c"), {})
    assert done[0] == "delete a2"
    assert not {"make a", "delete a", "delete b", "delete c"} & set(done)


def test_a_rollback_leaves_what_an_earlier_update_has_made(resources: LocalResourceMap) -> None:
    changed = template(A="a2", B="b", C="c")
    resources.update(changed)
    done.clear()
    missing = {"Value": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/missing"}}
    with pytest.raises(AttributeError):
        resources.update(template(missing, A="a2", B="b", C="c"))
    resources.roll_back_update(changed, {})
    assert done == []
