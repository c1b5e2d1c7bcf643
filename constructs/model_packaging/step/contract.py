"""What the packaging step promises its script, and the script its step.

The script runs alone in a container and can import nothing of this package, so these values
stand twice: here, and as the defaults of ``scripts/packager``. A test compares them.
"""

import fnmatch
from collections.abc import Sequence
from typing import Final

# SageMaker mounts every input and collects every output below these paths
# ("How Amazon SageMaker AI Processing Runs Your Processing Container Image").
PROCESSING_DIR: Final = "/opt/ml/processing"
MODEL_DIR: Final = "/opt/ml/processing/input/model"
SCRIPTS_DIR: Final = "/opt/ml/processing/input/script"
EXTRA_DIR: Final = "/opt/ml/processing/input/extra"
OUTPUT_DIR: Final = "/opt/ml/processing/output"
REPORT_DIR: Final = "/opt/ml/processing/report"
REPORT_NAME: Final = "package_report.json"
REPORT_FILE: Final = f"{REPORT_DIR}/{REPORT_NAME}"
# Where the SDK mounts the packaging script.
CODE_DIR: Final = "/opt/ml/processing/input/code"
# No further input may be mounted there, nor around it.
TAKEN_DIRS: Final = (MODEL_DIR, SCRIPTS_DIR, EXTRA_DIR, CODE_DIR, OUTPUT_DIR, REPORT_DIR)
# A processing job's exit message is read from here ("DescribeProcessingJob", ExitMessage).
MESSAGE_FILE: Final = "/opt/ml/output/message"
# The job's own request, among it the URI of each input ("How Amazon SageMaker AI Processing
# Configures Input and Output For Your Processing Container").
JOB_CONFIG_FILE: Final = "/opt/ml/config/processingjobconfig.json"

MODEL_INPUT: Final = "model_input"
INFERENCE_SCRIPTS_INPUT: Final = "inference_scripts_input"
PACKAGED_MODEL_OUTPUT: Final = "packaged_model_output"
PACKAGE_REPORT_OUTPUT: Final = "package_report"
# The SDK adds the packaging script as an input of this name.
SDK_CODE_INPUT: Final = "code"

PACKAGING_STEP: Final = "PackagingStep"
REGISTRATION_STEP: Final = "RegistrationStep"

# The package, in its folder: the step's output is the folder.
ARCHIVE_NAME: Final = "model.tar.gz"

# Below the execution's prefix in S3.
PACKAGED_MODEL_FOLDER: Final = "packaged_model_artifacts"
PACKAGE_REPORT_FOLDER: Final = "package_report"

# The step's property file: what JsonGet reads the report by.
PACKAGE_REPORT_PROPERTY_FILE: Final = "PackageReport"

# What the report has in the form that the model registry takes, below REPORT_REGISTRY.
REPORT_REGISTRY: Final = "registry"
REGISTRY_VALUES: Final = (
    "source",
    "etag",
    "package_sha256",
    "model_sha256",
    "packager_version",
)
# Where hosting unpacks a package: its scripts' folder.
HOSTED_CODE_DIR: Final = "/opt/ml/model/code"

# Names of the packager's structured log lines, for metric filters.
DONE_EVENT: Final = "mims_package.done"
FAILED_EVENT: Final = "mims_package.failed"

# Never part of the inference scripts, so that running or browsing them changes nothing.
LEFT_OUT: Final = (
    ".git",
    "__pycache__",
    "*.pyc",
    ".ipynb_checkpoints",
    ".env",
    ".DS_Store",
    "._*",  # what macOS keeps of a file where the file system has no room for it
    "Thumbs.db",
    ".packageignore",
)

# The upload's ETag: it makes the step's cache key change with the model's content.
MODEL_ETAG_VARIABLE: Final = "MIMS_MODEL_ETAG"
# "true" where the bucket takes no object whose ETag is something else than an MD5 (or made of
# those of an upload's parts): the script then refuses another content.
MODEL_ETAG_IS_MD5_VARIABLE: Final = "MIMS_MODEL_ETAG_IS_MD5"
# The upload's size in bytes, where somebody chose to pass it on.
MODEL_SIZE_VARIABLE: Final = "MIMS_MODEL_SIZE"
# The pipeline's name, for the packager's last line. A constant: it changes no cache key.
PIPELINE_VARIABLE: Final = "MIMS_PIPELINE"


def left_out_by(path: str, packageignore: str = "") -> str | None:
    """The pattern that keeps an inference script out of the package, as the script reads it.

    Args:
        path: Path of the file, relative to the scripts' folder.
        packageignore: Text of the folder's ``.packageignore``: one shell pattern a line. Without
            a slash it is compared with every part of a path, with one (other than at the end)
            with the path from the scripts' root; a slash at the end means folders only.

    Returns:
        The first pattern that matches, or none: the file ships.
    """
    parts = path.split("/")
    wholes = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    lines = [line.strip() for line in packageignore.splitlines()]
    for line in (*LEFT_OUT, *(line for line in lines if line and not line.startswith("#"))):
        pattern = line.rstrip("/")
        folders_only = slice(None, -1) if line.endswith("/") else slice(None)
        compared = (wholes if "/" in pattern else parts)[folders_only]
        if any(fnmatch.fnmatchcase(text, pattern.lstrip("/")) for text in compared):
            return line
    return None


def script_arguments(
    inference_entry_point: str | None,
    *,
    mode: str = "auto",
    existing_code: str = "auto",
    zipped_extras: Sequence[str] = (),
) -> list[str]:
    """The script's command line: every path it reads or writes, named.

    Args:
        inference_entry_point: File that must be among the inference scripts, such as
            ``inference.py``. None: there are no scripts.
        mode: ``auto``, ``splice`` or ``stream``.
        existing_code: ``auto``, ``replace``, ``overlay`` or ``refuse``.
        zipped_extras: Names of the extra inputs that arrive as one zip of their files.

    Returns:
        Arguments for ``mims_package.py``.
    """
    options = {
        "--model-dir": MODEL_DIR,
        "--scripts-dir": SCRIPTS_DIR,
        "--extra-dir": EXTRA_DIR,
        "--output-dir": OUTPUT_DIR,
        "--report-file": REPORT_FILE,
        "--message-file": MESSAGE_FILE,
        "--job-config-file": JOB_CONFIG_FILE,
        **({"--inference-entry-point": inference_entry_point} if inference_entry_point else {}),
        "--mode": mode,
        "--existing-code": existing_code,
    }
    arguments = [text for option in options.items() for text in option]
    if inference_entry_point is None:
        arguments.append("--without-scripts")
    for name in zipped_extras:
        arguments += ["--unzip-extra", name]
    return arguments
