import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from model_packaging import ModelUpload, PackageStepConfig, PackagingPipeline, StepContext
from model_packaging.step import ModelSource, definition_store
from model_packaging.step.definition_store import DefinitionStore
from tests.conftest import PROJECT, synthesize
from tests.fresh_synth import Synth, files_in

# Synthesizes the app and says whether the SageMaker SDK was imported for it.
PROGRAM = """
import sys, app
app.build_app(**{"model_packaging:definition_store": sys.argv[1]}).synth()
print("sagemaker.core.processing" in sys.modules)
"""


def test_a_repeated_synth_gives_the_same_bytes_without_the_sdk(
    plain: Synth, tmp_path: Path
) -> None:
    store, first, repeated = (tmp_path / name for name in ("store", "first", "repeated"))
    synthesize(first, **{"model_packaging:definition_store": str(store)})
    assert "sagemaker.core.processing" in sys.modules
    entries = files_in(store)
    assert entries
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(store)],
        cwd=PROJECT,
        env={**os.environ, "CDK_OUTDIR": str(repeated)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "False\n"
    assert files_in(store) == entries
    assert plain.assembly == files_in(first) == files_in(repeated)  # and so it is without a store


@pytest.fixture
def store(tmp_path: Path) -> DefinitionStore:
    return DefinitionStore(tmp_path / "store")


def entry_of(tmp_path: Path) -> Path:
    [file] = (tmp_path / "store").iterdir()
    return file


def test_equal_inputs_are_rendered_once(store: DefinitionStore) -> None:
    rendered: list[int] = []

    def render() -> Any:
        rendered.append(1)
        return {"Steps": [None, {"10": 1.0, "b": "ü"}]}

    values = [store.get({"a": 1, "b": [2]}, render) for _ in range(3)]
    assert json.dumps(values[0]) == json.dumps(values[2])
    assert len(rendered) == 1
    store.get({"a": 1, "b": [3]}, render)
    store.get({"b": [2], "a": 1}, render)  # the order of tags shows in a definition
    assert len(rendered) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("right", "wrong"),
        lambda text: text.replace('\\"a\\": 1', '\\"a\\": 2'),
        lambda text: "[]",
        lambda text: "",
    ],
    ids=["cut off", "changed", "of other inputs", "something else", "empty"],
)
def test_a_damaged_entry_is_rendered_again(
    store: DefinitionStore, tmp_path: Path, damage: Any
) -> None:
    store.get({"a": 1}, lambda: "right")
    file = entry_of(tmp_path)
    damaged = damage(file.read_text())
    assert damaged != file.read_text()
    file.write_text(damaged)
    assert store.get({"a": 1}, lambda: "rendered") == "rendered"
    assert store.get({"a": 1}, lambda: "again") == "rendered"


def test_another_version_of_what_renders_makes_another_entry(
    store: DefinitionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.get({"a": 1}, lambda: "before")
    newer = {**definition_store._renderer(), "sagemaker": "4.0.0"}
    monkeypatch.setattr(definition_store, "_renderer", lambda: newer)
    assert store.get({"a": 1}, lambda: "after") == "after"


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = DefinitionStore(tmp_path / "file" / "store")
    assert [store.get({}, lambda: 1), store.get({}, lambda: 2)] == [1, 2]


def test_a_value_that_cannot_be_rendered_is_not_kept(
    store: DefinitionStore, tmp_path: Path
) -> None:
    with pytest.raises(ZeroDivisionError):
        store.get({}, lambda: 1 // 0)
    assert store.get({}, lambda: "value") == "value"


def synthesized(given: dict[str, Any], folder: str) -> str:
    """The template of a pipeline with some settings and a store in a folder."""
    app = App(context={"model_packaging:definition_store": folder})
    env = Environment(region="eu-west-1") if "region" in given else None
    stack = Stack(app, "Stack", env=env)
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")
    PackagingPipeline(
        stack, "Packaging", config=PackageStepConfig(**given), model=ModelUpload(bucket)
    )
    return json.dumps(Template.from_stack(stack).to_json())


@pytest.mark.parametrize(
    "change",
    [
        {"processing_volume_size": 30},
        {"tags": {"team": "fraud"}},
        {"retry_policies": []},
        {"region": "EU"},
    ],
    ids=lambda change: ",".join(change),
)
def test_a_changed_setting_is_never_answered_from_the_store(
    settings: dict[str, Any], tmp_path: Path, change: dict[str, Any]
) -> None:
    folder = str(tmp_path / "store")
    synthesized(settings, folder)
    assert synthesized(settings | change, folder) == synthesized(settings | change, "")
    assert synthesized(settings, folder) == synthesized(settings, "")


def test_an_edited_packager_is_never_answered_from_the_store(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    packager, store = tmp_path / "packager", str(tmp_path / "store")
    packager.mkdir()
    settings["processing_source_dir"] = packager
    for name in ("mims_package.py", "__main__.py"):
        (packager / name).touch()
    before = synthesized(settings, store)
    (packager / "__main__.py").write_text("import mims_package\n")
    after = synthesized(settings, store)
    assert before != after == synthesized(settings, "")


def test_a_model_of_the_users_own_is_never_answered_from_the_store(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    class Own(ModelUpload):
        def bind(self, context: StepContext) -> ModelSource:
            return dataclasses.replace(super().bind(context), environment={"TEAM": "churn"})

    def template(model: type[ModelUpload]) -> str:
        app = App(context={"model_packaging:definition_store": str(tmp_path / "store")})
        stack = Stack(app, "Stack")
        bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")
        config = PackageStepConfig(**settings)
        PackagingPipeline(stack, "Packaging", config=config, model=model(bucket))
        return json.dumps(Template.from_stack(stack).to_json())

    assert "TEAM" not in template(ModelUpload)
    assert "TEAM" in template(Own)
