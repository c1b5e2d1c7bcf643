"""What is checked out against what is deployed, as it is read back from the local AWS."""

import json
import shutil
from pathlib import Path

import pytest

from operations.__main__ import main
from operations.review.assemblies.assembly import Assembly
from operations.review.assemblies.deployed import Deployed
from operations.review.changes import Change
from operations.review.comparison import compare
from tests.local_aws.conftest import STACK, Deployment, make_role

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def logged_in(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in deployment.cloud.environment.items():
        if name.startswith("AWS_") or name == "NO_PROXY":
            monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers another environment
    return monkeypatch


def review(new: Path, folder: Path) -> tuple[list[Change], list[str]]:
    """What changes from what is deployed to an assembly, and what was told meanwhile."""
    told: list[str] = []
    after = Assembly.read(new)
    return compare(Deployed("dev").assembly(after, folder, told.append), after), told


def test_what_was_deployed_is_the_same_after_it_was_read_back(
    deployment: Deployment, tmp_path: Path
) -> None:
    assert review(deployment.assembly, tmp_path) == ([], [])
    assert list(tmp_path.iterdir()) == []  # nothing is downloaded that is here


def test_an_edited_script_is_compared_with_the_one_in_the_bootstrap_bucket(
    edited: Path, tmp_path: Path
) -> None:
    [change], told = review(edited, tmp_path)
    assert change.kind == "asset"
    assert "inference.py changed, 1 line added and 0 lines removed" in change.meaning
    assert "+# Edited." in change.detail
    assert told == []


def test_protection_against_deletion_is_compared(dev: Path, tmp_path: Path) -> None:
    shutil.copytree(dev, tmp_path / "protected")
    manifest = json.loads((dev / "manifest.json").read_text())
    manifest["artifacts"][STACK]["properties"]["terminationProtection"] = True
    (tmp_path / "protected" / "manifest.json").write_text(json.dumps(manifest))
    [change], _ = review(tmp_path / "protected", tmp_path)
    assert change.meaning == "The stack can't be deleted by one command."


def test_without_permission_for_the_bucket_all_but_the_scripts_is_compared(
    deployment: Deployment, logged_in: pytest.MonkeyPatch, edited: Path, tmp_path: Path
) -> None:
    reads = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}
    role = make_role(deployment.cloud, "reviewer", "lambda", reads)
    sts = deployment.cloud.client("sts")
    given = sts.assume_role(RoleArn=role, RoleSessionName="review")["Credentials"]
    logged_in.setenv("AWS_ACCESS_KEY_ID", given["AccessKeyId"])
    logged_in.setenv("AWS_SECRET_ACCESS_KEY", given["SecretAccessKey"])
    logged_in.setenv("AWS_SESSION_TOKEN", given["SessionToken"])
    [change], [told] = review(edited, tmp_path)
    assert "its files can't be compared: those before are not there" in change.meaning
    assert told.startswith("s3://cdk-hnb659fds-assets-")
    assert "/ModelPackaging/" in told
    assert "can't be read, so its files are not compared: " in told


def test_the_command_reviews_what_is_checked_out(
    logged_in: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", "--deployed"]) == 0
    assert capsys.readouterr().out == (
        "Review of ModelPackaging against what is deployed: nothing changes\n"
    )
    assert main(["review", "--deployed", "--stage", "prod"]) == 2
    assert "the stack ModelPackaging-prod of the stage prod is not" in capsys.readouterr().err
    logged_in.setattr("boto3.DEFAULT_SESSION", None)
    logged_in.delenv("AWS_ACCESS_KEY_ID")
    logged_in.delenv("AWS_SECRET_ACCESS_KEY")
    assert main(["review", "--deployed"]) == 2
    assert capsys.readouterr().err == (
        "Failed: there are no AWS credentials; log in, or set AWS_PROFILE\n"
    )
