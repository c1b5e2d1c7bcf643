"""What stands in for the images of containers, which are not pulled here.

A program runs with Python's standard library alone unless a stand-in has an interpreter whose
packages are those of the image. A training image whose algorithm is in it, so that there is no
script to run, gets a model that it would have trained.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

FILE = "images.json"


@dataclass(frozen=True)
class Image:
    """What stands in for an image.

    Attributes:
        python: Interpreter of an environment with the packages that the image has.
        trained: ``model.tar.gz`` that training with its own algorithm makes.
    """

    python: Path | None = None
    trained: Path | None = None

    def interpreter(self) -> list[str]:
        """How a program of the image is run: without the user's settings."""
        if self.python is not None:
            return [str(self.python), "-s", "-E"]
        return [sys.executable, "-S", "-s", "-E"]  # nor site-packages: the standard library alone


class Images:
    """The stand-ins of a local AWS, by their images' URIs.

    Args:
        directory: Folder of all that the local AWS writes.
    """

    def __init__(self, directory: Path) -> None:
        self._file = directory / FILE

    def stand_in(self, uri: str, image: Image) -> None:
        """Let something stand in for an image in the jobs that begin from now on."""
        known = self._read() | {
            uri: {
                "python": str(image.python) if image.python else None,
                "trained": str(image.trained) if image.trained else None,
            }
        }
        written = self._file.with_suffix(".new")
        written.write_text(json.dumps(known))
        written.replace(self._file)

    def find(self, uri: str) -> Image:
        """What stands in for an image; the standard library if nothing does."""
        names = self._read().get(uri, {})
        return Image(**{name: Path(path) for name, path in names.items() if path})

    def _read(self) -> dict[str, dict[str, str | None]]:
        known: dict[str, dict[str, str | None]] = {}
        return json.loads(self._file.read_text()) if self._file.exists() else known
