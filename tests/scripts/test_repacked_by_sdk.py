"""Archives that the SageMaker SDK's ``repack_model`` wrote: their root has the name ``/``.

Version 3's function runs here; what version 2's writes is in ``rendered_by_sdk_2``, by name.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from types import SimpleNamespace

import pytest

from model_packaging.step import offline
from tests.rendered_by_sdk_2.configurations import REPACKED_FILES

from . import archives as a
from .conftest import Bench

BY_SDK_2 = Path(__file__).parents[1] / "rendered_by_sdk_2" / "repacked_model.txt"


def read_strictly(archive: Path) -> list[str]:
    """``folder code/`` and the like; raises where a strict reader does.

    As Go's archive/tar with ``tarinsecurepath=0`` and .NET's ``TarFile``: no name that is absolute,
    climbs or is empty.
    """
    entries = a.listed(gzip.decompress(archive.read_bytes()))
    for _, name in (entry.split(" ", 1) for entry in entries):
        if not name.strip("/") or name.startswith("/") or ".." in name.split("/"):
            raise ValueError(f"insecure path {name!r}")
    return entries


@pytest.fixture(scope="module")
def by_sdk_3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repacked")
    (root / "scripts").mkdir()
    for name in REPACKED_FILES:
        if name.startswith("scripts/"):
            (root / name).touch()
    names = [name.removeprefix("model/") for name in REPACKED_FILES if name.startswith("model/")]
    model = a.tar(a.folder("./"), *(a.file(f"./{name}", b"") for name in names))
    (root / "model.tar.gz").write_bytes(a.gz(model))
    with offline():
        from sagemaker.core.common_utils import repack_model

        repack_model(
            inference_script="inference.py",
            source_directory=str(root / "scripts"),
            dependencies=[],
            model_uri=f"file://{root}/model.tar.gz",
            repacked_model_uri=f"file://{root}/repacked.tar.gz",
            sagemaker_session=SimpleNamespace(settings=None),
        )
    return root / "repacked.tar.gz"


@pytest.fixture
def by_sdk_2(tmp_path: Path) -> Path:
    """The same entries, written in the same way, as ``tarfile`` and its defaults do."""
    entries = []
    for line in BY_SDK_2.read_text().splitlines():
        kind, name = line.split(" ")
        entries.append(a.folder(name) if kind == "folder" else a.file(name, b""))
    archive = tmp_path / "repacked.tar.gz"
    archive.write_bytes(a.gz(a.tar(*entries)))
    return archive


@pytest.mark.parametrize("version", ["by_sdk_2", "by_sdk_3"])
def test_a_strict_reader_takes_the_package_though_not_the_model(
    bench: Bench, run, request: pytest.FixtureRequest, version: str
):
    repacked = request.getfixturevalue(version)
    with pytest.raises(ValueError, match="insecure path '/'"):
        read_strictly(repacked)
    bench.put_model(repacked.read_bytes())
    assert run("--paranoid").exit_code == 0
    assert bench.report["mode"] == "stream"  # it has a code/ of its own
    assert sorted(read_strictly(bench.archive)) == [
        *("file code/inference.py", "file model.bin", "file vocab.txt", "folder code/"),
    ]
    assert bench.report["model"]["replaced_files"] == ["code/inference.py", "code/util.py"]


def test_both_versions_write_the_same_entries(by_sdk_3: Path):
    lines = sorted(a.listed(gzip.decompress(by_sdk_3.read_bytes())))
    assert lines == BY_SDK_2.read_text().splitlines()


@pytest.mark.parametrize("root", ["/", "./"])
@pytest.mark.parametrize("mode", ["splice", "stream"])
def test_only_splicing_keeps_the_root(bench: Bench, run, root: str, mode: str):
    """Which copies the original's blocks as they are."""
    bench.put_model(a.gz(a.tar(a.folder(root), a.file("model.bin"))))
    assert run("--mode", mode).exit_code == 0
    data = gzip.decompress(bench.archive.read_bytes())
    assert (root.encode().ljust(100, b"\0") in data) == (mode == "splice")
