"""The environment that REQUIREMENTS asks for, installed by the real installer without a network."""

import io
import os
import re
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from unittest import mock

import pytest
from packaging.requirements import Requirement
from rich.console import Console

from local_aws.cloud import local_cloud
from operations.endpoint_stages import EndpointStages, Original
from operations.serving_environment import RequirementsError, serving_environment
from operations.stages import Stages
from tests.operations.served import ROWS, linear_model, package

NOWHERE = "http://127.0.0.1:9/simple"  # "discard", where nobody listens

# Of the toolkit's requirements, those that starting a container and its frameworks need.
UNUSED = ("boto3", "botocore", "jmespath", "s3transfer", "pillow", "Pillow", "urllib3")


def needed(name: str, seen: set[str]) -> set[str]:
    """A distribution and all that it needs here."""
    if name not in seen:
        seen.add(name)
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                needed(requirement.name, seen)
    return seen


def write_wheel(name: str, folder: Path) -> None:
    """What a distribution was installed from, of what is installed; empty if no worker needs it."""
    installed = distribution(name)
    tag = re.findall(r"^Tag: (.+)$", installed.read_text("WHEEL") or "", re.MULTILINE)[0]
    stem = f"{re.sub(r'[-.]+', '_', name)}-{installed.version}"
    with zipfile.ZipFile(folder / f"{stem}-{tag}.whl", "w") as wheel:
        for file in installed.files or ():
            is_told_of = file.parts[0].endswith(".dist-info")
            if (
                (is_told_of or name not in UNUSED)
                and ".." not in file.parts
                and file.suffix != ".pyc"
            ):
                wheel.write(file.locate(), str(file))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    names: set[str] = set()
    for name in ("sagemaker-inference", "multi-model-server"):
        needed(name, names)
    for name in names:
        write_wheel(name, folder)
    return folder


def write_own_wheel(folder: Path) -> None:
    """A package that nobody has: ``zebra`` with its ``stripes``."""
    metadata = "Metadata-Version: 2.1\nName: zebra\nVersion: 1.0\n"
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(folder / "zebra-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("zebra.py", "def stripes(rows): return [len(row) for row in rows]\n")
        wheel.writestr("zebra-1.0.dist-info/METADATA", metadata)
        wheel.writestr("zebra-1.0.dist-info/WHEEL", tags)
        wheel.writestr("zebra-1.0.dist-info/RECORD", "")


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text("zebra>=1\n")
    return file


@pytest.fixture
def offline(wheels: Path, tmp_path: Path) -> Iterator[None]:
    """No index, but for a folder with what the toolkit needs."""
    settings = {
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(wheels),
        "UV_CACHE_DIR": str(tmp_path / "cache"),
    }
    with mock.patch.dict(os.environ, settings):
        yield


def test_a_model_is_served_with_what_only_its_own_environment_has(
    offline: None, requirements: Path, wheels: Path, tmp_path: Path
) -> None:
    write_own_wheel(wheels)
    python = serving_environment(requirements, tmp_path / "environments")
    with local_cloud(tmp_path / "aws", python) as cloud:
        cloud.client("s3").create_bucket(Bucket="packages")
        scripts = {
            "inference.py": "import zebra\n\ndef model_fn(model_dir): return zebra\n\n"
            "def predict_fn(rows, model): return model.stripes(rows)\n",
            "requirements.txt": "zebra\n",
        }
        packaged = package(tmp_path / "made", linear_model(), scripts)
        cloud.client("s3").upload_file(str(packaged), "packages", "model.tar.gz")
        stages = Stages(Console(file=io.StringIO()), tmp_path)
        told = EndpointStages(cloud.client, stages, tmp_path / "endpoint.log").run(
            "s3://packages/model.tar.gz",
            "image",
            "inference.py",
            Original(tmp_path, (), ROWS, [2, 2]),
            None,
        )
    assert told == "2 of 2 equal, in JSON and in CSV"
    # It is there the next time, whatever the index says.
    with mock.patch.dict(os.environ, {"UV_FIND_LINKS": str(tmp_path)}):
        assert serving_environment(requirements, tmp_path / "environments") == python


def test_each_list_has_an_environment_of_its_own(tmp_path: Path) -> None:
    made: list[str] = []
    files = [tmp_path / name for name in ("one.txt", "same.txt", "other.txt")]
    for file, text in zip(files, ("a\n", "a\n", "b\n"), strict=True):
        file.write_text(text)
    with mock.patch("operations.serving_environment._uv", lambda *words: made.append(words[0])):
        one, same, other = (serving_environment(file, tmp_path / "envs") for file in files)
        with_more = serving_environment(files[0], tmp_path / "envs", ["scikit-learn"])
    assert one == same
    assert len({one, other, with_more}) == 3


def test_a_missing_network_is_named(requirements: Path, tmp_path: Path) -> None:
    nowhere = {"UV_DEFAULT_INDEX": NOWHERE, "UV_HTTP_RETRIES": "0"}
    nowhere["UV_CACHE_DIR"] = str(tmp_path / "cache")
    with (
        mock.patch.dict(os.environ, nowhere),
        pytest.raises(RequirementsError, match=r"can't be reached, and what .* is there a network"),
    ):
        serving_environment(requirements, tmp_path / "environments")


def test_a_package_that_nobody_has_is_named(
    offline: None, requirements: Path, tmp_path: Path
) -> None:
    requirements.write_text("no-such-package-anywhere\n")
    with pytest.raises(RequirementsError, match="no-such-package-anywhere was not found"):
        serving_environment(requirements, tmp_path / "environments")


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "PIP_INDEX_URL"])
def test_the_index_is_the_users(variable: str, requirements: Path, tmp_path: Path) -> None:
    ran: list[tuple[str, ...]] = []
    with (
        mock.patch.dict(os.environ, {variable: NOWHERE}),
        mock.patch("operations.serving_environment._uv", lambda *words: ran.append(words)),
    ):
        serving_environment(requirements, tmp_path / "environments")
    # uv reads its own setting itself.
    assert (NOWHERE in ran[-1]) is (variable == "PIP_INDEX_URL")
