"""Traps that were met once: the shadowed PyPI package, and imports that cross the rooms."""

import importlib.util
import subprocess
import sys
from pathlib import Path

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
    )
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True)
