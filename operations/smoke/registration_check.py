"""What a stage that registers must have in the model registry: each package, and nothing else."""

import hashlib
from collections.abc import Iterable

from operations.executions.packagings import Packaging
from operations.registered_versions import (
    GROUP_OUTPUT,
    Version,
    arns_registered_by,
    digests,
    faults_of,
    read_version,
    versions_since,
)
from operations.smoke.journal import Check, CheckError
from operations.smoke.packaging_checks import Packaged
from operations.smoke.trial import Trial

_CONTRADICTS = (
    "docs/registration.md says what a version should have; compare it with the arguments of the "
    "registering step, and with the package's report (`make package-report`)"
)


def check_registered(
    trial: Trial, check: Check, packages: Iterable[Packaged], broken: Packaging | None
) -> None:
    """Each package is a version that tells what its report does, and a failure is none.

    Args:
        trial: What has been done.
        check: The check.
        packages: Packages of this run.
        broken: The execution of a model that can't be packaged, if there was one.

    Raises:
        CheckError: It is not so.
    """
    if GROUP_OUTPUT not in trial.stage.outputs:
        check.not_tried("the stage registers no packages")
        return
    versions = [_version(trial, packaged) for packaged in packages]
    told = ", ".join(version.told for version in versions)
    if broken is None:
        check.proved(f"{told}: the URI and the metadata are those of the packages")
        return
    if found := _made_by(trial, broken):
        raise CheckError(
            f"{broken.execution_id} failed, and has registered {', '.join(found)}",
            "whoever hosts the latest version hosts no package: do not approve it; registering "
            "must depend on the packaging step",
        )
    check.proved(
        f"{told}: the URI and the metadata are those of the packages; of the broken archive, "
        "nothing is registered"
    )


def _version(trial: Trial, packaged: Packaged) -> Version:
    sagemaker, one = trial.stage.client("sagemaker"), packaged.ended
    arns = arns_registered_by(sagemaker, one.arn)
    if len(arns) != 1:
        raise CheckError(
            f"{one.execution_id} has registered {len(arns)} versions of its package, and should "
            "have registered one",
            "if the pipeline's steps are as this checkout has them (`make diff`), compare with the "
            "execution's steps in SageMaker Studio",
        )
    version = read_version(sagemaker, arns[0])
    # The package was read and its digest compared with the report's before.
    sha256 = digests(
        package=packaged.report["archive"]["sha256"],
        model=hashlib.sha256(packaged.model.archive).hexdigest(),
    )
    if faults := faults_of(version, packaged.package, packaged.report, sha256):
        raise CheckError(f"in {version.arn}, {'; '.join(faults)}", _CONTRADICTS)
    return version


def _made_by(trial: Trial, broken: Packaging) -> list[str]:
    """The versions of an execution, by its steps and by the group itself."""
    sagemaker = trial.stage.client("sagemaker")
    found = set(arns_registered_by(sagemaker, broken.arn))
    group = trial.stage.output(GROUP_OUTPUT)
    for version in versions_since(sagemaker, group, broken.started):
        if f"/{broken.execution_id}/" in version.uri:
            found.add(version.arn)
    return sorted(found)
