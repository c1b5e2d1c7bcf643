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


Iso8601Duration = Annotated[str, BeforeValidator(literal), AfterValidator(_iso_8601_duration)]
