"""A stage that registers its packages: what it says, and what it can't say."""

import copy
from pathlib import Path
from typing import Any

import pytest

from model_packaging.step import InvalidConfigError
from stacks.stage import read_stage
from tests.conftest import synthesize
from tests.stacks.conftest import REGISTERING

GROUP = "arn:aws:sagemaker:eu-west-1:111122223333:model-package-group/churn"


def stage(**registration: Any) -> dict[str, Any]:
    changed = copy.deepcopy(REGISTERING)
    changed["registration"] |= registration
    return changed


def test_packages_are_not_registered_until_a_stage_says_so() -> None:
    least = {"owner": "machine-learning", "cost_centre": "CC-4711"}
    assert read_stage("trial", {"trial": least}).registration is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (stage(framwork="x"), "prod.registration.framwork: .* did you mean 'framework'"),
        (stage(approval_status="yes"), "prod.registration.approval_status: 'yes' is none of them"),
        (stage(content_types="text/csv"), "prod.registration.content_types: 'text/csv' can't be"),
        (
            stage() | {"packaging": {"processing_source_dir": "scripts/packager"}},
            "prod.registration: is given, and so is packaging.processing_source_dir",
        ),
        (
            stage() | {"alarms": {"executions": ["Ended"]}},
            "prod.alarms.executions.*: 'Ended' is none of them",
        ),
    ],
)
def test_what_cannot_work_is_refused_by_the_stages_setting(
    given: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InvalidConfigError, match=expected):
        read_stage("prod", {"prod": given})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (stage(framework_version="9"), "prod.registration.framework: 'sklearn' in the version '9'"),
        (
            stage(model_package_group=GROUP.replace("eu-west-1", "us-east-1")),
            "prod.registration.model_package_group: .* is in 'us-east-1'",
        ),
    ],
)
def test_what_shows_in_the_stack_names_the_stages_setting_too(
    tmp_path: Path, given: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InvalidConfigError, match=f"(?s)stages in cdk.json has 1 fault.*{expected}"):
        synthesize(tmp_path, stage="prod", stages={"prod": given})


def test_two_stages_make_two_groups_or_share_one_that_is_there() -> None:
    with pytest.raises(InvalidConfigError, match="'churn' is that of the stage 'dev' too"):
        read_stage("prod", {"dev": stage(), "prod": stage()})
    elsewhere = stage() | {"region": "eu-central-1"}
    assert read_stage("prod", {"dev": stage(), "prod": elsewhere})
    shared = stage(model_package_group=GROUP)
    assert read_stage("prod", {"dev": shared, "prod": shared})
