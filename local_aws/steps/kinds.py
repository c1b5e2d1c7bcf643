"""Runs a step by its type."""

from collections.abc import Mapping
from typing import Any

from local_aws.conditions import outcome
from local_aws.container import JobError
from local_aws.steps.context import StepContext, Stopping
from local_aws.steps.processing import ProcessingStep
from local_aws.steps.registration import RegistrationStep
from local_aws.steps.training import TrainingStep

_JOBS = {"Processing": ProcessingStep, "Training": TrainingStep}


def run_step(
    step: Mapping[str, Any],
    request: Mapping[str, Any],
    record: dict[str, Any],
    context: StepContext,
    stopping: Stopping,
) -> None:
    """Run a step.

    Args:
        step: As the definition has it.
        request: Its arguments, without expressions.
        record: What ``ListPipelineExecutionSteps`` shows; gets the step's metadata.
        context: The execution.
        stopping: How the execution may be stopped.

    Raises:
        JobError: It failed.
        JobStoppedError: It was stopped.
    """
    kind = step["Type"]
    if kind in _JOBS:
        _JOBS[kind](step, context, stopping).run(request, record)
    elif kind == "RegisterModel":
        RegistrationStep(step, context).run(request, record)
    elif kind == "Condition":
        holds = outcome(request["Conditions"])
        record["Metadata"] = {"Condition": {"Outcome": "True" if holds else "False"}}
        context.results.add(step, {"Outcome": record["Metadata"]["Condition"]["Outcome"]}, {})
    elif kind == "Fail":
        message = str(request["ErrorMessage"])
        record["Metadata"] = {"Fail": {"ErrorMessage": message}}
        raise JobError(message)
    else:
        raise NotImplementedError(f"the local AWS doesn't run {kind} steps")
