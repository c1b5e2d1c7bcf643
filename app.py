"""Entry point of the CDK app: what is deployed, and with which settings."""

import json
import os
from pathlib import Path
from typing import Any

from aws_cdk import App

from model_packaging.packaging_pipeline import DEFINITION_STORE
from stacks.model_packaging_stack import ModelPackagingStack

PROJECT = Path(__file__).parent


def build_app(**context: str) -> App:
    """Make the app with its stack.

    Args:
        **context: Context values, as ``cdk synth -c name=value`` gives them.
    """
    # The CDK CLI sets both variables; without it, `python app.py` gives the same template.
    settings: dict[str, Any] = json.loads((PROJECT / "cdk.json").read_text())["context"]
    app = App(
        analytics_reporting=False,
        context=settings | context,
        outdir=None if "CDK_OUTDIR" in os.environ else str(PROJECT / "cdk.out"),
    )
    if folder := app.node.try_get_context(DEFINITION_STORE):
        app.node.set_context(DEFINITION_STORE, str(PROJECT / folder))
    ModelPackagingStack(
        app,
        "ModelPackaging",
        description="Packages trained models with their inference scripts for SageMaker hosting.",
        inference_scripts=PROJECT / app.node.get_context("inference_scripts"),
    )
    return app


if __name__ == "__main__":
    build_app().synth()
