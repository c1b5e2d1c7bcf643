"""A store of rendered results, so that synth, diff and deploy of the same app render once.

Importing the SageMaker SDK and rendering takes longer than all the rest of a synth. What comes out
depends on the inputs alone, so it is kept under a digest of them: of every input, of the versions
of what renders, and of this library's own source. An entry that is damaged or not understood is
rendered again; the folder may be deleted at any time.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

# Whatever has a part in rendering or in checking what was rendered.
_RENDERED_BY: Final = (
    "sagemaker",
    "sagemaker-core",
    "sagemaker-mlops",
    "sagemaker-train",
    "boto3",
    "botocore",
    "pydantic",
)


class DefinitionStore:
    """Keeps JSON values by what they were made from.

    Args:
        folder: Where they are kept; made when needed. None: nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get(self, inputs: Any, render: Callable[[], Any]) -> Any:
        """The value made from some inputs, from the store if it is there.

        Args:
            inputs: All that the value depends on, as JSON. None: that is not known, so the value
                is made anew and not kept.
            render: Makes the value, which must be JSON.

        Returns:
            What ``render`` returns, now or when it was called with the same inputs.
        """
        if self._folder is None or inputs is None:
            return render()
        text = json.dumps([_renderer(), inputs])  # in their order, which shows in the value
        file = self._folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            entry = json.loads(file.read_text())
            # The inputs are there to be read by people, and to be compared: no digest is trusted.
            if entry["inputs"] == text and entry["digest"] == _digest(entry["value"]):
                return entry["value"]
        value = render()
        self._keep(file, {"inputs": text, "digest": _digest(value), "value": value})
        return value

    def _keep(self, file: Path, entry: dict[str, Any]) -> None:
        # A synth must not fail for want of a cache, nor leave half an entry.
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=file.parent, suffix=".partial")
            try:
                with os.fdopen(descriptor, "w") as partial:
                    json.dump(entry, partial)
                os.replace(name, file)
            except BaseException:
                os.unlink(name)
                raise


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


@functools.cache
def _renderer() -> dict[str, str]:
    """What renders, to the byte."""
    source = hashlib.sha256()
    library = Path(__file__).parents[1]
    for file in sorted(library.rglob("*.py")):
        # A wheel's packager renders nothing: its own digest is in the URI that it ships to.
        if file.relative_to(library).parts[0] != "packager":
            source.update(hashlib.sha256(file.read_bytes()).digest())
    return {
        "python": sys.version,
        "model_packaging": source.hexdigest(),
        **{name: importlib.metadata.version(name) for name in _RENDERED_BY},
    }
