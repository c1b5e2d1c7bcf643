"""The library where nothing of this checkout is: its wheel, in an environment and folder of a user.

The environment holds the wheel alone. The packages that it needs lie in the one that runs the
tests, whose folder is put on its path: of that, Python reads no ``.pth`` file, the one that leads
to this checkout among them.
"""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from mims_engine import contract as packager

from model_packaging.step import contract, definition_store
from tests.definitions import definition_of
from tests.docs import pages

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="jsii needs Node")

PROJECT = Path(__file__).parent.parent
PACKAGER = PROJECT / "scripts" / "packager"

# What begins with a docstring is a script that an example ships.
EXAMPLES = [block for block in pages.blocks("python") if not block.text.startswith('"""')]
STACK = re.compile(r'Stack\(app, "(\w+)"\)')
STACKS = STACK.findall("".join(example.text for example in EXAMPLES))
PACKAGING = STACK.findall(
    "".join(example.text for example in EXAMPLES if "PackagingPipeline(" in example.text)
)

# In one process, since it takes seconds to import the SageMaker SDK.
RUN_EXAMPLES = """
import json, runpy, sys
for example in sys.argv[1:]:
    runpy.run_path(example, run_name="__main__")
import model_packaging
from model_packaging.step.definition_store import _renderer
print(json.dumps([model_packaging.__file__, sys.path, _renderer()]))
"""


def run(*command: str | Path, **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_in(folder: Path) -> set[str]:
    files = (str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    return {file for file in files if contract.left_out_by(file) is None}


@dataclasses.dataclass(frozen=True)
class Examples:
    """What the documentation's examples left in a user's folder.

    Attributes:
        site_packages: Of the environment that holds the wheel.
        folder: The user's.
        assembly: Of all examples.
        library: The file that ``model_packaging`` was imported from.
        path: Where Python looked for modules.
        renderer: What rendered, as the definition store's key has it.
    """

    site_packages: Path
    folder: Path
    assembly: Path
    library: Path
    path: list[Path]
    renderer: dict[str, str]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """The wheel, built and installed offline, and the documentation's examples run with it."""
    tmp_path = tmp_path_factory.mktemp("wheel")
    dist, environment, folder, assembly = (
        tmp_path / name for name in ("dist", "environment", "app", "cdk.out")
    )
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", dist, cwd=PROJECT)
    [wheel] = dist.iterdir()
    assert wheel.name.startswith(f"model_packaging-{packager.VERSION}-"), "one version for all"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    install = ("uv", "pip", "install", "--offline", "--no-index", "--no-deps", "--no-cache")
    run(sys.executable, "-m", *install, "--python", python, wheel)
    [site_packages] = environment.glob("lib/python*/site-packages")
    beside = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site_packages / "beside.pth").write_text("\n".join(beside))

    scripts = folder / "scripts" / "inference"
    scripts.mkdir(parents=True)
    (scripts / "inference.py").write_text("def model_fn(model_dir): ...\n")
    (folder / "scripts" / "try_package.py").touch()
    (folder / "vocabulary").mkdir()
    programs = []
    for example in EXAMPLES:
        programs.append(tmp_path / f"{example.page.stem}_{example.line}.py")
        programs[-1].write_text(example.text)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    output = run(
        *(python, "-c", RUN_EXAMPLES, *programs),
        cwd=folder,
        env={**kept, "CDK_OUTDIR": str(assembly), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    library, path, renderer = json.loads(output)
    return Examples(
        site_packages, folder, assembly, Path(library), [Path(place) for place in path], renderer
    )


def test_an_editable_install_gets_no_copy_that_could_grow_old(tmp_path: Path) -> None:
    build = ("-m", "hatchling", "build", "-t", "wheel:editable", "-d", tmp_path)
    run(sys.executable, *build, cwd=PROJECT)
    [wheel] = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        installed = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert installed == {"_model_packaging.pth"}
        assert archive.read("_model_packaging.pth").decode().strip() == str(PROJECT / "constructs")


def test_the_library_is_the_wheels_and_nothing_of_the_checkout_is_in_reach(
    examples: Examples,
) -> None:
    assert examples.library == examples.site_packages / "model_packaging" / "__init__.py"
    beside = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    assert [
        path for path in examples.path if path.is_relative_to(PROJECT) and path not in beside
    ] == []


def test_the_documentations_examples_run_and_leave_the_users_folder_as_it_is(
    examples: Examples,
) -> None:
    assert len(STACKS) >= 3
    for stack in STACKS:
        assert (examples.assembly / f"{stack}.template.json").is_file()
    assert files_in(examples.folder) == {
        "scripts/inference/inference.py",
        "scripts/try_package.py",
    }


def test_the_wheel_renders_by_what_the_checkout_renders_by(examples: Examples) -> None:
    # The packager, which only the wheel has among its modules, is no part of it.
    assert examples.renderer == definition_store._renderer()


@pytest.mark.parametrize("stack", PACKAGING)
def test_the_whole_packager_ships_and_runs(examples: Examples, stack: str) -> None:
    template = json.loads((examples.assembly / f"{stack}.template.json").read_text())
    [step] = (
        step for step in definition_of(template)["Steps"] if step["Name"] == contract.PACKAGING_STEP
    )
    _, program = step["Arguments"]["AppSpecification"]["ContainerEntrypoint"]
    assert program.endswith(".zip")
    asset = examples.assembly / f"asset.{Path(program).stem}"
    assert (asset / "__main__.py").is_file()
    assert files_in(asset) == files_in(PACKAGER)
    assert "--model-dir" in run(sys.executable, "-I", asset, "--help")
