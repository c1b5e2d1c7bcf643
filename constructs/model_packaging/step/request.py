"""Whether SageMaker would take the request that a rendered step makes of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from model_packaging.step.service_model import UnknownText, request_problems

_JOB_NAME: Final = "pipelines-sample-step-sample"
# The request that SageMaker makes of a step's arguments, and what it adds.
_REQUESTS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "Processing": ("CreateProcessingJob", {"ProcessingJobName": _JOB_NAME}),
    "Training": ("CreateTrainingJob", {"TrainingJobName": _JOB_NAME}),
    "RegisterModel": ("CreateModelPackage", {}),
}
_SAMPLE: Final = UnknownText("known-at-run-time-only")  # not shorter than any shape's minimum
_SAMPLES: Final[Mapping[str, Any]] = {"Integer": 1, "Float": 1.0, "Boolean": True}


class InvalidRequestError(ValueError):
    """A step that SageMaker would refuse; has one line for each reason."""


def check_requests(
    definition: Mapping[str, Any], *, unknown: re.Pattern[str] | None = None
) -> None:
    """Check what a definition's steps ask for against botocore's model of SageMaker.

    Checked are processing and training jobs and registrations.

    Pipeline variables are given sample values: a parameter its default. What is known at run
    time only is not checked.

    Args:
        definition: A rendered pipeline definition.
        unknown: What stands for a text that is known at deployment only. A value with such a part
            is not checked.

    Raises:
        InvalidRequestError: SageMaker would refuse a step; says which parameters and why.
    """
    samples = {
        f"Parameters.{parameter['Name']}": parameter.get(
            "DefaultValue", _SAMPLES.get(parameter["Type"], _SAMPLE)
        )
        for parameter in definition.get("Parameters", ())
    }
    for step in all_steps(definition["Steps"]):
        if step["Type"] not in _REQUESTS:
            continue
        operation, added = _REQUESTS[step["Type"]]
        try:
            arguments = _sample(step["Arguments"], samples)
        except KeyError as error:
            raise InvalidRequestError(
                f"the step {step['Name']!r} uses the pipeline parameter {error}, which the "
                "pipeline does not declare; add it to the parameters"
            ) from None
        problems = [
            problem
            for problem in request_problems(operation, {**added, **arguments})
            if unknown is None or not unknown.search(problem)
        ]
        if problems:
            raise InvalidRequestError(
                "\n  ".join([f"SageMaker would refuse the step {step['Name']!r}:", *problems])
            )


def all_steps(steps: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The steps, and those inside of their conditions."""
    for step in steps:
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            yield from all_steps(step.get("Arguments", {}).get(branch, ()))


def _sample(value: Any, samples: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_sample(item, samples) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Get": str(name)}:
            if name.startswith("Parameters.") and name not in samples:
                raise KeyError(name.removeprefix("Parameters."))
            return samples.get(name, _SAMPLE)
        case {"Std:Join": {"On": str(separator), "Values": list(parts)}}:
            sampled = [_sample(part, samples) for part in parts]
            joined = separator.join(map(str, sampled))
            unknown = any(isinstance(part, UnknownText) for part in sampled)
            return UnknownText(joined) if unknown else joined
        case {"Std:JsonGet": _}:
            return _SAMPLE
    return {name: _sample(item, samples) for name, item in value.items()}
