"""What a rule's target gets of an event: all of it, a part, a constant, or a text made of it."""

import json
import re
from collections.abc import Mapping
from typing import Any

from local_aws.rule_targets import find

_VARIABLE = re.compile(r"<([A-Za-z0-9_.-]+)>")


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], rule: Any) -> str:
    """What is sent to a target.

    Args:
        target: The target, as ``ListTargetsByRule`` tells it.
        event: The event.
        rule: moto's of the rule.

    Raises:
        ValueError: A path leads nowhere.
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(find(target["InputPath"], event))
    if transformer := target.get("InputTransformer"):
        values = dict(_predefined(event, rule))
        for name, path in transformer.get("InputPathsMap", {}).items():
            values[name] = _found(path, event)
        return _filled(transformer["InputTemplate"], values)
    return json.dumps(event)


def _predefined(event: Mapping[str, Any], rule: Any) -> Mapping[str, Any]:
    """The variables that are always there ("Amazon EventBridge input transformation")."""
    return {
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }


def _found(path: str, event: Mapping[str, Any]) -> Any:
    try:
        return find(path, event)
    except ValueError:
        return None  # "the variable isn't created and won't appear in the output"


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """A template with its variables' values: as they are in quotes, as JSON outside of them."""
    filled, at = [], 0
    for variable in _VARIABLE.finditer(template):
        before = template[: variable.start()]
        value = values.get(variable.group(1))
        filled.append(template[at : variable.start()])
        filled.append(_text(value, in_quotes=_quotes(before) % 2 == 1))
        at = variable.end()
    return "".join(filled) + template[at:]


def _quotes(text: str) -> int:
    return len(re.findall(r'(?<!\\)"', text))


def _text(value: Any, *, in_quotes: bool) -> str:
    if value is None:
        return ""
    if not in_quotes:
        return json.dumps(value)
    return value if isinstance(value, str) else json.dumps(value).replace('"', "")
