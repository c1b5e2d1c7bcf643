"""What several rooms' tests need: the synthesized stack, and settings that work.

What takes seconds to make is made once in a run of pytest, also where two processes share the run.
"""

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

PROJECT = Path(__file__).parent.parent

# What `make test ARGS=…` gave to make is not for the makes that tests run.
for word in os.environ.pop("MAKEFLAGS", "").split():
    if "=" in word:
        os.environ.pop(word.partition("=")[0], None)

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

from tests import fresh_synth  # noqa: E402
from tests.fresh_synth import Synth  # noqa: E402

# How long an example takes says nothing on a shared machine.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")


# Files whose tests share a deployment go to one worker, which makes it once.
SHARED = {
    "tests/local_aws/test_deployment.py": "the deployment",
    "tests/local_aws/test_failure_paths.py": "the deployment",
    "tests/local_aws/test_updates.py": "the deployment",
    "tests/local_aws/test_permissions.py": "the deployment",
    "tests/local_aws/test_review_of_deployed.py": "the deployment",
    "tests/local_aws/test_announced_models.py": "the deployment",
    "tests/local_aws/test_registering_stage.py": "the surrounded stage",
    "tests/local_aws/test_permissions_around.py": "the surrounded stage",
    "tests/operations/test_local.py": "the desk",
    "tests/operations/test_smoke.py": "the desk",
}
# What is begun first: a long file that is begun last would let the others wait for it.
LONG = (
    "tests/local_aws/test_deployment.py",
    "tests/local_aws/test_failure_paths.py",
    "tests/local_aws/test_updates.py",
    "tests/local_aws/test_permissions.py",
    "tests/local_aws/test_review_of_deployed.py",
    "tests/local_aws/test_announced_models.py",
    "tests/local_aws/test_permissions_around.py",
    "tests/local_aws/test_registering_stage.py",
    "tests/operations/test_demo.py",
    "tests/docs/test_runbook.py",
    "tests/operations/test_smoke.py",
    "tests/operations/test_local.py",
    "tests/test_hermetic_synth.py",
    "tests/test_wheel.py",
    "tests/scripts/test_faults.py",
    "tests/operations/test_served_packages.py",
    "tests/operations/test_serving_environment.py",
    "tests/local_aws/test_hosting.py",
    "tests/local_aws/test_executions.py",
    "tests/local_aws/test_steps.py",
    "tests/scripts/test_properties.py",
    "tests/model_packaging/test_packaging_step.py",
    "tests/model_packaging/test_same_as_sdk_2.py",
    "tests/model_packaging/test_packaging_pipeline.py",
    "tests/local_aws/test_resources.py",
    "tests/model_packaging/test_definition_store.py",
    "tests/scripts/test_versions.py",
    "tests/stacks/test_model_packaging_stack.py",
)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name bytes by their argument: an archive's hold the time, and workers must name tests alike.

    Returns:
        None for what pytest names as well.
    """
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker whole files, as ``--dist loadfile`` does, the long ones first."""
    from xdist.scheduler import LoadFileScheduling

    class LongFilesFirst(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return SHARED.get(file, file)

    if config.option.dist != "loadfile":
        return None
    config.option.loadscopereorder = False  # by the number of tests, which says little here
    return LongFilesFirst(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first, in the order above."""
    order = {file: place for place, file in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(order)))


def synthesize(outdir: Path, **context: Any) -> Path:
    """The assembly that app.py writes, with context values."""
    from app import build_app

    with mock.patch.dict(os.environ, {"CDK_OUTDIR": str(outdir)}):
        build_app(**context).synth()
    return outdir


def template_of(assembly: Path) -> dict[str, Any]:
    return json.loads((assembly / "ModelPackaging.template.json").read_text())


Make = Callable[[Path], object]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Make], Path]:
    """Makes a folder by its name, once for all workers; whoever comes second waits for it.

    It is for reading: nobody may change what others are given too.
    """
    folders = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # a worker's own folder is in the run's
        folders = folders.parent

    def made(name: str, make: Make) -> Path:
        folder, done = folders / f"once-{name}", folders / f"once-{name}.done"
        with (folders / f"once-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # closing the file, or dying, releases it
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # half of one
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def dev(once: Callable[[str, Make], Path]) -> Path:
    """The assembly of the default stage."""
    return once("dev", synthesize)


@pytest.fixture(scope="session")
def prod(once: Callable[[str, Make], Path]) -> Path:
    """The assembly of the stage prod."""
    return once("prod", lambda outdir: synthesize(outdir, stage="prod"))


@pytest.fixture(scope="session")
def operated(once: Callable[[str, Make], Path]) -> Path:
    """The assembly of the stage prod with a managed policy for its operators."""

    def make(outdir: Path) -> None:
        stages = json.loads((PROJECT / "cdk.json").read_text())["context"]["stages"]
        prod = stages["prod"] | {"operators_policy": True}
        synthesize(outdir, stage="prod", stages={"prod": prod})

    return once("operated", make)


@pytest.fixture(scope="session")
def surrounded(once: Callable[[str, Make], Path]) -> Path:
    """The assembly of a stage with everything around its packages on."""
    from tests.surrounded import synthesize

    return once("surrounded", synthesize)


@pytest.fixture(scope="session")
def edited(once: Callable[[str, Make], Path]) -> Path:
    """The assembly of the default stage when a line of its inference script has changed."""

    def make(outdir: Path) -> None:
        scripts = outdir.with_name("edited-scripts")
        shutil.copytree(PROJECT / "scripts" / "inference", scripts, dirs_exist_ok=True)
        with (scripts / "inference.py").open("a") as script:
            script.write("# Edited.\n")
        synthesize(outdir, inference_scripts=str(scripts))

    return once("edited", make)


@pytest.fixture(scope="session")
def plain(once: Callable[[str, Make], Path]) -> Synth:
    """`python app.py` as it is, rendered anew in its own process: no trap, today's clock."""

    def make(folder: Path) -> None:
        synth = fresh_synth.synthesize(folder, sys.executable, "app.py", PYTHONHASHSEED="0")
        (folder / "stdout").write_text(synth.stdout)

    folder = once("plain", make)
    return Synth((folder / "stdout").read_text(), fresh_synth.files_in(folder / "cdk.out"))


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
