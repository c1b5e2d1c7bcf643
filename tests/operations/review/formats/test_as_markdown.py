"""What a pull request gets, as a renderer of Markdown that others wrote reads it."""

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from operations.review.formats.as_markdown import LONGEST, as_markdown
from operations.review.formats.sections import printable
from tests.operations.review.made import change, review

# All that a page consists of, whatever its values are.
TAGS = {*["h3", "h4", "p", "ul", "li", "strong", "code", "pre", "br", "details", "summary", "b"]}
EVIL = (
    "<script>alert(1)</script>",
    "</details><h1>",
    "`` ` ```",
    "```\n\n# heading",
    "| a | b |\n|---|---|",
    "**bold** _it_ ~~gone~~",
    "[link](https://example.com) ![image](x)",
    "<!-- comment",
    "&lt;b&gt; &amp;",
    "a\\`b\\",
    "1. one\n2. two\n- three\n> quoted",
    "https://example.com www.example.com a@example.com",
    "@somebody #1 !1 owner/repo#1 $x$ :key:",
    "\ud800 \u202e",
)


class _Page(HTMLParser):
    """The tags of a page, and what text stands outside of code."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.code = ""
        self._is_code = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._is_code += tag == "code"
        assert all(name == "class" for name, _ in attrs), attrs

    def handle_endtag(self, tag: str) -> None:
        self._is_code -= tag == "code"

    def handle_data(self, data: str) -> None:
        if self._is_code:
            self.code += f"{data}\n"
        else:
            self.text += data


def rendered(markdown: str) -> _Page:
    """A page as GitHub and GitLab have it: CommonMark with tables, strikethrough and HTML."""
    renderer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return _Page(renderer.render(markdown))


def everywhere(text: str) -> str:
    """A page that tells a text at every place where others' texts stand."""
    return as_markdown(
        review(
            change(where=text or "-", old=f"was {text}", new={text: text}, meaning=f"Is {text}."),
            change(meaning=text or "-"),
            change(where="Script", meaning="It changed.", detail=text),
            title=f"Review of {text}",
        )
    )


@settings(max_examples=60)
@given(
    st.one_of(
        st.sampled_from(EVIL),
        st.text(alphabet="`<>|*_[]()#-+.1\\&;:/@!~$ \nab", max_size=30),
        st.text(max_size=20),
    )
)
@example("`" * 5)
@example("``` `")
@example("a` **b** `c")
def test_nothing_in_a_value_breaks_out(text: str) -> None:
    page = rendered(everywhere(text))
    assert set(page.tags) <= TAGS
    assert [page.tags.count(tag) for tag in ("h3", "h4", "li", "details")] == [1, 1, 3, bool(text)]
    assert not re.search(r"[@#<>`]|://|www\\.", page.text)


@pytest.mark.parametrize("text", EVIL[:-1])
def test_what_is_told_is_told_as_it_is(text: str) -> None:
    page = rendered(everywhere(text))
    for line in text.splitlines():
        assert f"was {' '.join(text.split())}" in page.code
        assert printable(line) in page.code


def test_a_sentence_reads_as_it_was_written() -> None:
    told = as_markdown(
        review(
            change(
                meaning="JobRole can now read (s3:Get*) `${Bucket}/a b`; it could not "
                "(s3://bucket/key), nor (list)."
            )
        )
    )
    assert (
        "JobRole can now read (`s3:Get*`) `${Bucket}/a b`; it could not (`s3://bucket/key`), nor "
        "(list).\n"
    ) in told


def test_a_summary_comes_first() -> None:
    told = as_markdown(review(change(level="danger"), change(), change(level="info")))
    assert told.splitlines()[:3] == [
        "### Review of Stack",
        "",
        "🔴 **1 danger** · 🔵 **1 notice** · ⚪ **1 info**.",
    ]


def test_what_changes_in_scripts_alone_says_so() -> None:
    script, other = change(kind="asset"), change()
    assert "🔵 **1 notice**. Nothing but scripts changes.\n" in as_markdown(review(script))
    assert "Nothing but" not in as_markdown(review(script, other))


def test_details_and_the_picture_are_folded() -> None:
    told = as_markdown(review(change(detail="-a\n+b\n\n c"), picture="flowchart TB"))
    page = rendered(told)
    assert page.tags.count("details") == 2
    assert "-a\n+b\n\n c\n" in page.code
    assert "```mermaid\nflowchart TB\n```" in told
    assert told.index("flowchart") < told.index("Changes")


def test_a_long_rest_is_folded_and_counted() -> None:
    changes = [change(where=f"Step › {place}") for place in range(11)]
    told = as_markdown(review(change(level="danger"), *changes))
    assert "<details><summary><b>The rest</b>: 11 notices</summary>\n" in told
    page = rendered(told)
    assert page.tags.count("li") == 12
    assert "<details>" not in as_markdown(review(change(level="danger"), *changes[:10]))


def test_nothing_is_one_sentence() -> None:
    assert as_markdown(review()) == "### Review of Stack\n\nNothing changes.\n"


def left_out(told: str) -> str:
    found = re.search(r"\nThere was no room for (.*)\. `--format json` tells everything\.\n$", told)
    return found[1] if found else ""


def test_a_page_is_never_longer_than_a_comment_may_be() -> None:
    many = [change(level="danger", meaning=f"`<`{'<' * 300}") for _ in range(400)]
    many += [change(detail="x" * 11_000, meaning="m") for _ in range(400)]
    told = as_markdown(review(*many, picture="flowchart TB\n" * 200))
    assert 50_000 < len(told) < LONGEST
    rendered(told)
    dangers = told.count("- 🔴")
    assert left_out(told) == f"{400 - dangers} dangers, 400 notices, the picture of the pipeline"
    assert "The rest" not in told


def test_details_are_left_out_before_changes() -> None:
    changes = [change(where=f"S › {i}", detail="\n".join(["+é"] * 3_000)) for i in range(9)]
    told = as_markdown(review(*changes, picture="flowchart TB"))
    assert len(told) < LONGEST
    assert told.count("- 🔵") == 9
    shown = told.count("<summary>Details</summary>")
    assert 0 < shown < 9
    assert left_out(told) == f"the details of {9 - shown} changes"


@pytest.mark.parametrize("length", [11_000, 13_000, 1_000_000])
def test_one_long_detail_is_cut_and_says_so(length: int) -> None:
    told = as_markdown(review(change(detail="\n".join(["+line"] * (length // 8)))))
    assert len(told) < LONGEST
    is_cut = re.search(r"… and (\d+) more lines, which --format json tells", told)
    assert (int(is_cut[1]) if is_cut else 0) + told.count("+line") == length // 8
    assert bool(is_cut) == (length > 12_000)


def test_long_sentences_places_and_titles_are_cut() -> None:
    endless = "word " * 20_000
    told = as_markdown(review(change(where=endless, meaning=endless), title=endless))
    assert len(told) < 5_000
    assert told.count("…") == 3
    assert html.unescape(told) == told
