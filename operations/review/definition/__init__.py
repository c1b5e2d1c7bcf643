"""What a pipeline does now and did not: its definition compared in its own terms."""

from operations.review.definition.comparison import Definitions, with_consequences
from operations.review.definition.consequences import Consequence, Side, stale, unfilled

__all__ = ["Consequence", "Definitions", "Side", "stale", "unfilled", "with_consequences"]
