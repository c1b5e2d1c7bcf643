"""What one run is told: the command line, checked."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from . import contract
from .sizes import GIB, MIB, TIB


class Options(NamedTuple):
    """The flags of the program's ``--help``, under the same names."""

    model_dir: str = contract.MODEL_DIR
    scripts_dir: str = contract.SCRIPTS_DIR
    extra_dir: str = contract.EXTRA_DIR
    output_dir: str = contract.OUTPUT_DIR
    report_file: str = contract.REPORT_FILE
    message_file: str = contract.MESSAGE_FILE
    job_config_file: str = contract.JOB_CONFIG_FILE
    inference_entry_point: str = contract.INFERENCE_ENTRY_POINT
    without_scripts: bool = False
    mode: str = contract.MODE
    existing_code: str = contract.EXISTING_CODE
    unzip_extra: Sequence[str] = ()
    symlinks: str = "keep"  # or refuse
    paranoid: bool = False
    max_content_bytes: int = TIB
    max_members: int = 1_000_000
    max_header_bytes: int = MIB
    max_scripts_bytes: int = 2 * GIB
    check: str | None = None
