"""Python 3.8 to 3.13: the same bytes from every one that is at hand, and nothing newer is used."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from . import archives as a
from .conftest import PACKAGER


def interpreters() -> dict[str, str]:
    """Version -> program, of every CPython from 3.8 on."""
    found: dict[str, str] = {}
    programs = [sys.executable]
    programs += [str(path) for path in Path.home().glob(".pyenv/versions/*/bin/python")]
    programs += [p for p in (shutil.which(f"python3.{n}") for n in range(8, 15)) if p]
    for program in programs:
        done = subprocess.run(
            [program, "-c", "import platform; print(platform.python_version())"],
            capture_output=True,
            text=True,
            check=False,
        )
        version = done.stdout.strip()
        if done.returncode == 0 and tuple(map(int, version.split(".")[:2])) >= (3, 8):
            found.setdefault(version, program)
    return found


@pytest.mark.parametrize("mode", ["splice", "stream"])
def test_every_python_writes_the_same_bytes_and_the_same_report(bench, programs, mode):
    bench.put_model(a.gz(a.tar(a.file("model.bin", b"text " * 100_000), a.file("é/" + "n" * 99))))
    bench.script("lib/naïve-" + "n" * 120 + ".py", "x = 1\n" * 1000)
    bench.put_extra("calibration/table.json", "{}")
    packages, reports = {}, {}
    runs = [(python, form) for python in interpreters().items() for form in programs.items()]
    for (version, python), (form, program) in runs:
        result = bench.run_process("--mode", mode, "--paranoid", python=python, program=program)
        assert (result.exit_code, result.stderr) == (0, ""), (version, form)
        packages[version, form] = bench.archive.read_bytes()
        report = bench.report
        del report["seconds"], report["bytes_per_second"]
        reports[version, form] = json.dumps(report)
    assert len(set(packages.values())) == 1, list(packages)
    assert len(set(reports.values())) == 1


@pytest.mark.parametrize("broken", [a.gz(a.MODEL)[:-9], a.gz(a.MODEL, crc=1), b"no archive"])
def test_every_python_gives_the_same_reason(bench, programs, broken):
    bench.put_model(broken)
    messages = set()
    for number, python in enumerate(interpreters().values()):
        program = list(programs.values())[number % len(programs)]
        result = bench.run_process(python=python, program=program)
        assert result.exit_code == 3
        assert "Traceback" not in result.stderr
        messages.add(result.message)
    assert len(messages) == 1


def test_nothing_newer_than_python_3_8_is_used():
    vermin = shutil.which("vermin") or shutil.which("vermin", path=str(Path(sys.executable).parent))
    if vermin is None:
        pytest.skip("vermin is not installed")
    done = subprocess.run(
        [vermin, "--target=3.8-", "--no-tips", "--violations", str(PACKAGER)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
