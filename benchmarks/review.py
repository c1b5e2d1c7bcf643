"""Measures a review of two assemblies against the synth of one of them, in CPU and clock seconds.

The synth is the quickest that there is: `app.py` without the CDK CLI, when its definition has been
rendered before. The review is that of the command, once of the same assembly twice, and once of a
change as people make them: another instance type, another prefix, and a line of a script.

    python benchmarks/review.py

CPU seconds are those of the process and all that it starts, as in `benchmarks/synth.py`. The
contenders take turns, each as a process of its own; the table has medians and ratios. Needs Linux.
Environment: BENCH_ROUNDS (default 7).
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from synth import ROOT, adopt_orphans, cpu_seconds

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
REVIEW = ("-m", "operations", "review")
DIFFERENT = 1


def changed(context: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """The context of the change."""
    scripts = scratch / "scripts"
    shutil.copytree(ROOT / "scripts" / "inference", scripts)
    with (scripts / "inference.py").open("a") as script:
        script.write("# One more line.\n")
    stage = context["stages"][context["stage"]] | {
        "sizes": {"instance_type": "ml.m5.large"},
        "trigger": {"kind": "upload", "prefix": "candidates/"},
        "inference_scripts": str(scripts),
    }
    return context | {"stages": context["stages"] | {context["stage"]: stage}}


def timed(run: Callable[[], float]) -> tuple[float, float]:
    start = time.monotonic()
    cpu = run()
    return cpu, time.monotonic() - start


def main() -> None:
    adopt_orphans()
    settings = json.loads((ROOT / "cdk.json").read_text())["context"]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        context = settings | {"model_packaging:definition_store": str(scratch / "store")}
        old, new = scratch / "old", scratch / "new"
        cpu_seconds("app.py", outdir=old, context=context)
        cpu_seconds("app.py", outdir=new, context=changed(context, scratch))

        def synth() -> float:
            return cpu_seconds("app.py", outdir=scratch / "again", context=context)

        def review(after: Path, expect: int) -> float:
            command = (*REVIEW, str(old), str(after))
            return cpu_seconds(*command, outdir=scratch, context={}, expect=expect)

        contenders = {
            "repeated synth": synth,
            "review, nothing changed": lambda: review(old, 0),
            "review of three changes": lambda: review(new, DIFFERENT),
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
        for number in range(ROUNDS + 1):
            for name, run in contenders.items():
                once = timed(run)
                if number:  # the first round fills the caches
                    taken[name].append(once)
                    print(f"round {number}: {name}: {once[0]:.2f} CPU s, {once[1]:.2f} s")
        said = subprocess.run(
            [sys.executable, *REVIEW, str(old), str(new)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        print(f"\n{said.splitlines()[0]}")
    medians = {
        name: tuple(statistics.median(kind) for kind in zip(*runs, strict=True))
        for name, runs in taken.items()
    }
    cpu, clock = medians["repeated synth"]
    print(f"\nmedians of {ROUNDS}{'':14} CPU seconds  to synth     seconds  to synth")
    for name, (in_cpu, in_clock) in medians.items():
        print(
            f"{name:25} {in_cpu:11.2f} {in_cpu / cpu:9.2f} {in_clock:11.2f} {in_clock / clock:9.2f}"
        )


if __name__ == "__main__":
    main()
