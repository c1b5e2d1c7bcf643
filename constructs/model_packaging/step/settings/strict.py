"""Numbers and truth values that mean what they say: no text is taken for one.

``"200"`` or ``"yes"`` where a number or a truth value belongs is more often a slip than a wish, and
what it was taken for would be found out at run time.
"""

from typing import Annotated

from pydantic import Strict

StrictInteger = Annotated[int, Strict()]

StrictNumber = Annotated[float, Strict()]

StrictTruth = Annotated[bool, Strict()]
