"""What every kind of steps behind the packaging step answers about itself."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aws_cdk import aws_iam as iam
from constructs import IDependable

from model_packaging.definition_bridge import DefinitionBridge
from model_packaging.following.package_context import PackageContext
from model_packaging.roles import PackagingRoles


@dataclass(frozen=True)
class BoundSteps:
    """Steps behind the packaging step, and what the definition must declare for them.

    Attributes:
        steps: SDK steps, in their order.
        parameters: SDK pipeline parameters that they use.
    """

    steps: tuple[Any, ...]
    parameters: tuple[Any, ...] = ()


class FollowingSteps(Protocol):
    """Steps behind the packaging step of one pipeline.

    A kind of your own needs no more than this: derive from the protocol, and write what has no
    default here. For steps that need nothing else, there is :class:`StepsBehind`.
    """

    @property
    def package_readers(self) -> Sequence[iam.IGrantable]:
        """Roles of jobs that read the package. Default: none."""
        return ()

    @property
    def registers_package(self) -> bool:
        """Whether the pipeline itself registers the package, and so reads it. Default: no."""
        return False

    @property
    def dependencies(self) -> Sequence[IDependable]:
        """What must be deployed before the pipeline. Default: nothing."""
        return ()

    def allow(self, roles: PackagingRoles) -> None:
        """Grant what these steps need beside their jobs. Default: nothing.

        Args:
            roles: The roles of the pipeline, with the grants that there are.
        """

    def rendered_from(self, bridge: DefinitionBridge) -> Any:
        """All that :meth:`bind` makes its answer of besides the package, as JSON.

        What it holds of deploy-time values must be hidden here already: once rendered, ``bind`` is
        not called again.

        Default: None. What the answer depends on is then not known, and every synth renders anew.

        Args:
            bridge: Hides deploy-time values.
        """
        return None

    @abstractmethod
    def bind(self, context: PackageContext) -> BoundSteps:
        """Build the steps.

        Called once, offline: the SageMaker SDK may be imported here.

        Args:
            context: The package, the session for steps, and the way to pass deploy-time values.
        """
