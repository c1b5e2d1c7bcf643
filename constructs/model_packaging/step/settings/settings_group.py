"""What every group of settings has in common."""

from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def _plain_faults() -> Iterator[None]:
    """Raise the fault itself: pydantic puts a ``ValueError`` of a validator into one of its own."""
    try:
        yield
    except ValidationError as error:
        if found := _fault_in(error):
            raise found from None
        raise


def _fault_in(error: ValidationError) -> InvalidConfigError | None:
    faults = [fault.get("ctx", {}).get("error") for fault in error.errors()]
    found = next(iter(faults), None)
    return found if isinstance(found, InvalidConfigError) else None


class SettingsGroup(BaseModel):
    """Settings that belong together.

    Raises:
        InvalidConfigError: Every setting that can't work, together, each with what was given and
            what to write instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def __init__(self, **settings: Any) -> None:
        with _plain_faults():
            super().__init__(**settings)

    @classmethod
    def model_validate(cls: type[_Group], obj: Any, **options: Any) -> _Group:
        """As pydantic's, with the faults that the class raises."""
        with _plain_faults():
            return super().model_validate(obj, **options)

    @classmethod
    def model_validate_json(
        cls: type[_Group], json_data: str | bytes | bytearray, **options: Any
    ) -> _Group:
        """As pydantic's, with the faults that the class raises."""
        with _plain_faults():
            return super().model_validate_json(json_data, **options)

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
            # What the constructor has told already, if pydantic came here through it.
            raise _fault_in(error) or InvalidConfigError.of(cls, error) from None
        if problems := checked.problems():
            raise InvalidConfigError(problems, what=cls.__name__)
        return checked
