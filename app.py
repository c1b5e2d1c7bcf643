"""Entry point of the CDK app: which stage is deployed, and what checks it."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from stacks.start import quick_start

with quick_start():
    from aws_cdk import App, Environment

    from model_packaging.rendering_store import DEFINITION_STORE
    from model_packaging.step import InvalidConfigError, InvalidRequestError
    from stacks.model_packaging_stack import ModelPackagingStack
    from stacks.rule_packs import add_rule_packs
    from stacks.stage import read_stage

PROJECT = Path(__file__).parent


def build_app(**context: Any) -> App:
    """Make the app with the stack of one stage, and the rule packs that check it.

    Args:
        **context: Context values, as ``cdk synth -c name=value`` gives them: ``stage``, and
            instead of the stage's own, ``inference_scripts`` and, as JSON, ``registration``.

    Raises:
        InvalidConfigError: There is no such stage, or a stage has a setting that can't work.
        InvalidRequestError: SageMaker would refuse the job.
    """
    # The CDK CLI sets both variables; without it, `python app.py` gives the same template.
    settings: dict[str, Any] = json.loads((PROJECT / "cdk.json").read_text())["context"]
    app = App(
        analytics_reporting=False,
        context=settings | context,
        outdir=os.environ.get("CDK_OUTDIR", str(PROJECT / "cdk.out")),
    )
    if folder := app.node.try_get_context(DEFINITION_STORE):
        app.node.set_context(DEFINITION_STORE, str(PROJECT / folder))
    stage, stages = app.node.get_context("stage"), app.node.get_context("stages")
    given = _given_instead(app)
    if given and stage in stages:
        stages = stages | {stage: stages[stage] | given}
    chosen = read_stage(stage, stages)
    ModelPackagingStack(
        app,
        "ModelPackaging",
        stage=stage,
        settings=chosen,
        description="Packages trained models with their inference scripts for SageMaker hosting.",
        env=Environment(account=chosen.account, region=chosen.region),
    )
    add_rule_packs(app)
    return app


def _given_instead(app: App) -> dict[str, Any]:
    """The settings that stand for a stage's own, as the demo gives them."""
    given: dict[str, Any] = {}
    if scripts := app.node.try_get_context("inference_scripts"):
        given["inference_scripts"] = scripts
    if registration := app.node.try_get_context("registration"):
        given["registration"] = json.loads(registration)
    return given


def main() -> None:
    """Synthesize the app; what can't work ends the process with its message alone."""
    try:
        build_app().synth()
    except (InvalidConfigError, InvalidRequestError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
