import gc
import os

import pytest

from stacks.start import quick_start


@pytest.mark.parametrize(
    ("given", "inside"),
    [
        (None, "--v8-pool-size=1"),
        ("--require trap.js", "--require trap.js --v8-pool-size=1"),
        ("--v8-pool-size=8", "--v8-pool-size=8"),
    ],
)
def test_node_starts_with_one_thread_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, given: str | None, inside: str
) -> None:
    monkeypatch.delenv("NODE_OPTIONS", raising=False)
    if given is not None:
        monkeypatch.setenv("NODE_OPTIONS", given)
    with quick_start():
        assert os.environ["NODE_OPTIONS"] == inside
    assert os.environ.get("NODE_OPTIONS") == given


def test_garbage_is_collected_again_afterwards() -> None:
    assert gc.isenabled()
    with quick_start():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), quick_start():
        raise ZeroDivisionError
    assert gc.isenabled()
