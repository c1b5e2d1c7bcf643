"""What a change set tells of the changes that it would make."""

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.unknown_types import KNOWN_TYPES


def details(
    change: Any, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Which properties a change touches: without it, `cdk diff` shows no difference.

    Args:
        change: The change of one resource.
        before: The template that is deployed, or an empty one.
        after: The change set's template.
    """
    old, new = (
        template.get("Resources", {}).get(change.logical_resource_id, {}).get("Properties", {})
        for template in (before, after)
    )
    replaced_by = getattr(KNOWN_TYPES[change.resource_type], "REPLACED_BY", ())
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
