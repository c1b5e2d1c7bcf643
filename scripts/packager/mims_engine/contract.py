"""What the program promises whoever starts it, and its caller the program.

The step that runs it in a container cannot be imported here, nor this there, so both sides write
these values down; a test compares them.
"""

from __future__ import annotations

VERSION = "1.0.0"
REPORT_SCHEMA_VERSION = 1
# What the report has in the form that the model registry takes.
REPORT_REGISTRY = "registry"
REGISTRY_VALUES = ("source", "etag", "package_sha256", "model_sha256", "packager_version")

# SageMaker mounts every input and collects every output below these paths ("How Amazon SageMaker AI
# Processing Runs Your Processing Container Image").
MODEL_DIR = "/opt/ml/processing/input/model"
SCRIPTS_DIR = "/opt/ml/processing/input/script"
EXTRA_DIR = "/opt/ml/processing/input/extra"
OUTPUT_DIR = "/opt/ml/processing/output"
REPORT_FILE = "/opt/ml/processing/report/package_report.json"
# A processing job's exit message is read from here ("DescribeProcessingJob", ExitMessage).
MESSAGE_FILE = "/opt/ml/output/message"
MESSAGE_LIMIT = 1024  # bytes
# The job's own request ("How Amazon SageMaker AI Processing Configures Input and Output For Your
# Processing Container").
JOB_CONFIG_FILE = "/opt/ml/config/processingjobconfig.json"
MODEL_ETAG_VARIABLE = "MIMS_MODEL_ETAG"
MODEL_ETAG_IS_MD5_VARIABLE = "MIMS_MODEL_ETAG_IS_MD5"  # "true" where that is certain
MODEL_SIZE_VARIABLE = "MIMS_MODEL_SIZE"  # of the upload, in bytes
PIPELINE_VARIABLE = "MIMS_PIPELINE"
ARCHIVE_NAME = "model.tar.gz"
CODE = "code"  # the folder of the scripts in the archive, which hosting looks into
INFERENCE_ENTRY_POINT = "inference.py"
MODES = ("auto", "splice", "stream")
MODE = "auto"
EXISTING_CODE_CHOICES = ("auto", "replace", "overlay", "refuse")
EXISTING_CODE = "auto"

# Never part of the scripts.
LEFT_OUT = (
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

# Names of the log's structured lines, for metric filters.
DONE_EVENT = "mims_package.done"
FAILED_EVENT = "mims_package.failed"
CHECKED_EVENT = "mims_package.checked"
