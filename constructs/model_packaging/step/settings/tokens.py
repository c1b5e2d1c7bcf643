"""CDK tokens in settings: what is known at deployment only can't be checked before."""

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

# An unresolved CDK token: its value is known at deployment, so no rule can be applied to it.
CDK_TOKEN = re.compile(r"\$\{Token\[[^\]]+\]\}")

# Stands in for a token while the text around it is checked; legal in every part of a name or URI.
SAMPLE: Final = "token"


def has_token(value: object) -> bool:
    """Whether a part of a text is known at deployment only."""
    return isinstance(value, str) and CDK_TOKEN.search(value) is not None


def literal(value: Any) -> Any:
    """Refuse a text with a part that is known at deployment only.

    Raises:
        ValueError: It has one.
    """
    if has_token(value):
        raise ValueError(
            f"{value!r} is known at deployment only, but is needed before; write the value itself"
        )
    return value


LiteralText = Annotated[str, BeforeValidator(literal)]
