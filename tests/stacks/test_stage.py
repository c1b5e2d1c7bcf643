"""The stages of cdk.json: the defaults are those of production, and what is wrong is said once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_packaging.step import InvalidConfigError
from stacks.stage import read_stage
from tests.conftest import PROJECT, synthesize
from tests.docs import pages
from tests.stacks.conftest import EVERYTHING, MINIMAL

SHIPPED = json.loads((PROJECT / "cdk.json").read_text())["context"]
LEAST: dict[str, Any] = {"owner": "machine-learning", "cost_centre": "CC-4711"}


def test_the_smallest_stage_of_the_documentation_is_the_default_one() -> None:
    dev = SHIPPED["stages"][SHIPPED["stage"]]
    assert dev.items() >= MINIMAL.items()


def test_the_documentation_shows_every_setting(stage_settings: set[str]) -> None:
    table = pages.table(pages.DOCS / "stages.md", "`stack_name`")
    assert {name for name in stage_settings if f"`{name}`" not in table} == set()


@pytest.fixture
def stage_settings() -> set[str]:
    schema = read_stage("a", {"a": LEAST}).model_json_schema()
    nested = [set(part["properties"]) for part in schema["$defs"].values()]
    return set(schema["properties"]).union(*nested)


def test_what_a_stage_leaves_out_is_safe() -> None:
    settings = read_stage("trial", {"trial": LEAST})
    assert settings.removal_policy == "retain"
    assert settings.termination_protection
    assert settings.customer_key is True
    assert settings.bucket.access_logs
    assert settings.stack_name == "ModelPackaging-trial"
    assert settings.pipeline_name == "model-packaging-trial"


def test_every_stage_is_read_whichever_is_chosen() -> None:
    with pytest.raises(InvalidConfigError, match=r"prod\.cost_centre: is required"):
        read_stage("dev", {"dev": LEAST, "prod": {"owner": "machine-learning"}})


def test_an_unknown_stage_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidConfigError) as caught:
        read_stage("prdo", {"dev": LEAST, "prod": LEAST})
    assert str(caught.value) == (
        "The context has 1 fault:\n  stage: 'prdo' is given, but there is no such stage; did you "
        "mean 'prod'? (there are dev, prod)"
    )


KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
NETWORK = EVERYTHING["network"]
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"acount": "111122223333"}, "acount: '111122223333' is given, but there is no such setting; "),
    ({"acount": "111122223333"}, "did you mean 'account'? (there are stack_name, pipeline_name, "),
    ({"trigger": {"kid": "upload"}}, "trigger.kid: 'upload' is given, but there is no such "),
    ({"trigger": {"enabeld": True}}, "did you mean 'enabled'? (there are kind, enabled, prefix, "),
    ({"trigger": {"kind": "uplaod"}}, "trigger.kind: 'uplaod' is none of them; write one of 'up"),
    ({"trigger": {"kind": "training-job"}}, "trigger: the kind 'training-job' needs training_job_"),
    ({"trigger": {"training_prefix": "t/"}}, "training_prefix has no meaning for the kind 'upload"),
    ({"account": "1234"}, "account: '1234' is not an AWS account; write its 12 digits"),
    ({"account": 111122223333}, "account: 111122223333 is not a text; write it in quotes"),
    ({"region": "eu-west"}, "region: 'eu-west' has no scikit-learn container of SageMaker's; did"),
    ({"removal_policy": "snapshot"}, "write one of 'retain' or 'destroy'"),
    ({"termination_protection": "maybe"}, "termination_protection: 'maybe' is neither; write true"),
    ({"customer_key": "alias/ml"}, "customer_key: 'alias/ml' is no key; write true to make one, "),
    ({"bootstrap_key": "alias/cdk"}, "bootstrap_key: 'alias/cdk' is no key; write 'arn:aws:kms:<r"),
    ({"bootstrap_key": True}, "bootstrap_key: True is not a text; write it in quotes"),
    ({"permissions_boundary": "a b"}, "permissions_boundary: 'a b' is no managed policy; write it"),
    ({"permissions_boundary": "/a"}, "permissions_boundary: '/a' is no managed policy; write its "),
    (
        {"permissions_boundary": "arn:aws:iam::111122223333:role/a"},
        "permissions_boundary: 'arn:aws:iam::111122223333:role/a' is no managed policy; write its",
    ),
    (
        {
            "account": "111122223333",
            "permissions_boundary": "arn:aws:iam::444455556666:policy/Boundary",
        },
        "permissions_boundary is a policy of the account 444455556666, and account is 111122223333",
    ),
    ({"sizes": {"volume_size": 5}}, "sizes.volume_size: 5 is out of range; write at least 10"),
    ({"sizes": {"instance_type": "ml.m5.xxl"}}, "sizes.instance_type: 'ml.m5.xxl' is not one of "),
    ({"log_retention": "A_YEAR"}, "log_retention: 'A_YEAR' is none of them; write one of ONE_DAY"),
    ({"alarms": {"emails": ["ml-operations"]}}, "alarms.emails[0]: 'ml-operations' is not an e-m"),
    ({"alarms": {"days_without_execution": 8}}, "alarms.days_without_execution: 8 is out of range"),
    ({"alarms": {"topic_arn": "ops"}}, "alarms.topic_arn: 'ops' is not a topic; write 'arn:aws:s"),
    (
        {"alarms": {"topic_arn": "arn:aws:sns:eu-west-1:111122223333:ops", "emails": ["a@b.c"]}},
        "alarms: emails and topic_arn are both given; ",
    ),
    (
        {"network": NETWORK | {"vpc_id": "default"}},
        "network.vpc_id: 'default' is not the id of a V",
    ),
    ({"network": NETWORK | {"availability_zones": ["a"]}}, "network: 2 subnets and 1 availability"),
    ({"network": NETWORK | {"route_tables": []}}, "network: s3_endpoint needs route_tables; write"),
    ({"stack_name": "Model_Packaging"}, "stack_name: 'Model_Packaging' is not the name of a stack"),
    ({"pipeline_name": "model packaging"}, "pipeline_name: 'model packaging' "),
    ({"owner": None}, "owner: None is not a text; write it in quotes"),
]


@pytest.mark.parametrize(("wrong", "expected"), WRONG, ids=[text[:30] for _, text in WRONG])
def test_a_wrong_setting_is_answered_with_what_is_allowed(
    wrong: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        read_stage("prod", {"prod": LEAST | wrong})
    [problem] = caught.value.problems
    assert problem.startswith("prod.")
    assert expected in problem


@pytest.mark.parametrize(
    "named",
    [
        "Boundary",
        "teams/ml/Boundary",
        "arn:aws:iam::111122223333:policy/teams/Boundary",
        "arn:aws:iam::aws:policy/PowerUserAccess",
    ],
)
def test_a_boundary_has_a_name_or_an_arn(named: str) -> None:
    given = LEAST | {"account": "111122223333", "permissions_boundary": named}
    assert read_stage("prod", {"prod": given}).permissions_boundary == named


def test_several_faults_are_told_together() -> None:
    stages = {"dev": LEAST | {"account": "1"}, "prod": LEAST | {"trigger": {"kind": "push"}}}
    with pytest.raises(InvalidConfigError) as caught:
        read_stage("dev", stages)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "dev.account",
        "prod.trigger.kind",
    ]


@pytest.mark.parametrize("setting", ["stack_name", "pipeline_name"])
def test_two_stages_of_one_account_do_not_share_a_name(setting: str) -> None:
    same = LEAST | {setting: "packaging"}
    with pytest.raises(InvalidConfigError, match=f"b.{setting}: 'packaging' is that of the stage"):
        read_stage("a", {"a": same, "b": same})
    apart = {"a": same | {"account": "111122223333"}, "b": same | {"account": "444455556666"}}
    assert read_stage("a", apart).account == "111122223333"


def test_an_existing_key_is_used(tmp_path: Path) -> None:
    assembly = synthesize(
        tmp_path, stage="mine", stages={"mine": LEAST | {"customer_key": KEY, "alarms": {}}}
    )
    template = json.loads((assembly / "ModelPackaging.template.json").read_text())
    assert not any(r["Type"] == "AWS::KMS::Key" for r in template["Resources"].values())
    assert json.dumps(template).count(KEY) > 3


def test_what_is_kept_can_do_without_neither_logs_nor_key(tmp_path: Path) -> None:
    careless = LEAST | {"customer_key": False, "bucket": {"access_logs": False}}
    with pytest.raises(RuntimeError) as caught:
        synthesize(tmp_path, stage="careless", stages={"careless": careless})
    assert "AwsSolutions-S1" in str(caught.value)
    assert "PCI.DSS.321-S3DefaultEncryptionKMS" in str(caught.value)


def test_the_command_line_tells_of_an_unknown_stage_in_one_message(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, str(PROJECT / "app.py")],
        env={**os.environ, "CDK_OUTDIR": str(tmp_path), "CDK_CONTEXT_JSON": '{"stage": "staging"}'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr == (
        "The context has 1 fault:\n  stage: 'staging' is given, but there is no such stage; write "
        "another (there are dev, prod)\n"
    )
