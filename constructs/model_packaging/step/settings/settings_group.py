"""What every group of settings has in common."""

from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from model_packaging.step.settings.invalid_config import InvalidConfigError

_Group = TypeVar("_Group", bound="SettingsGroup")


class SettingsGroup(BaseModel):
    """Settings that belong together.

    Raises:
        InvalidConfigError: Every setting that can't work, together, each with what was given and
            what to write instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def problems(self) -> list[str]:
        """What settings, each valid, have against each other. A group adds its own."""
        return []

    @model_validator(mode="wrap")
    @classmethod
    def _explain(
        cls: type[_Group], settings: Any, handler: ModelWrapValidatorHandler[_Group]
    ) -> _Group:
        try:
            checked = handler(settings)
        except ValidationError as error:
            raise InvalidConfigError.of(cls, error) from None
        if problems := checked.problems():
            raise InvalidConfigError(problems)
        return checked
