"""The command line: flags, their defaults, and what no run can be told."""

from __future__ import annotations

import argparse
import os
import re
from typing import NoReturn, Sequence

from . import contract
from .errors import UsageError, show
from .options import Options
from .sizes import GIB, KIB, MIB, TIB


class ArgumentParser(argparse.ArgumentParser):
    """Raises instead of exiting, so that a usage error reaches the message file too."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see --help")


def size_argument(text: str) -> int:
    """A positive count of bytes (or of members), with an optional suffix K, M, G or T."""
    match = re.fullmatch(r"([0-9]+)([KMGT]?)", text)
    if not match or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(
            f"{show(text)} is not a size; write a whole number above 0, such as 1048576, 64M or 1T"
        )
    return int(match[1]) * {"": 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB}[match[2]]


def argument_parser() -> ArgumentParser:
    defaults = Options()
    parser = ArgumentParser(
        prog="mims_package.py",
        description="Adds inference code to a trained model without recompressing the model.",
        allow_abbrev=False,
    )
    place = parser.add_argument_group("places")
    place.add_argument(
        "--model-dir",
        default=defaults.model_dir,
        help="the model: one archive, or loose files (default: %(default)s)",
    )
    place.add_argument(
        "--scripts-dir",
        default=defaults.scripts_dir,
        help="the inference scripts, or one .zip of them (default: %(default)s)",
    )
    place.add_argument(
        "--extra-dir",
        default=defaults.extra_dir,
        help="each folder NAME in it lands under NAME/ (default: %(default)s)",
    )
    place.add_argument(
        "--output-dir",
        default=defaults.output_dir,
        help="where model.tar.gz appears (default: %(default)s)",
    )
    place.add_argument(
        "--report-file",
        default=defaults.report_file,
        help="the report of a success (default: %(default)s)",
    )
    place.add_argument(
        "--message-file",
        default=defaults.message_file,
        help="the reason of a failure, one line (default: %(default)s)",
    )
    place.add_argument(
        "--job-config-file",
        default=defaults.job_config_file,
        help="where SageMaker tells the model's S3 URI, for the report (default: %(default)s)",
    )
    what = parser.add_argument_group("what is made")
    # Hosting strips ".py" and imports what remains (sagemaker_inference, environment.py).
    what.add_argument(
        "--inference-entry-point",
        default=defaults.inference_entry_point,
        metavar="PATH",
        help="a file that the scripts must hold (default: %(default)s); hosting takes it as a "
        "module, so that serving/inference.py is SAGEMAKER_PROGRAM=serving.inference",
    )
    what.add_argument(
        "--without-scripts", action="store_true", help="the package gets no code/ of its own"
    )
    what.add_argument(
        "--mode",
        choices=contract.MODES,
        default=defaults.mode,
        help="splice copies the compressed model, stream recompresses it; auto splices if it can",
    )
    what.add_argument(
        "--existing-code",
        choices=contract.EXISTING_CODE_CHOICES,
        default=defaults.existing_code,
        help="what happens to files that the model already has in code/: auto replaces them, but "
        "not what an MLmodel names as its own code (default: %(default)s)",
    )
    what.add_argument(
        "--unzip-extra",
        action="append",
        default=[],
        metavar="NAME",
        help="this extra input is one .zip of its files (may be given again)",
    )
    what.add_argument(
        "--symlinks",
        choices=("keep", "refuse"),
        default=defaults.symlinks,
        help="symbolic links that stay inside the model (default: %(default)s)",
    )
    what.add_argument(
        "--paranoid", action="store_true", help="read the whole output back before it appears"
    )
    limit = parser.add_argument_group("limits (suffixes K, M, G, T)")
    limit.add_argument(
        "--max-content-bytes",
        type=size_argument,
        default=defaults.max_content_bytes,
        metavar="SIZE",
        help="unpacked model; default 1T, beyond the largest volume of a processing step",
    )
    limit.add_argument(
        "--max-members",
        type=size_argument,
        default=defaults.max_members,
        metavar="COUNT",
        help="entries of the model; default 1000000, what the name table holds in its memory",
    )
    limit.add_argument(
        "--max-header-bytes",
        type=size_argument,
        default=defaults.max_header_bytes,
        metavar="SIZE",
        help="one extended tar header; default 1M, 250 times the longest path Linux takes",
    )
    limit.add_argument(
        "--max-scripts-bytes",
        type=size_argument,
        default=defaults.max_scripts_bytes,
        metavar="SIZE",
        help="unpacked scripts; default 2G, far above any real set of scripts",
    )
    parser.add_argument("--check", metavar="ARCHIVE", help="verify a package instead of making one")
    parser.add_argument("--version", action="version", version=f"%(prog)s {contract.VERSION}")
    return parser


def checked_options(argv: Sequence[str]) -> Options:
    options = Options(**vars(argument_parser().parse_args(argv)))
    entry_point = options.inference_entry_point
    parts = entry_point.split("/")
    if not all(part not in ("", ".", "..") for part in parts) or "\\" in entry_point:
        raise UsageError(
            f"--inference-entry-point {show(entry_point)} is not a plain relative path; "
            "write it relative to the scripts, such as inference.py or serving/inference.py"
        )
    if not options.check:
        check_places(options)
    return options


def check_places(options: Options) -> None:
    """What an earlier run left in the place of an output is removed: that must not be an input."""
    package = os.path.realpath(os.path.join(options.output_dir, contract.ARCHIVE_NAME))
    report = os.path.realpath(options.report_file)
    if package == report:
        raise UsageError("--report-file is the package itself; name another file")
    for flag, place in (("--output-dir", package), ("--report-file", report)):
        for folder in (options.model_dir, options.scripts_dir, options.extra_dir):
            root = os.path.realpath(folder)
            if os.path.commonpath((root, place)) == root:
                raise UsageError(
                    f"{flag} leads into the input {show(folder)}; name a place outside all inputs"
                )
