"""The README is true: its example runs, its table is the code's."""

import json
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


# Runs each example as a program of its own; one process, since importing takes most of the time.
PROGRAM = """
import json, sys, traceback
raised = {}
for name, example in json.load(sys.stdin).items():
    try:
        exec(compile(example, f"README.md, {name}", "exec"), {"__name__": "__main__"})
    except BaseException:
        raised[name] = traceback.format_exc()
print(json.dumps(raised))
"""


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder that the examples synthesize to, and what those that fail have raised."""
    outdir = tmp_path_factory.mktemp("examples")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=PROJECT,
        env={**os.environ, "CDK_OUTDIR": str(outdir)},
        input=json.dumps(EXAMPLES),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return outdir, json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("stack", EXAMPLES)
def test_the_examples_synthesize(examples: tuple[Path, dict[str, str]], stack: str) -> None:
    outdir, raised = examples
    assert stack not in raised, raised[stack]
    assert (outdir / f"{stack}.template.json").is_file()


def test_the_table_of_settings_is_the_configs_own() -> None:
    assert config_table() in README, "run: make schema"


def test_every_make_target_it_names_exists() -> None:
    named = set(re.findall(r"`?\bmake ([a-z-]+)\b", README)) - {"alone", "then", "is"}
    listed = subprocess.run(
        ["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    targets = {line.split()[0] for line in listed.stdout.splitlines()}
    assert named <= targets
