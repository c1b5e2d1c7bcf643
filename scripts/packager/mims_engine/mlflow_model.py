"""What an MLflow model says of itself in its file ``MLmodel``: where its own code is.

MLflow puts what was logged with ``code_paths`` into the folder ``code/``, and writes that into
every flavour of the model's ``MLmodel``; loading the model prepends the folder to ``sys.path``
(``mlflow/utils/model_utils.py``, ``FLAVOR_CONFIG_CODE``).  Without it the model does not load.
"""

from __future__ import annotations

import re

from .errors import BadInput, show
from .judge import Judge
from .sizes import MIB

DESCRIPTION = "MLmodel"  # at the model's root
LIMIT = 4 * MIB  # hundreds of times what MLflow writes
# YAML in blocks, as MLflow writes it, or in braces, as JSON is too.  Whether the key is a flavour's
# is not looked at: were it another's, the user would be asked in vain, but nothing would be lost.
CODE_KEY = re.compile(
    rb"""(?:^|[{,])[ \t]*["']?code["']?[ \t]*:[ \t]*["']?([^\s"'#,}]+)""", re.MULTILINE
)
NOTHING = (b"null", b"Null", b"NULL", b"~", b"|", b">")


class MLflowModel:
    """Gathers the file ``MLmodel`` while the model passes by."""

    def __init__(self) -> None:
        self._text = bytearray()

    def feed(self, data: bytes | memoryview) -> None:
        self._text += data[: LIMIT - len(self._text)]

    def code_folders(self) -> list[str]:
        """The folders at the model's root that the model's own code is in."""
        values = [value for value in CODE_KEY.findall(bytes(self._text)) if value not in NOTHING]
        texts = [value.decode("utf-8", "backslashreplace") for value in values]
        parts = [[part for part in text.split("/") if part not in ("", ".")] for text in texts]
        return sorted({folder for folder, *_ in filter(None, parts)})

    def check_code_is_kept(self, judge: Judge) -> None:
        """Refuses to replace the model's own code, which nobody has chosen."""
        for folder in self.code_folders():
            files = [path for path in judge.replaced if path.startswith(f"{folder}/")]
            if files:
                raise BadInput(
                    f"the model's {DESCRIPTION} says that its own code is in {show(folder)}, and "
                    f"what ships would replace it ({show(files[0])}): the model would not load; "
                    "choose --existing-code overlay to keep it beside the scripts, or replace to "
                    "do without"
                )
