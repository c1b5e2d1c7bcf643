"""Measures the packager against the other ways to add code to a model.

    python benchmarks/packaging.py            # 100 MB and 1 GB
    BENCH_GB=10 python benchmarks/packaging.py   # and 10 GB, this script and inflate only
    BENCH_BEFORE=OLD python benchmarks/packaging.py   # and an earlier packager, by its path

All contenders run in turn, round after round, as processes of their own; the table has medians.
``docs/benchmarks.md`` is written anew.  What is missing on the machine is left out and named.

Environment: BENCH_GB (the largest model, default 1), BENCH_KINDS (default float,text,files),
BENCH_SIZES (in MB, default 100,1000), BENCH_ROUNDS (default 5), BENCH_BUDGET (seconds that one
contender may take of one model before it gets no further round, default 60), BENCH_DIR (default
.bench, for models and environments), BENCH_SDK=0 to leave the SageMaker SDK out.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = Path(os.environ.get("BENCH_DIR", ROOT / ".bench")).resolve()
PACKAGER = ROOT / "scripts" / "packager"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
BUDGET = float(os.environ.get("BENCH_BUDGET", "60"))
SDK_VERSION = "2.257.7"
RESULTS = WORK / "results.json"

USUAL_WAY = """
import pathlib, shutil, sys, tarfile
model, code, out, scratch = map(pathlib.Path, sys.argv[1:])
with tarfile.open(model, "r:gz") as archive:
    archive.extractall(scratch)
shutil.copytree(code, scratch / "code")
with tarfile.open(out / "model.tar.gz", "w:gz") as archive:
    for path in sorted(scratch.iterdir()):
        archive.add(path, arcname=path.name)
"""

SDK_WAY = """
import pathlib, sys, types
from sagemaker.utils import repack_model
model, code, out, scratch = map(pathlib.Path, sys.argv[1:])
repack_model(
    inference_script=str(code / "inference.py"),
    source_directory=str(code),
    dependencies=[],
    model_uri=f"file://{model}",
    repacked_model_uri=f"file://{out}/model.tar.gz",
    sagemaker_session=types.SimpleNamespace(settings=None),
)
"""

SDK_IMPORT = "from sagemaker.utils import repack_model"

INFLATE = """
import sys, zlib
inflater = zlib.decompressobj(wbits=31)
with open(sys.argv[1], "rb") as file:
    while True:
        data = file.read(1 << 18)
        if not data:
            break
        inflater.decompress(data)
assert inflater.eof
"""

TAR_PIGZ = (
    'set -e; tar -xf "$1" -C "$4"; cp -r "$2" "$4/code"; '
    'tar -C "$4" -c . | pigz -6 > "$3/model.tar.gz"'
)


@dataclass
class Contender:
    name: str
    command: list[str]  # {model}, {code}, {out}, {scratch} are filled in
    seconds: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    written_mb: float = 0.0
    output_mb: float = 0.0


def contenders() -> tuple[list[Contender], list[str]]:
    python = sys.executable
    places = ["{model}", "{code}", "{out}", "{scratch}"]
    flags = [
        *("--model-dir", "{model_dir}", "--scripts-dir", "{code}"),
        *("--output-dir", "{out}", "--report-file", "{scratch}/report.json"),
        *("--message-file", "{scratch}/message", "--extra-dir", "{scratch}/none"),
    ]
    ours = [python, str(as_it_ships()), *flags]
    found = [
        Contender("this script, splice", [*ours, "--mode", "splice"]),
        Contender("inflate alone (zlib)", [python, "-c", INFLATE, "{model}"]),
        Contender("this script, stream", [*ours, "--mode", "stream"]),
        Contender("the usual way (tarfile)", [python, "-c", USUAL_WAY, *places]),
        Contender("cp", ["cp", "{model}", "{out}/model.tar.gz"]),
    ]
    if before := os.environ.get("BENCH_BEFORE"):
        found += [
            Contender(f"before, {mode}", [python, before, *flags, "--mode", mode])
            for mode in ("splice", "stream")
        ]
    missing = []
    sdk = sdk_python()
    if sdk:
        found.append(Contender(f"SageMaker SDK {SDK_VERSION}", [sdk, "-c", SDK_WAY, *places]))
    else:
        missing.append(f"SageMaker SDK {SDK_VERSION} (its environment could not be made)")
    if shutil.which("pigz"):
        found.append(Contender("tar + pigz -6", ["sh", "-c", TAR_PIGZ, "sh", *places]))
    else:
        missing.append("tar + pigz (pigz is not installed)")
    return found, missing


def as_it_ships() -> Path:
    """The zip that the container runs; unlike the folder, it is compiled anew at every start."""
    packed = WORK / "packager.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(PACKAGER.rglob("*.py")):
            archive.write(file, file.relative_to(PACKAGER))
    return packed


def sdk_python() -> str | None:
    """The Python of an environment with the SDK; made on first use."""
    if os.environ.get("BENCH_SDK") == "0":
        return None
    python = WORK / "sdk" / "bin" / "python"
    test = [str(python), "-c", SDK_IMPORT]
    if python.exists() and subprocess.run(test, capture_output=True, check=False).returncode == 0:
        return str(python)
    print(f"making an environment for sagemaker {SDK_VERSION} in {python.parent.parent}")
    made = subprocess.run([sys.executable, "-m", "venv", str(WORK / "sdk")], check=False)
    if made.returncode == 0:
        install = [str(python), "-m", "pip", "install", "-q", f"sagemaker=={SDK_VERSION}"]
        subprocess.run(install, check=False)
    done = subprocess.run(test, capture_output=True, check=False)
    return str(python) if done.returncode == 0 else None


def bytes_to_disk() -> int:
    """What this process's finished children have given to the block layer."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def run_once(contender: Contender, model: Path, code: Path) -> None:
    run_dir = WORK / "run"
    shutil.rmtree(run_dir, ignore_errors=True)
    scratch, out = run_dir / "scratch", run_dir / "out"
    scratch.mkdir(parents=True)
    out.mkdir()
    places = {
        "model": str(model),
        "model_dir": str(model.parent),
        "code": str(code),
        "out": str(out),
        "scratch": str(scratch),
    }
    command = [
        part.format(**places) if part.startswith("{") else part for part in contender.command
    ]
    os.sync()
    before = bytes_to_disk()
    environment = {**os.environ, "TMPDIR": str(scratch), "AWS_DEFAULT_REGION": "us-east-1"}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{contender.name} failed: {errors.decode()[-2000:]}")
    contender.seconds.append(seconds)
    contender.peak_mb = max(contender.peak_mb, usage.ru_maxrss / 1000)
    contender.written_mb = (bytes_to_disk() - before) / 1e6
    result = out / "model.tar.gz"
    contender.output_mb = result.stat().st_size / 1e6 if result.exists() else 0.0
    shutil.rmtree(run_dir)


def measure(
    kind: str, megabytes: int, code: Path, only_fast: bool
) -> tuple[list[Contender], list[str]]:
    model = WORK / "models" / f"{kind}-{megabytes}" / "model.tar.gz"
    if not model.exists():
        print(f"making {model}")
        # In a process of its own: a child's peak memory is counted from its parent's.
        maker = Path(__file__).with_name("models.py")
        size = str(megabytes * 1_000_000)
        subprocess.run([sys.executable, str(maker), str(model), kind, size], check=True)
    entrants, missing = contenders()
    if only_fast:
        entrants = [
            entrant
            for entrant in entrants
            if entrant.name.split()[0] in ("this", "before,", "inflate", "cp")
        ]
    for round_number in range(ROUNDS):
        for entrant in entrants:
            if round_number and sum(entrant.seconds) * (1 + 1 / round_number) > BUDGET:
                continue
            run_once(entrant, model, code)
            print(
                f"{kind} {megabytes} MB, round {round_number + 1}: "
                f"{entrant.name}: {entrant.seconds[-1]:.2f} s"
            )
    return entrants, missing


def table(kind: str, megabytes: int, entrants: list[Contender]) -> str:
    ours = statistics.median(entrants[0].seconds)
    stream = statistics.median(entrants[2].seconds)
    lines = [
        f"## {NAMES[kind]}, {megabytes} MB",
        "",
        "| | seconds (median) | runs | times splice | times stream "
        "| peak MB | written MB | output MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for entrant in entrants:
        median = statistics.median(entrant.seconds)
        lines.append(
            f"| {entrant.name} | {median:.2f} | {len(entrant.seconds)} | {median / ours:.2f} | "
            f"{median / stream:.2f} | {entrant.peak_mb:.0f} | {entrant.written_mb:.0f} | "
            f"{entrant.output_mb:.1f} |"
        )
    return "\n".join(lines) + "\n"


NAMES = {"float": "Float weights", "text": "Text-like", "files": "Many small files"}


def machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":")[1].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{model}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, zlib {zlib.ZLIB_RUNTIME_VERSION}"
    )


PREAMBLE = """# Benchmarks of the packaging engine

Written by `make bench` (`benchmarks/packaging.py`); do not edit.

Machine: {machine}.

Every contender is a process of its own, start-up included, and they take turns, so that whatever
else the machine does hits all alike. The input is in the page cache. "This script" verifies the
whole model, hashes input and output and waits for the disk (fsync); the others do none of that.
"Inflate alone" is Python's zlib over the same file with its CRC check, writing nothing.
The SageMaker SDK's time has its import in it, about two seconds.
"Times splice" and "times stream" say how many times as long as this script's two modes it takes.
"Written" is what was handed to the block layer until the process ended.
{missing}
"""


def main() -> None:
    gigabytes = float(os.environ.get("BENCH_GB", "1"))
    asked = {int(size) for size in os.environ.get("BENCH_SIZES", "100,1000").split(",")}
    if gigabytes > 1:
        asked.add(int(gigabytes * 1000))
    sizes = sorted(size for size in asked if size <= gigabytes * 1000)
    kinds = os.environ.get("BENCH_KINDS", "float,text,files").split(",")
    code = WORK / "code"
    code.mkdir(parents=True, exist_ok=True)
    (code / "inference.py").write_text("def model_fn(model_dir):\n    return model_dir\n" * 40)
    for size in sizes:
        for kind in kinds:
            entrants, missing = measure(kind, size, code, only_fast=size > 1000)
            save(kind, size, entrants, missing)
            print(table(kind, size, entrants))
    write_page()


def save(kind: str, size: int, entrants: list[Contender], missing: list[str]) -> None:
    """Results are kept by model, so that a run over some of them leaves the others in the page."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if results.get("machine") != machine():
        results = {"machine": machine(), "missing": [], "models": {}}
    results["missing"] = missing
    results["models"][f"{size:06}-{kind}"] = [dataclasses.asdict(entrant) for entrant in entrants]
    RESULTS.write_text(json.dumps(results, indent=1))


def write_page() -> None:
    results = json.loads(RESULTS.read_text())
    sections = []
    for key, entrants in sorted(results["models"].items()):
        size, kind = key.split("-")
        sections.append(table(kind, int(size), [Contender(**entrant) for entrant in entrants]))
    left_out = f"\nLeft out here: {'; '.join(results['missing'])}.\n" if results["missing"] else ""
    text = (
        PREAMBLE.format(machine=results["machine"], missing=left_out) + "\n" + "\n".join(sections)
    )
    target = ROOT / "docs" / "benchmarks.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text)
    print(f"written: {target}")


if __name__ == "__main__":
    main()
