"""The twelve prepared changes, as those read them who never saw the template.

``__snapshots__`` has what they read: judge a change of it as one of them.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from operations.review.assemblies.assembly import Assembly
from operations.review.formats.as_markdown import as_markdown
from operations.review.formats.as_text import as_text
from operations.review.review import Review
from tests.operations.review.prepared import PREPARED

Prepare = Callable[[str], tuple[Path, Path]]


class TextFile(SingleFileSnapshotExtension):
    """What a terminal shows, without its colours."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


class MarkdownFile(TextFile):
    """What a pull request shows: look at it in a viewer of Markdown."""

    file_extension = "md"


@cache
def reviewed(old: Path, new: Path) -> Review:
    return Review.of(Assembly.read(old), Assembly.read(new))


@pytest.mark.parametrize("name", PREPARED)
def test_it_is_understood_in_a_terminal(
    prepared: Prepare, name: str, snapshot: SnapshotAssertion
) -> None:
    assert as_text(reviewed(*prepared(name))) == snapshot(extension_class=TextFile)


@pytest.mark.parametrize("name", PREPARED)
def test_it_is_understood_in_a_pull_request(
    prepared: Prepare, name: str, snapshot: SnapshotAssertion
) -> None:
    assert as_markdown(reviewed(*prepared(name))) == snapshot(extension_class=MarkdownFile)
