"""A synth depends on the checkout's files alone, writes to its output alone, and says nothing.

What is random (``uuid``, ``os.urandom``, a folder's name in /tmp) differs between two processes
by itself, so equal bytes prove that none of it is in the assembly.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.fresh_synth import PROJECT, Synth, differences, files_in, synthesize

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="jsii needs Node")

TRAPS = Path(__file__).parent / "traps"
CDK = PROJECT / "node_modules" / ".bin" / "cdk"
# Runs app.py as a user with logging would, and tells what the process saw.
WITNESSED = """
import datetime, json, logging, os, runpy, sys, time
logging.basicConfig(level=logging.INFO)
sys.path[0] = os.path.dirname(sys.argv[1])
runpy.run_path(sys.argv[1], run_name="__main__")
import aws_cdk, model_packaging
print(json.dumps({
    "clocks of Python": [
        time.time(),
        time.time_ns() / 10**9,
        time.mktime(time.localtime()),
        datetime.datetime.now().timestamp(),
        datetime.datetime.now(datetime.timezone.utc).timestamp(),
        datetime.datetime.utcnow().replace(tzinfo=datetime.timezone.utc).timestamp(),
        datetime.datetime.today().timestamp(),
    ],
    "clock of Node": aws_cdk.Expiration.after(aws_cdk.Duration.seconds(0)).to_epoch(),
    "library": model_packaging.__file__,
    "rendered": "sagemaker.core.processing" in sys.modules,
}))
"""


def copy_of_the_checkout(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("app.py", "cdk.json"):
        shutil.copyfile(PROJECT / name, folder / name)
    for name in ("stacks", "constructs", "scripts"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def trapped(clock: int) -> dict[str, str]:
    return {
        "PYTHONPATH": str(TRAPS),
        "NODE_OPTIONS": f'--require "{TRAPS / "trap.js"}"',
        "TRAP_CLOCK": str(clock),
    }


def check_witness(synth: Synth, clock: int, checkout: Path) -> None:
    """Control: the process saw this clock and this checkout, and printed nothing but this."""
    assert json.loads(synth.stdout) == {
        "clocks of Python": [clock] * 7,
        "clock of Node": clock,
        "library": str(checkout / "constructs" / "model_packaging" / "__init__.py"),
        "rendered": True,
    }


def test_a_synth_has_the_same_bytes_with_no_network_at_any_time_in_any_folder(
    plain: Synth, tmp_path: Path
) -> None:
    clock = 978_307_199  # 2000-12-31, in this time zone 2001
    checkout = copy_of_the_checkout(tmp_path / "someone else" / "app")
    before = files_in(checkout)
    synth = synthesize(
        tmp_path / "synth",
        *(sys.executable, "-c", WITNESSED, checkout / "app.py"),
        checkout=checkout,
        PYTHONHASHSEED="1",
        PYTHONWARNINGS="always",
        TZ="Pacific/Kiritimati",
        **trapped(clock),
    )
    assert differences(plain, synth) == []
    assert "ModelPackaging.template.json" in synth.assembly
    check_witness(synth, clock, checkout)
    assert files_in(checkout) == before


def test_a_synth_says_nothing(plain: Synth) -> None:
    assert plain.stdout == ""


def test_the_cli_prints_the_template_and_nothing_else(plain: Synth, tmp_path: Path) -> None:
    # Without the CLI's own additions to resources, it writes what `python app.py` writes, also
    # where the checkout's store answers: what rendering says is tested above.
    output = ("--output", tmp_path / "cdk.out")
    options = ("--no-path-metadata", "--no-asset-metadata")
    synth = synthesize(tmp_path, CDK, "synth", *options, *output, PYTHONHASHSEED="3")
    # The CLI's own: it is there after a slow synth only.
    assert set(differences(plain, synth)) <= {"performance-counters.json"}
    template = json.loads(synth.assembly["ModelPackaging.template.json"])
    del template["Rules"]  # the check of the bootstrap's version, which the CLI doesn't print
    assert yaml.safe_load(synth.stdout) == template
    assert not synth.stdout.startswith("#")


def test_what_the_machine_knows_of_aws_and_sagemaker_does_not_change_a_synth(
    plain: Synth, tmp_path: Path
) -> None:
    # In another time, with the network trapped: credentials aren't asked for either.
    clock = 1_835_395_200  # 2028-02-29: later, jsii says that Node 24 has ended
    home, project = tmp_path / "user", tmp_path / "studio"
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
        *(sys.executable, "-c", WITNESSED, PROJECT / "app.py"),
        PYTHONHASHSEED="2",
        PYTHONWARNINGS="always",
        TZ="UTC",
        PWD=str(project),
        HOME=str(home),
        AWS_PROFILE="missing",
        AWS_ACCESS_KEY_ID="AKIALEAK",
        AWS_SECRET_ACCESS_KEY="leak",
        AWS_REGION="mars-north-1",
        AWS_RETRY_MODE="bogus",
        AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:9/credentials",
        SAGEMAKER_USER_CONFIG_OVERRIDE="/nonexistent",
        SAGEMAKER_ADMIN_CONFIG_OVERRIDE="s3://nowhere/config.yaml",
        **trapped(clock),
    )
    assert differences(plain, hostile) == []
    check_witness(hostile, clock, PROJECT)


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.getaddrinfo('sts.amazonaws.com', 443)",
        "socket.gethostbyname('sts.amazonaws.com')",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('169.254.169.254', 53))",
    ],
)
def test_the_trap_catches_pythons_use_of_the_network_even_where_its_error_is_swallowed(
    attempt: str,
) -> None:
    program = f"import contextlib, socket\nwith contextlib.suppress(OSError): {attempt}"
    run = subprocess.run(
        [sys.executable, "-c", program], env=trapped(0), capture_output=True, text=True, check=True
    )
    assert run.stderr.startswith("network attempt: socket.")


@pytest.mark.parametrize(
    "attempt",
    [
        "require('net').connect(9, '127.0.0.1')",
        "require('https').get('https://127.0.0.1:9')",
        "require('dns').resolve4('sts.amazonaws.com', () => {})",
        "require('dns').promises.lookup('sts.amazonaws.com')",
        "require('dgram').createSocket('udp4').send('', 53, '169.254.169.254')",
        "fetch('http://127.0.0.1:8080')",
    ],
)
def test_the_trap_catches_nodes_use_of_the_network(attempt: str) -> None:
    node = os.environ.get("JSII_NODE", "node")
    run = subprocess.run(
        [node, "-e", f"try {{ {attempt} }} catch {{}}"],
        env={"PATH": os.environ["PATH"], **trapped(0)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 9
    assert run.stderr.startswith("network attempt: ")
