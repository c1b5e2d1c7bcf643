"""What the packaging step promises its script, and the script its step.

The script runs alone in a container and can import nothing of this package, so these values
stand twice: here, and as the defaults of ``scripts/mims_package.py``. A test compares them.
"""

from typing import Final

# SageMaker mounts every input and collects every output below these paths
# ("How Amazon SageMaker AI Processing Runs Your Processing Container Image").
MODEL_DIR: Final = "/opt/ml/processing/input/model"
SCRIPTS_DIR: Final = "/opt/ml/processing/input/script"
EXTRA_DIR: Final = "/opt/ml/processing/input/extra"
OUTPUT_DIR: Final = "/opt/ml/processing/output"
REPORT_FILE: Final = "/opt/ml/processing/report/package_report.json"
# A processing job's exit message is read from here ("DescribeProcessingJob", ExitMessage).
MESSAGE_FILE: Final = "/opt/ml/output/message"

MODEL_INPUT: Final = "model_input"
INFERENCE_SCRIPTS_INPUT: Final = "inference_scripts_input"
PACKAGED_MODEL_OUTPUT: Final = "packaged_model_output"

# Below the execution's prefix in S3.
PACKAGED_MODEL_FOLDER: Final = "packaged_model_artifacts"

# Never part of the inference scripts, so that running or browsing them changes nothing.
LEFT_OUT: Final = (
    ".git",
    "__pycache__",
    "*.pyc",
    ".ipynb_checkpoints",
    ".env",
    ".DS_Store",
    ".packageignore",
)

# The upload's ETag: it makes the step's cache key change with the model's content.
MODEL_ETAG_VARIABLE: Final = "MIMS_MODEL_ETAG"


def script_arguments(inference_entry_point: str) -> list[str]:
    """The script's command line: every path it reads or writes, named.

    Args:
        inference_entry_point: File that must be among the inference scripts, such as
            ``inference.py``.

    Returns:
        Arguments for ``mims_package.py``.
    """
    return [
        "--model-dir",
        MODEL_DIR,
        "--scripts-dir",
        SCRIPTS_DIR,
        "--extra-dir",
        EXTRA_DIR,
        "--output-dir",
        OUTPUT_DIR,
        "--report-file",
        REPORT_FILE,
        "--message-file",
        MESSAGE_FILE,
        "--inference-entry-point",
        inference_entry_point,
    ]
