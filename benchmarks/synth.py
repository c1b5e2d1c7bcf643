"""Measures a synth of this app against synths of an empty app of one bucket, in CPU seconds.

The empty app comes twice: as it is, and checked by the same rule packs as this app. It has the
feature flags of this app's cdk.json, so all three are validated by the CDK in the same way.

    python benchmarks/synth.py

CPU seconds are those of the process and all that it starts, above all jsii's Node; they depend
less than the clock's on what else the machine does. The contenders take turns, each as a process
of its own; the table has medians and ratios. Needs Linux.
Environment: BENCH_ROUNDS (default 7).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

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


def cpu_seconds(*command: str, outdir: Path, context: dict[str, Any], expect: int = 0) -> float:
    """CPU seconds, user's and system's, of a process and all of its descendants."""
    environment = {
        **os.environ,
        "CDK_OUTDIR": str(outdir),  # both as the CDK CLI sets them
        "CDK_CONTEXT_JSON": json.dumps(context),
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    reap_orphans()
    if run.returncode != expect:
        sys.exit(run.stdout + run.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends first: else nobody counts them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "descendants of a synth can't be counted")


def reap_orphans() -> None:
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def main() -> None:
    adopt_orphans()
    configured = json.loads((ROOT / "cdk.json").read_text())["context"]
    flags = {name: value for name, value in configured.items() if name.startswith("@aws-cdk")}
    with tempfile.TemporaryDirectory() as scratch:
        outdir, store = Path(scratch) / "cdk.out", Path(scratch) / "store"

        def empty(program: str) -> float:
            return cpu_seconds("-c", program, outdir=outdir, context=flags)

        def synth(folder: str) -> float:
            context = configured | {"model_packaging:definition_store": folder}
            return cpu_seconds("app.py", outdir=outdir, context=context)

        def first() -> float:
            shutil.rmtree(store, ignore_errors=True)
            return synth(str(store))

        contenders = {
            "empty app of one bucket": lambda: empty(EMPTY_APP),
            "the same, with our rule packs": lambda: empty(CHECKED_APP),
            "this app, first synth": first,
            "this app, repeated synth": lambda: synth(str(store)),
            "this app, without the store": lambda: synth(""),
        }
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(ROUNDS + 1):
            for name, run in contenders.items():
                once = run()
                if number:  # the first round fills the caches of disk and jsii
                    taken[name].append(once)
                    print(f"round {number}: {name}: {once:.2f} CPU s", flush=True)
    medians = {name: statistics.median(runs) for name, runs in taken.items()}
    bare, checked = list(medians.values())[:2]
    print(f"\nmedians of {ROUNDS}{'':19} CPU seconds   to empty   to empty, checked")
    for name, median in medians.items():
        print(f"{name:30} {median:12.2f} {median / bare:10.2f} {median / checked:19.2f}")


if __name__ == "__main__":
    main()
