"""A run in stages: what each does while it runs, and what came of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text


class ExplainedError(Exception):
    """A stage can't do its work; the text says why.

    Attributes:
        log: File that tells more, if there is one.
    """

    def __init__(self, reason: str, log: Path | None = None) -> None:
        super().__init__(reason)
        self.log = log


class StageError(Exception):
    """A stage failed.

    Attributes:
        stage: Its name.
        log: File or folder that tells more, if there is one.
    """

    def __init__(self, stage: str, reason: str, log: Path | None = None) -> None:
        super().__init__(reason)
        self.stage = stage
        self.log = log


class Stage:
    """One stage, as it tells of itself.

    Attributes:
        doing: What it does at the moment.
        outcome: What came of it.
        is_done: Whether it did what it is there for.
    """

    def __init__(self) -> None:
        self.doing = ""
        self.outcome = ""
        self.is_done = True

    def tell(self, doing: str) -> None:
        """Say what it does at the moment."""
        self.doing = doing

    def show(self, outcome: str) -> None:
        """Say what came of it."""
        self.outcome = outcome

    def skip(self, reason: str) -> None:
        """Say why it did not do what it is there for."""
        self.outcome, self.is_done = reason, False


class Stages:
    """Shows stages, one after the other.

    Args:
        console: Where.
        logs: File or folder that tells more than a stage that failed.

    Attributes:
        seconds: How long each stage took, by its name.
    """

    def __init__(self, console: Console, logs: Path) -> None:
        self._console = console
        self._logs = logs
        self.seconds: dict[str, float] = {}

    @contextmanager
    def run(self, name: str, watch: Callable[[], str] | None = None) -> Iterator[Stage]:
        """Show a stage while it runs, and when it has succeeded.

        Args:
            name: What it does.
            watch: Tells what it does at the moment, for a stage that waits for others.

        Raises:
            StageError: It failed.
        """
        stage, start = Stage(), time.monotonic()
        columns = (
            SpinnerColumn(),
            TextColumn(f"{escape(name)} …"),
            _Doing(stage, watch),
            TimeElapsedColumn(),
        )
        with Progress(
            *columns,
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,  # it would print an empty line
        ) as progress:
            progress.add_task(name)
            try:
                yield stage
            except Exception as fault:
                log = getattr(fault, "log", None) or self._logs
                raise StageError(name, str(fault) or type(fault).__name__, log) from fault
        seconds = self.seconds[name] = time.monotonic() - start
        mark = "[green]✓[/green]" if stage.is_done else "[yellow]-[/yellow]"
        self._console.print(f"{mark} {name:<28}{seconds:6.1f} s  ", end="", highlight=False)
        self._console.print(stage.outcome, highlight=False, markup=False, soft_wrap=True)


class _Doing(ProgressColumn):
    """What a stage does at the moment."""

    max_refresh = 0.5  # seconds: who is watched is asked no more often

    def __init__(self, stage: Stage, watch: Callable[[], str] | None) -> None:
        super().__init__()
        self._stage = stage
        self._watch = watch

    def render(self, _: object) -> Text:
        if self._watch is not None:
            try:
                self._stage.tell(self._watch())
            except (BotoCoreError, ClientError):
                self._stage.tell("")  # it isn't there yet
        return Text(self._stage.doing, style="dim", overflow="ellipsis", no_wrap=True)
