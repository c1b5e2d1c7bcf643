"""Snapshots of templates and definitions that say what changed, as a review does."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from operations.review.assemblies.assembly import Assembly
from operations.review.formats.as_text import as_text
from operations.review.review import Review

ACCEPT = "If that is what you meant, accept it with: make snapshots"


class JsonFile(SingleFileSnapshotExtension):
    """A snapshot in a file of its own: a template, or a pipeline's definition."""

    _write_mode = WriteMode.TEXT
    file_extension = "json"

    def diff_lines(self, serialized_data: Any, snapshot_data: Any) -> Iterator[str]:
        """The review, or else the lines that differ, and how to accept them.

        Args:
            serialized_data: What there is now.
            snapshot_data: The snapshot; empty if there is none yet.
        """
        told = list(_review(str(snapshot_data), str(serialized_data)))
        yield from told or super().diff_lines(serialized_data, snapshot_data)
        yield ""
        yield ACCEPT


def hold(text: str, snapshot: SnapshotAssertion) -> None:
    """Compare a text with its snapshot, and fail with all that is to be said of them.

    Args:
        text: A template or a definition, as JSON.
        snapshot: Its snapshot, which uses ``JsonFile``.
    """
    if text != snapshot:
        # pytest would cut the explanation of an `assert`.
        pytest.fail("\n".join(snapshot.get_assert_diff()), pytrace=False)


def _review(old: str, new: str) -> Iterator[str]:
    if not old:
        return
    before, after = (_assembly(json.loads(text)) for text in (old, new))
    review = Review.of(before, after, "What changes since the snapshot")
    if review.changes:  # not so if metadata alone changed, or the order of lines
        yield from as_text(review).splitlines()


def _assembly(content: Mapping[str, Any]) -> Assembly:
    if "Steps" in content:
        body = {"PipelineDefinitionBody": json.dumps(content)}
        pipeline = {
            "Type": "AWS::SageMaker::Pipeline",
            "Properties": {"PipelineDefinition": body},
        }
        content = {"Resources": {"Pipeline": pipeline}}
    return Assembly(Path(), "ModelPackaging", content)
