"""What the pages for people say: their blocks, their inline code and their links."""

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
README = PROJECT / "README.md"
CHANGELOG = PROJECT / "CHANGELOG.md"
PAGES = [README, PROJECT / "CONTRIBUTING.md", CHANGELOG, *sorted(DOCS.rglob("*.md"))]

_BLOCK = re.compile(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", re.MULTILINE)

_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code on a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    return str(page.relative_to(PROJECT))


def blocks(language: str | None = None, page: Path | None = None) -> list[Block]:
    """The blocks of all pages, or of one, in a language or in any."""
    return [
        Block(file, text.count("\n", 0, found.start()) + 1, found[2], _dedent(found[3], found[1]))
        for file in PAGES
        if page in (None, file)
        for text in [file.read_text()]
        for found in _BLOCK.finditer(text)
        if language in (None, found[2])
    ]


def blocks_by_heading(page: Path) -> list[tuple[str, Block]]:
    """The blocks of a page, each with the heading that it stands below."""
    text = page.read_text()
    headings = [(text.count("\n", 0, found.start()), found[1]) for found in _HEADING.finditer(text)]
    return [
        ([heading for line, heading in headings if line < block.line][-1], block)
        for block in blocks(page=page)
    ]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return _BLOCK.sub("", page.read_text())


def inline_code(page: Path) -> list[str]:
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", prose(page))]


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """What a link may name after ``#``: the headings, as GitHub writes them there."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table(page: Path, first_row: str) -> str:
    """The table of a page whose first row begins so."""
    [found] = (
        part
        for part in page.read_text().split("\n\n")
        if part.startswith("| ") and f"\n| {first_row}" in part
    )
    return found


def _dedent(text: str, indent: str) -> str:
    return re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
