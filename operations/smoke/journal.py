"""What a smoke test tells: its progress, what each check proved, and the answers it found."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from operations.executions.faults import OperationError
from operations.executions.tables import duration

_REMEDY = "if these credentials may not do that, allow it; if they may, run the test again"


class CheckError(Exception):
    """A check failed; the text says what was found.

    Attributes:
        remedy: What to do about it.
    """

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.remedy = remedy


@dataclass
class Check:
    """One check.

    Attributes:
        name: What it tries, as a sentence.
        outcome: ``proved``, ``failed`` or ``not tried``.
        told: What it proved, or why it failed or was not tried.
        remedy: What to do where it failed.
    """

    name: str
    outcome: str = "failed"
    told: str = ""
    remedy: str = ""

    def proved(self, told: str) -> None:
        """Say what it proved."""
        self.outcome, self.told = "proved", told

    def not_tried(self, why: str) -> None:
        """Say why it can't be tried in this stage."""
        self.outcome, self.told = "not tried", why


class Journal:
    """Everything that one smoke test found.

    Args:
        quiet: Print nothing while it runs.

    Attributes:
        quiet: As given.
        checks: The checks so far.
        answers: What was asked, and what was found.
        imitation: Address of what stands for AWS, whose answers are no answers of AWS's.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.checks: list[Check] = []
        self.answers: dict[str, str] = {}
        self.imitation = ""

    def say(self, text: str) -> None:
        """Tell of the progress."""
        if not self.quiet:
            print(text, flush=True)

    def answer(self, question: str, answer: str) -> None:
        """Keep the answer to a question that documents leave open."""
        self.answers[question] = answer

    @contextmanager
    def check(self, name: str) -> Iterator[Check]:
        """Run a check; one that fails doesn't end the smoke test."""
        check = Check(name)
        self.checks.append(check)
        self.say(f"\n… {name}")
        start = time.monotonic()
        try:
            yield check
        except CheckError as fault:
            check.told, check.remedy = str(fault), fault.remedy
        except OperationError as fault:
            check.told = str(fault)  # which says what to do
        except (BotoCoreError, ClientError) as fault:
            check.told, check.remedy = str(fault), _REMEDY
        except KeyboardInterrupt:
            check.outcome, check.told = "not tried", "interrupted"
            raise
        self.say(f"{_mark(check)} {name}, after {duration(time.monotonic() - start)}")
        if check.outcome != "proved":
            self._explain(check)

    def skip(self, name: str, why: str) -> None:
        """Keep that a check could not even begin."""
        self.checks.append(Check(name, "not tried", why))

    def summarize(self) -> None:
        """Print what each check proved, and the answers."""
        self.say("\nWhat was found")
        for check in self.checks:
            self.say(f"{_mark(check)} {check.name}")
            self._explain(check)
        if self.answers:
            self.say("\nWhat no document says")
        if self.answers and self.imitation:
            self.say(f"(asked of {self.imitation}, so this is how AWS is imitated there)")
        for question, answer in self.answers.items():
            self.say(f"? {question}")
            for line in answer.splitlines():
                self.say(f"    {line}")
        outcomes = [check.outcome for check in self.checks]
        counted = ", ".join(
            f"{outcomes.count(outcome)} {outcome}"
            for outcome in ("proved", "failed", "not tried")
            if outcome in outcomes
        )
        self.say(f"\nOf {len(outcomes)} checks: {counted}.")
        sys.stdout.flush()

    def _explain(self, check: Check) -> None:
        self.say(f"    {check.told}")
        if check.remedy:
            self.say(f"    What to do: {check.remedy}")


def _mark(check: Check) -> str:
    return {"proved": "✓", "failed": "✗"}.get(check.outcome, "-")
