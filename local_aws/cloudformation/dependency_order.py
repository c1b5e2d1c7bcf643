"""What the resources of a template refer to, and the order in which they can be made."""

import re
from collections.abc import Mapping
from typing import Any


def in_dependency_order(resources: Mapping[str, Any]) -> list[str]:
    """Logical ids, each after those that it depends on."""
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in ordered or name not in resources:
            return
        depends_on = resources[name].get("DependsOn", [])
        explicit = [depends_on] if isinstance(depends_on, str) else depends_on
        for dependency in (*explicit, *sorted(references(resources[name]))):
            visit(dependency)
        ordered[name] = None

    for name in resources:
        visit(name)
    return list(ordered)


def references(value: Any) -> set[str]:
    """What a part of a template refers to, by logical id or parameter name."""
    if isinstance(value, list):
        return set().union(*(references(item) for item in value))
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
            found |= references(argument)
    return found
