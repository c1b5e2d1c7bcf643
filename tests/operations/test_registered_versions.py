"""Versions in the model registry that are not what they should be, as demo and smoke test find."""

import datetime
import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from model_packaging.step import contract
from operations.executions.packagings import Packaging
from operations.registered_versions import GROUP_OUTPUT, digests
from operations.registration_stage import read_registered, registration_for
from operations.smoke.journal import Check, CheckError, Journal
from operations.smoke.packaging_checks import Packaged
from operations.smoke.registration_check import check_registered
from operations.smoke.removal import Removal
from operations.smoke.trial import Trial
from operations.stages import ExplainedError
from tests.operations.test_smoke_parts import PIPELINE, Client, packaged_model, stage_of

GROUP = "arn:aws:sagemaker:eu-west-1:111122223333:model-package-group/churn"
VERSION = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/churn/7"
BROKEN = f"{PIPELINE}/execution/brokenbroken"


def packaged() -> Packaged:
    """A package, whose report tells the registry of it."""

    one = packaged_model()
    model = hashlib.sha256(one.model.archive).hexdigest()
    told = dict.fromkeys(contract.REGISTRY_VALUES, "as reported")
    told |= digests(package="p" * 64, model=model)
    one.report.update({contract.REPORT_REGISTRY: told, "archive": {"sha256": "p" * 64}})
    return one


class Registry(Client):
    """A model registry.

    Args:
        registered: The versions that each execution has registered, by its ARN.
        listed: The versions of the group.
        uri: S3 URI of each one's package.
        **told: What its metadata tells otherwise than the report.
    """

    def __init__(
        self,
        registered: dict[str, list[str]],
        listed: tuple[str, ...] = (),
        uri: str = packaged_model().package,
        **told: str,
    ) -> None:
        metadata = packaged().report[contract.REPORT_REGISTRY] | told
        super().__init__(
            list_pipeline_execution_steps=lambda **given: {
                "PipelineExecutionSteps": [
                    {"StepName": "PackagingStep", "Metadata": {"ProcessingJob": {"Arn": "arn"}}},
                    {"StepName": "NotYet"},
                    *(
                        {"Metadata": {"RegisterModel": {"Arn": arn}}}
                        for arn in registered.get(given["PipelineExecutionArn"], [])
                    ),
                ]
            },
            list_model_packages={
                "ModelPackageSummaryList": [{"ModelPackageArn": arn} for arn in listed]
            },
            describe_model_package=lambda **given: {
                "ModelPackageArn": given["ModelPackageName"],
                "ModelPackageGroupName": "churn",
                "ModelPackageVersion": 7,
                "ModelApprovalStatus": "PendingManualApproval",
                "InferenceSpecification": {"Containers": [{"ModelDataUrl": uri}]},
                "CustomerMetadataProperties": metadata,
            },
        )


def checked(registry: Registry, broken: Packaging | None = None, **outputs: str) -> Check:
    """What the smoke test finds."""
    check, trial = Check("registered"), Trial.__new__(Trial)
    trial.stage = stage_of(registry, **(outputs or {GROUP_OUTPUT: GROUP}))
    check_registered(trial, check, [packaged()], broken)
    return check


def ended(arn: str) -> Packaging:
    now = datetime.datetime.now(datetime.timezone.utc)
    return Packaging(arn, "Failed", now, now, "m", "p", "r", "job", None, "cut off")


PACKAGED = packaged_model().started.arn
RIGHT = {PACKAGED: [VERSION]}


def test_a_version_that_tells_what_the_report_tells_is_proved() -> None:
    check = checked(Registry(RIGHT), ended(BROKEN))
    assert check.outcome == "proved"
    assert check.told == (
        "churn version 7, PendingManualApproval: the URI and the metadata are those of the "
        "packages; of the broken archive, nothing is registered"
    )


def test_nothing_is_said_of_a_broken_archive_that_was_not_tried() -> None:
    assert "broken" not in checked(Registry(RIGHT)).told


def test_a_stage_that_registers_nothing_is_not_tried() -> None:
    assert checked(Registry({}), BucketName="bucket").outcome == "not tried"


@pytest.mark.parametrize("arns", [[], [VERSION, VERSION]])
def test_a_package_is_one_version(arns: list[str]) -> None:
    told = f"has registered {len(arns)} versions of (its|the) package"
    with pytest.raises(CheckError, match=told):
        checked(Registry({PACKAGED: arns}))
    with pytest.raises(ExplainedError, match=told):
        read_registered(Registry({PACKAGED: arns}), PACKAGED, "", {}, {})


@pytest.mark.parametrize(
    ("otherwise", "told"),
    [
        ({"uri": "s3://bucket/other"}, "its package is s3://bucket/other, and should be s3://"),
        ({"source": "another"}, "source is another, and should be as reported"),
        ({"package_sha256": "other"}, f"package_sha256 is other, and should be {'p' * 64}"),
        ({"model_sha256": "other"}, "model_sha256 is other, and should be "),
    ],
)
def test_what_a_version_tells_otherwise_is_named(otherwise: dict[str, Any], told: str) -> None:
    registry, one = Registry(RIGHT, **otherwise), packaged()
    with pytest.raises(CheckError, match=told):
        checked(registry)
    with pytest.raises(ExplainedError, match=told):
        read_registered(
            registry, PACKAGED, one.package, one.report, one.report[contract.REPORT_REGISTRY]
        )


def test_a_report_that_tells_the_registry_another_digest_than_the_files_is_found_out() -> None:
    one = packaged()
    files = digests(package="f" * 64, model="f" * 64)
    with pytest.raises(ExplainedError, match=f"package_sha256 is {'p' * 64}, and should be fff"):
        read_registered(Registry(RIGHT), PACKAGED, one.package, one.report, files)


def test_a_failure_that_registered_is_found_by_its_steps_and_by_its_group() -> None:
    with pytest.raises(CheckError, match=f"brokenbroken failed, and has registered {VERSION}"):
        checked(Registry({**RIGHT, BROKEN: [VERSION]}), ended(BROKEN))
    # Whoever reads the group finds it, whatever the steps tell.
    broken = ended(BROKEN.replace("brokenbroken", "abcdef012345"))
    registry = Registry(RIGHT, listed=(VERSION,))
    registry.answers["list_pipeline_execution_steps"] = {"PipelineExecutionSteps": []}
    trial = Trial.__new__(Trial)
    trial.stage = stage_of(registry, **{GROUP_OUTPUT: GROUP})
    with pytest.raises(CheckError, match=f"abcdef012345 failed, and has registered {VERSION}"):
        check_registered(trial, Check("registered"), [], broken)
    listed = {"ModelPackageGroupName": GROUP, "CreationTimeAfter": broken.started}
    assert ("list_model_packages", listed) in registry.called


def test_a_version_that_cannot_be_removed_is_left_and_named() -> None:

    registry = Registry(RIGHT)
    refusal = {"Error": {"Code": "AccessDenied", "Message": "not you"}}
    registry.answers["delete_model_package"] = ClientError(refusal, "DeleteModelPackage")
    trial = Trial.__new__(Trial)
    trial.stage, trial.journal = stage_of(registry), Journal(quiet=True)
    removal = Removal(trial)
    assert removal._unregister(ended(PACKAGED)) == 0
    assert removal.left[0].startswith(f"what {PACKAGED} registered: ")
    assert "not you" in removal.left[0]


@pytest.mark.parametrize(
    ("settings", "registers"),
    [
        ({}, True),
        ({"registration": {"model_package_group": "churn"}}, False),
        ({"packaging": {"processing_source_dir": "own"}}, False),
    ],
)
def test_the_demo_gives_no_registration_to_a_stage_that_has_or_refuses_one(
    settings: dict[str, Any], registers: bool
) -> None:
    assert (registration_for(settings) is not None) == registers
