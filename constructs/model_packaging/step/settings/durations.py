"""Durations as SageMaker reads them."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from model_packaging.step.settings.tokens import literal

# ExpireAfter is an ISO 8601 duration ("Caching pipeline steps").
_ISO_8601_DURATION = re.compile(
    r"P(?=\d|T\d)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?"
)

_SHORTHAND_DURATION = re.compile(r"(\d+)\s*([dhmsw])[a-z]*", re.IGNORECASE)


def _iso_8601_duration(value: str) -> str:
    if _ISO_8601_DURATION.fullmatch(value) and re.search("[1-9]", value):
        return value
    hint = "write an ISO 8601 duration such as 'P30D' (30 days) or 'PT12H' (12 hours)"
    if shorthand := _SHORTHAND_DURATION.fullmatch(value):
        count, unit = shorthand.groups()
        hint = f"write {'P' if unit in 'dDwW' else 'PT'}{count}{unit.upper()}"
    raise ValueError(f"{value!r} is not a duration that SageMaker understands; {hint}")


def most_days(duration: str) -> float:
    """How many days an ISO 8601 duration has at most: a month 31, a year 366."""
    found = _ISO_8601_DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(f"{duration!r} is no ISO 8601 duration; write one such as 'P30D'")
    days = (366, 31, 7, 1, None, 1 / 24, 1 / 1440, 1 / 86_400)  # of each group of the expression
    return sum(
        int(text[:-1]) * each
        for text, each in zip(found.groups(), days, strict=True)
        if text and each is not None
    )


Iso8601Duration = Annotated[str, BeforeValidator(literal), AfterValidator(_iso_8601_duration)]
