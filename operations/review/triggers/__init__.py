"""What starts a pipeline: rules and their patterns, in words and compared."""

from operations.review.triggers.comparison import compare
from operations.review.triggers.words import in_words

__all__ = ["compare", "in_words"]
