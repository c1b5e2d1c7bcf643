"""Traps that were met once: the shadowed PyPI package, and a synth that depends on its machine."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent

# Runs app.py with every attempt to reach the network recorded and refused, in Python by an audit
# hook and in jsii's Node by a preloaded module.
PYTHON_TRAP = """
import runpy, sys
attempts = []
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        attempts.append((event, arguments[-1] if event == "socket.connect" else arguments[0]))
        raise OSError("the network is trapped")
sys.addaudithook(refuse)
sys.argv = ["app.py"]
runpy.run_path("app.py", run_name="__main__")
sys.exit(f"network attempts: {attempts}" if attempts else 0)
"""
NODE_TRAP = """
const refuse = (name) => () => {
  process.stderr.write(`network attempt: ${name}\\n`);
  process.exit(9);
};
const net = require('net'), dns = require('dns');
net.Socket.prototype.connect = refuse('connect');
dns.lookup = refuse('lookup'); dns.promises.lookup = refuse('lookup');
"""


def synthesize(
    outdir: Path, *command: str, directory: Path = PROJECT, **environment: str
) -> dict[str, bytes]:
    """Run app.py with nothing in its environment but a PATH; the files of its assembly."""
    # Where jsii and the CDK keep what they may lose; without them, that is the user's home.
    caches = ("JSII_RUNTIME_PACKAGE_CACHE_ROOT", "CDK_HOME")
    environment |= {name: os.environ[name] for name in caches if name in os.environ}
    run = subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "CDK_OUTDIR": str(outdir), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""
    assert run.stderr == ""
    return {
        str(file.relative_to(outdir)): file.read_bytes()
        for file in sorted(outdir.rglob("*"))
        if file.is_file()
    }


def test_constructs_is_a_source_root_and_not_a_package() -> None:
    # With an __init__.py it would shadow PyPI's constructs, which aws-cdk-lib imports.
    assert not (PROJECT / "constructs" / "__init__.py").exists()
    found = importlib.util.find_spec("constructs")
    assert found is not None
    assert found.origin is not None
    assert not Path(found.origin).is_relative_to(PROJECT / "constructs")


def test_the_packaging_script_imports_the_standard_library_only() -> None:
    run = subprocess.run(
        [sys.executable, "-S", "-E", "-s", "scripts/mims_package.py", "--help"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(shutil.which("node") is None, reason="jsii needs Node")
def test_two_synths_are_byte_identical_with_an_empty_environment_and_no_network(
    tmp_path: Path,
) -> None:
    trap = tmp_path / "trap.js"
    trap.write_text(NODE_TRAP)
    trapped = synthesize(
        tmp_path / "one", "-c", PYTHON_TRAP, NODE_OPTIONS=f"--require={trap}", PYTHONHASHSEED="1"
    )
    plain = synthesize(tmp_path / "two", "app.py", PYTHONHASHSEED="2")
    assert trapped.keys() == plain.keys()
    different = [name for name in plain if plain[name] != trapped[name]]
    assert different == []
    assert "ModelPackaging.template.json" in plain


@pytest.mark.skipif(shutil.which("node") is None, reason="jsii needs Node")
def test_what_the_machine_knows_of_aws_and_sagemaker_does_not_change_a_synth(
    tmp_path: Path,
) -> None:
    home, project = tmp_path / "home", tmp_path / "studio"
    for folder in (home / ".sagemaker", home / ".aws", home / ".config" / "sagemaker", project):
        folder.mkdir(parents=True)
    defaults = (
        "SchemaVersion: '1.0'\nSageMaker:\n  ProcessingJob:\n    Environment: {LEAK: 'yes'}\n"
    )
    (home / ".sagemaker" / "config.yaml").write_text(defaults)
    (home / ".config" / "sagemaker" / "config.yaml").write_text(defaults)
    (home / ".aws" / "config").write_text("[default]\nregion = mars-north-1\nbroken")
    (project / ".sagemaker-code-config").write_text(
        '{"sagemakerProjectId": "p-leak", "sagemakerProjectName": "leak", "codePackages": {}}'
    )
    hostile = synthesize(
        tmp_path / "hostile",
        str(PROJECT / "app.py"),
        directory=project,
        HOME=str(home),
        AWS_PROFILE="missing",
        AWS_ACCESS_KEY_ID="AKIALEAK",
        AWS_SECRET_ACCESS_KEY="leak",
        AWS_REGION="mars-north-1",
        AWS_RETRY_MODE="bogus",
        AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:9/credentials",
        SAGEMAKER_USER_CONFIG_OVERRIDE="/nonexistent",
        SAGEMAKER_ADMIN_CONFIG_OVERRIDE="s3://nowhere/config.yaml",
    )
    plain = synthesize(tmp_path / "plain", "app.py")
    assert [name for name in plain if plain[name] != hostile[name]] == []


def test_the_step_half_works_without_the_cdk() -> None:
    program = (
        "import sys; sys.modules['aws_cdk'] = None\n"
        "from model_packaging import PackageStepConfig, MIMSPackagingStepBuilder\n"
        "import model_packaging.step\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True)
