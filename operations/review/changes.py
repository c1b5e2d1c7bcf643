"""What a review consists of: changes, each with a level, a place and a meaning."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

Level = Literal["info", "notice", "warning", "danger"]
Kind = Literal[
    "definition", "parameter", "trigger", "permission", "resource", "asset", "setting", "output"
]

LEVELS: tuple[Level, ...] = ("info", "notice", "warning", "danger")
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Change:
    """One thing that differs.

    Attributes:
        level: How much attention it needs, from ``info`` to ``danger``.
        kind: What it is a change of.
        where: Its place, from the outside in, such as ``PackagingStep › Environment › MODE``.
        old: What it was, as JSON has it; None if there was nothing.
        new: What it is; None if there is nothing.
        meaning: What it does, in one sentence.
        running: Whether it reaches executions that run or wait while it is deployed.
        detail: More lines, such as the difference of two texts.
    """

    level: Level
    kind: Kind
    where: str
    old: Any
    new: Any
    meaning: str
    running: bool = False
    detail: str = ""
