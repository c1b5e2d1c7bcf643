"""The README is true: its table is the code's. Its examples run in ``test_wheel``."""

import re
import subprocess
from pathlib import Path

from model_packaging.step.settings.schema import config_table

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text()

# Every app of its Python code, by the name of its stack.
EXAMPLES = {
    name: example
    for example in re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for name in re.findall(r'Stack\(app, "(\w+)"\)', example)
}


def test_the_table_of_settings_is_the_configs_own() -> None:
    assert config_table() in README, "run: make schema"


def test_every_make_target_it_names_exists() -> None:
    named = set(re.findall(r"`?\bmake ([a-z-]+)\b", README)) - {"alone", "then", "is"}
    listed = subprocess.run(
        ["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    targets = {line.split()[0] for line in listed.stdout.splitlines()}
    assert named <= targets
