"""The assemblies of the stages, each synthesized once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import surrounded
from tests.conftest import Make, synthesize
from tests.docs import pages

# The stages of docs/stages.md: the smallest, one with everything on that needs no further service,
# one with the step's settings, one that registers its packages.
MINIMAL, EVERYTHING, STEP, REGISTERING = (
    json.loads(sample.text) for sample in pages.blocks("json", page=pages.DOCS / "stages.md")
)
STAGES = ("dev", "prod", "everything")
# With those that were deployed nowhere before.
SYNTHESIZED = (*STAGES, "registering")
# The stage of tests/surrounded.py.
SURROUNDED = "surrounded"
CONTEXTS: dict[str, dict[str, Any]] = {
    "dev": {},
    "prod": {"stage": "prod"},
    "everything": {"stage": "everything", "stages": {"everything": EVERYTHING}},
    "registering": {"stage": "registering", "stages": {"registering": REGISTERING}},
}

# A template of each stage as it was deployed once: users update from there.
DEPLOYED_BEFORE = Path(__file__).parent / "deployed_before"
# The types of resources that hold what no deployment brings back.
HOLDS_DATA = {
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::SageMaker::ModelPackageGroup",
    "AWS::SageMaker::Pipeline",
    "Custom::LogRetention",
}


@pytest.fixture(scope="session")
def assembly(once: Callable[[str, Make], Path]) -> Callable[[str], Path]:
    """The assembly of a stage, by its name."""

    def of(stage: str) -> Path:
        if stage == SURROUNDED:
            return once(stage, surrounded.synthesize)
        return once(stage, lambda outdir: synthesize(outdir, **CONTEXTS[stage]))

    return of
