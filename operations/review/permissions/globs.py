"""Patterns with ``*`` and ``?``, and whether all that one matches is matched by others.

That is decided for the languages, not for the texts: the patterns run as automata side by side
over every word that could tell them apart. A token of a template is a symbol of its own there:
whatever it will be, it is the same in all patterns, and only ``*`` reaches over it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from operations.review.template.names import Token

# Word by word, two patterns of an ARN meet a few hundred states. What meets more is not decided.
_MOST_STATES = 5_000


class TooManyStatesError(Exception):
    """The patterns are too intertwined to be compared."""


@dataclass(frozen=True)
class Wildcard:
    """A ``*`` or ``?``.

    Attributes:
        many: Whether it stands for any number of letters, as ``*`` does.
        colons: Whether it matches a colon: not in the first five parts of an ARN.
    """

    many: bool
    colons: bool = True


Element = str | Token | Wildcard  # a str is one letter
Glob = tuple[Element, ...]
Pieces = Sequence[str | Token]

EVERYTHING: Glob = (Wildcard(many=True),)
_OTHER = "\0"  # a letter that is in no pattern


def literal(pieces: Pieces) -> Glob:
    """A pattern that matches this text alone."""
    return tuple(_letters(pieces))


def wildcards(pieces: Pieces, *, colons: bool = True) -> Glob:
    """A pattern in which ``*`` and ``?`` are wildcards."""
    found = {"*": Wildcard(many=True, colons=colons), "?": Wildcard(many=False, colons=colons)}
    return tuple(
        found.get(letter, letter) if isinstance(letter, str) else letter
        for letter in _letters(pieces)
    )


def arn(pieces: Pieces) -> Glob | None:
    """A pattern of ARNs: a wildcard doesn't reach over a colon between the six parts.

    Returns:
        The pattern, or None if it is neither ``*`` nor an ARN of six parts. A token that it begins
        with may be a whole ARN.
    """
    letters = tuple(_letters(pieces))
    if letters == ("*",):
        return EVERYTHING
    if letters and isinstance(letters[0], Token):
        return wildcards(pieces)
    colons = [place for place, letter in enumerate(letters) if letter == ":"]
    if len(colons) < 5:
        return None
    rest = colons[4] + 1
    return wildcards(letters[:rest], colons=False) + wildcards(letters[rest:])


def matches(glob: Glob, word: Sequence[str | Token]) -> bool:
    """Whether a pattern matches a word of letters and tokens."""
    states = _start(glob)
    for symbol in word:
        states = _step(glob, states, symbol)
    return len(glob) in states


@lru_cache(maxsize=20_000)  # of two policies, most patterns meet each other many times
def signatures(among: tuple[Glob, ...], others: tuple[Glob, ...]) -> frozenset[tuple[bool, ...]]:
    """How words can match patterns, all at once.

    Args:
        among: Patterns, one of which a word must match to be looked at; any word if empty.
        others: More patterns.

    Returns:
        For every kind of word: which of ``among`` and then of ``others`` it matches.

    Raises:
        TooManyStatesError: There are too many kinds of words to look at.
    """
    globs = (*among, *others)
    start = tuple(_start(glob) for glob in globs)
    seen, waiting = {start}, [start]
    found: set[tuple[bool, ...]] = set()
    while waiting:
        states = waiting.pop()
        matched = tuple(
            len(glob) in positions for glob, positions in zip(globs, states, strict=True)
        )
        if not among or any(matched[: len(among)]):
            found.add(matched)
        for symbol in _next_symbols(globs, states):
            following = tuple(
                _step(glob, positions, symbol)
                for glob, positions in zip(globs, states, strict=True)
            )
            if following in seen or (among and not any(following[: len(among)])):
                continue
            if len(seen) == _MOST_STATES:
                raise TooManyStatesError
            seen.add(following)
            waiting.append(following)
    return frozenset(found)


def covered(glob: Glob, by: Sequence[Glob]) -> bool:
    """Whether every word that a pattern matches is matched by one of the others, too.

    Raises:
        TooManyStatesError: There are too many kinds of words to look at.
    """
    if glob in by or EVERYTHING in by:
        return True
    return all(any(matched[1:]) for matched in signatures((glob,), tuple(by)))


def tokens(glob: Glob) -> frozenset[Token]:
    """The tokens in a pattern."""
    return frozenset(element for element in glob if isinstance(element, Token))


def could_meet(one: Glob, other: Glob, free: Iterable[Token] = ()) -> bool:
    """Whether two patterns match a word in common for some values of their tokens.

    What two resources are called, and what two pseudo parameters stand for, is never the same.

    Args:
        one: A pattern.
        other: Another.
        free: Tokens that may turn out to be any text.
    """
    free = frozenset(free)

    def reaches(token: Token, element: Element | None) -> bool:
        """Whether a free token's value may go on over an element of the other pattern."""
        if element is None:
            return False
        if token.function or (isinstance(element, Token) and element.function):
            return True
        if isinstance(element, Token):
            return False
        return bool(token.attribute) or element not in (":", "/")

    def steps(i: int, j: int) -> Iterator[tuple[int, int]]:
        a = one[i] if i < len(one) else None
        b = other[j] if j < len(other) else None
        for wild, facing, skip, take in (
            (a, b, (i + 1, j), (i, j + 1)),
            (b, a, (i, j + 1), (i + 1, j)),
        ):
            if isinstance(wild, Wildcard) and wild.many:
                yield skip
                if facing is not None and (wild.colons or facing != ":"):
                    yield take
            elif isinstance(wild, Token) and wild in free and reaches(wild, facing):
                yield from (take, (i + 1, j + 1))
        if a is not None and b is not None and (a == b or _is_one(a, b) or _is_one(b, a)):
            yield i + 1, j + 1

    seen, waiting = {(0, 0)}, [(0, 0)]
    while waiting:
        new = set(steps(*waiting.pop())) - seen
        seen |= new
        waiting += new
    return (len(one), len(other)) in seen


def _is_one(wild: Element, facing: Element) -> bool:
    if not isinstance(wild, Wildcard) or wild.many or isinstance(facing, Token):
        return False
    return wild.colons or facing != ":"


def _letters(pieces: Pieces) -> Iterator[str | Token]:
    for piece in pieces:
        yield from piece if isinstance(piece, str) else [piece]


def _start(glob: Glob) -> frozenset[int]:
    return _closed(glob, {0})


def _closed(glob: Glob, positions: set[int]) -> frozenset[int]:
    """The positions, and those behind a ``*``, which may stand for nothing."""
    found = set(positions)
    for position in positions:
        while position < len(glob) and _is_many(glob[position]):
            position += 1
            found.add(position)
    return frozenset(found)


def _is_many(element: Element) -> bool:
    return isinstance(element, Wildcard) and element.many


@lru_cache(maxsize=200_000)
def _step(glob: Glob, positions: frozenset[int], symbol: str | Token) -> frozenset[int]:
    found = set()
    for position in positions:
        if position == len(glob):
            continue
        element = glob[position]
        if not isinstance(element, Wildcard):
            if element == symbol:
                found.add(position + 1)
        elif element.colons or symbol != ":":
            if element.many:
                found.add(position)
            elif isinstance(symbol, str):  # nobody knows a token's length
                found.add(position + 1)
    return _closed(glob, found)


def _next_symbols(globs: Sequence[Glob], states: Sequence[frozenset[int]]) -> Iterator[str | Token]:
    """The symbols that can tell the patterns apart from here on, and one for all others."""
    yield from {
        glob[position]
        for glob, positions in zip(globs, states, strict=True)
        for position in positions
        if position < len(glob) and not isinstance(glob[position], Wildcard)
    } | {":", _OTHER}  # type: ignore[misc]
