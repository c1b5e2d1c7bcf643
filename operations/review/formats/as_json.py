"""A review as JSON for programs; ``review.schema.json`` says what is in it."""

import json
from dataclasses import asdict
from pathlib import Path

from operations.review.review import Review, summary

SCHEMA = Path(__file__).with_name("review.schema.json")


def as_json(review: Review) -> str:
    """The review as JSON.

    Args:
        review: The review.
    """
    changes = [asdict(change) for change in review.changes]
    told = {"summary": summary(review.changes), "changes": changes}
    text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    return text.encode(errors="backslashreplace").decode()  # half of a pair of surrogates
