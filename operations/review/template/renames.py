"""Resources that go by another logical id: what policies say of the one, they say of the other."""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from operations.review.template.names import Names

Template = Mapping[str, Any]

_NAMED_IN_TEXT = re.compile(r"\$\{(\w+)(?=[.}])")


def renamed(old: Template, new: Template) -> dict[str, str]:
    """Which resources take the places of others.

    It is a pair if one resource of a type went and one came, of those with the same last part in
    their construct paths or else of all, and if they have half of their properties in common.

    Returns:
        The new logical ids by the old ones.
    """
    found: dict[str, str] = {}
    while True:  # what refers to a resource that was renamed is alike but for its name
        more = _renamed(with_new_names(old, found), new)
        if not more:
            return found
        found |= more


def _renamed(old: Template, new: Template) -> dict[str, str]:
    before, after = old.get("Resources", {}), new.get("Resources", {})
    gone = {key: before[key] for key in sorted(before.keys() - after.keys())}
    come = {key: after[key] for key in sorted(after.keys() - before.keys())}
    found: dict[str, str] = {}
    for by_path in (True, False):
        groups: dict[Any, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for side, (names, resources) in enumerate(((Names(old), gone), (Names(new), come))):
            for logical_id, resource in resources.items():
                if logical_id in {*found, *found.values()}:
                    continue
                last = names.of(logical_id).rpartition("/")[2] if by_path else ""
                groups[resource["Type"], last][side].append(logical_id)
        pairs = [(*went, *came) for went, came in groups.values() if len(went) == len(came) == 1]
        found |= {one: other for one, other in pairs if _are_alike(before[one], after[other])}
    return found


def _are_alike(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    before, after = (resource.get("Properties", {}) for resource in (old, new))
    same = [name for name in before if name in after and before[name] == after[name]]
    return 2 * len(same) >= len({*before, *after})


def with_new_names(template: Template, ids: Mapping[str, str]) -> dict[str, Any]:
    """A template in which resources go by other logical ids.

    Args:
        template: The template.
        ids: The new ids by the old ones.
    """

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        if not isinstance(value, Mapping):
            return value
        match dict(value):
            case {"Ref": str(name), **rest} if not rest:
                return {"Ref": ids.get(name, name)}
            case {"Fn::GetAtt": [str(name), attribute], **rest} if not rest:
                return {"Fn::GetAtt": [ids.get(name, name), attribute]}
            case {"Fn::GetAtt": str(named), **rest} if not rest and "." in named:
                name, attribute = named.split(".", 1)
                return {"Fn::GetAtt": [ids.get(name, name), attribute]}
            case {"Fn::Sub": str(text), **rest} if not rest:
                return {"Fn::Sub": substituted(text)}
            case {"Fn::Sub": [str(text), variables], **rest} if not rest:
                return {"Fn::Sub": [substituted(text), walk(variables)]}
        return {
            key: waiting(inner) if key == "DependsOn" else walk(inner)
            for key, inner in value.items()
        }

    def waiting(value: Any) -> Any:
        if isinstance(value, list):
            return [waiting(name) for name in value]
        return ids.get(value, value)

    def substituted(text: str) -> str:
        return _NAMED_IN_TEXT.sub(lambda name: f"${{{ids.get(name[1], name[1])}", text)

    resources = template.get("Resources", {})
    outputs = {"Outputs": walk(template["Outputs"])} if "Outputs" in template else {}
    return {
        **template,
        **outputs,
        "Resources": {ids.get(key, key): walk(resource) for key, resource in resources.items()},
    }


def as_in(new: Template, old: Template) -> dict[str, Any]:
    """An old template in which what goes by another name is called as in a new one.

    Args:
        new: The template whose logical ids and construct paths are used.
        old: The template before.
    """
    called = with_new_names(old, renamed(old, new))
    after = new.get("Resources", {})
    called["Resources"] = {
        logical_id: {**resource, "Metadata": after[logical_id]["Metadata"]}
        if "Metadata" in after.get(logical_id, {})
        else resource
        for logical_id, resource in called["Resources"].items()
    }
    return called
