"""What a terminal and a pipe get."""

import re

from operations.review.formats.as_text import as_text
from tests.operations.review.made import change, review

CHANGES = (
    change(level="danger", where="A", meaning="A is lost.", running=True),
    change(level="danger", where="B", meaning="B is lost."),
    change(level="warning", where="C", meaning="C fails.", running=True),
    change(level="info", where="D", meaning="D is told."),
    change(level="info", where="E", meaning="E is told."),
)


def test_the_first_line_counts_and_headings_say_what_is_asked_of_the_reader() -> None:
    lines = as_text(review(*CHANGES)).splitlines()
    assert lines[0] == "Review of Stack: 2 dangers, 1 warning, 2 info"
    assert [line for line in lines[1:] if line and not line.startswith(" ")] == [
        "Dangerous",
        "What running executions notice",
        "The rest",
    ]
    assert [line.split()[1] for line in lines if re.match(r"  \w", line)] == [*"ABCDE"]


def test_what_is_dangerous_and_felt_at_once_says_both() -> None:
    told = as_text(review(*CHANGES))
    assert "danger  A (definition, running executions notice)" in told
    assert "danger  B (definition)" in told


def test_a_heading_that_would_stand_alone_names_no_rest() -> None:
    assert "\nChanges\n" in as_text(review(change()))


def test_nothing_is_one_line() -> None:
    assert as_text(review()) == "Review of Stack: nothing changes\n"


def test_what_changes_in_scripts_alone_says_so_in_a_line() -> None:
    script, other = change(kind="asset"), change()
    assert as_text(review(script)).splitlines()[1] == "Nothing but scripts changes."
    assert "Nothing but" not in as_text(review(script, other))


def test_values_are_shown_where_the_sentence_does_not_say_them() -> None:
    assert "5 → 10" in as_text(review(change(old=5, new=10)))
    assert "→" not in as_text(review(change(old=5, new=10, meaning="It is 10; before, 5.")))
    said = change(new={"Name": "A", "Sizes": ["5", 10]}, meaning="A has 5 and 10.")
    assert "→" not in as_text(review(said))
    assert "nothing → false" in as_text(review(change(new=False)))
    long = as_text(review(change(old="x" * 60, new={"a": "y" * 60})))
    assert f"- {'x' * 60}\n" in long
    assert f'+ {{"a": "{"y" * 60}"}}\n' in long


def test_no_line_of_a_sentence_is_wider_than_asked() -> None:
    told = as_text(review(change(meaning="word " * 100 + "end.")), width=60)
    assert max(map(len, told.splitlines())) <= 60
    assert told.count("word") == 100


def test_a_long_difference_is_cut_and_says_so() -> None:
    told = as_text(review(change(detail="\n".join(f"+line {place}" for place in range(70)))))
    assert "+line 49\n" in told
    assert "+line 50" not in told
    assert "… and 20 more lines, which --format json tells" in told


def test_colours_only_paint() -> None:
    changes = (*CHANGES, change(detail="@@ 1 @@\n-was\n+is\n same"))
    painted = as_text(review(*changes), coloured=True)
    assert "\033[1;31mdanger \033[0m" in painted
    assert "\033[32m+is\033[0m" in painted
    assert "\033[31m-was\033[0m" in painted
    assert re.sub(r"\033\[[0-9;]*m", "", painted) == as_text(review(*changes))


def test_no_value_reaches_the_terminal_as_a_command() -> None:
    evil = "\033[2J\u202e\x07\r"
    told = as_text(
        review(
            change(where=evil, old=f"a{evil}", new=f"b{evil}", meaning=evil),
            change(detail=evil),
            title=evil,
        )
    )
    assert not re.search(r"[\033\u202e\x07\r]", told)
    assert "a�[2J" in told
