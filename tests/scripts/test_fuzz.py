"""A short fuzz run; `python -m tests.scripts.fuzz` runs for longer."""

from __future__ import annotations

from . import fuzz


def test_a_bounded_run_finds_nothing_and_accepts_some(mains):
    both = list(mains.values())
    tried, accepted = fuzz.fuzz(seconds=30, seed=20, most=250, mains=both)
    assert tried >= 50
    assert 0 < accepted < tried
