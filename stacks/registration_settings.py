"""What a stage's registration is told: by the setting ``registration``."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from model_packaging.step import InvalidConfigError, ModelRegistrationConfig

if TYPE_CHECKING:
    from stacks.stage import StageSettings


def registration_config(settings: "StageSettings") -> ModelRegistrationConfig | None:
    """The settings of a stage's registration; none where packages are not registered.

    Raises:
        InvalidConfigError: One can't work.
    """
    if settings.registration is None:
        return None
    return ModelRegistrationConfig(**settings.registration)


def registration_problems(settings: "StageSettings") -> list[str]:
    """What the registration has against a stage's settings, by the names that the stage has."""
    try:
        config = registration_config(settings)
    except InvalidConfigError as error:
        return [f"registration.{problem}" for problem in error.problems]
    if config is not None and "processing_source_dir" in settings.packaging:
        # Its report may be anything, and the service takes no value that is not there.
        return [
            "registration: is given, and so is packaging.processing_source_dir: the registry is "
            "told what the library's own packager reports; leave one of them out, or register in "
            "an app of your own"
        ]
    return []


def made_group(settings: "StageSettings") -> str | None:
    """Name of the model package group that a stage makes, if it makes one."""
    try:
        config = registration_config(settings)
    except InvalidConfigError:
        return None  # is reported as what it is
    return config.group_name if config and not config.group_is_given else None


@contextmanager
def faults_of_the_stage(stage: str) -> Iterator[None]:
    """Let a fault of the registration that shows in the stack name the stage's setting.

    Which images there are, the SageMaker SDK knows; importing it takes too long to ask it of every
    stage.
    """
    try:
        yield
    except InvalidConfigError as error:
        problems = [f"{stage}.registration.{problem}" for problem in error.problems]
        raise InvalidConfigError(problems, what="stages in cdk.json") from None
