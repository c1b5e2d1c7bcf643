"""What several rooms' tests need: the synthesized stack, and settings that work."""

import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

PROJECT = Path(__file__).parent.parent

# As the Makefile sets it, for those who start pytest themselves. Before aws_cdk is imported.
if (PROJECT / ".venv" / "node").exists():
    node = PROJECT / ".venv" / "node" / "bin"
    os.environ["PATH"] = f"{node}{os.pathsep}{os.environ['PATH']}"
    os.environ["JSII_NODE"] = str(node / "node")
    os.environ["JSII_RUNTIME_PACKAGE_CACHE_ROOT"] = str(PROJECT / ".cache" / "jsii")
    os.environ["CDK_HOME"] = str(PROJECT / ".cache" / "cdk")

import pytest  # noqa: E402
from aws_cdk.assertions import Template  # noqa: E402
from hypothesis import settings as hypothesis_settings  # noqa: E402

# How long an example takes says nothing on a shared machine.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")


def synthesize(outdir: Path, **context: Any) -> Path:
    """The assembly that app.py writes, with context values."""
    from app import build_app

    with mock.patch.dict(os.environ, {"CDK_OUTDIR": str(outdir)}):
        build_app(**context).synth()
    return outdir


def template_of(assembly: Path) -> dict[str, Any]:
    return json.loads((assembly / "ModelPackaging.template.json").read_text())


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembly of the default stage."""
    return synthesize(tmp_path_factory.mktemp("cdk.out"))


@pytest.fixture(scope="session")
def template(dev: Path) -> dict[str, Any]:
    """The template of the default stage."""
    return template_of(dev)


@pytest.fixture(scope="session")
def stack(template: dict[str, Any]) -> Template:
    """The same template, for assertions."""
    return Template.from_json(template)


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder with an inference script."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "inference.py").write_text("def model_fn(model_dir): ...\n")
    return folder


@pytest.fixture
def settings(scripts: Path) -> dict[str, Any]:
    """The least that a PackageStepConfig needs."""
    return {
        "pipeline_name": "churn-packaging",
        "pipeline_s3_loc": "s3://artifacts-bucket/packaged/churn",
        "source_dir": scripts,
        "processing_source_dir": PROJECT / "scripts" / "packager",
    }
