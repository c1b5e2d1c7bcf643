"""What no Python can read, said alike before the scripts ship and in the container."""

import sys

import pytest
from mims_engine import python_syntax as in_the_container

from model_packaging.step.settings import python_syntax
from model_packaging.step.settings.python_syntax import may_be_newer, syntax_error

WRONG = [
    b"def model_fn(model_dir)\n    return 1\n",
    b"def model_fn(model_dir):\nreturn 1\n",
    b"import os\n  import sys\n",
    b"x = (1,\n",
    b"x = 'unterminated\n",
    b"print 'loaded'\n",
    b"return 1\n",
    b"x = 1\0\n",
    b"# coding: no-such\nx = 1\n",
    b"x = '\xff'\n",
    b"if x = 1: pass\n",
]
RIGHT = [
    b"",
    b"def model_fn(model_dir): ...\n",
    b"\xef\xbb\xbfx = 1\n",
    b"# coding: latin-1\nx = '\xff'\n",
    b"x = '\\d'\n",  # a warning, no fault
    b"x = 1\r\ny = 2\r\n",
]
# With the line that an older Python calls an error.
NEWER = [
    ("with (\n    open('a') as x,\n    open('b') as y,\n):\n    pass\n", 2, (3, 9)),
    ("@buttons[0].clicked\ndef f(): ...\n", 1, (3, 9)),
    ("match command:\n    case 'go':\n        pass\n", 1, (3, 10)),
    ("match (\n    command\n):\n    case 'go':\n        pass\n", 3, (3, 10)),
    ("try:\n    pass\nexcept* ValueError:\n    pass\n", 3, (3, 11)),
    ("x = a[*b]\n", 1, (3, 11)),
    ("x = a[0, *b]\n", 1, (3, 11)),
    ("def first(*items: *Ts): ...\n", 1, (3, 11)),
    ("type Point = tuple[int, int]\n", 1, (3, 12)),
    ("def first[T](items: list[T]) -> T: ...\n", 1, (3, 12)),
    ("class Box[T]: ...\n", 1, (3, 12)),
    ("x = f'{a['b']}'\n", 1, (3, 12)),
    ("class Box[T = int]: ...\n", 1, (3, 13)),
    ("try:\n    pass\nexcept ValueError, TypeError:\n    pass\n", 3, (3, 14)),
    ("x = t'{a}'\n", 1, (3, 14)),
]


@pytest.mark.parametrize("source", WRONG)
def test_what_no_python_reads_is_said_with_its_line(source: bytes) -> None:
    assert syntax_error(source)
    assert syntax_error(source) == in_the_container.syntax_error(source)


@pytest.mark.parametrize("source", RIGHT)
def test_what_python_reads_is_no_fault(source: bytes) -> None:
    assert syntax_error(source) is None
    assert in_the_container.syntax_error(source) is None


@pytest.mark.parametrize(("source", "line", "since"), NEWER, ids=[text[:20] for text, *_ in NEWER])
def test_what_a_later_python_reads_is_left_to_it(
    source: str, line: int, since: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert syntax_error(source.encode()) is None
    error = SyntaxError("invalid syntax", ("script", line, 1, None))
    before = (since[0], since[1] - 1)
    for version, expected in (((3, 8), True), (before, True), (since, False)):
        monkeypatch.setattr(sys, "version_info", version)
        assert may_be_newer(source, error) is expected
        assert in_the_container.may_be_newer(source, error) is expected


def test_both_sides_know_the_same_syntax() -> None:
    for name in ("NEWER_STATEMENTS", "NEWER_EXPRESSIONS"):
        assert getattr(python_syntax, name) == getattr(in_the_container, name)
