import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from model_packaging import PackageStepConfig
from model_packaging.step import InvalidConfigError, contract, packager, service_model
from model_packaging.step.settings import schema
from model_packaging.step.settings.durations import most_days

Settings = dict[str, Any]

VOLUME_KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

# Every rule, and typical slips. None takes a setting away.
WRONG: list[Settings] = [
    {"pipelin_name": "churn"},
    {"packaging_entry_point": "mims_package.py", "aws_region": "us-east-1", "job_type": "training"},
    {"__model_type__": "PackageStepConfig", "zzz": 1},
    {"pipeline_name": None},
    {"pipeline_name": "-churn"},
    {"pipeline_name": "churn_model"},
    {"pipeline_name": "x" * 257},
    {"pipeline_description": "x" * 3073},
    {"pipeline_version": "1.0 beta"},
    {"author": ""},
    {"author": "Ann <ann@example.org>"},
    {"current_date": "22/11/2026"},
    {"region": "us-est-2"},
    {"region": "APAC"},
    {"pipeline_s3_loc": None, "bucket": None},
    {"pipeline_s3_loc": "artifacts/packaged"},
    {"pipeline_s3_loc": "s3://my_bucket/packaged"},
    {"pipeline_s3_loc": "s3://192.168.1.1/x"},
    {"pipeline_s3_loc": "s3://a..b/x"},
    {"pipeline_s3_loc": "s3://artifacts--x-s3/x"},
    {"pipeline_s3_loc": "s3://bucket/a*b"},
    {"pipeline_s3_loc": "s3://bucket/" + "x" * 1025},
    {"pipeline_s3_loc": None, "bucket": "My.Bucket"},
    {"bucket": "another-bucket"},
    {"source_dir": "missing"},
    {"source_dir": None, "processing_source_dir": None},
    {"inference_entry_point": "/inference.py"},
    {"inference_entry_point": "../inference.py"},
    {"inference_entry_point": "serve.py"},
    {"inference_entry_point": "__pycache__/inference.py"},
    {"processing_entry_point": "pack.py"},
    {"processing_entry_point": "../mims_package.py"},
    {"processing_source_dir": None, "processing_entry_point": "pack.py"},
    {"processing_script_arguments": ["x" * 257]},
    {"extra_inputs": {"code": "s3://bucket/x"}},
    {"extra_inputs": {"../calibration": "s3://bucket/x"}},
    {"extra_inputs": {"calibration": "missing"}},
    {"extra_inputs": {"calibration": "s3://my_bucket/x"}},
    {"extra_inputs": {"model_input": "s3://bucket/x"}},
    {"packaging_mode": "fast"},
    {"existing_code": "merge"},
    {"processing_instance_count": 0},
    {"processing_instance_count": 11},
    {"processing_instance_count": "two"},
    {"processing_volume_size": 9},
    {"processing_volume_size": 1001},
    {"processing_volume_size": 30.5},
    {"processing_instance_type_small": "ml.m5.4xlage"},
    {"processing_instance_type_large": "m5.large"},
    {"use_large_processing_instance": "sometimes"},
    {"instance_preferences": ["ml.m5.xlarge"], "processing_instance_type_small": "ml.m5.large"},
    {"instance_preferences": ["ml.m5.xlarge", "ml.m5.xlarge"]},
    {"instance_preferences": [f"ml.m5.{n}xlarge" for n in (2, 4, 12, 24)] + ["ml.c5.xlarge"] * 2},
    {"processing_framework_version": "0.23-1"},
    {"processing_framework_version": "1.3-1"},
    {"max_runtime_in_seconds": 0},
    {"max_runtime_in_seconds": 777_601},
    {"environment": {"1ST": "x"}},
    {"environment": {"LONG": "x" * 257}},
    {"environment": {"MIMS_MODEL_ETAG": "x"}},
    {"environment": {"LEVEL": 1}},
    {"input_names": {"calibration": "c"}},
    {"input_names": {"model_input": "x", "inference_scripts_input": "x"}},
    {"input_names": {"model_input": "code"}},
    {"output_names": {"report": "r"}},
    {"output_names": {"packaged_model_output": "package_report"}},
    {"tags": {"team": "a|b"}},
    {"tags": {f"tag-{number}": "x" for number in range(51)}},
    {"volume_kms_key": "my key"},
    {"volume_kms_key": ""},
    {"subnets": ["#{Token[Subnets.1]}"], "security_group_ids": ["sg-1"]},
    {"pipeline_s3_loc": "${Token[Url.1]}"},
    {"tags": {"aws:team": "fraud"}},
    {"tags": {f"tag-{number}": "x" for number in range(50)}, "author": "fraud-team"},
    {"input_names": {"model_input": "", "inference_scripts_input": "scripts"}},
    {"output_kms_key": "k" * 2049},
    {"subnets": ["subnet-0123"]},
    {"security_group_ids": ["sg-0123"]},
    {"subnets": ["subnet 1"], "security_group_ids": ["sg-1"]},
    {"subnets": ["subnet-1"], "security_group_ids": [f"sg-{number}" for number in range(6)]},
    {"cache_expires_after": "30d"},
    {"cache_expires_after": "12 hours"},
    {"cache_expires_after": "P1DT"},
    {"cache_expires_after": "P0D"},
    {"cache_expires_after": "${Token[Age.1]}"},
    {"region": "${Token[AWS.Region.4]}"},
    {"cache_expires_after": "a month"},
    {"retry_policies": [{"exceptions": ["Step.THROTLING"], "max_attempts": 3}]},
    {"retry_policies": [{"exceptions": ["Step.THROTTLING"]}]},
    {"retry_policies": [{"exceptions": ["Step.THROTTLING"], "max_attempts": 21}]},
    {
        "retry_policies": [
            {"exceptions": ["Step.THROTTLING", "SageMaker.CAPACITY_ERROR"], "max_attempts": 3}
        ]
    },
    {"retry_policies": [{"exceptions": [], "max_attempts": 3}]},
    {
        "retry_policies": [
            {"exceptions": ["Step.THROTTLING"], "max_attempts": 3, "backoff_rate": float("inf")}
        ]
    },
    {
        "retry_policies": [
            {
                "exceptions": ["SageMaker.CAPACITY_ERROR"],
                "max_attempts": 3,
                "interval_seconds": 43_201,
            }
        ]
    },
    {"enable_caching_package_step": "yes"},
    {"enable_network_isolation": 0},
    {"processing_volume_size": "200"},
    {"processing_instance_count": True},
    {"max_runtime_in_seconds": "7200"},
    {"retry_policies": [{"exceptions": ["Step.THROTTLING"], "max_attempts": "3"}]},
    {"volume_kms_key": VOLUME_KEY, "processing_instance_type": "ml.r5d.large"},
    {"volume_kms_key": VOLUME_KEY, "processing_instance_type_small": "ml.g5.xlarge"},
    {
        "volume_kms_key": VOLUME_KEY,
        "use_large_processing_instance": True,
        "processing_instance_type_large": "ml.g4dn.xlarge",
    },
    {
        "volume_kms_key": VOLUME_KEY,
        "instance_preferences": ["ml.m5.xlarge", "ml.p5.4xlarge", "ml.g7.2xlarge"],
    },
    {"inference_entry_point": "broken.py"},
    {"pipeline_name": "a_b", "processing_volume_size": 1, "cache_expires_after": "30d"},
]


@pytest.fixture
def scripts(scripts: Path) -> Path:
    """The inference scripts, with two more that can't be the entry point."""
    (scripts / "__pycache__").mkdir()
    (scripts / "__pycache__" / "inference.py").touch()
    (scripts / "broken.py").write_text("def model_fn(model_dir):\nreturn 1\n")
    return scripts


def message(settings: Settings) -> str:
    given = {name: value for name, value in settings.items() if value is not None}
    with pytest.raises(InvalidConfigError) as raised:
        PackageStepConfig(**given)
    return str(raised.value)


class TextFile(SingleFileSnapshotExtension):
    """Messages as a person reads them."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


def test_the_least_settings_are_enough(settings: Settings) -> None:
    config = PackageStepConfig(**settings)
    assert config.get_input_names() == {
        "model_input": "model_input",
        "inference_scripts_input": "inference_scripts_input",
    }
    assert config.get_output_names() == {
        "package_report": "package_report",
        "packaged_model_output": "packaged_model_output",
    }
    assert config.get_script_path().name == "mims_package.py"
    assert config.get_effective_source_dir() == settings["processing_source_dir"]


def test_it_is_frozen(settings: Settings) -> None:
    config = PackageStepConfig(**settings)
    with pytest.raises(ValidationError, match="frozen"):
        config.pipeline_name = "other"  # type: ignore[misc]


def test_every_wrong_setting_gives_a_message_to_act_on(
    settings: Settings, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settings["source_dir"]
    messages = []
    for change in WRONG:
        text = message(settings | change).replace(str(folder), "scripts")
        text = text.replace(str(settings["processing_source_dir"]), "packaging")
        messages.append(re.sub(r"(.)\1{40,}", r"\1…", text))
    assert len(messages) >= 30
    assert "\n\n".join(messages) + "\n" == snapshot(extension_class=TextFile)


@pytest.mark.parametrize("change", WRONG, ids=lambda change: ",".join(change))
def test_a_message_names_the_setting_what_was_given_and_a_remedy(
    settings: Settings, change: Settings
) -> None:
    _, *problems = message(settings | change).splitlines()
    for problem in problems:
        name, _, fault = problem.strip().partition(": ")
        assert re.split(r"[.\[]", name)[0] in {*PackageStepConfig.model_fields, *change}
        assert ";" in fault or fault == "is required", problem


def test_several_faults_are_reported_together(settings: Settings) -> None:
    text = message(settings | WRONG[-1])
    assert [line.split(":")[0].strip() for line in text.splitlines()] == [
        "PackageStepConfig has 3 faults",
        "pipeline_name",
        "processing_volume_size",
        "cache_expires_after",
    ]


def test_a_configuration_from_a_file_is_checked_alike(settings: Settings) -> None:
    wrong = settings | {"cache_expires_after": "30d", "processing_volume_size": 1}
    with pytest.raises(InvalidConfigError, match="write P30D") as caught:
        PackageStepConfig.model_validate(wrong)
    assert str(caught.value) == message(wrong)


def test_its_faults_are_value_errors_of_one_kind(settings: Settings) -> None:
    wrong = settings | {"cache_expires_after": "30d"}
    text = json.dumps({name: str(value) for name, value in wrong.items()})
    for make in (
        lambda: PackageStepConfig(**wrong),
        lambda: PackageStepConfig.model_validate(wrong),
        lambda: PackageStepConfig.model_validate_json(text),
    ):
        with pytest.raises(ValueError, match="has 1 fault:") as raised:
            make()
        assert type(raised.value) is InvalidConfigError
        [problem] = raised.value.problems
        assert problem.endswith("is not a duration that SageMaker understands; write P30D")


def test_a_model_that_holds_a_configuration_tells_its_faults(settings: Settings) -> None:
    class Pipeline(BaseModel):
        step: PackageStepConfig

    with pytest.raises(ValidationError, match="write P30D"):
        Pipeline(step=settings | {"cache_expires_after": "30d"})  # type: ignore[arg-type]


def test_the_instance_type_follows_the_size(settings: Settings) -> None:
    small = PackageStepConfig(**settings)
    large = PackageStepConfig(**settings, use_large_processing_instance=True)
    assert small.get_instance_type() == "ml.m5.2xlarge"
    assert large.get_instance_type() == "ml.m5.4xlarge"
    assert small.get_instance_type("large") == "ml.m5.4xlarge"
    with pytest.raises(ValueError, match="write 'large' or 'small'"):
        small.get_instance_type("huge")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("region", "expected"),
    [("NA", "us-east-1"), ("EU", "eu-west-1"), ("FE", "us-west-2"), ("cn-north-1", "cn-north-1")],
)
def test_a_region_has_its_own_name_or_the_predecessors(
    settings: Settings, region: str, expected: str
) -> None:
    assert PackageStepConfig(**settings, region=region).aws_region == expected


def test_without_a_location_packages_go_below_the_bucket(settings: Settings) -> None:
    del settings["pipeline_s3_loc"]
    config = PackageStepConfig(**settings, bucket="artifacts", pipeline_version="1.2")
    assert config.pipeline_s3_loc == "s3://artifacts/packaged/churn-packaging/1.2"
    config = PackageStepConfig(**settings, bucket="artifacts")
    assert config.pipeline_s3_loc == "s3://artifacts/packaged/churn-packaging"


def test_who_when_and_which_version_become_tags(settings: Settings) -> None:
    config = PackageStepConfig(
        **settings,
        author="fraud-team",
        current_date="2026-11-22",
        pipeline_version="1.2",
        tags={"cost-centre": "42", "author": "somebody else"},
    )
    assert config.get_tags() == {
        "author": "somebody else",
        "configuration-date": "2026-11-22",
        "pipeline-version": "1.2",
        "cost-centre": "42",
    }


@pytest.mark.parametrize(
    ("duration", "days"),
    [("P30D", 30), ("PT12H", 0.5), ("P1Y1M1W1D", 366 + 31 + 7 + 1), ("PT24H1440M86400S", 3)],
)
def test_a_duration_has_so_many_days_at_most(duration: str, days: float) -> None:
    assert most_days(duration) == pytest.approx(days)


@pytest.mark.parametrize("duration", ["P30D", "PT12H", "P1Y2M3W4DT5H6M7S"])
def test_iso_8601_durations_are_accepted(settings: Settings, duration: str) -> None:
    config = PackageStepConfig(**settings, cache_expires_after=duration)
    assert config.cache_expires_after == duration


def test_a_cdk_token_may_stand_in_every_text(settings: Settings) -> None:
    token = "${Token[Some.Resource.1]}"
    given: Settings = {
        "pipeline_name": token,
        "pipeline_s3_loc": f"s3://{token}/packaged/{token}",
        "author": token,
        "pipeline_description": token,
        "processing_instance_type_small": token,
        "processing_script_arguments": (token,),
        "environment": {"LEVEL": token},
        "tags": {"team": token},
        "volume_kms_key": token,
        "output_kms_key": f"arn:aws:kms:eu-west-1:{token}:key/{token}",
        "subnets": (token,),
        "security_group_ids": (f"sg-{token}",),
        "extra_inputs": {"calibration": f"s3://prefix-{token}/x"},
    }
    config = PackageStepConfig(**settings | given)
    assert {name: getattr(config, name) for name in given} == given


def test_an_entry_point_that_packageignore_leaves_out_is_refused(
    settings: Settings, scripts: Path
) -> None:
    (scripts / ".packageignore").write_text("# tests only\n*.py\n")
    expected = r"'inference.py' does not ship, since '\*.py' is left out by .packageignore"
    with pytest.raises(InvalidConfigError, match=expected):
        PackageStepConfig(**settings)


def test_without_a_packager_of_the_users_the_librarys_own_ships(settings: Settings) -> None:
    del settings["processing_source_dir"]
    config = PackageStepConfig(**settings)
    assert config.get_effective_source_dir() == packager.own_packager()
    assert config.get_script_path() == packager.own_packager() / "mims_package.py"


def test_a_folder_that_python_runs_needs_no_script_of_a_name(
    settings: Settings, tmp_path: Path
) -> None:
    packager_folder = tmp_path / "own"
    packager_folder.mkdir()
    (packager_folder / "__main__.py").touch()
    settings["processing_source_dir"] = packager_folder
    assert PackageStepConfig(**settings).get_packaging_source() == packager_folder
    (packager_folder / "pack.py").touch()
    with pytest.raises(InvalidConfigError, match=r"'pack.py' is given, but .* has a __main__.py"):
        PackageStepConfig(**settings, processing_entry_point="pack.py")


def test_one_folder_may_hold_all_scripts_and_its_own_packaging_script_is_never_replaced(
    settings: Settings, scripts: Path
) -> None:
    (scripts / "mims_package.py").touch()
    del settings["processing_source_dir"]
    assert PackageStepConfig(**settings).get_packaging_source() == scripts / "mims_package.py"
    del settings["source_dir"]
    config = PackageStepConfig(**settings, processing_source_dir=scripts)
    assert config.get_inference_source_dir() == scripts
    assert config.get_packaging_source() == scripts / "mims_package.py"


def test_a_folder_that_python_runs_ships_whole_and_any_other_its_script_alone(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "packaging"
    folder.mkdir()
    (folder / "pack.py").touch()
    settings |= {"processing_source_dir": folder, "processing_entry_point": "pack.py"}
    assert PackageStepConfig(**settings).get_packaging_source() == folder / "pack.py"
    (folder / "__main__.py").touch()
    del settings["processing_entry_point"]
    assert PackageStepConfig(**settings).get_packaging_source() == folder


def test_the_packager_never_ships_as_the_inference_scripts(
    settings: Settings, scripts: Path
) -> None:
    for name in ("mims_package.py", "__main__.py"):
        (scripts / name).touch()
    del settings["source_dir"]
    settings["processing_source_dir"] = scripts
    expected = (
        f"source_dir: None is given, and processing_source_dir {str(scripts)!r} is a packager, "
        "since it has a __main__.py; name the folder of the inference scripts"
    )
    with pytest.raises(InvalidConfigError, match=re.escape(expected)):
        PackageStepConfig(**settings)
    assert PackageStepConfig(**settings, source_dir=scripts).get_packaging_source() == scripts


def test_a_configuration_survives_being_written_and_read(settings: Settings) -> None:
    config = PackageStepConfig(**settings, instance_preferences=["ml.m5.xlarge"], region="EU")
    assert PackageStepConfig(**config.model_dump()) == config
    assert PackageStepConfig.model_validate_json(config.model_dump_json()) == config


def test_the_predecessors_names_work_without_the_report(settings: Settings) -> None:
    config = PackageStepConfig(**settings, output_names={"packaged_model_output": "model"})
    assert config.get_output_names() == {
        "package_report": "package_report",
        "packaged_model_output": "model",
    }


def test_the_json_schema_is_current() -> None:
    written = Path(schema.__file__).with_name("package_step_config.schema.json").read_text()
    assert written == schema.config_schema(), "run: make schema"


def test_the_json_schema_knows_sagemakers_values() -> None:
    properties = json.loads(schema.config_schema())["properties"]
    assert properties["processing_instance_type_small"]["enum"] == list(
        service_model.choices("ProcessingInstanceType")
    )
    assert properties["max_runtime_in_seconds"]["anyOf"][0]["maximum"] == 777_600
    assert properties["processing_volume_size"]["minimum"] == 10
    assert set(properties["input_names"]["default"]) == {
        contract.MODEL_INPUT,
        contract.INFERENCE_SCRIPTS_INPUT,
    }
