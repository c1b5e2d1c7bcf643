"""The pages are short, complete and lead somewhere, and what they name is there."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from mims_engine.leave_out import LeaveOut

import model_packaging
from model_packaging import ModelRegistrationConfig, PackageStepConfig
from model_packaging.grants import PackagingGrants
from model_packaging.step import contract
from model_packaging.step.packager import PROGRAM
from model_packaging.step.settings.schema import config_table
from tests.docs import pages
from tests.docs.how_it_works import PAGE
from tests.docs.pages import CHANGELOG, DOCS, PAGES, PROJECT, README, name_of

DECISIONS = DOCS / "decisions"
RUNBOOK = DOCS / "runbook"

# What runs or compares the blocks of each language.
CHECKED_BY = {
    "sh": "tests/docs/test_commands.py",
    "python": "tests/test_wheel.py",
    "json": "tests/stacks/conftest.py",
    "text": "tests/operations/test_demo.py",
    "yaml": "tests/operations/review/test_recipes.py",
    "gitignore": "tests/docs/test_pages.py",
    "mermaid": "tests/docs/test_pages.py",
}
# The pages whose blocks of a language that test asks for, if not all pages.
CHECKED_PAGES = {
    "text": {README, PAGE, DOCS / "review.md"},
    "mermaid": {README, PAGE},
}

of_each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def test_the_readme_is_the_first_ten_minutes() -> None:
    assert len(README.read_text().splitlines()) <= 160


@of_each_page
def test_every_block_is_one_that_a_test_checks(page: Path) -> None:
    unchecked = [
        str(block) for block in pages.blocks(page=page) if not is_checked(page, block.language)
    ]
    assert unchecked == []
    in_another_way = re.findall(r"^ *(?:```|~~~).*|^(?: {4}|\t).+", pages.prose(page), re.MULTILINE)
    assert in_another_way == []


def is_checked(page: Path, language: str) -> bool:
    if page.parent == RUNBOOK and language in ("sh", "text"):
        return True  # tests/docs/test_runbook.py takes every block of its pages
    return language in CHECKED_BY and page in CHECKED_PAGES.get(language, {page})


@pytest.mark.parametrize("language", CHECKED_BY)
def test_what_checks_a_language_asks_for_its_blocks(language: str) -> None:
    assert f'pages.blocks("{language}"' in (PROJECT / CHECKED_BY[language]).read_text()


@of_each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in pages.links(page):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in pages.anchors(target), link


@pytest.mark.parametrize("folder", [DOCS, DECISIONS, RUNBOOK], ids=name_of)
def test_every_page_is_in_the_index_of_its_folder(folder: Path) -> None:
    listed = pages.links(folder / "README.md")
    assert {page.name for page in folder.glob("*.md")} - {"README.md", *listed} == set()


def test_the_index_lists_the_indexes_of_its_folders() -> None:
    folders = {path.name for path in DOCS.iterdir() if path.is_dir()}
    assert folders == {"decisions", "runbook"}
    assert {f"{folder}/README.md" for folder in folders} <= set(pages.links(DOCS / "README.md"))


# The changelog names what is gone.
@pytest.mark.parametrize("page", [page for page in PAGES if page != CHANGELOG], ids=name_of)
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    ignored = {".git", *(PROJECT / ".gitignore").read_text().replace("/", "").split()}
    rooms = {path.name for path in PROJECT.iterdir() if path.is_dir()} - ignored
    paths = {
        code
        for code in pages.inline_code(page)
        if code.partition("/")[0] in rooms and re.fullmatch(r"[\w./-]+/[\w./-]*", code)
    }
    assert {path for path in paths if not (PROJECT / path).exists()} == set()


def test_the_picture_names_what_runs() -> None:
    [picture] = pages.blocks("mermaid", README)
    for name in (contract.PACKAGING_STEP, PROGRAM, "model.tar.gz", "code/", "packaged/"):
        assert name in picture.text


@pytest.mark.parametrize(
    ("page", "config"),
    [("settings.md", PackageStepConfig), ("registration.md", ModelRegistrationConfig)],
)
def test_the_table_of_settings_is_the_configs_own(page: str, config: Any) -> None:
    assert config_table(config) in (DOCS / page).read_text(), "run: make schema"


def test_every_output_that_a_page_names_is_the_stacks(template: dict[str, Any]) -> None:
    named = {
        name
        for page in PAGES
        for name in re.findall(r"\boutputs?\s+`(\w+)`", pages.prose(page))
        if name != "PackageReport"
    }
    assert len(named) > 3
    assert named <= set(template["Outputs"])


def test_every_argument_that_a_page_names_is_one_of_its_construct() -> None:
    calls = [
        call
        for page in PAGES
        for code in pages.inline_code(page)
        for call in re.findall(r"^(\w+)\((\w+=.*)\)$", code)
        if call[0] in model_packaging.__all__
    ]
    assert len(calls) > 5
    for construct, arguments in calls:
        taken = inspect.signature(getattr(model_packaging, construct).__init__).parameters
        assert set(re.findall(r"(\w+)=", arguments)) <= set(taken), construct


@of_each_page
def test_every_grant_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(r"\broles\.grants\.(\w+)", page.read_text())
    assert [name for name in named if not hasattr(PackagingGrants, name)] == []


def test_what_never_ships_is_named() -> None:
    named = set(pages.inline_code(DOCS / "packages.md"))
    assert set(contract.LEFT_OUT) <= named


def test_each_pattern_of_the_sample_leaves_out_what_it_says() -> None:
    [sample] = pages.blocks("gitignore")
    left_out = LeaveOut(sample.text)
    patterns = [line for line in sample.text.splitlines() if not line.startswith("#")]
    assert patterns == ["*.md", "notebooks/", "data/raw"]
    assert left_out("some/where/notes.md", False)
    assert left_out("some/notebooks", True)
    assert not left_out("some/notebooks", False)
    assert left_out("data/raw/rows.csv", False)
    assert not left_out("more/data/raw", True)
