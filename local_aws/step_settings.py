"""What a step of a definition may say besides its arguments."""

from collections.abc import Mapping
from typing import Any

from local_aws.container import JobError

_EVERY = frozenset({"Arguments", "DependsOn", "Description", "DisplayName", "Name", "Type"})
_KEYS: Mapping[str, frozenset[str]] = {
    "Condition": _EVERY,
    "Fail": _EVERY,
    "Processing": _EVERY | {"CacheConfig", "PropertyFiles", "RetryPolicies"},
    "RegisterModel": _EVERY | {"RetryPolicies"},
    "Training": _EVERY | {"CacheConfig", "RetryPolicies"},
}
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


def check_step(step: Mapping[str, Any]) -> None:
    """Check what a step says of how it is run.

    Args:
        step: The step, as the definition has it.

    Raises:
        JobError: Something is not known, or out of its range.
    """
    if step["Type"] not in _KEYS:
        raise JobError(f"the local AWS runs {', '.join(_KEYS)} steps, not {step['Type']}")
    if unknown := sorted(set(step) - _KEYS[step["Type"]]):
        raise JobError(f"the local AWS doesn't know a step's {', '.join(unknown)}")
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
