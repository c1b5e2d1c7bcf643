"""Synths in a process of their own that write to folders of their own."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from model_packaging.rendering_store import DEFINITION_STORE

PROJECT = Path(__file__).parent.parent
# Shared: filling it takes longer than a synth, and it holds aws-cdk-lib's own files only.
JSII_CACHE = os.environ.get("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(PROJECT / ".cache" / "jsii"))
# Hashes of the assets' files by inode and time, which aws-cdk-lib keeps in the home, always.
FINGERPRINTS = re.compile(r"home/\.cdk/cache/fingerprints/[0-9a-f]{16}\.json")


@dataclasses.dataclass(frozen=True)
class Synth:
    """What a synth printed, and the files of its cloud assembly."""

    stdout: str
    assembly: dict[str, bytes]


def files_in(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def synthesize(
    folder: Path, *command: str | Path, checkout: Path = PROJECT, **environment: str
) -> Synth:
    """Synthesize with an environment that names the folders to write to, and nothing more.

    Nothing may be written to stderr, nor left in the home or among the temporary files.
    """
    places = {"HOME": "home", "TMPDIR": "tmp", "CDK_HOME": "cdk-home", "CDK_OUTDIR": "cdk.out"}
    for place in places.values():
        (folder / place).mkdir(parents=True)
    roots = [environment.pop("PYTHONPATH", ""), str(checkout / "constructs")]
    run = subprocess.run(
        command,
        cwd=environment.pop("PWD", checkout),
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            # Every synth renders anew: what a store answers needs no SDK, and proves nothing.
            "CDK_CONTEXT_JSON": json.dumps({DEFINITION_STORE: ""}),
            "PYTHONPATH": os.pathsep.join(filter(None, roots)),
            "JSII_RUNTIME_PACKAGE_CACHE_ROOT": JSII_CACHE,
            **{name: str(folder / place) for name, place in places.items()},
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    # The CLI writes an empty line where the open findings of the rule packs would stand.
    assert run.stderr.strip() == "", run.stderr
    assert run.returncode == 0, run.stdout
    left = [
        str(path.relative_to(folder))
        for place in ("home", "tmp", "cdk-home")
        for path in (folder / place).rglob("*")
        if not path.is_dir() or not any(path.iterdir())
    ]
    unexpected = [name for name in left if not FINGERPRINTS.fullmatch(name)]
    assert unexpected == [], unexpected
    return Synth(run.stdout, files_in(folder / "cdk.out"))


def differences(one: Synth, other: Synth) -> list[str]:
    names = one.assembly.keys() | other.assembly.keys()
    return sorted(name for name in names if one.assembly.get(name) != other.assembly.get(name))
