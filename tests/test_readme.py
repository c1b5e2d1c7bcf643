"""The README is true: its example runs, its table is the code's."""

import os
import re
import subprocess
import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

from model_packaging import PackageStepConfig

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text()


def test_the_example_synthesizes(tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-c", example],
        cwd=PROJECT,
        env={**os.environ, "CDK_OUTDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "Churn.template.json").is_file()


def test_the_table_of_settings_is_the_configs_own() -> None:
    rows = []
    for name, field in PackageStepConfig.model_fields.items():
        default = field.get_default()
        if field.default is PydanticUndefined:
            default_text = "required"
        elif isinstance(default, dict):
            default_text = "each its own name"
        elif default is None or default == ():
            default_text = "none"
        else:
            default_text = f"`{default}`"
        rows.append(f"| `{name}` | {default_text} | {field.description} |")
    assert "\n".join(rows) in README


def test_every_make_target_it_names_exists() -> None:
    named = set(re.findall(r"`?\bmake ([a-z-]+)\b", README)) - {"alone", "then", "is"}
    listed = subprocess.run(
        ["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    targets = {line.split()[0] for line in listed.stdout.splitlines()}
    assert named <= targets
