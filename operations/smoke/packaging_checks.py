"""What must come of a model: a package, the same one again, another one, or a reason."""

import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_packaging.step.s3_location import S3Location
from operations.executions.packagings import Packaging
from operations.executions.tables import duration, size
from operations.executions.verify import download_verified
from operations.smoke.journal import Check, CheckError
from operations.smoke.small_models import FILE, SmallModel
from operations.smoke.trial import Started, Trial

NAME = "model.tar.gz"
_READ_LOG = "`make logs EXECUTION={}` shows the job's log"


@dataclass(frozen=True)
class Packaged:
    """A model that has become a package.

    Attributes:
        model: The model.
        started: The execution, as it was started.
        ended: The same, ended.
        report: The package's report.
    """

    model: SmallModel
    started: Started
    ended: Packaging
    report: dict[str, Any]

    @property
    def package(self) -> str:
        """The package's S3 URI."""
        return str(self.ended.package)


def check_first(trial: Trial, check: Check, model: SmallModel) -> Packaged:
    """An uploaded model comes back packaged.

    Raises:
        CheckError: It does not.
    """
    started = trial.start_first(NAME, model.archive)
    packaged = _packaged(trial, started, model)
    by = f"started by hand, since {trial.by_hand}" if trial.by_hand else "started by its event"
    archive = packaged.report["archive"]
    check.proved(
        f"{packaged.ended.execution_id}, {by}, packaged it in {duration(packaged.ended.seconds)}: "
        f"{size(archive['bytes'])}, {packaged.report['mode']}, SHA-256 {archive['sha256']} as its "
        f"report says; {FILE} is as it was, {packaged.report['scripts']['entry_point']} is there"
    )
    return packaged


def check_again(trial: Trial, check: Check, first: Packaged) -> None:
    """The same model gives the same package again, and nothing runs.

    Raises:
        CheckError: It does not.
    """
    again = trial.start(_name(trial, first), first.model.archive)
    told = ""
    if again.parameters != first.started.parameters:
        if first.started.upload.etag == again.upload.etag:
            raise CheckError(
                f"{again.arn} was started with {dict(again.parameters)}, and the first with "
                f"{dict(first.started.parameters)}",
                "deploy the stack again",
            )
        one = _succeeded(trial, again)
        told = (
            "The bucket's KMS key gives each upload an ETag of its own, so the upload was packaged "
            f"anew, by {one.execution_id}. "
        )
        again = trial.start_again(first.started)
    one = _succeeded(trial, again)
    if one.cached_from is None or one.package != first.package:
        raise CheckError(
            f"{one.execution_id} ran again for {dict(again.parameters)} and wrote {one.package}",
            "if the setting enable_caching_package_step is off, that is what it does; if not, "
            "compare both executions' steps in SageMaker Studio",
        )
    check.proved(
        f"{told}{one.execution_id}, started with the same parameters, took "
        f"{duration(one.seconds)}, ran no job and gave the package of {one.cached_from} again"
    )


def check_other(trial: Trial, check: Check, first: Packaged, other: SmallModel) -> Packaged:
    """Another model under the same key gets a package of its own.

    Raises:
        CheckError: It does not.
    """
    packaged = _packaged(trial, trial.start(_name(trial, first), other.archive), other)
    if packaged.ended.cached_from or packaged.package == first.package:
        raise CheckError(
            f"{packaged.ended.execution_id} gave the package of the model before it again",
            "the ETag must be among the rule's parameters and in the step's environment: deploy "
            "the stack again",
        )
    _verified(trial, first.ended, first.model)  # is still what it was
    check.proved(
        f"{packaged.ended.execution_id} wrote a new package, {packaged.package}, of the new "
        "model; the first package is as it was"
    )
    return packaged


def check_broken(trial: Trial, check: Check, model: SmallModel) -> Packaging:
    """An archive that is cut off fails, with the script's own reason.

    Raises:
        CheckError: It does not.
    """
    started = trial.start(f"broken/{NAME}", model.broken)
    one = trial.follow(started)
    hint = _READ_LOG.format(one.execution_id)
    if one.status != "Failed":
        raise CheckError(f"{one.execution_id} is {one.status} for half an archive", hint)
    if NAME not in str(one.reason) or "is cut off" not in str(one.reason):
        raise CheckError(f"its reason is not the script's own: {one.reason}", hint)
    if written := _written(trial, one):
        raise CheckError(f"it has written {', '.join(written)}", hint)
    check.proved(f"{one.execution_id} failed and wrote nothing. Its reason: {one.reason}")
    return one


def package_of(trial: Trial, name: str, model: SmallModel) -> Packaged:
    """Upload a model under a key, and look at its package.

    Raises:
        CheckError: It gets none.
    """
    return _packaged(trial, trial.start(name, model.archive), model)


def _name(trial: Trial, first: Packaged) -> str:
    return first.started.upload.key.removeprefix(trial.folder.key)


def _packaged(trial: Trial, started: Started, model: SmallModel) -> Packaged:
    one = _succeeded(trial, started)
    return Packaged(model, started, one, _verified(trial, one, model))


def _succeeded(trial: Trial, started: Started) -> Packaging:
    one = trial.follow(started)
    if one.status != "Succeeded":
        raise CheckError(
            f"{one.execution_id} is {one.status}: {one.reason or 'someone stopped it'}",
            f"mend what the reason names; {_READ_LOG.format(one.execution_id)}",
        )
    return one


def _verified(trial: Trial, one: Packaging, model: SmallModel) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / NAME
        report = download_verified(trial.stage, str(one.package), str(one.report), archive)
        with tarfile.open(archive) as tar:
            names = [member.name.removeprefix("./") for member in tar]
            packed = tar.extractfile(FILE) if FILE in names else None
            content = packed.read() if packed else None
    if content != model.content:
        what = "has another" if content else "has no"
        raise CheckError(
            f"{one.package} {what} {FILE} than the model that was uploaded",
            f"{_READ_LOG.format(one.execution_id)}; this must not happen",
        )
    return report


def _written(trial: Trial, one: Packaging) -> list[str]:
    place = S3Location.parse(str(one.package))
    prefix = place.key.partition(f"/{one.execution_id}/")[0] + f"/{one.execution_id}/"
    listed = trial.stage.client("s3").list_objects_v2(Bucket=place.bucket, Prefix=prefix)
    return [item["Key"] for item in listed.get("Contents", [])]
