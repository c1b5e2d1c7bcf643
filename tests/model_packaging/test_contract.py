"""The contract stands twice, since the packager can import nothing of the library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mims_engine import contract as packager
from mims_engine.command_line import checked_options
from mims_engine.leave_out import LeaveOut

from model_packaging import PackageStepConfig
from model_packaging.step import contract


@pytest.mark.parametrize(
    "name",
    [
        "ARCHIVE_NAME",
        "DONE_EVENT",
        "EXTRA_DIR",
        "FAILED_EVENT",
        "JOB_CONFIG_FILE",
        "LEFT_OUT",
        "MESSAGE_FILE",
        "MODEL_DIR",
        "MODEL_ETAG_IS_MD5_VARIABLE",
        "MODEL_ETAG_VARIABLE",
        "MODEL_SIZE_VARIABLE",
        "OUTPUT_DIR",
        "PIPELINE_VARIABLE",
        "REGISTRY_VALUES",
        "REPORT_FILE",
        "REPORT_REGISTRY",
        "SCRIPTS_DIR",
    ],
)
def test_both_sides_write_the_same(name: str) -> None:
    assert getattr(packager, name) == getattr(contract, name)


def test_the_step_passes_flags_that_the_packager_knows_and_their_defaults() -> None:
    assert contract.script_arguments("x.py", zipped_extras=["a", "b"])[-4:] == [
        *("--unzip-extra", "a"),
        *("--unzip-extra", "b"),
    ]
    passed = contract.script_arguments("inference.py")
    assert checked_options(passed) == checked_options([])
    flags = {flag.removeprefix("--").replace("-", "_") for flag in passed[::2]}
    # Everything that the packager takes by default: no path is left to chance.
    assert flags >= {name for name in checked_options([])._fields if name.endswith(("dir", "file"))}


def test_the_settings_offer_what_the_packager_takes() -> None:
    fields = PackageStepConfig.model_fields
    assert fields["packaging_mode"].default == packager.MODE
    assert fields["existing_code"].default == packager.EXISTING_CODE
    assert fields["inference_entry_point"].default == packager.INFERENCE_ENTRY_POINT
    for setting, choices in (
        ("packaging_mode", packager.MODES),
        ("existing_code", packager.EXISTING_CODE_CHOICES),
    ):
        schema = PackageStepConfig.model_json_schema()["properties"][setting]
        assert tuple(schema["enum"]) == choices


NAMES = st.sampled_from(["a", "b.py", "inference.py", ".git", "x.pyc", "__pycache__", "lib"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PATTERNS = st.one_of(
    st.sampled_from(
        ["*.py", "/a", "a/", "a/*", "lib/b.py", "/lib/", "#a", " ", "?", "[ab]", "*/a"]
    ),
    PATHS,
)


@given(path=PATHS, patterns=st.lists(PATTERNS, max_size=4))
def test_the_packager_reads_packageignore_as_the_contract_does(
    path: str, patterns: list[str]
) -> None:
    text = "\n".join(patterns)
    assert LeaveOut(text)(path, False) == (contract.left_out_by(path, text) is not None)
