"""The dates of what the packager writes: none that a reader refuses, none that hides a change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from . import archives as a
from .conftest import Bench, unpack_with_gnu_tar

FIRST, LAST = 315_619_200, 1_389_398_400  # 1980-01-02 and 2014-01-11, midnight UTC


def dates(archive: Path) -> dict[str, int]:
    with tarfile.open(archive) as tar:
        return {member.name: int(member.mtime) for member in tar}


def served(unpacked: Path) -> str:
    """What Python imports, in a process of its own as a server would, with its __pycache__."""
    program = "import inference; print(inference.VERSION)"
    environment = {"PYTHONPATH": str(unpacked / "code"), "PATH": os.environ["PATH"]}
    python = [sys.executable, "-c", program]
    done = subprocess.run(python, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_package_unpacked_over_an_older_one_is_what_python_imports(bench: Bench, run, tmp_path):
    """Of the same size: Python looks at date and size before it runs what it compiled earlier."""
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    bench.put_model(a.gz(a.MODEL))
    for version in ("1", "2"):
        bench.script("inference.py", f"VERSION = {version}\n")
        assert run().exit_code == 0
        unpack_with_gnu_tar(bench.archive, unpacked)
        assert served(unpacked) == version
        assert list(unpacked.glob("code/__pycache__/inference.*.pyc"))


def test_the_same_holds_for_code_of_a_model_of_loose_files(bench: Bench, run):
    seen = set()
    for version in ("1", "2"):
        bench.put_model(f"VERSION = {version}\n".encode(), "own/model.py")
        assert run().exit_code == 0
        seen.add(dates(bench.archive)["own/model.py"])
    assert len(seen) == 2


@pytest.mark.parametrize("zone", ["Etc/GMT+12", "America/Los_Angeles", "UTC"])
def test_zipfile_takes_what_was_unpacked_west_of_greenwich(
    bench: Bench, run, tmp_path, monkeypatch, zone
):
    bench.put_model(b"weights", "model.bin")
    bench.script("lib/util.py", "x = 1\n")
    assert run().exit_code == 0
    unpack_with_gnu_tar(bench.archive, tmp_path)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with zipfile.ZipFile(tmp_path / "again.zip", "w") as zipped:
            for name in dates(bench.archive):
                zipped.write(tmp_path / name, name)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_dates_are_from_the_content_alone(bench: Bench, run, tmp_path):
    bench.put_model(a.gz(a.MODEL))
    bench.put_extra("tables/a.json", "{}")
    bench.script("copy.py", "def model_fn(model_dir): ...\n")  # the content of inference.py
    run()
    first = dates(bench.archive)
    os.utime(bench.scripts / "inference.py", (1, 1))
    run()
    again = dates(bench.archive)
    assert again == first
    assert first["code/inference.py"] == first["code/copy.py"]
    shipped = {name: date for name, date in first.items() if name.startswith(("code", "tables"))}
    assert all(FIRST <= date < LAST and date % 2 == 0 for date in shipped.values())
    assert {shipped["code"], shipped["tables"]} == {FIRST}  # folders have no content
    assert shipped["tables/a.json"] > FIRST


def test_a_large_file_has_the_same_bytes_from_a_folder_and_from_a_zip(bench: Bench, run, tmp_path):
    """Its date is from the beginning, which is read once: what follows must come all the same."""
    table = bench.put_extra("tables/large.bin")
    table.write_bytes(bytes(range(256)) * 40_000 + b"the end")
    bench.put_model(a.gz(a.MODEL))
    run()
    from_folder = bench.archive.read_bytes()
    with tarfile.open(bench.archive) as tar:
        member = tar.extractfile("tables/large.bin")
        assert member is not None
        assert member.read() == table.read_bytes()
    packed = tmp_path / "tables.zip"
    with zipfile.ZipFile(packed, "w") as zipped:
        zipped.write(table, "large.bin")
    shutil.rmtree(table.parent)
    table.parent.mkdir()
    packed.rename(table.parent / packed.name)
    run("--unzip-extra", "tables")
    assert bench.archive.read_bytes() == from_folder
