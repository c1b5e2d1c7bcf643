"""Who can do what they could not, and the other way round, between two templates."""

import difflib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from operations.review.changes import LEVELS, Change, Level
from operations.review.permissions import severity
from operations.review.permissions.coverage import covers, may_cover, overlap_is_covered
from operations.review.permissions.grants import (
    Grant,
    Rules,
    Subject,
    Template,
    Value,
    is_policy,
    order,
    rules_of,
)
from operations.review.permissions.sentences import Difference, sentences
from operations.review.permissions.words import Words
from operations.review.template.names import Names, Token, references
from operations.review.template.renames import renamed, with_new_names
from operations.review.template.wording import listed

# Whose roles executions need: without a permission of theirs a step, or a start, fails.
_USERS = ("AWS::SageMaker::Pipeline", "AWS::Events::Rule", "AWS::Scheduler::Schedule")
# An asset's key in the bootstrap bucket: that its content is another is said of the asset.
_ASSET = re.compile(r"\b[0-9a-f]{64}\b")
# More parts of a grant are not said one by one.
_MOST_PARTS = 3
# Requests that a statement against unencrypted connections denies.
_WITHOUT_TLS = ("aws:securetransport", "s3:tlsversion")


def compare(old: Template, new: Template) -> list[Change]:
    """What a change of the template changes of what is allowed.

    Args:
        old: The template before.
        new: The template after.

    Returns:
        The changes by role and resource, of kind ``permission``. Statements that are written
        differently and allow the same are one change of level ``info`` per role or resource.
    """
    ids = renamed(old, new)
    moved = list(_moves(ids, old, new))
    old = with_new_names(old, ids)
    before, after = rules_of(old), rules_of(new)
    subjects = sorted({*before, *after}, key=lambda subject: (subject.name, subject.kind))
    found = moved
    for subject in subjects:
        rules = before.get(subject, Rules()), after.get(subject, Rules())
        found += _Comparison(subject, old, new).changes(*rules)
    return found


def _moves(ids: Mapping[str, str], old: Template, new: Template) -> Iterator[Change]:
    """What policies say of one resource now and of another before."""
    rules = rules_of(old)
    mentioned = {subject.name for subject in rules} | {
        piece.name
        for rule in rules.values()
        for grant in rule.grants
        for value in (grant.principal, *grant.resources)
        for piece in value
        if isinstance(piece, Token)
    }
    for before, after in sorted(ids.items()):
        if before in mentioned:
            names = Names(old).of(before), Names(new).of(after)
            if names[0] == names[1]:
                names = before, after
            meaning = f"Wherever policies named {names[0]}, they name {names[1]} now."
            yield Change("warning", "permission", Names(new).of(after), *names, meaning)


class _Comparison:
    """Compares what is said about one subject."""

    def __init__(self, subject: Subject, old: Template, new: Template) -> None:
        self._subject = subject
        self._new = new if subject.name in new.get("Resources", {}) else old
        names = Names(self._new)
        self._words = Words(names)
        self._old_words, self._new_words = Words(Names(old)), Words(Names(new))
        self._name = names.of(subject.name)
        self._who = names.short(subject.name)
        kind = self._new.get("Resources", {}).get(subject.name, {}).get("Type")
        if kind == "AWS::IAM::ManagedPolicy":  # of nobody in the template
            self._who = f"whoever has the policy {self._who}"
        aspect = {"identity": "", "trust": " › trust", "resource": " › policy"}[subject.kind]
        self._where = f"{self._name}{aspect}"
        resource = old.get("Resources", {}).get(subject.name, {})
        # What is kept may lose its policy nevertheless, if that is a resource of its own.
        is_bereft = (
            subject.kind == "resource"
            and resource.get("DeletionPolicy") == "Retain"
            and not any(
                is_policy(resource["Type"], name, value)
                for name, value in resource.get("Properties", {}).items()
            )
        )
        self._is_new = subject.kind == "resource" and not resource
        self._is_deleted = bool(resource) and self._new is old and not is_bereft
        self._is_needed = subject.kind != "resource" and any(
            subject.name in references(resource.get("Properties", {}))
            for template in (old, new)
            for resource in template.get("Resources", {}).values()
            if resource["Type"] in _USERS
        )

    def changes(self, old: Rules, new: Rules) -> list[Change]:
        """The changes from one set of rules to another."""
        if self._is_deleted:
            return [self._deleted(old)] if self._subject.kind == "identity" else []
        # What is denied on the one side needs no allowance on the other to be the same.
        lost = _beyond(old, new)
        gained = _beyond(new, old)
        lost, gained = _but_for_assets(lost, gained)
        unsure = {
            (before, after)
            for before in lost
            for after in gained
            if before.effect == after.effect
            and (may_cover(after, before) or may_cover(before, after))
        }
        unsure_of = {grant for pair in unsure for grant in pair}
        found = [
            *self._attachments(old, new),
            *self._boundary(old, new),
            *self._not_understood(old, new),
            *self._undecided(unsure),
            *self._gains([one for one in gained if one not in unsure_of], old.grants),
            *self._losses([one for one in lost if one not in unsure_of], new),
        ]
        texts = (_ASSET.sub("", _text(rules.documents)) for rules in (old, new))
        if not found and next(texts) != next(texts):
            found = [self._rewritten(old, new)]
        return found

    def _change(self, level: Level, old: Any, new: Any, meaning: str, **more: Any) -> Change:
        sentence = meaning[:1].upper() + meaning[1:]
        return Change(level, "permission", self._where, old, new, sentence, **more)

    def _gains(self, gained: Sequence[Grant], old: Iterable[Grant]) -> Iterator[Change]:
        """What is allowed, or denied, and was not."""
        for differences in sentences(gained, old):
            grants = [one.grant for one in differences]
            said = self._said(grants, self._new_words)
            part = self._part(differences[0], self._old_words)
            about = {"trust": self._subject.kind == "trust", "on_new": self._is_new}
            if grants[0].effect == "Deny":
                level: Level = "warning" if self._is_needed else "notice"
                meaning = self._denial(grants, self._new_words, "now")
            else:
                levels = [severity.of_gain(grant, **about) for grant in grants]
                level = max(levels, key=LEVELS.index)
                meaning = f"{self._holder(grants[0])} can now {said}"
            before = f", before only {part}" if part else ""
            yield self._change(level, part or None, said, f"{meaning}{before}.")

    def _losses(self, lost: Sequence[Grant], new: Rules) -> Iterator[Change]:
        """What is no longer allowed, or denied."""
        for differences in sentences(lost, new.grants):
            grants = [one.grant for one in differences]
            said = self._said(grants, self._old_words)
            part = self._part(differences[0], self._new_words)
            rest = f", only {part}" if part else ""
            if grants[0].effect == "Deny":
                meaning = f"{self._denial(grants, self._old_words, 'no longer')}{rest}"
                if self._subject.kind == "identity" and not _lets_through(new, grants):
                    meaning = f"{meaning}, but none of its policies allows that"
                    yield self._change("notice", said, part or None, f"{meaning}.")
                else:
                    yield self._change("danger", said, part or None, f"{meaning}.")
                continue
            service = str(grants[0].principal[:1]).startswith("('Service:")
            level: Level = "warning" if self._is_needed or service else "notice"
            meaning = f"{self._holder(grants[0])} can no longer {said}{rest}."
            if self._is_needed:
                meaning = f"{meaning[:-1]}: executions that need it fail."
            yield self._change(level, said, part or None, meaning, running=self._is_needed)

    def _denial(self, grants: Sequence[Grant], words: Words, adverb: str) -> str:
        keys = {condition.key.lower() for condition in grants[0].conditions}
        said = self._said(grants, words)
        if len(keys) == 1 and keys <= set(_WITHOUT_TLS):
            how = "without TLS" if keys == {_WITHOUT_TLS[0]} else "with an old version of TLS"
            names = listed(sorted({words.text(one) for grant in grants for one in grant.actions}))
            return f"requests {how} to {self._who} are {adverb} denied ({names})"
        return f"{self._holder(grants[0])} is {adverb} denied to {said}"

    def _said(self, grants: Sequence[Grant], words: Words) -> str:
        deeds = words.deeds(grants)
        if self._subject.kind == "trust" and deeds == "call sts:AssumeRole":
            deeds = f"assume {self._who}"
        parts = (deeds, self._place(grants, words), words.conditions(grants[0].conditions))
        return " ".join(filter(None, parts))

    def _place(self, grants: Sequence[Grant], words: Words) -> str:
        if self._subject.kind == "resource" and {one.resources for one in grants} == {(("*",),)}:
            return f"on {self._who}"  # a resource's policy is about that resource alone
        return words.place(grants)

    def _holder(self, grant: Grant) -> str:
        return self._words.principal(grant.principal) if grant.principal else self._who

    def _part(self, difference: Difference, words: Words) -> str:
        """What the other template has of a grant, said with what differs alone."""
        grant = difference.grant
        if len(difference.part) > _MOST_PARTS:
            return "parts of that"
        said = []
        for differences in sentences(difference.part):
            parts = [one.grant for one in differences]
            same_deeds = all(part.actions == grant.actions for part in parts)
            same_place = all(part.resources == grant.resources for part in parts)
            words_of_part = (
                "" if same_deeds else words.deeds(parts),
                "" if same_place else self._place(parts, words),
                words.conditions(parts[0].conditions - grant.conditions),
            )
            said.append(" ".join(filter(None, words_of_part)))
        return listed(sorted(said))

    def _undecided(self, pairs: Iterable[tuple[Grant, Grant]]) -> Iterator[Change]:
        """Grants of which only the deployment will show which is wider."""
        groups: dict[tuple[Grant, Grant], list[tuple[Grant, Grant]]] = defaultdict(list)
        for old, new in sorted(pairs, key=order):
            groups[replace(old, actions=()), replace(new, actions=())].append((old, new))
        for group in groups.values():
            before = self._said([old for old, _ in group], self._old_words)
            after = self._said([new for _, new in group], self._new_words)
            meaning = (
                f"can't tell what {self._holder(group[0][1])} can do more or less now: "
                f"to {after} stands where to {before} stood."
            )
            yield self._change("danger", before, after, meaning)

    def _not_understood(self, old: Rules, new: Rules) -> Iterator[Change]:
        if old.unknown == new.unknown:
            return
        before = [json.loads(one)[0] for one in sorted(old.unknown - new.unknown)]
        after = [json.loads(one)[0] for one in sorted(new.unknown - old.unknown)]
        meaning = (
            f"can't tell what changes for {self._who}: a statement with elements or functions "
            "that can't be compared differs."
        )
        names = Names(self._new)
        yield self._change(
            "danger", names.plain(before) or None, names.plain(after) or None, meaning
        )

    def _attachments(self, old: Rules, new: Rules) -> Iterator[Change]:
        for arn in sorted(new.attached - old.attached, key=order):
            name = self._new_words.text(arn)
            level: Level = "warning" if _says_it_only_reads(name) else "danger"
            meaning = f"{self._who} can now do all that the attached policy {_short(name)} allows."
            yield self._change(level, None, name, meaning)
        for arn in sorted(old.attached - new.attached, key=order):
            name = self._old_words.text(arn)
            level = "warning" if self._is_needed else "notice"
            meaning = (
                f"{self._who} can no longer do what only the policy {_short(name)} allowed, "
                "which is detached."
            )
            yield self._change(level, name, None, meaning, running=self._is_needed)

    def _boundary(self, old: Rules, new: Rules) -> Iterator[Change]:
        if old.boundary == new.boundary:
            return
        before = self._old_words.text(old.boundary) if old.boundary else None
        after = self._new_words.text(new.boundary) if new.boundary else None
        if before is None:
            level: Level = "warning" if self._is_needed else "notice"
            meaning = (
                f"{self._who} can now do no more than its permissions boundary {after} allows."
            )
        elif after is None:
            level = "danger"
            meaning = f"{self._who} is no longer held back by a permissions boundary."
        else:
            level = "danger"
            meaning = (
                f"can't tell what {self._who} can do more or less: "
                f"its permissions boundary is {after} now, and was {before}."
            )
        yield self._change(level, before, after, meaning)

    def _deleted(self, old: Rules) -> Change:
        """A role that is no more."""
        could = [
            self._said([one.grant for one in differences], self._old_words)
            for differences in sentences(old.grants)
        ]
        level: Level = "warning" if self._is_needed else "notice"
        meaning = f"{self._who} is no more, nor can anybody do what it could."
        return self._change(level, sorted(could), None, meaning, detail="\n".join(sorted(could)))

    def _rewritten(self, old: Rules, new: Rules) -> Change:
        what = {
            "identity": f"{self._who} can do what it could",
            "trust": f"whoever could assume {self._who} still can, nobody else",
            "resource": f"the policy of {self._who} allows and denies what it did",
        }[self._subject.kind]
        before, after = (
            _text(Names(self._new).plain(rules.documents), indent=2).splitlines()
            for rules in (old, new)
        )
        detail = "\n".join(difflib.unified_diff(before, after, "before", "after", lineterm=""))
        meaning = f"{what}; only the statements are others."
        return self._change("info", None, None, meaning, detail=detail)


def _beyond(rules: Rules, others: Rules) -> list[Grant]:
    """What rules allow, or deny, and others do not.

    What is allowed counts where it is not denied.
    """
    allowed = {grant for grant in others.grants if grant.effect == "Allow"}
    denied = {grant for grant in others.grants if grant.effect == "Deny"}
    denied_here = {grant for grant in rules.grants if grant.effect == "Deny"}
    covering = {"Allow": allowed | denied_here, "Deny": denied}
    return [
        grant for grant in rules.grants - others.grants if not covers(covering[grant.effect], grant)
    ]


def _lets_through(rules: Rules, denials: Iterable[Grant]) -> bool:
    """Whether rules allow any of what was denied."""
    if rules.attached or rules.unknown:
        return True
    denied = [grant for grant in rules.grants if grant.effect == "Deny"]
    return any(
        not overlap_is_covered(denied, denial, grant)
        for denial in denials
        for grant in rules.grants
        if grant.effect == "Allow"
    )


def _but_for_assets(
    lost: Sequence[Grant], gained: Sequence[Grant]
) -> tuple[list[Grant], list[Grant]]:
    """The grants without those that name another version of the same asset, and are the same."""

    def nameless(value: Value) -> Value:
        return tuple(_ASSET.sub("", piece) if isinstance(piece, str) else piece for piece in value)

    def any_version(grant: Grant) -> Grant:
        conditions = frozenset(
            replace(one, values=frozenset(map(nameless, one.values))) for one in grant.conditions
        )
        resources = tuple(map(nameless, grant.resources))
        return replace(grant, resources=resources, conditions=conditions)

    both = {any_version(grant) for grant in lost} & {any_version(grant) for grant in gained}

    def changed(grants: Sequence[Grant]) -> list[Grant]:
        return [
            grant
            for grant in grants
            if any_version(grant) == grant or any_version(grant) not in both
        ]

    return changed(lost), changed(gained)


def _says_it_only_reads(arn: str) -> bool:
    return arn.rpartition("/")[2].endswith(("ReadOnlyAccess", "ReadOnly"))


def _short(arn: str) -> str:
    return arn.rpartition("/")[2] if ":iam::aws:policy/" in arn else arn


def _text(documents: Sequence[Any], indent: int | None = None) -> str:
    return json.dumps(documents, sort_keys=True, indent=indent)
