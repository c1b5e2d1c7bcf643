"""Where an app keeps what was rendered."""

from pathlib import Path
from typing import Final

from constructs import IConstruct

from model_packaging.step.definition_store import DefinitionStore

# Context key: folder that keeps rendered definitions. Unset or empty: every synth renders anew.
DEFINITION_STORE: Final = "model_packaging:definition_store"


def rendering_store(scope: IConstruct) -> DefinitionStore:
    """The store of the app that a construct belongs to."""
    folder = scope.node.try_get_context(DEFINITION_STORE)
    return DefinitionStore(Path(folder) if isinstance(folder, str) and folder else None)
