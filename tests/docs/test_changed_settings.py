"""What a changed setting does to a running system: the page has every setting, and is true."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from local_aws.step_cache import KEYS
from model_packaging import MIMSPackagingStepBuilder, PackageStepConfig
from model_packaging.step import contract, render_definition
from stacks.stage import StageSettings
from stacks.step_settings import OWNED, step_config
from tests.docs.pages import DOCS, table

PAGE = DOCS / "runbook" / "changed-settings.md"
LEAST: dict[str, Any] = {
    "stack_name": "Packaging",
    "pipeline_name": "packaging",
    "owner": "machine-learning",
    "cost_centre": "CC-4711",
}
# Another value than the default of each setting of the packaging step.
OTHER: dict[str, Any] = {
    "author": "Ada",
    "current_date": "2026-11-01",
    "pipeline_description": "Another one.",
    "pipeline_version": "2.0",
    "output_per_execution": False,
    "inference_entry_point": "serve.py",
    "extra_inputs": {"calibration": "s3://artifacts/calibration/"},
    "extra_input_paths": {"calibration": "/opt/ml/processing/input/calibration"},
    "packaging_mode": "stream",
    "existing_code": "overlay",
    "processing_script_arguments": ["--symlinks", "refuse"],
    "processing_instance_count": 2,
    "instance_preferences": ["ml.c5.xlarge", "ml.m5.xlarge"],
    "processing_framework_version": "1.0-1",
    "environment": {"LEVEL": "debug"},
    "input_names": {
        contract.MODEL_INPUT: "trained",
        contract.INFERENCE_SCRIPTS_INPUT: "scripts",
    },
    "output_names": {
        contract.PACKAGED_MODEL_OUTPUT: "package",
        contract.PACKAGE_REPORT_OUTPUT: "report",
    },
    "enable_network_isolation": False,
    "enable_caching_package_step": False,
    "cache_expires_after": "P7D",
    "retry_policies": [],
}
# Settings that others need beside them.
BESIDE: dict[str, dict[str, Any]] = {
    "extra_input_paths": {
        "processing_source_dir": "s3://scripts/packager/",
        "extra_inputs": OTHER["extra_inputs"],
    }
}
# What ships is an input by a key that follows from its content.
SHIPS = {"processing_source_dir", "processing_entry_point"}


def rows(first: str) -> dict[str, str]:
    """The settings of a table, each with whether a model is packaged again."""
    return dict(re.findall(r"^\| `([\w.]+)` \|.*\| ([\w ]+) \|$", table(PAGE, first), re.MULTILINE))


def settings_of(model: type[BaseModel]) -> set[str]:
    """A stage's settings by their names; those of a group with the group's before them."""
    found = set()
    for name, field in model.model_fields.items():
        arguments = (field.annotation, *getattr(field.annotation, "__args__", ()))
        groups = [
            kind for kind in arguments if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        found |= {f"{name}.{inner}" for group in groups for inner in settings_of(group)}
        if not groups or (not field.is_required() and field.default is None):
            found.add(name)  # one that there may be or not be
    return found


def test_every_setting_of_a_stage_has_a_row() -> None:
    assert rows("`stack_name`").keys() == settings_of(StageSettings)


def test_every_setting_that_a_stage_says_of_the_step_has_a_row() -> None:
    assert rows("`author`").keys() == PackageStepConfig.model_fields.keys() - OWNED.keys()


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    for name in ("inference.py", "serve.py"):
        (folder / name).write_text("def model_fn(model_dir): ...\n")
    return folder


def cache_key(scripts: Path, packaging: dict[str, Any]) -> dict[str, Any]:
    """What SageMaker compares of a step, for a stage with these settings of it."""
    stage = StageSettings(**LEAST, inference_scripts=str(scripts), packaging=packaging)
    builder = MIMSPackagingStepBuilder(
        step_config(stage, location="s3://artifacts/packaged", tags={}),
        role="arn:aws:iam::111122223333:role/packaging-job",
        packaging_script_uri="s3://assets/0123.zip",
        inference_scripts_uri="s3://assets/4567.zip",
        region="eu-west-1",
    )
    step = builder.create_step("s3://models/churn/model.tar.gz")
    [rendered] = render_definition("churn", parameters=(), steps=[step])["Steps"]
    return {part: rendered["Arguments"].get(part) for part in KEYS["Processing"]}


def test_the_page_says_which_settings_of_the_step_package_a_model_again(scripts: Path) -> None:
    told = rows("`author`")
    assert OTHER.keys() == told.keys() - SHIPS
    assert {told[name] for name in SHIPS} == {"yes"}
    before = {name: cache_key(scripts, beside) for name, beside in ({"": {}} | BESIDE).items()}
    again = {
        name: cache_key(scripts, BESIDE.get(name, {}) | {name: value})
        != before.get(name, before[""])
        for name, value in OTHER.items()
    }
    assert again == {name: told[name] == "yes" for name in OTHER}
