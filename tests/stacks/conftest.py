"""The assemblies of the stages, each synthesized once."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT, Make, synthesize

# The README's stages: the smallest, and one with everything on.
MINIMAL, EVERYTHING = (
    json.loads(sample)
    for sample in re.findall(r"```json\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
)
STAGES = ("dev", "prod", "everything")
CONTEXTS: dict[str, dict[str, Any]] = {
    "dev": {},
    "prod": {"stage": "prod"},
    "everything": {"stage": "everything", "stages": {"everything": EVERYTHING}},
}


@pytest.fixture(scope="session")
def assembly(once: Callable[[str, Make], Path]) -> Callable[[str], Path]:
    """The assembly of a stage, by its name."""
    return lambda stage: once(stage, lambda outdir: synthesize(outdir, **CONTEXTS[stage]))
