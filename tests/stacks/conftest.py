"""The assemblies of the stages, each synthesized once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Make, synthesize
from tests.docs import pages

# The stages of docs/stages.md: the smallest, one with everything on, one with the step's settings.
MINIMAL, EVERYTHING, STEP = (json.loads(sample.text) for sample in pages.blocks("json"))
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
