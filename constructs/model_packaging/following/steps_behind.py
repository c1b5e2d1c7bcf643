"""Steps of one's own behind the packaging step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_iam as iam

from model_packaging.following.following_steps import BoundSteps, FollowingSteps
from model_packaging.following.package_context import PackageContext


@dataclass(frozen=True)
class StepsBehind(FollowingSteps):
    """Steps of your own behind the packaging step, such as one that tries the package.

    The pipeline's role may run the jobs of training and processing steps and pass the roles that
    they name, and read the package report if a step uses it. What steps of other types need, grant
    to ``roles.pipeline_role`` of the pipeline.

    Attributes:
        build: Called once, offline, with the :class:`PackageContext`. Imports the SDK, builds the
            steps, and returns them in a list.
        readers: Roles of the steps' jobs: each may read the packages.
        parameters: SDK pipeline parameters that the steps use, by a function for the same reason.
    """

    build: Callable[[PackageContext], Sequence[Any]]
    readers: tuple[iam.IGrantable, ...] = ()
    parameters: Callable[[], Sequence[Any]] = tuple

    @property
    def package_readers(self) -> Sequence[iam.IGrantable]:
        """Roles of jobs that read the package."""
        return self.readers

    def bind(self, context: PackageContext) -> BoundSteps:
        """The steps, and the parameters that the pipeline must declare for them.

        Raises:
            ValueError: ``build`` returned no list of steps.
        """
        built = self.build(context)
        if not isinstance(built, (list, tuple)):
            raise ValueError(
                f"build returned {type(built).__name__}; return the steps in a list, such as [step]"
            )
        return BoundSteps(tuple(built), tuple(self.parameters()))
