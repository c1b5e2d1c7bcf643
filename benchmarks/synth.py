"""Measures a synth of this app against synths of an empty app of one bucket.

The empty app comes twice: as it is, and checked by the same rule packs as this app.

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
# Its bucket is full of findings, which end the synth after all of the work is done.
CHECKED_APP = """
import contextlib

from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3
from stacks.rule_packs import add_rule_packs

app = App(analytics_reporting=False)
s3.Bucket(Stack(app, "Empty"), "Bucket")
add_rule_packs(app)
with contextlib.suppress(Exception):
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
            "the same, with our rule packs": lambda: seconds("-c", CHECKED_APP, outdir=outdir),
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
    medians = {name: statistics.median(runs) for name, runs in taken.items()}
    empty, checked = list(medians.values())[:2]
    print(f"\nmedians of {ROUNDS}{'':22} seconds   to empty   to empty, checked")
    for name, median in medians.items():
        print(f"{name:34} {median:5.2f} {median / empty:10.2f} {median / checked:19.2f}")


if __name__ == "__main__":
    main()
