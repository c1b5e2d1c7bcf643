"""Where a definition may differ from what SageMaker SDK v2 renders, and nowhere else."""

from dataclasses import dataclass
from typing import Any, Final


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()


@dataclass(frozen=True)
class Difference:
    """One difference.

    Attributes:
        path: Keys from the definition on; ``*`` is every item of a list.
        before: What v2 renders.
        after: What this library renders.
        reason: Why that is right.
        only: The one configuration that differs. Default: every one.
    """

    path: tuple[str, ...]
    before: Any
    after: Any
    reason: str
    only: str | None = None

    def apply(self, configuration: str, definition: dict[str, Any]) -> int:
        """Turn ``before`` into ``after`` in a definition, in place.

        Returns:
            How many places were changed.
        """
        if self.only not in (None, configuration):
            return 0
        *parents, key = self.path
        places: list[Any] = [definition]
        for parent in parents:
            places = [
                item
                for place in places
                for item in (place if parent == "*" else [place.get(parent, {})])
            ]
        changed = [place for place in places if _equal(place.get(key, ABSENT), self.before)]
        for place in changed:
            place.pop(key, None)
            if self.after is not ABSENT:
                place[key] = self.after
        return len(changed)


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


_ARGUMENTS = ("Steps", "*", "Arguments")
_CLUSTER = (*_ARGUMENTS, "ProcessingResources", "ClusterConfig")
_MANAGED = "SDK v3 leaves out what is CreateProcessingJob's own default"
_CONTAINERS = (*_ARGUMENTS, "InferenceSpecification", "Containers")
_PREFERENCES = "SDK v2 knows no preferences; the service takes them instead of the type"

DIFFERENCES = (
    Difference((*_ARGUMENTS, "ProcessingInputs", "*", "AppManaged"), False, ABSENT, _MANAGED),
    Difference(
        (*_ARGUMENTS, "ProcessingOutputConfig", "Outputs", "*", "AppManaged"),
        False,
        ABSENT,
        _MANAGED,
    ),
    Difference(
        ("MlflowConfig",),
        ABSENT,
        None,
        "SDK v3 writes which MLflow server records the pipeline's runs: none does",
    ),
    Difference(
        (*_CLUSTER, "InstanceType"), "ml.m5.2xlarge", ABSENT, _PREFERENCES, "instance-preferences"
    ),
    Difference(
        (*_CLUSTER, "InstancePreferences"),
        ABSENT,
        [{"InstanceType": "ml.m5.2xlarge"}, {"InstanceType": "ml.m5.4xlarge"}],
        _PREFERENCES,
        "instance-preferences",
    ),
    Difference(
        ("Steps", "*", "Name"),
        "RegistrationStep-RegisterModel",
        "RegistrationStep",
        "SDK v2's RegisterModel is a collection, whose steps get an ending",
    ),
    Difference(
        ("Steps", "*", "Description"),
        "Churn within 30 days.",
        ABSENT,
        "it describes the version; SDK v2 says it of the step, too",
        "registered-in-a-given-group",
    ),
    Difference(
        (*_CONTAINERS, "*", "Environment"),
        {},
        ABSENT,
        "no variable is set, and the service takes no member for none",
        "registered-without-scripts",
    ),
)
