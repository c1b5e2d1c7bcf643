"""The rendered definition against what SageMaker SDK v2 renders (``rendered_by_sdk_2``)."""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_packaging import (
    MIMSPackagingStepBuilder,
    ModelRegistrationConfig,
    ModelRegistrationStepBuilder,
    PackageStepConfig,
)
from model_packaging.step import offline, render_definition
from tests.model_packaging.expressions import Expressions
from tests.rendered_by_sdk_2 import configurations as golden
from tests.rendered_by_sdk_2.configurations import CONFIGURATIONS, Configuration
from tests.rendered_by_sdk_2.differences import ABSENT, DIFFERENCES, Difference

FOLDER = Path(golden.__file__).parent
PROJECT = FOLDER.parents[1]
BY_NAME = {configuration.name: configuration for configuration in CONFIGURATIONS}

# What the definition does not say: another value of it, and why.
OUTSIDE_THE_DEFINITION: dict[str, tuple[Any, str]] = {
    "pipeline_description": ("Churn", "CreatePipeline takes it beside the definition"),
    "source_dir": (Path("other"), "the definition has the S3 URI that it was uploaded to"),
    "processing_source_dir": (
        Path("other"),
        "the definition has the S3 URI that the script was uploaded to",
    ),
    "processing_entry_point": (
        "other.py",
        "the definition has the S3 URI that the script was uploaded to",
    ),
}
# Another value that works, where the default would not or is made of other settings.
ANOTHER_VALUE: dict[str, Any] = {
    "pipeline_name": "another",
    "pipeline_s3_loc": "s3://another-bucket/prefix",
    "bucket": "another-bucket",
    "region": "us-west-1",
    "subnets": ("subnet-1",),
    "security_group_ids": ("sg-1",),
}

Compare = Callable[[str], dict[str, tuple[Any, Any]]]


def settings_of(configuration: Configuration, folder: Path) -> dict[str, Any]:
    """The configuration's settings, with folders below ``folder`` to find what they name."""
    settings = golden.replaced(
        configuration.all_settings(), Expressions.named(configuration.name).value
    )
    here = {"processing_source_dir": PROJECT / "scripts" / "packager"}
    if entry_point := settings.get("inference_entry_point", "inference.py"):
        here["source_dir"] = folder / "scripts"
        script = here["source_dir"] / entry_point
        script.parent.mkdir(parents=True, exist_ok=True)
        script.touch()
        (here["source_dir"] / "inference.py").touch()  # for who sets the entry point back
    extras = dict(settings.get("extra_inputs", {}))
    for name in configuration.zipped_extra_inputs:
        extras[name] = folder / "extras" / name
        extras[name].mkdir(parents=True, exist_ok=True)
    return {**here, **settings, "extra_inputs": extras}


def uploaded(configuration: Configuration, config: PackageStepConfig) -> dict[str, str]:
    """Where in S3 the folders of the scripts are that the configuration names here."""
    places = {
        "packaging_script_uri": (
            config.get_packaging_source(),
            configuration.packaging_script_uri,
        ),
        "inference_scripts_uri": (config.get_inference_source_dir(), golden.INFERENCE_SCRIPTS_URI),
    }
    return {name: uri for name, (place, uri) in places.items() if isinstance(place, Path)}


@offline()
def render(configuration: Configuration, config: PackageStepConfig) -> dict[str, Any]:
    """The definition as this library renders it: the packaging step and what comes behind it."""
    expressions = Expressions.named(configuration.name)
    steps, value = expressions.steps, expressions.value
    builder = MIMSPackagingStepBuilder(
        config,
        role=configuration.role,
        **uploaded(configuration, config),
        extra_input_uris={
            name: uri
            for name, uri in configuration.zipped_extra_inputs.items()
            if name in config.extra_inputs
        },
        region=configuration.stack_region,
        environment={name: value(v) for name, v in configuration.job_environment.items()},
    )
    by_name = configuration.dependencies_by_name
    step = builder.create_step(
        value(configuration.model),
        [name if by_name else steps[name] for name in configuration.dependencies],
    )
    behind = []
    if configuration.registration is not None:
        registration = ModelRegistrationStepBuilder(
            ModelRegistrationConfig(**configuration.registration),
            region=builder.region,
        )
        behind.append(registration.create_step(builder.packaged_model(step)))
    definition = render_definition(
        config.pipeline_name,
        parameters=list(expressions.parameters.values()),
        steps=[*steps.values(), step, *behind],
    )
    rendered = [item for item in definition["Steps"] if item["Name"] not in steps]
    return {**definition, "Steps": rendered}


def expected(configuration: Configuration) -> tuple[dict[str, Any], list[Difference]]:
    """What v2 renders but for the listed differences, and which of these there were."""
    definition = json.loads((FOLDER / f"{configuration.name}.json").read_text())
    return definition, [item for item in DIFFERENCES if item.apply(configuration.name, definition)]


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Every text, number and empty collection, by its path. 1, 1.0 and true are three values."""
    if not value or not isinstance(value, dict | list):
        return {path: json.dumps(value)}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {p: leaf for key, item in items for p, leaf in leaves(item, f"{path}/{key}").items()}


@pytest.fixture(scope="session")
def compare(tmp_path_factory: pytest.TempPathFactory) -> Compare:
    """What is expected and what is rendered, by path, where a configuration's differ."""

    @functools.cache
    def compare_once(name: str) -> dict[str, tuple[Any, Any]]:
        configuration = BY_NAME[name]
        config = PackageStepConfig(**settings_of(configuration, tmp_path_factory.mktemp(name)))
        ours, theirs = leaves(render(configuration, config)), leaves(expected(configuration)[0])
        return {
            path: (theirs.get(path, ABSENT), ours.get(path, ABSENT))
            for path in sorted(ours.keys() | theirs.keys())
            if ours.get(path, ABSENT) != theirs.get(path, ABSENT)
        }

    return compare_once


@pytest.mark.parametrize("name", BY_NAME)
def test_the_definition_equals_that_of_sdk_v2_but_for_the_listed_differences(
    compare: Compare, name: str
) -> None:
    assert compare(name) == {}


def test_every_configuration_has_a_golden_file_and_every_golden_file_a_configuration() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*.json")) == sorted(
        configuration.name for configuration in CONFIGURATIONS
    )


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda item: "/".join(item.path))
def test_a_listed_difference_exists_and_has_a_reason(difference: Difference) -> None:
    assert any(difference in expected(configuration)[1] for configuration in CONFIGURATIONS)
    assert difference.reason


@pytest.mark.parametrize(
    "field", sorted(PackageStepConfig.model_fields.keys() - OUTSIDE_THE_DEFINITION.keys())
)
def test_a_configuration_varies_a_field_and_the_definition_says_so(
    field: str, tmp_path: Path
) -> None:
    default = golden.SETTINGS.get(field, PackageStepConfig.model_fields[field].get_default())

    def says_so(configuration: Configuration) -> bool:
        settings = settings_of(configuration, tmp_path / configuration.name)
        if field not in configuration.settings or settings.get(field) in (None, default):
            return False
        if field in ANOTHER_VALUE:
            other = PackageStepConfig(**settings | {field: ANOTHER_VALUE[field]})
        else:
            other = PackageStepConfig(**settings).model_copy(update={field: default})
        return render(configuration, other) != expected(configuration)[0]

    assert any(says_so(configuration) for configuration in CONFIGURATIONS)


@pytest.mark.parametrize("field", OUTSIDE_THE_DEFINITION)
def test_the_definition_says_nothing_of_a_field_outside_it(
    field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("other", "packager"):
        (tmp_path / folder).mkdir()
        for name in ("inference.py", "mims_package.py", "other.py"):
            (tmp_path / folder / name).touch()
    configuration = BY_NAME["defaults"]
    settings = settings_of(configuration, tmp_path)
    config = PackageStepConfig(**settings | {"processing_source_dir": tmp_path / "packager"})
    value, reason = OUTSIDE_THE_DEFINITION[field]
    assert getattr(config, field) != value
    other = config.model_copy(update={field: value})
    assert render(configuration, other) == expected(configuration)[0]
    assert reason


def test_all_configurations_are_equal_and_it_says_how_many(
    compare: Compare, capsys: pytest.CaptureFixture[str]
) -> None:
    different = {}
    for name in BY_NAME:
        try:
            if found := compare(name):
                different[name] = str(found)
        except ValueError as error:
            different[name] = str(error)
    equal = len(CONFIGURATIONS) - len(different)
    with capsys.disabled():
        # Not to stdout, which a worker of pytest-xdist does not share with the terminal.
        print(
            f"\n{equal} of {len(CONFIGURATIONS)} configurations equal SDK {golden.SDK_VERSION}'s",
            file=sys.stderr,
        )
    assert different == {}
