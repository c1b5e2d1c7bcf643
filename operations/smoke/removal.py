"""Takes away what a smoke test has left in a stage, whatever came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from model_packaging.step.s3_location import S3Location
from operations.executions.faults import OperationError
from operations.executions.packagings import Packaging
from operations.registered_versions import arns_registered_by
from operations.smoke import arrival
from operations.smoke.trial import Trial

SECONDS_TO_SETTLE = 20.0  # for what was uploaded just before Ctrl-C


class Removal:
    """Stops what runs, and removes what was uploaded, packaged and registered.

    Nobody is given a removed package again: the step's cache knows it by a key in S3 that no other
    upload has.

    Args:
        trial: What has been done.

    Attributes:
        left: What could not be removed, and why.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._s3 = trial.stage.client("s3")
        self.left: list[str] = []

    def run(self) -> None:
        """Do it, and tell of it."""
        trial = self._trial
        trial.journal.say("\nRemoving what this run has made …")
        ended: list[Packaging] = []
        with self._trying(f"executions whose model has {trial.mark} in its key"):
            trial.settle(SECONDS_TO_SETTLE)
            ended = trial.stop_executions()
        if trial.unseen:
            with self._trying("events in the dead-letter queue"):
                arrival.remove_undelivered(trial.stage, trial.mark)
        registered = sum(map(self._unregister, ended))
        places = [trial.folder, *filter(None, map(_output, ended))]
        removed = 0
        for place in places:
            with self._trying(f"objects below {place.uri}"):
                removed += self._delete_versions(place)
        trial.journal.say(
            f"    {removed} objects are removed: all below {trial.folder.uri}, the packages and "
            "their reports.\n    What stays: the list of executions, their logs, metrics."
        )
        if registered:
            trial.journal.say(f"    {registered} versions are removed from the model registry.")
        if trial.unseen and not trial.by_hand:
            trial.journal.say(
                f"    {trial.unseen} of the uploads have started nothing. An event that comes yet "
                "starts an execution, which fails: its model is gone."
            )

    @contextmanager
    def _trying(self, what: str) -> Iterator[None]:
        """Go on with the rest when one thing can't be removed."""
        try:
            yield
        except (BotoCoreError, ClientError, OperationError) as fault:
            self.left.append(f"{what}: {fault}")

    def _unregister(self, one: Packaging) -> int:
        """Delete what a step behind the packaging has registered; how many versions."""
        sagemaker, count = self._trial.stage.client("sagemaker"), 0
        with self._trying(f"what {one.arn} registered"):
            for arn in arns_registered_by(sagemaker, one.arn):
                sagemaker.delete_model_package(ModelPackageName=arn)
                count += 1
        return count

    def _delete_versions(self, place: S3Location) -> int:
        """Delete all versions of the objects below a prefix; how many."""
        count = 0
        for page in self._s3.get_paginator("list_object_versions").paginate(
            Bucket=place.bucket, Prefix=place.key
        ):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            versions = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            if not versions:
                continue
            answer: dict[str, Any] = self._s3.delete_objects(
                Bucket=place.bucket, Delete={"Objects": versions, "Quiet": True}
            )
            for refused in answer.get("Errors", []):
                self.left.append(f"s3://{place.bucket}/{refused['Key']}: {refused['Message']}")
            count += len(versions) - len(answer.get("Errors", []))
        return count


def _output(one: Packaging) -> S3Location | None:
    """Where an execution, and no other, has written."""
    own = f"/{one.execution_id}/"
    if one.cached_from or one.package is None or own not in one.package:
        return None
    return S3Location.parse(f"{one.package.partition(own)[0]}{own}")
