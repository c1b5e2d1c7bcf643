"""A place to package in: the container's folders, made anew for every test."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, List

import mims_package
import pytest

SCRIPT = Path(mims_package.__file__)
PACKAGER = SCRIPT.parent  # the folder that ships


@dataclass
class Run:
    exit_code: int
    stdout: str
    stderr: str
    message: str  # of the message file, "" if there is none

    @property
    def event(self) -> dict[str, Any]:
        """The last structured line."""
        lines = [line for line in self.stdout.splitlines() if line.startswith("{")]
        return json.loads(lines[-1])


class Bench:
    """The folders of a packaging job, and ways to run it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.model = root / "input" / "model"
        self.scripts = root / "input" / "script"
        self.extra = root / "input" / "extra"
        self.out = root / "output"
        self.report_file = root / "report" / "package_report.json"
        self.message_file = root / "message"
        self.job_config_file = root / "processingjobconfig.json"
        self.archive = self.out / "model.tar.gz"
        for folder in (self.model, self.scripts):
            folder.mkdir(parents=True)
        self.script("inference.py", "def model_fn(model_dir): ...\n")

    def script(self, path: str, text: str = "") -> Path:
        return self._put(self.scripts / path, text.encode())

    def put_extra(self, path: str, text: str = "") -> Path:
        return self._put(self.extra / path, text.encode())

    def announce(self, uri: str) -> None:
        """Where the model comes from, as SageMaker tells the job."""
        place = {"LocalPath": str(self.model), "S3Uri": uri}
        request = {"ProcessingInputs": [{"S3Input": place}]}
        self.job_config_file.write_text(json.dumps(request))

    def put_model(self, data: bytes, name: str = "model.tar.gz") -> Path:
        return self._put(self.model / name, data)

    def _put(self, path: Path, data: bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def use_package_as_model(self) -> None:
        """What came out becomes the input of the next run."""
        data = self.archive.read_bytes()
        shutil.rmtree(self.model)
        self.put_model(data)

    def arguments(self, *more: str) -> list[str]:
        return [
            *("--model-dir", str(self.model)),
            *("--scripts-dir", str(self.scripts)),
            *("--extra-dir", str(self.extra)),
            *("--output-dir", str(self.out)),
            *("--report-file", str(self.report_file)),
            *("--message-file", str(self.message_file)),
            *("--job-config-file", str(self.job_config_file)),
            *more,
        ]

    def command(
        self, *more: str, python: str = sys.executable, program: Path = PACKAGER
    ) -> list[str]:
        return [python, str(program), *self.arguments(*more)]

    def run_process(
        self, *more: str, python: str = sys.executable, program: Path = PACKAGER, **options: Any
    ) -> Run:
        """Runs the packager as the container does."""
        done = subprocess.run(
            self.command(*more, python=python, program=program),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **options,
        )
        return Run(done.returncode, done.stdout, done.stderr, self.message())

    def message(self) -> str:
        return self.message_file.read_text() if self.message_file.is_file() else ""

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(self.report_file.read_text())

    def names(self) -> list[str]:
        with tarfile.open(self.archive) as archive:
            return archive.getnames()

    def leftovers(self) -> list[str]:
        """Whatever is in the output and report folders."""
        return sorted(
            str(path.relative_to(self.root))
            for folder in (self.out, self.report_file.parent)
            if folder.exists()
            for path in folder.iterdir()
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


Main = Callable[[List[str]], int]


@pytest.fixture(scope="session")
def staged_zip(dev: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packager's asset as the CDK stages it, as one zip: what runs in the container."""
    [staged] = (main.parent for main in dev.glob("asset.*/__main__.py"))
    packed = tmp_path_factory.mktemp("staged") / f"{staged.suffix[1:]}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in staged.rglob("*") if path.is_file()):
            archive.write(file, file.relative_to(staged))
    return packed


@pytest.fixture(scope="session")
def programs(staged_zip: Path) -> dict[str, Path]:
    """What Python can be given to run."""
    return {"file": SCRIPT, "folder": PACKAGER, "zip": staged_zip}


@pytest.fixture(scope="session")
def mains(staged_zip: Path) -> dict[str, Main]:
    """``main`` of the modules as they are edited, and of those in the zip."""
    own = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("mims_")}
    sys.path.insert(0, str(staged_zip))
    try:
        zipped = importlib.import_module("mims_package")
        assert zipped.__file__ == str(staged_zip / "mims_package.py")
        names = [name for name in sys.modules if name.startswith("mims_engine.")]
        assert all(sys.modules[name].__file__.startswith(str(staged_zip)) for name in names)
    finally:
        sys.path.remove(str(staged_zip))
        sys.modules.update(own)
    return {"modules": mims_package.main, "zip": zipped.main}


@pytest.fixture
def main() -> Main:
    """What ``run`` runs; a file of tests may put several here."""
    return mims_package.main


@pytest.fixture
def run(bench: Bench, main: Main, capfd: pytest.CaptureFixture[str]) -> Any:
    """Runs the packager in this process (a tenth of the time); no traceback may ever show."""

    def run(*more: str) -> Run:
        bench.message_file.unlink(missing_ok=True)
        exit_code = main(bench.arguments(*more))
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        if exit_code:
            assert bench.leftovers() == []
        return Run(exit_code, captured.out, captured.err, bench.message())

    return run


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """main() installs its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def unpack_with_tarfile(archive: Path, to: Path) -> None:
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "tar_filter"):
            tar.extractall(to, filter="tar")
        else:
            tar.extractall(to)


def unpack_with_gnu_tar(archive: Path, to: Path) -> None:
    subprocess.run(
        ["tar", "-xzf", str(archive), "-C", str(to), "--no-same-owner"],
        check=True,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


def contents(root: Path) -> dict[str, object]:
    """Path -> what is there: bytes of a file, target of a link, None for a folder."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("->", os.readlink(path))
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found
