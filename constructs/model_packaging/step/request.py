"""Whether SageMaker would take the request that a rendered step makes of it."""

import re
from collections.abc import Mapping
from typing import Any, Final

from model_packaging.step.service_model import request_problems

# The request that SageMaker makes of a step's arguments, and the name that it adds.
_REQUESTS: Final[Mapping[str, tuple[str, str]]] = {
    "Processing": ("CreateProcessingJob", "ProcessingJobName"),
    "Training": ("CreateTrainingJob", "TrainingJobName"),
}
_JOB_NAME: Final = "pipelines-sample-step-sample"
# The SDK writes it into every step; as null, it is not part of the request.
_EMPTY: Final = "MlflowConfig"
_SAMPLE_URI: Final = "s3://sample/sample"
_SAMPLES: Final[Mapping[str, Any]] = {"Integer": 1, "Float": 1.0, "Boolean": True}


class InvalidRequestError(ValueError):
    """A step that SageMaker would refuse; has one line for each reason."""


def check_requests(
    definition: Mapping[str, Any], *, unknown: re.Pattern[str] | None = None
) -> None:
    """Check a definition's processing and training steps against botocore's model of SageMaker.

    Pipeline variables are given sample values: a parameter its default.

    Args:
        definition: A rendered pipeline definition.
        unknown: What stands for a text that is known at deployment only. A value with such a part
            is not checked.

    Raises:
        InvalidRequestError: SageMaker would refuse a step; says which parameters and why.
    """
    samples = {
        f"Parameters.{parameter['Name']}": parameter.get(
            "DefaultValue", _SAMPLES.get(parameter["Type"], "sample")
        )
        for parameter in definition.get("Parameters", ())
    }
    for step in definition["Steps"]:
        if step["Type"] not in _REQUESTS:
            continue
        operation, job_name = _REQUESTS[step["Type"]]
        arguments = {
            name: _sample(value, samples)
            for name, value in step["Arguments"].items()
            if (name, value) != (_EMPTY, None)
        }
        problems = [
            problem
            for problem in request_problems(operation, {job_name: _JOB_NAME, **arguments})
            if unknown is None or not unknown.search(problem)
        ]
        if problems:
            raise InvalidRequestError(
                "\n  ".join([f"SageMaker would refuse the step {step['Name']!r}:", *problems])
            )


def _sample(value: Any, samples: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_sample(item, samples) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Get": str(name)}:
            return samples.get(name, _SAMPLE_URI if name.startswith("Steps.") else "sample")
        case {"Std:Join": {"On": str(separator), "Values": list(parts)}}:
            return separator.join(str(_sample(part, samples)) for part in parts)
        case {"Std:JsonGet": _}:
            return "sample"
    return {name: _sample(item, samples) for name, item in value.items()}
