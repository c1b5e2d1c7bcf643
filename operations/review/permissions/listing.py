"""What each role of a template may do, without comparing it with anything."""

from collections.abc import Iterator

from operations.review.permissions.grants import Rules, Subject, Template, rules_of
from operations.review.permissions.sentences import sentences
from operations.review.permissions.words import Words
from operations.review.template.names import Names


def roles_in_words(template: Template) -> list[str]:
    """Who may become each role, and what it may do, as lines of text.

    Args:
        template: The template.

    Returns:
        For each role its name, and below it, indented, a line for each thing.
    """
    names = Names(template)
    rules = rules_of(template)
    roles = [
        logical_id
        for logical_id, resource in template.get("Resources", {}).items()
        if resource["Type"] == "AWS::IAM::Role"
    ]
    lines = []
    for role in sorted(roles, key=names.of):
        trust = rules.get(Subject("trust", role), Rules())
        own = rules.get(Subject("identity", role), Rules())
        said = [*_trusted(trust, Words(names)), *_allowed(own, Words(names))]
        lines += [names.of(role), *(f"  {line}" for line in said)]
    return lines


def _trusted(rules: Rules, words: Words) -> Iterator[str]:
    for differences in sentences(rules.grants):
        grant = differences[0].grant
        said = words.deeds([one.grant for one in differences])
        verb = "can" if grant.effect == "Allow" else "can never"
        assume = "assume it" if said == "call sts:AssumeRole" else said
        parts = (words.principal(grant.principal), verb, assume, words.conditions(grant.conditions))
        yield " ".join(filter(None, parts))
    yield from _not_understood(rules)


def _allowed(rules: Rules, words: Words) -> Iterator[str]:
    said = []
    for differences in sentences(rules.grants):
        grants = [one.grant for one in differences]
        verb = "can" if grants[0].effect == "Allow" else "can never"
        parts = (words.deeds(grants), words.place(grants), words.conditions(grants[0].conditions))
        said.append(" ".join((verb, *filter(None, parts))))
    yield from sorted(said)
    for arn in sorted(map(words.text, rules.attached)):
        yield f"can do all that the attached policy {arn} allows"
    if rules.boundary:
        yield f"can do no more than its permissions boundary {words.text(rules.boundary)} allows"
    yield from _not_understood(rules)


def _not_understood(rules: Rules) -> Iterator[str]:
    if rules.unknown:
        count = len(rules.unknown)
        yield f"and what {count} statement{'s say' * (count > 1) or ' says'} that isn't understood"
