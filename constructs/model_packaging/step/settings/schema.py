"""Writes down what the configurations take: a JSON schema, and the tables of pages.

python -m model_packaging.step.settings.schema [docs/settings.md docs/registration.md]
"""

import json
import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

from model_packaging.step.settings.model_registration_config import ModelRegistrationConfig
from model_packaging.step.settings.package_step_config import PackageStepConfig
from model_packaging.step.settings.settings_group import SettingsGroup

_TABLE_HEAD = "| setting | default | meaning |\n| --- | --- | --- |\n"


def config_schema() -> str:
    """The JSON schema of :class:`PackageStepConfig`, as a text."""
    return json.dumps(PackageStepConfig.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def config_table(config: type[SettingsGroup] = PackageStepConfig) -> str:
    """Every setting of a configuration with its default and meaning, in Markdown."""
    rows = []
    for name, field in config.model_fields.items():
        default = "none"
        if field.is_required():
            default = "required"
        elif name.endswith("_names"):
            default = "each its own name"
        elif name == "retry_policies":
            default = "three policies"
        elif field.default not in (None, (), {}, PydanticUndefined):
            default = f"`{_written(field.default)}`"
        rows.append(f"| `{name}` | {default} | {field.description} |\n")
    return _TABLE_HEAD + "".join(rows)


def _written(default: object) -> str:
    """A default as a reader writes it: the items of a tuple, one after the other."""
    if isinstance(default, tuple):
        return ", ".join(map(str, default))
    return str(default)


def _write_table(file: Path) -> None:
    for config in (PackageStepConfig, ModelRegistrationConfig):
        # With its first row: another table may have the same head.
        head = f"{_TABLE_HEAD}| `{next(iter(config.model_fields))}` "
        before, found, rest = file.read_text().partition(head)
        if found:
            rest = rest[rest.index("\n\n") + 1 :] if "\n\n" in rest else ""
            file.write_text(before + config_table(config) + rest)
            return
    raise SystemExit(f"{file} has no table of settings")


if __name__ == "__main__":
    Path(__file__).with_name("package_step_config.schema.json").write_text(config_schema())
    for name in sys.argv[1:]:
        _write_table(Path(name))
