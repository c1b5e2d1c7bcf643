"""What must not start a pipeline: a package of its own, and one model twice."""

from collections.abc import Iterable

from model_packaging.models.starting_event import StartingEvent
from model_packaging.step.settings.tokens import CDK_TOKEN


def refuse_loop(
    written: Iterable[str], events: Iterable[StartingEvent], *, setting: str = ""
) -> None:
    """Make sure that nothing a pipeline writes starts it again.

    Args:
        written: S3 prefixes that it writes below.
        events: The events that start it.
        setting: What the prefixes were given as, for the message.

    Raises:
        ValueError: What is written could raise an event.
    """
    given_as = f"{setting}: " if setting else ""
    for event in events:
        for uri in written:
            if event.matches_below(uri):
                shown = CDK_TOKEN.sub("<known at deployment>", uri)
                raise ValueError(
                    f"{given_as}the pipeline writes below {shown!r}, which could match {event}: "
                    "every package would start the pipeline again; choose a prefix for packages "
                    "outside that of models"
                )


def refuse_repetition(one: StartingEvent, other: StartingEvent) -> None:
    """Make sure that no model raises both of two events that start one pipeline.

    Raises:
        ValueError: One may.
    """
    if one.repeats(other):
        raise ValueError(
            f"{one} and {other} overlap in one bucket: the pipeline would start twice for the same "
            "model; keep one of the two, or choose prefixes of which neither begins with the other"
        )
