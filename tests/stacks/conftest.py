"""The assemblies of the stages, each synthesized once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Make, synthesize
from tests.docs import pages

# The stages of docs/stages.md: the smallest, one with everything on, one with the step's settings.
MINIMAL, EVERYTHING, STEP = (
    json.loads(sample.text) for sample in pages.blocks("json", page=pages.DOCS / "stages.md")
)
STAGES = ("dev", "prod", "everything")
CONTEXTS: dict[str, dict[str, Any]] = {
    "dev": {},
    "prod": {"stage": "prod"},
    "everything": {"stage": "everything", "stages": {"everything": EVERYTHING}},
}

# A template of each stage as it was deployed once: users update from there.
DEPLOYED_BEFORE = Path(__file__).parent / "deployed_before"
# The types of resources that hold what no deployment brings back.
HOLDS_DATA = {
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::SageMaker::Pipeline",
    "Custom::LogRetention",
}


@pytest.fixture(scope="session")
def assembly(once: Callable[[str, Make], Path]) -> Callable[[str], Path]:
    """The assembly of a stage, by its name."""
    return lambda stage: once(stage, lambda outdir: synthesize(outdir, **CONTEXTS[stage]))
