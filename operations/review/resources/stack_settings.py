"""What is said of a stack itself: its name, where it is deployed, who may delete it."""

from collections.abc import Iterator
from typing import Any

from operations.review.assemblies.assembly import Assembly
from operations.review.changes import Change
from operations.review.template.wording import became, sentence


def compare(old: Assembly, new: Assembly) -> Iterator[Change]:
    """What changed of a stack itself.

    Args:
        old: The assembly before.
        new: The assembly after.

    Yields:
        The changes of kind ``setting``. That a stack is no longer protected is of kind
        ``resource``, with all else that got weaker.
    """
    was, now = (side.settings.get("name", side.stack) for side in (old, new))
    if was != now:
        said = f"it is another stack, {now}: {was} stays as it is, all else here is how they differ"
        yield Change("warning", "setting", "Stack › Name", was, now, sentence(said))
    was, now = (side.settings.get("environment") for side in (old, new))
    if was != now and None not in (was, now):
        said = f"the stack is deployed to {_called(now)}; before, to {_called(was)}"
        yield Change("warning", "setting", "Stack › Environment", was, now, sentence(said))
    was, now = (side.template.get("Description") for side in (old, new))
    if was != now:
        said = f"the description of the stack {became(was, now)}"
        yield Change("info", "setting", "Stack › Description", was, now, sentence(said))
    if old.termination_protection is False and new.termination_protection:
        place = "Stack › Termination protection"
        yield Change(
            "notice", "setting", place, False, True, "The stack can't be deleted by one command."
        )
    if old.termination_protection and new.termination_protection is False:
        place = "Stack › Termination protection"
        said = "a safeguard of the stack got weaker: it can be deleted by one command"
        yield Change("danger", "setting", place, True, False, sentence(said))


def _called(environment: Any) -> str:
    """An environment, parts of which the assembly may leave open."""
    said = str(environment).removeprefix("aws://")
    for part in ("account", "region"):
        said = said.replace(f"unknown-{part}", f"the credentials' {part}")
    return said
