"""The README is true: its example runs, its table is the code's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from model_packaging.step.schema import config_table

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text()


EXAMPLES = {
    name: example
    for example in re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for name in re.findall(r'Stack\(app, "(\w+)"\)', example)
}


@pytest.mark.parametrize(("stack", "example"), EXAMPLES.items(), ids=EXAMPLES)
def test_the_examples_synthesize(tmp_path: Path, stack: str, example: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", example],
        cwd=PROJECT,
        env={**os.environ, "CDK_OUTDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / f"{stack}.template.json").is_file()


def test_the_table_of_settings_is_the_configs_own() -> None:
    assert config_table() in README, "run: make schema"


def test_every_make_target_it_names_exists() -> None:
    named = set(re.findall(r"`?\bmake ([a-z-]+)\b", README)) - {"alone", "then", "is"}
    listed = subprocess.run(
        ["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    targets = {line.split()[0] for line in listed.stdout.splitlines()}
    assert named <= targets
