"""Verify a package in S3: its digest against its report, and every byte of the archive."""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import botocore.exceptions

from model_packaging.step import contract
from model_packaging.step.packager import own_packager
from model_packaging.step.s3_location import S3Location
from operations.executions.deployed_stage import DeployedStage, add_stage, deployed_stage, named
from operations.executions.faults import OperationError, telling_faults
from operations.executions.packagings import package_report, packaging
from operations.executions.tables import print_json, size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_stage(parser)
    parser.add_argument(
        "package",
        type=named("a PACKAGE, s3://…, or the id of its execution"),
        help="s3://… of the package, or the id of its execution",
    )


@telling_faults
def run(options: argparse.Namespace) -> int:
    """Verify it.

    Returns:
        0 if it is what its report says and can be read to its end; 1 if not.
    """
    stage = deployed_stage(options.stage)
    package, report_uri = _places(stage, options.package)
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "model.tar.gz"
        report = download_verified(stage, package, report_uri, archive)
        count = archive.stat().st_size
    digest = report["archive"]["sha256"]
    if options.json:
        found = {"package": package, "bytes": count, "sha256": digest, "verified": True}
        print_json(found | {"model": report["source"]["uri"]})
    else:
        print(f"{package}\n{size(count)}, SHA-256 {digest}: as its report says")
        print(f"{report['archive']['files']} files, read to the archive's end")
    return 0


def download_verified(
    stage: DeployedStage, package: str, report_uri: str, archive: Path
) -> dict[str, Any]:
    """Download a package, and verify it.

    Args:
        stage: Whose package it is.
        package: Its S3 URI.
        report_uri: That of its report.
        archive: File to be written.

    Returns:
        The report.

    Raises:
        OperationError: It is not what its report says, or can't be read to its end.
    """
    report = package_report(stage, report_uri)
    if report is None:
        raise OperationError(
            f"{package} has no report at {report_uri}, so nothing tells what it should be; package "
            "its model again"
        )
    _download(stage, package, archive)
    digest = _sha256(archive)
    if digest != report["archive"]["sha256"]:
        raise OperationError(
            f"{package} has the SHA-256 {digest}, and its report says "
            f"{report['archive']['sha256']}: it was written over since; package its model again"
        )
    _read_to_its_end(archive, report, package)
    return report


def _places(stage: DeployedStage, given: str) -> tuple[str, str]:
    """URIs of a package and of its report."""
    if not given.startswith("s3://"):
        one = packaging(stage, given)
        if one.package is None or one.report is None:
            raise OperationError(f"the execution {one.execution_id} has no package")
        return one.package, one.report
    folder, _, name = given.rpartition("/")
    if not folder.endswith(f"/{contract.PACKAGED_MODEL_FOLDER}") or not name:
        raise OperationError(
            f"{given} is no package; write s3://…/{contract.PACKAGED_MODEL_FOLDER}/model.tar.gz, "
            "or the id of its execution"
        )
    beside = folder.removesuffix(contract.PACKAGED_MODEL_FOLDER)
    return given, f"{beside}{contract.PACKAGE_REPORT_FOLDER}/{contract.REPORT_NAME}"


def _download(stage: DeployedStage, package: str, archive: Path) -> None:
    place = S3Location.parse(package)
    try:
        stage.client("s3").download_file(place.bucket, place.key, str(archive))
    except botocore.exceptions.ClientError as fault:
        if fault.response["Error"]["Code"] == "404":
            raise OperationError(
                f"there is no {package} (any longer); package its model again"
            ) from fault
        raise


def _read_to_its_end(archive: Path, report: dict[str, Any], package: str) -> None:
    """Let the packager check the archive, as it checks what it writes."""
    entry_point = report["scripts"]["entry_point"].removeprefix("code/")
    checked = subprocess.run(
        [
            *(sys.executable, str(own_packager()), "--check", str(archive)),
            *("--inference-entry-point", entry_point),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode != 0:
        reason = checked.stderr.strip().rpartition("error: ")[2]
        raise OperationError(f"{package} is as it was written, and no good: {reason}")


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
