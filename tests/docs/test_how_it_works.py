"""The page on how the pieces work together is drawn from what is deployed today."""

from pathlib import Path

from tests.conftest import template_of
from tests.docs import pages, pictures
from tests.docs.how_it_works import DASHBOARD, PAGE, run_review, with_part


def test_the_picture_of_the_flow_is_that_of_the_template(prod: Path) -> None:
    [picture] = pages.blocks("mermaid", PAGE)
    assert picture.text == pictures.flow(template_of(prod)), "run: make pictures"


def test_the_picture_of_the_dashboard_is_that_of_the_template(prod: Path) -> None:
    assert DASHBOARD.read_text() == pictures.dashboard(template_of(prod)), "run: make pictures"


def test_the_review_is_what_one_prints_today(prod: Path) -> None:
    told = [block.text for block in pages.blocks("text", PAGE)]
    assert run_review(prod) in told, "run: make pictures"


def test_a_part_is_written_between_its_marks_and_nowhere_else() -> None:
    text = "Before.\n\n<!-- begin: demo -->\nold\n<!-- end: demo -->\n\nAfter.\n"
    once = with_part(text, "demo", "text", "new\n")
    assert once == (
        "Before.\n\n<!-- begin: demo -->\n\n```text\nnew\n```\n\n<!-- end: demo -->\n\nAfter.\n"
    )
    assert with_part(once, "demo", "text", "new\n") == once
