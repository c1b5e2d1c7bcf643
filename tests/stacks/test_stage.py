"""The stages of cdk.json: the defaults are those of production, and what is wrong is said once."""

import functools
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from mims_engine.model_input import Archive, find_model
from syrupy.assertion import SnapshotAssertion

import app
from model_packaging import PackageStepConfig
from model_packaging.step import InvalidConfigError
from stacks.cautions import cautions
from stacks.stage import read_stage
from stacks.step_settings import OWNED, step_config
from tests.conftest import PROJECT, synthesize
from tests.docs import pages
from tests.model_packaging.test_config import TextFile
from tests.model_packaging.test_same_as_sdk_2 import settings_of
from tests.rendered_by_sdk_2 import configurations as golden
from tests.rendered_by_sdk_2.configurations import Configuration
from tests.stacks.conftest import EVERYTHING, MINIMAL, STEP

SHIPPED = json.loads((PROJECT / "cdk.json").read_text())["context"]
LEAST: dict[str, Any] = {"owner": "machine-learning", "cost_centre": "CC-4711"}


def test_the_smallest_stage_of_the_documentation_is_the_default_one() -> None:
    dev = SHIPPED["stages"][SHIPPED["stage"]]
    assert dev.items() >= MINIMAL.items()


def test_the_documentation_shows_every_setting(stage_settings: set[str]) -> None:
    table = pages.table(pages.DOCS / "stages.md", "`stack_name`")
    assert {name for name in stage_settings if f"`{name}`" not in table} == set()


def test_the_documentation_names_all_that_the_stack_says_of_the_step() -> None:
    table = pages.table(pages.DOCS / "stages.md", "`source_dir`")
    assert [name for name in OWNED if f"`{name}`" not in table] == []
    same = ("bucket", "pipeline_s3_loc", "pipeline_name", "region", "subnets")
    owners = {owner for name in OWNED.keys() - same for owner in OWNED[name]}
    assert {owner for owner in owners if f"`{owner}`" not in table} == set()


def test_the_documented_settings_of_the_step_reach_it() -> None:
    stage = read_stage("mine", {"mine": STEP})
    config = step_config(stage, location="s3://bucket/x", tags={})
    told = json.loads(config.model_dump_json())
    for name, value in STEP["packaging"].items():
        if name != "retry_policies":
            assert told[name] == value
    assert [policy.expire_after_mins for policy in config.retry_policies] == [480]


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
TRAINING = {"kind": "training-job", "training_job_name_prefix": "churn-"}
RETRY = {"exceptions": ["SageMaker.CAPACITY_ERROR"], "max_attempts": 3}
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
    ({"sizes": {"volume_size": 5}}, "sizes.volume_size: 5 is out of range; write a number from 10"),
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
    ({"sizes": {"instance_type": "ml.m5.xxl"}}, "sizes.instance_type: 'ml.m5.xxl' is not one of "),
    ({"sizes": {"instance_type": "m5.xlarge"}}, "did you mean 'ml.m5.xlarge'?"),
    ({"log_retention": "A_YEAR"}, "log_retention: 'A_YEAR' is none of them; write one of ONE_DAY"),
    ({"alarms": {"emails": ["ml-operations"]}}, "alarms.emails[0]: 'ml-operations' is not an e-m"),
    ({"alarms": {"days_without_execution": 8}}, "alarms.days_without_execution: 8 is out of range"),
    ({"alarms": {"runbook": "https://wiki"}}, "alarms.runbook: 'https://wiki' is not where pages "),
    ({"operators_policy": "yes"}, "operators_policy: 'yes' is neither; write true or false"),
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


NVME = {"sizes": {"instance_type": "ml.r5d.2xlarge"}}
PREFERENCES = {"packaging": {"instance_preferences": ["ml.m5.xlarge", "ml.g5.xlarge"]}}
# What would be found out hours later: at the deployment, at the first upload, in the job.
TOO_LATE: list[dict[str, Any]] = [
    NVME,
    NVME | {"customer_key": KEY},
    PREFERENCES,
    PREFERENCES | {"sizes": {"instance_type": "ml.m5.2xlarge"}, "customer_key": False},
    {"packaging": {"retry_policies": [RETRY | {"interval_seconds": 50_000}]}},
    {"bucket": {"delete_packages_after_days": 29}},
    {
        "bucket": {"delete_packages_after_days": 40},
        "packaging": {"cache_expires_after": "P1M2W"},
    },
    *(
        {"trigger": {"prefix": prefix}}
        for prefix in ("/models/", "/", "", "models/*", "*", "a${b}/")
    ),
    *({"trigger": {"prefix": prefix}} for prefix in ("packaged/in/", "packaged", "p")),
    *({"trigger": TRAINING | {"training_prefix": prefix}} for prefix in ("/training/", "", "t?/")),
    {"trigger": TRAINING | {"kind": "upload-or-training-job", "training_prefix": "models/jobs/"}},
    {
        "customer_key": False,
        "trigger": TRAINING
        | {"kind": "upload-or-training-job", "training_prefix": "models/jobs/", "suffix": ".tgz"},
    },
    {"region": "us-east-1", "customer_key": KEY},
    {"region": "us-east-1", "bootstrap_key": KEY},
    {
        "region": "us-east-1",
        "alarms": {"topic_arn": "arn:aws:sns:eu-west-1:111122223333:ops"},
    },
    {"trigger": TRAINING | {"training_job_name_prefix": "churn_"}},
    *({"trigger": {"suffix": suffix}} for suffix in (".zip", ".pkl", ".tar.zst", "", "model")),
    {"customer_key": "yes"},
    {"termination_protection": "yes"},
    {"bucket": {"access_logs": 1}},
    {"bucket": {"keep_old_versions_days": "90"}},
    {"sizes": {"volume_size": "200"}},
    {"sizes": {"max_runtime_in_seconds": "7200"}},
    {"alarms": {"duration_share": "0.8"}},
    {"packaging": {"enable_caching_package_step": "yes"}},
    {"packaging": {"processing_instance_count": "2"}},
    {"owner": ""},
    {"owner": " ", "cost_centre": ""},
    {"inference_scripts": "scripts/nowhere"},
    {"packaging": {"inference_entry_point": "serve.py"}},
    {"packaging": {"extra_inputs": {"calibration": "nowhere"}}},
    {"packaging": {"processing_source_dir": "scripts/inference"}},
    {"packaging": {"cache_expires_after": "30d"}},
    {"packaging": {"instance_preference": ["ml.m5.xlarge"]}},
    {"packaging": {"environment": {"MIMS_MODE": "fast"}}},
    *({"packaging": {name: "given"}} for name in OWNED),
    {"packaging": ["cache_expires_after"]},
]


def refusal(stage: dict[str, Any]) -> str:
    with pytest.raises(InvalidConfigError) as caught:
        read_stage("prod", {"prod": LEAST | stage})
    return str(caught.value).replace(f"{PROJECT}/", "")


def test_what_aws_or_the_step_would_refuse_later_is_refused_with_stage_and_setting(
    snapshot: SnapshotAssertion,
) -> None:
    messages = [refusal(stage) for stage in TOO_LATE]
    for message in messages:
        head, *problems = message.splitlines()
        assert head.startswith("stages in cdk.json has ")
        for problem in problems:
            assert re.match(r"  prod\.[a-z_]+[.:\[]", problem), problem
            assert ";" in problem
            assert "Token[" not in problem
    told = [f"{json.dumps(stage)}\n{text}" for stage, text in zip(TOO_LATE, messages, strict=True)]
    assert "\n\n".join(told) + "\n" == snapshot(extension_class=TextFile)


def test_a_message_names_no_setting_of_the_library_that_the_stage_has_another_for() -> None:
    messages = "\n".join(
        refusal(stage) for stage in TOO_LATE if not set(stage.get("packaging", ())) & set(OWNED)
    )
    other = [
        name
        for name, (owner, *_) in OWNED.items()
        if "_" in name and name != owner.rpartition(".")[2]
    ]
    assert len(other) > 5
    assert [name for name in other if re.search(rf"\b{name}\b", messages)] == []


def test_an_entry_point_with_a_syntax_error_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inference.py").write_text("def model_fn(model_dir)\n    return 1\n")
    assert (
        "prod.packaging.inference_entry_point: 'inference.py' can't be imported by any server "
        "(line 1: "
    ) in refusal({"inference_scripts": str(tmp_path)})


def test_a_packager_of_the_stages_own_may_read_what_the_librarys_does_not(tmp_path: Path) -> None:
    (tmp_path / "mims_package.py").touch()
    own = {"processing_source_dir": str(tmp_path)}
    given = LEAST | {"trigger": {"suffix": ".zip"}, "packaging": own}
    assert read_stage("prod", {"prod": given}).trigger.suffix == ".zip"


def test_uploads_may_lie_among_training_jobs_models_if_they_end_otherwise() -> None:
    both = {"kind": "upload-or-training-job", "training_prefix": "models/jobs/", "suffix": ".tgz"}
    assert read_stage("prod", {"prod": LEAST | {"trigger": TRAINING | both}})


def test_packages_may_go_where_nothing_is_cached() -> None:
    short = LEAST | {"bucket": {"delete_packages_after_days": 1}}
    for packaging in ({"enable_caching_package_step": False}, {"cache_expires_after": "PT24H"}):
        assert read_stage("prod", {"prod": short | {"packaging": packaging}})


@pytest.mark.parametrize("suffix", [".tar.gz", "/model.tgz", ".tar.xz", ".tar.bz2", ".tar", ".gz"])
def test_what_the_packager_reads_may_be_waited_for(suffix: str, tmp_path: Path) -> None:
    stage = read_stage("prod", {"prod": LEAST | {"trigger": {"suffix": suffix}}})
    assert stage.trigger.suffix == suffix
    file = tmp_path / f"model{suffix.replace('/', '-')}"
    compression = {"gz": "gz", "gz2": "gz", "tgz": "gz", "xz": "xz", "bz2": "bz2"}
    with tarfile.open(file, f"w:{compression.get(suffix.rpartition('.')[2], '')}") as archive:
        archive.addfile(tarfile.TarInfo("model.bin"))
    assert isinstance(find_model(str(tmp_path)), Archive)


def settings_for(configuration: Configuration, folder: Path) -> dict[str, Any]:
    """A stage that says what a configuration says, as far as a stage may."""
    given = settings_of(configuration, folder)
    packaging = {name: value for name, value in given.items() if name not in OWNED}
    packaging["processing_source_dir"] = str(given["processing_source_dir"])
    packaging["extra_inputs"] = {name: str(place) for name, place in given["extra_inputs"].items()}
    return LEAST | {
        "inference_scripts": str(given.get("source_dir", "scripts/inference")),
        "customer_key": False,
        "packaging": packaging,
    }


def in_json(configuration: Configuration) -> bool:
    """Whether its settings can be written down: what an execution tells can't."""
    settings = configuration.all_settings()
    return golden.replaced(settings, lambda expression: None) == settings


@pytest.mark.parametrize("field", sorted(PackageStepConfig.model_fields.keys() - OWNED.keys()))
def test_what_the_step_takes_a_stage_can_say(field: str, tmp_path: Path) -> None:
    (tmp_path / "packager").mkdir()
    (tmp_path / "packager" / "pack.py").touch()
    stages = [settings_for(one, tmp_path) for one in golden.CONFIGURATIONS if in_json(one)]
    own = {"processing_source_dir": str(tmp_path / "packager"), "processing_entry_point": "pack.py"}
    stages.append(LEAST | {"packaging": own | {"pipeline_description": "Ours."}})
    default = PackageStepConfig.model_fields[field].get_default()
    told = [
        step_config(read_stage("mine", {"mine": stage}), location="s3://bucket/x", tags={})
        for stage in stages
        if stage["packaging"].get(field, default) not in (default, {})
    ]
    assert told
    assert all(getattr(config, field) != default for config in told)


def test_folders_of_a_stage_are_found_from_wherever_it_is_synthesized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    packaging = {"processing_source_dir": "scripts/packager", "extra_inputs": {"d": "docs"}}
    stage = read_stage("mine", {"mine": LEAST | {"packaging": packaging}})
    config = step_config(stage, location="s3://bucket/x", tags={})
    assert config.processing_source_dir == PROJECT / "scripts" / "packager"
    assert config.extra_inputs == {"d": PROJECT / "docs"}


CAUTIONS = [
    ({}, []),
    ({"trigger": {"prefix": "models"}}, ["trigger.prefix: 'models' is the beginning of other"]),
    ({"trigger": TRAINING | {"training_prefix": "jobs"}}, ["trigger.training_prefix: 'jobs' is"]),
    ({"alarms": {}}, ["alarms: alarms are made, but nobody is told; write the addresses"]),
    ({"alarms": {"emails": ["a@b.c"]}}, []),
    ({"alarms": {"topic_arn": "arn:aws:sns:eu-west-1:111122223333:ops"}}, []),
    ({"bucket": {"delete_packages_after_days": 60}}, []),
    (
        {"packaging": {"output_per_execution": False}},
        ["packaging.output_per_execution: False is given, and caching is on"],
    ),
    ({"packaging": {"output_per_execution": False, "enable_caching_package_step": False}}, []),
    (
        {
            "bucket": {"delete_packages_after_days": 60},
            "registration": {
                "model_package_group": "churn",
                "framework": "sklearn",
                "framework_version": "1.2-1",
            },
        },
        ["bucket.delete_packages_after_days: 60 is given, and packages are registered"],
    ),
]


@pytest.mark.parametrize(("given", "expected"), CAUTIONS)
def test_what_was_probably_not_meant_is_a_warning(
    given: dict[str, Any], expected: list[str]
) -> None:
    found = [*cautions("trial", read_stage("trial", {"trial": LEAST | given}))]
    texts = [text for _, text in found]
    assert len(texts) == len(expected)
    for text, beginning in zip(texts, expected, strict=True):
        assert text.startswith(f"stages.trial.{beginning}")
    assert all(name.startswith("model-packaging:") for name, _ in found)


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


def app_py(tmp_path: Path, **context: Any) -> subprocess.CompletedProcess[str]:
    given = {"CDK_OUTDIR": str(tmp_path), "CDK_CONTEXT_JSON": json.dumps(context)}
    return subprocess.run(
        [sys.executable, str(PROJECT / "app.py")],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_tells_of_all_faults_in_one_message(tmp_path: Path) -> None:
    stages = {
        "trial": LEAST | {"trigger": {"prefix": "packaged/in/"}},
        "prod": LEAST | NVME | {"packaging": {"tags": {"team": "fraud"}}},
    }
    run = app_py(tmp_path, stage="prod", stages=stages)
    assert run.returncode == 1
    head, *problems = run.stderr.splitlines()
    assert head == "stages in cdk.json has 3 faults:"
    assert [problem.partition(":")[0].strip() for problem in problems] == [
        "trial.trigger.prefix",
        "prod.packaging.tags",
        "prod.sizes.instance_type",
    ]
    assert "Traceback" not in run.stderr
    assert "Token[" not in run.stderr


def test_what_sagemaker_would_refuse_ends_the_synth_with_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {"processing_script_arguments": ["--paranoid"] * 100}
    stages = {"trial": LEAST | {"packaging": many}}
    build = functools.partial(app.build_app, stage="trial", stages=stages)
    monkeypatch.setattr(app, "build_app", build)
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path))
    with pytest.raises(SystemExit, match="SageMaker would refuse the step 'PackagingStep':\n  App"):
        app.main()


def test_the_command_line_tells_of_an_unknown_stage_in_one_message(tmp_path: Path) -> None:
    run = app_py(tmp_path, stage="staging")
    assert run.returncode == 1
    assert run.stderr == (
        "The context has 1 fault:\n  stage: 'staging' is given, but there is no such stage; write "
        "another (there are dev, prod)\n"
    )
