"""The assemblies of the stages, each synthesized once."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT, synthesize

# The README's stages: the smallest, and one with everything on.
MINIMAL, EVERYTHING = (
    json.loads(sample)
    for sample in re.findall(r"```json\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
)
STAGES = ("dev", "prod", "everything")
CONTEXTS: dict[str, dict[str, Any]] = {
    "prod": {"stage": "prod"},
    "everything": {"stage": "everything", "stages": {"everything": EVERYTHING}},
}


@pytest.fixture(scope="session")
def assembly(dev: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The assembly of a stage, by its name."""
    assemblies = {"dev": dev}

    def of(stage: str) -> Path:
        if stage not in assemblies:
            outdir = tmp_path_factory.mktemp(stage)
            assemblies[stage] = synthesize(outdir, **CONTEXTS[stage])
        return assemblies[stage]

    return of
