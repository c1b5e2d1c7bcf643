"""Whether a script can be read by any Python at all.

Whoever makes the step says the same of the scripts before they ship; a test compares the two.
"""

from __future__ import annotations

import re
import sys
import warnings

# What a later Python reads and an earlier one calls an error, and the first version that reads it.
# The container that serves the model may have a later one than whoever checks: what may be such
# syntax is left to it. Of the whole file:
NEWER_STATEMENTS = (
    ((3, 9), r"\bwith\s*\("),  # over several lines
    ((3, 10), r"^\s*(match|case)\b"),  # PEP 634
    ((3, 11), r"\bexcept\s*\*"),  # PEP 654
    ((3, 12), r"^\s*type\s+\w+"),  # PEP 695, like the next
    ((3, 12), r"^\s*(class|(async\s+)?def)\s+\w+\s*\["),
    ((3, 13), r"^\s*(class|(async\s+)?def|type)\s+\w+\s*\[[^\]]*="),  # PEP 696
    ((3, 14), r"\bexcept\s+[\w.]+\s*,"),  # PEP 758
    ((3, 15), r"^\s*lazy\s+(import|from)\b"),  # PEP 810
)
# Of the line in which the error is:
NEWER_EXPRESSIONS = (
    ((3, 9), r"^\s*@|\bin\s*\*"),  # PEP 614, and what the new parser reads
    ((3, 10), r":="),  # without parentheses in an index or a set
    ((3, 11), r"\[[^\]]*\*|\*\w+\s*:\s*\*"),  # PEP 646
    ((3, 12), r"\b([fF][rR]?|[rR][fF])[\"']"),  # PEP 701
    ((3, 14), r"\b([tT][rR]?|[rR][tT])[\"']"),  # PEP 750
    ((3, 15), r"[\[({]\s*\*.*\bfor\b"),  # PEP 798
)


def syntax_error(source: bytes) -> str | None:
    """What is wrong with a Python script in any version of Python, or none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that mean nothing
            compile(source, "script", "exec", dont_inherit=True)
    except SyntaxError as error:
        if may_be_newer(source.decode("utf-8", "replace"), error):
            return None
        where = f"line {error.lineno}: " if error.lineno else ""
        return f"{where}{error.msg}"
    except ValueError as error:  # NUL bytes, before Python 3.12
        return str(error)
    except (RecursionError, MemoryError):  # too deep for this interpreter's parser
        return None
    return None


def may_be_newer(text: str, error: SyntaxError) -> bool:
    """Whether a later Python than this one may read what this one does not."""
    lines = text.splitlines()
    number = error.lineno or 0
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    return any(
        re.search(pattern, where, re.MULTILINE)
        for patterns, where in ((NEWER_STATEMENTS, text), (NEWER_EXPRESSIONS, line))
        for version, pattern in patterns
        if sys.version_info < version
    ) or (sys.version_info < (3, 12) and error.msg.startswith("f-string"))
