from pathlib import Path

import pytest

from model_packaging import PackageStepConfig
from model_packaging.step import InvalidConfigError
from model_packaging.step.packager import own_packager
from model_packaging.step.settings import package_step_config

PROJECT = Path(__file__).parents[2]


def program_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "mims_package.py").touch()
    return folder


def test_the_source_tree_has_the_packager_that_is_edited() -> None:
    assert own_packager() == PROJECT / "scripts" / "packager"


def test_a_stale_copy_never_stands_in_for_the_source_trees(tmp_path: Path) -> None:
    edited = program_in(tmp_path / "scripts" / "packager")
    library = tmp_path / "constructs" / "model_packaging"
    program_in(library / "packager")
    assert own_packager(library) == edited


@pytest.mark.parametrize("root", ["site-packages", "constructs"])
def test_a_wheels_packager_is_its_own_whatever_lies_around_it(tmp_path: Path, root: str) -> None:
    program_in(tmp_path / "scripts" / "packager")  # somebody else's
    library = tmp_path / root / "model_packaging"
    own = program_in(library / "packager")
    (tmp_path / root / "model_packaging-0.1.0.dist-info").mkdir()
    assert own_packager(library) == own


def test_a_library_that_lost_its_packager_says_what_to_do(
    tmp_path: Path, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program_in(tmp_path / "scripts" / "packager")
    library = tmp_path / "site-packages" / "model_packaging"
    with pytest.raises(FileNotFoundError, match="install model-packaging again, from a wheel"):
        own_packager(library)
    monkeypatch.setattr(package_step_config, "own_packager", lambda: own_packager(library))
    expected = "processing_source_dir: None is given, but the library's own packager is not in"
    with pytest.raises(InvalidConfigError, match=expected):
        PackageStepConfig(pipeline_name="churn", bucket="artifacts", source_dir=scripts)
