"""SageMaker's cache of pipeline steps ("Caching pipeline steps")."""

import copy
import datetime
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# "Default cache key attributes by pipeline step type". Inputs count by their URIs: what is stored
# there may have changed. Outputs, resources and the network don't count.
KEYS = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
}
_DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?"
)
_UNITS = (
    *(datetime.timedelta(days=days) for days in (365, 30, 7, 1)),
    *(datetime.timedelta(seconds=seconds) for seconds in (3600, 60, 1)),
)


@dataclass(frozen=True)
class CachedStep:
    """A step that has run and succeeded.

    Attributes:
        execution_arn: The execution that it was part of.
        metadata: What the step's record says of its job.
        ended: When it had succeeded.
        key: What must be the same for it to be reused.
    """

    execution_arn: str
    metadata: Mapping[str, Any]
    ended: datetime.datetime
    key: Mapping[str, Any]


class StepCache:
    """The successful steps of every pipeline, newest last."""

    def __init__(self) -> None:
        self._steps: dict[tuple[str, str], list[CachedStep]] = {}
        self._lock = threading.Lock()

    def find(
        self,
        pipeline_arn: str,
        step: Mapping[str, Any],
        request: Mapping[str, Any],
        now: datetime.datetime,
    ) -> CachedStep | None:
        """The newest earlier run that a step may reuse.

        Only runs that have succeeded count, never those that are still in progress, and only
        those of the same step of the same pipeline.

        Args:
            pipeline_arn: The pipeline.
            step: The step, as the definition has it.
            request: Its arguments, without expressions.
            now: The time at which ``ExpireAfter`` is looked at.

        Raises:
            ValueError: ``ExpireAfter`` is no ISO 8601 duration.
        """
        config = step.get("CacheConfig") or {}
        if not config.get("Enabled"):
            return None
        oldest, key = now - duration(config["ExpireAfter"]), _key(step, request)
        with self._lock:
            for candidate in reversed(self._steps.get((pipeline_arn, step["Name"]), [])):
                if candidate.key == key and candidate.ended >= oldest:
                    return candidate
        return None

    def add(
        self,
        pipeline_arn: str,
        step: Mapping[str, Any],
        request: Mapping[str, Any],
        ended: datetime.datetime,
        execution_arn: str,
        metadata: Mapping[str, Any],
    ) -> None:
        """Remember a step that has run and succeeded."""
        cached = CachedStep(execution_arn, metadata, ended, _key(step, request))
        with self._lock:
            self._steps.setdefault((pipeline_arn, step["Name"]), []).append(cached)


def duration(text: str) -> datetime.timedelta:
    """An ISO 8601 duration, such as ``P30D`` or ``PT1H``.

    Raises:
        ValueError: It is none.
    """
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()) or text.endswith("T"):
        raise ValueError(f"{text!r} is no ISO 8601 duration")
    parts = zip(found.groups(), _UNITS, strict=True)
    return sum((int(count) * unit for count, unit in parts if count), datetime.timedelta())


def _key(step: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    return copy.deepcopy({name: request.get(name) for name in KEYS[step["Type"]]})
