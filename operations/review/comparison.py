"""All that changes from one assembly to another."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from operations.review import assets, permissions, triggers
from operations.review.assemblies.assembly import Assembly
from operations.review.changes import KINDS, LEVELS, Change
from operations.review.definition import Definitions, Side
from operations.review.resources import outputs, replacements, rewritten, safeguards, stack_settings
from operations.review.template.names import Names, references
from operations.review.template.renames import as_in, renamed
from operations.review.template.wording import became, sentence


def compare(old: Assembly, new: Assembly) -> list[Change]:
    """What a change does.

    Args:
        old: The assembly before.
        new: The assembly after.

    Returns:
        First what is dangerous, then what reaches executions that run, then the rest, in either
        what needs more attention first. Nothing if nothing changes.

    Raises:
        CloudFormationDiffError: Node, or the library that compares resources, is not there.
    """
    before = replace(old, template=as_in(new.template, old.template))
    found = [
        *_of_pipeline(before, new),
        *_moves(old, new),
        *permissions.compare(old.template, new.template),
        *safeguards.compare(old.template, new.template),
        *replacements.compare(old.template, new.template),
        *outputs.compare(before.template, new.template),
        *stack_settings.compare(old, new),
    ]
    told = list(_together(found))
    told += rewritten.compare(before.template, new.template, told)
    return sorted(told, key=_order)


def _of_pipeline(old: Assembly, new: Assembly) -> Iterator[Change]:
    """What changes of the definition, of its scripts, and of what starts it."""
    pairs = assets.Assets(old, new)
    before = Side(pairs.in_words(old.definition, old=True), old.template)
    after = Side(pairs.in_words(new.definition, old=False), new.template)
    places = [_elsewhere(side.template) for side in (old, new)]
    if places[0] != places[1]:
        yield _unreadable(*places)
    if places != [None, None]:  # of two definitions one of which can't be read
        known = before.definition or after.definition
        before, after = Side(known, old.template), Side(known, new.template)
    definitions = Definitions(before, after)
    yield from definitions.changes()
    yield from triggers.compare(before, after, definitions)
    yield from assets.compare(pairs, definitions)


def _elsewhere(template: Mapping[str, Any]) -> str | None:
    """Where the pipeline's definition is, if it is not in the template."""
    for resource in template.get("Resources", {}).values():
        if resource["Type"] == "AWS::SageMaker::Pipeline":
            definition = resource.get("Properties", {}).get("PipelineDefinition")
            if definition is not None and "PipelineDefinitionBody" not in definition:
                return Names(template).text(definition)
    return None


def _unreadable(old: str | None, new: str | None) -> Change:
    what = "does now" if new else "did before"
    said = f"nobody can tell what the pipeline {what}: its definition is not in the template"
    return Change("danger", "definition", "Definition", old, new, sentence(said))


def _moves(old: Assembly, new: Assembly) -> Iterator[Change]:
    """What the definition says of one resource now and of another before."""
    mentioned = {
        name
        for resource in old.template.get("Resources", {}).values()
        if resource["Type"] == "AWS::SageMaker::Pipeline"
        for name in references(resource.get("Properties", {}).get("PipelineDefinition", {}))
    }
    for was, now in sorted(renamed(old.template, new.template).items()):
        if was in mentioned:
            names = Names(old.template).of(was), Names(new.template).of(now)
            if names[0] == names[1]:
                names = was, now
            said = f"wherever the definition named {names[0]}, it names {names[1]} now"
            where = f"Definition › {Names(new.template).of(now)}"
            yield Change("warning", "definition", where, *names, sentence(said))


def _together(found: Iterable[Change]) -> Iterator[Change]:
    """Each change once, and a tag that changed on many resources as one change."""
    changes = list(found)
    by_trigger = {change.where for change in changes if change.kind == "trigger"}
    targets = tuple(
        f"{rule}{inside}"
        for rule, inside, _ in (place.partition(" › Targets") for place in by_trigger)
        if inside
    )
    tags: dict[tuple[str, str, str], list[Change]] = defaultdict(list)
    for place, change in enumerate(changes):
        if change in changes[:place]:
            continue
        if change.kind == "resource" and (
            change.where in by_trigger or change.where.startswith(targets)
        ):
            continue  # a rule that came or went, or what got weaker of a target
        tag = change.where.partition(" › Tags › ")[2]
        if change.kind == "resource" and tag:
            tags[tag, json.dumps(change.old), json.dumps(change.new)].append(change)
        else:
            yield change
    for (tag, _, _), same in tags.items():
        yield same[0] if len(same) == 1 else _tag(tag.removesuffix(" › Value"), same)


def _tag(key: str, same: list[Change]) -> Change:
    was, now = (
        one["Value"] if isinstance(one, Mapping) else one for one in (same[0].old, same[0].new)
    )
    said = f"the tag {key} of {len(same)} resources {became(was, now)}"
    return Change("notice", "setting", f"Tags › {key}", was, now, sentence(said))


def _order(change: Change) -> tuple[bool, bool, int, int, str]:
    return (
        change.level != "danger",
        not change.running,
        -LEVELS.index(change.level),
        KINDS.index(change.kind),
        change.where,
    )
