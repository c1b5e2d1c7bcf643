"""What the rule packs find in each stage, open or acknowledged."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.synthesis import PROJECT

PACKS = ("AwsSolutions", "NIST.800.53.R5", "HIPAA.Security", "PCI.DSS.321")
# What the CDK calls the app's own warnings in the report, which it puts beside the packs.
_WARNINGS = "Construct Annotations"


@dataclass(frozen=True)
class Finding:
    """What one rule found at one construct.

    Attributes:
        pack: Name of the rule pack.
        rule: Id of the rule, with what it found in brackets where it finds several things.
        path: Path of the construct.
        what: What is wrong, in the pack's words.
        reason: Why it is acceptable. None: nobody has acknowledged it.
        acknowledged_at: Path of the construct that it is acknowledged at.
    """

    pack: str
    rule: str
    path: str
    what: str
    reason: str | None = None
    acknowledged_at: str | None = None


def read_findings(assembly: Path) -> list[Finding]:
    """What the packs found, from the report that a synth leaves in its assembly."""
    return [finding for finding in _reported(assembly) if finding.pack != _WARNINGS]


def read_warnings(assembly: Path) -> list[str]:
    """What the app itself warns of, from the same report."""
    return [
        finding.what
        for finding in _reported(assembly)
        if finding.pack == _WARNINGS and finding.reason is None
    ]


def _reported(assembly: Path) -> list[Finding]:
    report = json.loads((assembly / "validation-report.json").read_text())
    return [
        Finding(
            pack["pluginName"],
            violation["ruleName"],
            construct["constructPath"],
            violation["description"],
            violation.get("reason"),
            violation.get("acknowledgedAt"),
        )
        for pack in report["pluginReports"]
        for kind in ("violations", "suppressedViolations")
        for violation in pack.get(kind) or ()
        for construct in violation["violatingConstructs"]
    ]


def silent_packs(assembly: Path) -> list[str]:
    """Packs that did not report or broke off: no finding of theirs means nothing."""
    report = json.loads((assembly / "validation-report.json").read_text())
    # A pack that finds nothing is left out of the report, as one that never ran is. Every stage
    # has an acknowledged finding of each.
    heard = [
        pack["pluginName"]
        for pack in report["pluginReports"]
        if not (pack.get("metadata") or {}).get("error")
    ]
    return [pack for pack in PACKS if pack not in heard]


def stale_acknowledgements(assembly: Path) -> list[tuple[str, str]]:
    """Path and rule of each acknowledgement that no finding matches any longer."""
    matched = {
        (finding.acknowledged_at, f"{finding.pack}::{finding.rule}")
        for finding in read_findings(assembly)
    }
    given = [
        (path.removeprefix("/"), rule)
        for file in sorted(assembly.glob("*.metadata.json"))
        for path, entries in json.loads(file.read_text()).items()
        for entry in entries
        if entry["type"] == "aws:cdk:acknowledged-rules"
        for rule in entry["data"]
    ]
    return sorted(
        {(path, rule.partition("::")[2]) for path, rule in given if (path, rule) not in matched}
    )


def synthesize(assembly: Path, context: dict[str, Any]) -> str:
    """Run app.py as the CDK CLI does.

    Args:
        assembly: Folder for the assembly.
        context: Context values.

    Returns:
        What it said of findings and faults; empty if there are none.
    """
    run = subprocess.run(
        [sys.executable, str(PROJECT / "app.py")],
        cwd=PROJECT,
        env={**os.environ, "CDK_OUTDIR": str(assembly), "CDK_CONTEXT_JSON": json.dumps(context)},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stderr if run.returncode else ""


def describe(stage: str, assembly: Path) -> tuple[list[str], bool]:
    """The lines about one stage, and whether nothing is left to do about it."""
    findings = read_findings(assembly)
    still_open = [finding for finding in findings if finding.reason is None]
    accepted: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        if finding.reason is not None:
            accepted.setdefault((finding.path, finding.reason), []).append(finding.rule)
    stale = stale_acknowledgements(assembly)
    silent = silent_packs(assembly)
    lines = [
        f"{stage}: {len(still_open)} open, {len(findings) - len(still_open)} acknowledged "
        f"({', '.join(pack for pack in PACKS if pack not in silent)})"
    ]
    lines += [f"  OPEN {finding.rule} at {finding.path}: {finding.what}" for finding in still_open]
    lines += [f"  STALE {rule} at {path}: no finding matches; remove it" for path, rule in stale]
    lines += [f"  WARNING {text}" for text in read_warnings(assembly)]
    lines += [f"  SILENT {pack}: reported nothing; did it run?" for pack in silent]
    for (path, reason), rules in sorted(accepted.items()):
        lines += [f"  {path}", f"    {reason}", *(f"      {rule}" for rule in rules)]
    return lines, not (still_open or stale or silent)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="default: all of cdk.json")


def run(options: argparse.Namespace) -> int:
    """Print the findings of some stages.

    Returns:
        0 if none is open and no acknowledgement is stale, else 1.
    """
    known = json.loads((PROJECT / "cdk.json").read_text())["context"]["stages"]
    clean = True
    for stage in options.stages or known:
        with tempfile.TemporaryDirectory() as folder:
            assembly = Path(folder) / "cdk.out"
            said = synthesize(assembly, {"stage": stage})
            if not (assembly / "validation-report.json").exists():
                sys.stderr.write(said)
                return 1
            lines, is_clean = describe(stage, assembly)
        clean &= is_clean
        sys.stdout.write("\n".join(lines) + "\n\n")
    return 0 if clean else 1
