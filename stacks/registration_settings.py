"""What a stage's registration is told: by the setting ``registration``."""

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
