"""Which grants are said in one sentence: those that differ in their actions or resources alone."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from operations.review.permissions.coverage import covers
from operations.review.permissions.grants import Grant, order


@dataclass(frozen=True)
class Difference:
    """A grant that only one of two templates has, and what the other has of it.

    Attributes:
        grant: The grant.
        part: What is a part of it in the other template, if anything.
    """

    grant: Grant
    part: frozenset[Grant] = frozenset()

    @property
    def but_for_actions(self) -> Hashable:
        """What it has in common with those that differ in their actions alone."""
        grant = self.grant
        parts = frozenset(
            replace(part, actions=()) if part.actions == grant.actions else part
            for part in self.part
        )
        return grant if grant.but_actions else replace(grant, actions=()), parts

    @property
    def but_for_resources(self) -> Hashable:
        """What it has in common with those that differ in their resources alone."""
        grant = self.grant
        parts = frozenset(
            replace(part, resources=()) if part.resources == grant.resources else part
            for part in self.part
        )
        return grant if grant.but_resources else replace(grant, resources=()), parts


def sentences(
    grants: Iterable[Grant], elsewhere: Iterable[Grant] = ()
) -> Iterator[Sequence[Difference]]:
    """Grants of one template, those together that are said in one sentence.

    Args:
        grants: The grants.
        elsewhere: Those that only the other template has.
    """
    others = list(elsewhere)
    by_action: dict[Hashable, list[Difference]] = defaultdict(list)
    for grant in sorted(grants, key=order):
        part = frozenset(
            other
            for other in others
            if (other.effect, other.principal) == (grant.effect, grant.principal)
            and covers([grant], other)
        )
        difference = Difference(grant, part)
        by_action[difference.but_for_actions].append(difference)
    by_place: dict[Hashable, list[Difference]] = defaultdict(list)
    for group in by_action.values():
        actions = frozenset(one.grant.actions for one in group)
        common = frozenset(one.but_for_resources for one in group)
        by_place[actions, common] += group
    yield from by_place.values()
