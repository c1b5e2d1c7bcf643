"""Traps that were met once: the shadowed PyPI package, and imports that cross the rooms."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).parent.parent


def test_constructs_is_a_source_root_and_not_a_package() -> None:
    # With an __init__.py it would shadow PyPI's constructs, which aws-cdk-lib imports.
    assert not (PROJECT / "constructs" / "__init__.py").exists()
    found = importlib.util.find_spec("constructs")
    assert found is not None
    assert found.origin is not None
    assert not Path(found.origin).is_relative_to(PROJECT / "constructs")


def test_the_packaging_script_imports_the_standard_library_only() -> None:
    run = subprocess.run(
        [sys.executable, "-S", "-E", "-s", "scripts/packager", "--help"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_the_step_half_works_without_the_cdk() -> None:
    program = (
        "import sys; sys.modules['aws_cdk'] = None\n"
        "from model_packaging import PackageStepConfig, MIMSPackagingStepBuilder\n"
        "import model_packaging.step\n"
        "try: model_packaging.PackagingPipeline\n"
        "except ImportError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert run.stdout == (
        "PackagingPipeline is for CDK apps, and 'aws_cdk' is not installed; "
        "run: pip install 'model-packaging[cdk]'\n"
    )


def test_cdk_nag_belongs_to_the_app() -> None:
    imported = re.compile(r"^\s*(import|from) cdk_nag\b", re.MULTILINE)
    library = (PROJECT / "constructs" / "model_packaging").rglob("*.py")
    assert [file.name for file in library if imported.search(file.read_text())] == []


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_the_locks_pin_what_pyproject_allows(lock: str) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    groups = {"requirements.txt": ["app"], "requirements-dev.txt": ["app", "dev"]}[lock]
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["cdk"],
        *(
            text
            for group in groups
            for text in project["dependency-groups"][group]
            if isinstance(text, str)  # else it includes another group
        ),
    ]
    lines = [line.partition(";")[0].strip() for line in (PROJECT / lock).read_text().splitlines()]
    pins = [Requirement(line) for line in lines if "==" in line and not line.startswith("#")]
    for requirement in map(Requirement, wanted):
        versions = [
            next(iter(pin.specifier)).version for pin in pins if pin.name == requirement.name
        ]
        assert versions, f"{requirement} is not in {lock}; run: make lock"
        assert all(map(requirement.specifier.contains, versions)), requirement
    assert "-e ." in lines
