"""Every command on a page is run, or held to what it names."""

import shutil
import tarfile
from pathlib import Path

import pytest

from tests.docs import pages
from tests.docs.commands import check, commands, is_command
from tests.docs.pages import CHANGELOG, PAGES, PROJECT, name_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the pages' commands run: the scripts of a checkout, and a model."""
    shutil.copytree(PROJECT / "scripts", tmp_path / "scripts")
    (tmp_path / "weights.bin").write_bytes(bytes(range(256)) * 64)
    (tmp_path / "MODEL_FOLDER").mkdir()
    with tarfile.open(tmp_path / "MODEL_FOLDER" / "model.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "weights.bin", "weights.bin")
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if pages.blocks("sh", page)], ids=name_of)
def test_the_commands_of_a_page_work_one_after_the_other(page: Path, folder: Path) -> None:
    for block in pages.blocks("sh", page):
        for words in commands(block.text):
            try:
                check(words, folder)
            except AssertionError as fault:
                raise AssertionError(f"{block}: {' '.join(words)}: {fault}") from fault


# The changelog names what is gone.
@pytest.mark.parametrize("page", [page for page in PAGES if page != CHANGELOG], ids=name_of)
def test_the_commands_in_a_pages_text_are_true(page: Path) -> None:
    for code in filter(is_command, pages.inline_code(page)):
        for words in commands(code):
            check(words)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("make deplyo", "make help lists no"),
        ("make deploy STAGE=production", "cdk.json has no stage production"),
        ("make deploy STAEG=prod", "make deploy does not read STAEG"),
        ("make bench BENCH_TB=1", "make bench does not read BENCH_TB"),
        ("make deploy | tee log", "write one command a line"),
        ("curl https://example.com", "no rule checks curl"),
        ("source .local/env.sh", "nothing writes ['.local/env.sh']"),
        ("python -m http.server", "no rule checks -m http.server"),
        ("python -m operations undo", "operations has no undo"),
        ("python scripts/packager --check nothing.tar.gz", "nothing.tar.gz"),
        ("python scripts/mims_package.py --help", "No such file or directory"),
        ("pytest tests/test_nothing.py", "there is no tests/test_nothing.py"),
        ("pytest tests/docs/test_pages.py -k harbour", "no test is called harbour"),
        ("pip install requests", "requests is not this project"),
        ("pip install 'model-packaging[aws]'", "there is no extra aws"),
        ("cdk synth -c account=1", "app.py does not read account"),
        ("aws s3 cp model.zip s3://BUCKET/models/model.zip", "starts no pipeline"),
        ("aws sqs receive-message --queue QUEUE_URL", "receive-message takes {'--queue-url'}"),
        ("export STAGE=staging", "cdk.json has no stage staging"),
        ("export PATH=bin", "no rule checks export PATH"),
        ("git push", "no rule checks git push"),
        ("npm install --save-exact aws-cdk", "name a version"),
        ("aws sqs redrive --queue-url QUEUE_URL", "sqs has no redrive"),
    ],
)
def test_a_command_that_cannot_work_is_found(wrong: str, why: str, folder: Path) -> None:
    [words] = commands(wrong)
    with pytest.raises(AssertionError) as caught:
        check(words, folder)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        "python -m operations redrive QUEUE_URL --at-once",
        "make review FORMAT=html",
        "make review ARGS=--quickly",
    ],
)
def test_a_flag_that_a_command_does_not_have_is_found(wrong: str) -> None:
    with pytest.raises(SystemExit):
        check(wrong.split())
