"""Writes the pictures, the review and the demo of docs/how-it-works.md: ``make pictures``."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import synthesize, template_of
from tests.docs.pages import DOCS, PROJECT
from tests.docs.pictures import dashboard, flow
from tests.operations.review.prepared import PREPARED

PAGE = DOCS / "how-it-works.md"
DASHBOARD = DOCS / "dashboard.svg"


def write(assembly: Path, demo: str) -> None:
    """Write what a program writes of the page.

    Args:
        assembly: Of the stage prod.
        demo: What a run of the demo has printed.
    """
    template = template_of(assembly)
    text = with_part(PAGE.read_text(), "flow", "mermaid", flow(template))
    text = with_part(text, "review", "text", run_review(assembly))
    PAGE.write_text(with_part(text, "demo", "text", demo))
    DASHBOARD.write_text(dashboard(template))


def with_part(text: str, name: str, language: str, content: str) -> str:
    """A page's text with another content between two marks, as a block."""
    begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
    lines = "\n".join(line.rstrip() for line in content.strip().splitlines())
    written, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}",
        lambda _: f"{begin}\n```{language}\n{lines}\n```\n\n{end}",
        text,
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(
            f"{PAGE} must have {begin.strip()} and {end} once, and has them {count} times"
        )
    return written


def run_review(assembly: Path) -> str:
    """What a review prints of another prefix of the trigger."""
    with tempfile.TemporaryDirectory() as folder:
        changed = Path(folder)
        PREPARED["trigger-prefix"].write(assembly, changed)
        return subprocess.run(
            [sys.executable, "-m", "operations", "review", str(assembly), str(changed)],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
            check=False,  # ends with 1, since something differs
        ).stdout


def run_demo() -> str:
    """What the demo prints."""
    return subprocess.run(
        [sys.executable, "-m", "operations", "demo"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write(synthesize(Path(folder) / "cdk.out", stage="prod"), run_demo())
