"""Try a deployed stage with small models, and take away all that the trial has left.

It uploads below models/smoke/<id>/, follows what that starts, and looks at what comes of it: a
package, the same again, another model under the same key, a broken archive, their versions in the
model registry, odd keys, the alarms and metrics of the stage, and, if it is asked to, an endpoint.
It deploys nothing. In an account it runs four short jobs one after the other, one more if the
bucket has a KMS key, and up to seven more if odd keys don't go through.
"""

import argparse
import secrets
import signal
from typing import Any, NoReturn

from operations.executions.deployed_stage import DeployedStage, add_stage, deployed_stage
from operations.executions.faults import OperationError, telling_faults
from operations.executions.packagings import Packaging
from operations.executions.tables import print_json
from operations.smoke import open_questions
from operations.smoke.endpoint_check import EndpointCheck
from operations.smoke.journal import Journal
from operations.smoke.monitoring_checks import Monitoring
from operations.smoke.odd_keys import check_odd_keys
from operations.smoke.packaging_checks import (
    Packaged,
    check_again,
    check_broken,
    check_first,
    check_other,
)
from operations.smoke.registration_check import check_registered
from operations.smoke.removal import Removal
from operations.smoke.small_models import small_model
from operations.smoke.trial import Trial

_FIRST = "An uploaded model comes back packaged"
_AGAIN = "The same model again gives the same package"
_OTHER = "Another model under the same key gets a new package"
_REGISTERED = "Each package is a version in the model registry"
_ODD = "Odd keys are tried"
_ENDPOINT = "An endpoint of the package answers as the model"
_BROKEN = "A broken archive fails with the script's own reason"
_METRICS = "Metrics count what ran"
_ALARMS = "The alarm on failures is raised, and no other"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_stage(parser)
    parser.add_argument(
        "--endpoint",
        action="store_true",
        help="also create a serverless endpoint of a package, ask it, and delete it",
    )
    parser.add_argument("--role", help="ARN of the role that hosting takes, for --endpoint")


@telling_faults
def run(options: argparse.Namespace) -> int:
    """Run the smoke test.

    Returns:
        0 if every check that could be tried was proved and nothing is left; 1 if not.
    """
    if options.endpoint and not options.role:
        raise OperationError(
            "an endpoint needs a role that may read the packages; name it: "
            "ENDPOINT=1 ROLE=arn:aws:iam::111122223333:role/hosting"
        )
    _end_like_ctrl_c()
    smoke = Smoke(
        deployed_stage(options.stage),
        role=options.role if options.endpoint else None,
        quiet=options.json,
    )
    try:
        smoke.run()
    except KeyboardInterrupt:
        _tell(smoke, as_json=options.json)
        raise
    _tell(smoke, as_json=options.json)
    failed = [check.name for check in smoke.journal.checks if check.outcome == "failed"]
    if failed:
        raise OperationError(
            f"{len(failed)} of {len(smoke.journal.checks)} checks: {'; '.join(failed)}"
        )
    return 1 if smoke.left else 0


def _tell(smoke: "Smoke", *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "stack": smoke.stage.stack,
                "checks": [vars(check) for check in smoke.journal.checks],
                "answers": smoke.journal.answers,
                "imitation": smoke.journal.imitation or None,
                "left": smoke.left,
            }
        )
    smoke.journal.summarize()
    if smoke.left:
        smoke.journal.say("\nNot all could be removed. Delete by hand")
        for what in smoke.left:
            smoke.journal.say(f"    {what}")


class Smoke:
    """One smoke test.

    Args:
        stage: The stage.
        role: ARN of the role that hosting takes. Default: no endpoint is tried.
        quiet: Print nothing.

    Attributes:
        stage: As given.
        journal: What it has found.
        left: What could not be removed, and why.
    """

    def __init__(self, stage: DeployedStage, *, role: str | None, quiet: bool) -> None:
        self.stage = stage
        self.journal = Journal(quiet=quiet)
        self.journal.imitation = _imitation(stage)
        self.left: list[str] = []
        self._role = role
        # Numbers that no earlier run has used, so that an answer tells whose it is.
        self._number = secrets.randbelow(10**6) * 100.0
        self._monitoring = Monitoring(stage, self.journal)

    def run(self) -> None:
        """Run all checks, and remove what they have left, whatever happens."""
        trial = Trial(self.stage, self.journal)
        region = self.stage.pipeline_arn.split(":")[3]
        self.journal.say(
            f"Smoke test {trial.mark} of {self.stage.stack} in {region}, pipeline "
            f"{self.stage.pipeline_name}\nIt uploads below {trial.folder.uri}"
        )
        if trial.by_hand:
            self.journal.say(
                f"The pipeline is started by hand, since {trial.by_hand}: that events start it is "
                "not tried."
            )
        try:
            self._checks(trial)
        finally:
            self._remove(trial)

    def _remove(self, trial: Trial) -> None:
        removal = Removal(trial)
        try:
            removal.run()
            self.left += removal.left
        except KeyboardInterrupt:
            self.left.append(f"interrupted again: all below {trial.folder.uri}")
            self.left += [f"what {arn} has written" for arn in trial.executions]
            raise

    def _checks(self, trial: Trial) -> None:
        journal, number = self.journal, self._number
        first: Packaged | None = None
        other: Packaged | None = None
        failed: Packaging | None = None
        with journal.check(_FIRST) as check:
            first = check_first(trial, check, small_model(number))
        if first is None:
            for name in (_AGAIN, _OTHER, _BROKEN, _REGISTERED, _ODD, _METRICS, _ALARMS):
                journal.skip(name, "no model is packaged at all")
            return
        open_questions.answer_all(trial, first)
        with journal.check(_AGAIN) as check:
            check_again(trial, check, first)
        with journal.check(_OTHER) as check:
            other = check_other(trial, check, first, small_model(number + 1))
        if self._role:
            name = f"smoke-{trial.mark}"
            endpoint = EndpointCheck(self.stage, journal, role=self._role, name=name)
            with journal.check(_ENDPOINT) as check:
                try:
                    endpoint.run(check, other or first)
                finally:
                    self.left += endpoint.left
        with journal.check(_BROKEN) as check:
            self._monitoring.announce()
            failed = check_broken(trial, check, small_model(number + 50))
            open_questions.answer_of_failure(trial, failed)
        with journal.check(_REGISTERED) as check:
            check_registered(trial, check, filter(None, (first, other)), failed)
        with journal.check(_ODD) as check:  # some may fail, which raises the same alarm
            check_odd_keys(trial, check, number + 2)
        with journal.check(_METRICS) as check:
            self._monitoring.check_metrics(check, succeeded=2)
        with journal.check(_ALARMS) as check:
            self._monitoring.check_alarms(check, undelivered=trial.undelivered)


def _imitation(stage: DeployedStage) -> str:
    endpoint = str(stage.client("sagemaker").meta.endpoint_url)
    return endpoint if endpoint.startswith("http:") else ""


def _end_like_ctrl_c() -> None:
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, _stop)


def _stop(signal_number: int, _: Any) -> NoReturn:
    raise KeyboardInterrupt
