"""Measures a synth of this app against a synth of an empty app of one bucket.

    python benchmarks/synth.py

The contenders take turns, each as a process of its own; the table has medians and ratios.
Environment: BENCH_ROUNDS (default 7).
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))

EMPTY_APP = """
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3

app = App(analytics_reporting=False)
s3.Bucket(Stack(app, "Empty"), "Bucket")
app.synth()
"""
APP = "import app, sys; app.build_app(**{'model_packaging:definition_store': sys.argv[1]}).synth()"


def seconds(*command: str, outdir: Path) -> float:
    environment = {**os.environ, "CDK_OUTDIR": str(outdir)}
    started = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=True)
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        outdir, store = Path(scratch) / "cdk.out", Path(scratch) / "store"

        def first() -> float:
            shutil.rmtree(store, ignore_errors=True)
            return seconds("-c", APP, str(store), outdir=outdir)

        contenders = {
            "empty app of one bucket": lambda: seconds("-c", EMPTY_APP, outdir=outdir),
            "this app, first synth": first,
            "this app, repeated synth": lambda: seconds("-c", APP, str(store), outdir=outdir),
            "this app, without the store": lambda: seconds("-c", APP, "", outdir=outdir),
        }
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(ROUNDS + 1):
            for name, run in contenders.items():
                once = run()
                if number:  # the first round fills the caches of disk and jsii
                    taken[name].append(once)
                    print(f"round {number}: {name}: {once:.2f} s", flush=True)
    base = statistics.median(taken["empty app of one bucket"])
    print(f"\n{'':30} seconds (median of {ROUNDS})  ratio")
    for name, runs in taken.items():
        median = statistics.median(runs)
        print(f"{name:30} {median:8.2f} {median / base:21.2f}")


if __name__ == "__main__":
    main()
