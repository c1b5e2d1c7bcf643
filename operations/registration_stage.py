"""The demo's stage that looks for the package in the model registry."""

from collections.abc import Mapping
from typing import Any

from operations.registered_versions import Version, arns_registered_by, faults_of, read_version
from operations.stages import ExplainedError

# For a stage that registers nothing by itself. The image is the one that the demo serves with.
_REGISTRATION = {
    "model_package_group": "demo",
    "framework": "sklearn",
    "framework_version": "1.2-1",
}


def registration_for(settings: Mapping[str, Any]) -> dict[str, str] | None:
    """The registration that the demo gives a stage.

    Args:
        settings: The stage's own settings.

    Returns:
        None for a stage that has one, or that can't have any: its packaging script is its own.
    """
    if settings.get("registration") or "processing_source_dir" in settings.get("packaging", {}):
        return None
    return _REGISTRATION


def read_registered(
    sagemaker: Any,
    execution_arn: str,
    package: str,
    report: Mapping[str, Any],
    sha256: Mapping[str, str],
) -> Version:
    """The version that an execution has registered.

    Args:
        sagemaker: Client of SageMaker.
        execution_arn: The execution.
        package: S3 URI of its package.
        report: The package's report.
        sha256: The digests that the version must tell, by their names there.

    Raises:
        ExplainedError: There is none, or it tells something else than the report.
    """
    arns = arns_registered_by(sagemaker, execution_arn)
    if len(arns) != 1:
        raise ExplainedError(
            f"the execution has registered {len(arns)} versions of the package and should have "
            "registered one"
        )
    version = read_version(sagemaker, arns[0])
    if faults := faults_of(version, package, report, sha256):
        raise ExplainedError(f"in {version.arn}, {'; '.join(faults)}")
    return version
