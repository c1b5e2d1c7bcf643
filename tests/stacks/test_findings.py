"""The rule packs: that they ran, that nothing is open, and that no acknowledgement is stale."""

from collections.abc import Callable
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3

from model_packaging.acknowledgements import acknowledge, in_control_packs
from operations import findings
from stacks.rule_packs import add_rule_packs
from tests.stacks.conftest import SURROUNDED, SYNTHESIZED


@pytest.mark.parametrize("stage", [*SYNTHESIZED, SURROUNDED])
def test_no_finding_is_open_and_no_acknowledgement_stale(
    stage: str, assembly: Callable[[str], Path]
) -> None:
    lines, is_clean = findings.describe(stage, assembly(stage))
    assert is_clean, "\n".join(lines)
    assert findings.silent_packs(assembly(stage)) == []


@pytest.mark.parametrize("stage", [*SYNTHESIZED, SURROUNDED])
def test_every_acknowledgement_has_a_reason_and_a_rule_that_worked(
    stage: str, assembly: Callable[[str], Path]
) -> None:
    for finding in findings.read_findings(assembly(stage)):
        assert finding.reason
        assert len(finding.reason) > 40, finding
        # A rule that breaks off reports a finding too, and an acknowledgement would hide it.
        assert "threw an error" not in finding.what, finding


def test_a_warning_of_the_app_is_told_and_is_no_finding(assembly: Callable[[str], Path]) -> None:
    lines, is_clean = findings.describe("prod", assembly("prod"))
    [warning] = [line for line in lines if line.startswith("  WARNING ")]
    assert warning.startswith("  WARNING stages.prod.alarms: alarms are made, but nobody is told")
    assert is_clean


def canary(outdir: Path, *acknowledged: str, at: str = "Bucket") -> Path:
    """An assembly with a bucket that has every fault."""
    app = App(outdir=str(outdir))
    stack = Stack(app, "Canary")
    s3.CfnBucket(stack, "Bucket")
    s3.CfnBucket(stack, "Other")
    if acknowledged:
        acknowledge(stack.node.find_child(at), "A canary is to die.", *acknowledged)
    add_rule_packs(app)
    with pytest.raises(RuntimeError, match="AwsSolutions-S1"):
        app.synth()
    return outdir


@pytest.mark.parametrize("pack", findings.PACKS)
def test_a_fault_is_found_by_each_pack(pack: str, tmp_path: Path) -> None:
    found = [
        finding for finding in findings.read_findings(canary(tmp_path)) if finding.pack == pack
    ]
    assert found
    assert all(finding.reason is None for finding in found)
    assert {finding.path for finding in found} == {"Canary/Bucket", "Canary/Other"}


def test_an_acknowledgement_holds_for_its_construct_and_rule_alone(tmp_path: Path) -> None:
    assembly = canary(tmp_path, "AwsSolutions-S1", *in_control_packs("S3BucketLoggingEnabled"))
    accepted = {
        (finding.rule, finding.path)
        for finding in findings.read_findings(assembly)
        if finding.reason
    }
    assert accepted == {
        ("AwsSolutions-S1", "Canary/Bucket"),
        ("NIST.800.53.R5-S3BucketLoggingEnabled", "Canary/Bucket"),
        ("HIPAA.Security-S3BucketLoggingEnabled", "Canary/Bucket"),
        ("PCI.DSS.321-S3BucketLoggingEnabled", "Canary/Bucket"),
    }


def test_open_findings_are_told_with_their_construct(tmp_path: Path) -> None:
    lines, is_clean = findings.describe("canary", canary(tmp_path))
    assert not is_clean
    assert any(line.startswith("  OPEN AwsSolutions-S1 at Canary/Bucket: ") for line in lines)


def test_an_acknowledgement_without_a_finding_is_stale(tmp_path: Path) -> None:
    assembly = canary(tmp_path, "AwsSolutions-S1", "AwsSolutions-IAM5", "AwsSolutions-S99")
    assert findings.stale_acknowledgements(assembly) == [
        ("Canary/Bucket", "AwsSolutions-IAM5"),
        ("Canary/Bucket", "AwsSolutions-S99"),
    ]
    lines, is_clean = findings.describe("canary", assembly)
    assert not is_clean
    assert "  STALE AwsSolutions-S99 at Canary/Bucket: no finding matches; remove it" in lines


def test_a_pack_that_did_not_report_is_told(tmp_path: Path) -> None:
    (tmp_path / "validation-report.json").write_text('{"pluginReports": []}')
    lines, is_clean = findings.describe("canary", tmp_path)
    assert not is_clean
    assert len([line for line in lines if line.startswith("  SILENT ")]) == len(findings.PACKS)


def test_an_acknowledgement_needs_a_reason() -> None:
    stack = Stack(App(), "Stack")
    with pytest.raises(ValueError, match="Stack: AwsSolutions-S1 is acknowledged for no reason"):
        acknowledge(stack, " ", "AwsSolutions-S1")
