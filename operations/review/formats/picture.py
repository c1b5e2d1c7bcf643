"""A pipeline drawn before and after a change, as Mermaid, with what differs marked.

What is marked is taken from the changes, so that a picture shows what the review tells.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from operations.review.changes import Change
from operations.review.definition.expressions import parameters_in, steps_in

Definition = Mapping[str, Any]

_STYLES = {
    "changed": "fill:#fff3bf,stroke:#e67700,color:#000",
    "added": "fill:#d3f9d8,stroke:#2b8a3e,color:#000",
    "removed": "fill:#ffe3e3,stroke:#c92a2a,color:#000",
}
_PARAMETERS = "Parameters"


def picture(old: Definition, new: Definition, changes: Sequence[Change]) -> str:
    """Draw a pipeline before and after.

    Args:
        old: Its definition before.
        new: Its definition after.
        changes: What changed.

    Returns:
        A flowchart in Mermaid's language; empty if no step and no parameter changed.
    """
    marks = _marks(old, new, changes)
    if not any(marks):
        return ""
    lines = ["flowchart TB"]
    for name, definition, marked in zip(("before", "after"), (old, new), marks, strict=True):
        lines += [f"  subgraph {name}", "    direction LR"]
        lines += [f"    {line}" for line in _drawn(name, definition, marked)]
        lines.append("  end")
    used = {mark for marked in marks for mark in marked.values()}
    lines += [f"  classDef {mark} {style}" for mark, style in _STYLES.items() if mark in used]
    return "\n".join(lines)


def _marks(
    old: Definition, new: Definition, changes: Sequence[Change]
) -> tuple[dict[str, str], dict[str, str]]:
    """What is to be marked of either side, and as what, by names of steps and parameters."""
    before, after = set(_named(old)), set(_named(new))
    marks: tuple[dict[str, str], dict[str, str]] = {}, {}
    for change in changes:
        if change.kind not in ("definition", "parameter"):
            continue
        parts = change.where.split(" › ")
        place = " › ".join(parts[: 2 if parts[0] == _PARAMETERS else 1])
        was = place
        if change.where == place and place not in before:  # it may go by another name
            prefix = f"{_PARAMETERS} › " if parts[0] == _PARAMETERS else ""
            was = f"{prefix}{change.old}"
        if was in before:
            marks[0][was] = "changed" if place in after else "removed"
        if place in after:
            marks[1].setdefault(place, "changed" if was in before else "added")
    return marks


def _named(definition: Definition) -> Iterator[str]:
    yield from (str(step.get("Name")) for step in definition.get("Steps", []))
    yield from (f"{_PARAMETERS} › {one.get('Name')}" for one in definition.get("Parameters", []))


def _drawn(side: str, definition: Definition, marks: Mapping[str, str]) -> Iterator[str]:
    steps = definition.get("Steps", [])
    ids = {str(step.get("Name")): f"{side}{place}" for place, step in enumerate(steps, 1)}
    parameters = [str(one.get("Name")) for one in definition.get("Parameters", [])]
    if parameters:
        of_parameters = {name: marks.get(f"{_PARAMETERS} › {name}") for name in parameters}
        said = "<br/>".join(_label(name, mark) for name, mark in of_parameters.items())
        kinds = {mark for mark in of_parameters.values() if mark}
        mark = kinds.pop() if len(kinds) == 1 else "changed" if kinds else None
        yield f'{side}0(["{said}"]){_class(mark)}'
    for step in steps:
        name = str(step.get("Name"))
        said = f"{_label(name, marks.get(name))}<br/>{_label(str(step.get('Type', '')))}"
        yield f'{ids[name]}["{said}"]{_class(marks.get(name))}'
    for step in steps:
        this = ids[str(step.get("Name"))]
        if parameters_in(step):
            yield f"{side}0 --> {this}"
        waits = step.get("DependsOn") or []
        needed = steps_in(step) | {str(one) for one in waits if isinstance(waits, list)}
        yield from (
            f"{ids[one]} --> {this}" for one in sorted(needed) if ids.get(one, this) != this
        )
        yield from (f"{this} -.-> {ids[one]}" for one in _branches(step) if one in ids)


def _branches(step: Mapping[str, Any]) -> Iterator[str]:
    """The steps that a condition leads to, where they are among the pipeline's own."""
    arguments = step.get("Arguments")
    for branch in ("IfSteps", "ElseSteps"):
        listed = arguments.get(branch) if isinstance(arguments, Mapping) else None
        for one in listed if isinstance(listed, list) else []:
            if isinstance(one, Mapping):
                yield str(one.get("Name"))


def _label(text: str, mark: str | None = None) -> str:
    """A text that Mermaid takes for nothing but a label."""
    said = re.sub(r"[^\w .:/-]", "·", text)
    return f"{said} ({mark})" if mark else said


def _class(mark: str | None) -> str:
    return f":::{mark}" if mark else ""
