"""What a step of a definition may say besides its arguments."""

from collections.abc import Mapping, Sequence
from typing import Any

from local_aws.processing_job import JobError

_KEYS = frozenset(
    {
        "Arguments",
        "CacheConfig",
        "DependsOn",
        "Description",
        "DisplayName",
        "Name",
        "PropertyFiles",
        "RetryPolicies",
        "Type",
    }
)
# "Retry Policy for Pipeline Steps": what may be tried again, and how often. No failure here is of
# such a kind: a script that fails, or an input that is missing, is not tried again.
_RETRIED = frozenset(
    {
        "SageMaker.CAPACITY_ERROR",
        "SageMaker.JOB_INTERNAL_ERROR",
        "SageMaker.RESOURCE_LIMIT",
        "Step.SERVICE_FAULT",
        "Step.THROTTLING",
    }
)
_RETRY_LIMITS: Mapping[str, tuple[float, float]] = {
    "BackoffRate": (0, float("inf")),
    "ExpireAfterMin": (1, 14400),
    "IntervalSeconds": (0, float("inf")),
    "MaxAttempts": (1, 20),
}


def check_step(step: Mapping[str, Any], earlier: Sequence[str]) -> None:
    """Check what a step says of how it is run.

    Args:
        step: The step, as the definition has it.
        earlier: Names of the steps that have run.

    Raises:
        JobError: Something is not known, or out of its range.
    """
    if step["Type"] != "Processing":
        raise JobError(f"the local AWS runs Processing steps, not {step['Type']}")
    if unknown := sorted(set(step) - _KEYS):
        raise JobError(f"the local AWS doesn't know a step's {', '.join(unknown)}")
    if missing := sorted(set(step.get("DependsOn") or []) - set(earlier)):
        raise JobError(f"the step {step['Name']} depends on {', '.join(missing)}, not run yet")
    outputs = step["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", [])
    names = [output["OutputName"] for output in outputs]
    for file in step.get("PropertyFiles") or []:
        if set(file) != {"FilePath", "OutputName", "PropertyFileName"}:
            raise JobError(f"a property file has a name, an output and a path, not {file}")
        if file["OutputName"] not in names:
            raise JobError(f"{file['PropertyFileName']}: the step has no {file['OutputName']!r}")
    for policy in step.get("RetryPolicies") or []:
        _check_retry_policy(policy)


def _check_retry_policy(policy: Mapping[str, Any]) -> None:
    if unknown := sorted(set(policy) - set(_RETRY_LIMITS) - {"ExceptionType"}):
        raise JobError(f"the local AWS doesn't know a retry policy's {', '.join(unknown)}")
    kinds = policy.get("ExceptionType", [])
    if not kinds or (wrong := sorted(set(kinds) - _RETRIED)):
        raise JobError(f"a retry policy can't be for {', '.join(wrong) if kinds else 'nothing'}")
    for name, (least, most) in _RETRY_LIMITS.items():
        if not least <= policy.get(name, least) <= most:
            raise JobError(f"a retry policy's {name} is from {least} to {most}, not {policy[name]}")
