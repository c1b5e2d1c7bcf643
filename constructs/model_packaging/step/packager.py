"""Which packager ships: the library's own, found on disk, and what of a folder ships.

The packager runs in the container and is never imported here. In a wheel it lies beside the
library's modules; in a source tree, ``scripts/packager`` is where it is edited.
"""

from pathlib import Path
from typing import Final

PROGRAM: Final = "mims_package.py"

_LIBRARY: Final = Path(__file__).resolve().parents[1]


def own_packager(library: Path = _LIBRARY) -> Path:
    """Folder of the library's own packager.

    The source tree's where the library runs from one, an editable install among them, so that an
    edited packager is the one that ships; else the one that came with the library.

    Args:
        library: Folder of the library's modules.

    Raises:
        FileNotFoundError: There is neither.
    """
    source_root = library.parent
    # A wheel may be installed into any folder, this name included; nothing around it is its own.
    is_installed = any(source_root.glob("model_packaging-*.dist-info"))
    beside, inside = source_root.parent / "scripts" / "packager", library / "packager"
    if source_root.name == "constructs" and not is_installed and (beside / PROGRAM).is_file():
        return beside
    if (inside / PROGRAM).is_file():
        return inside
    raise FileNotFoundError(
        f"the library's own packager is not in {str(inside)!r}; install model-packaging again, "
        f"from a wheel that has it, or name the folder of a {PROGRAM}"
    )


def is_packager(folder: Path) -> bool:
    """Whether a folder is one that Python runs: ``python3 FOLDER`` or a zip of it (PEP 441)."""
    return (folder / "__main__.py").is_file()
