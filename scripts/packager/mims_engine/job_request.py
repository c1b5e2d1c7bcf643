"""What SageMaker and the step tell of the job: the model's URI, the pipeline, the execution."""

from __future__ import annotations

import json
import os
import re

from .contract import PIPELINE_VARIABLE
from .errors import BadInput
from .files import InputFile
from .sizes import MIB

# "Customize access management for Pipelines jobs": pipelines-<execution>-<step>-<token>.
JOB_OF_A_PIPELINE = re.compile(r"pipelines-([a-z0-9]{12})-.+")


def read_request(job_config_file: str) -> dict[str, object]:
    """SageMaker's copy of the job's own request; empty where there is none."""
    try:
        with InputFile(job_config_file, follow=True) as file:
            request = json.loads(file.read(MIB))
    except (BadInput, OSError, ValueError, RecursionError):
        return {}  # a run can do without
    return request if isinstance(request, dict) else {}


def model_uri(job_config_file: str, model_dir: str) -> str | None:
    """The model's S3 URI, where the request tells it."""
    inputs = read_request(job_config_file).get("ProcessingInputs")
    for item in inputs if isinstance(inputs, list) else []:
        place = item.get("S3Input") if isinstance(item, dict) else None
        if not isinstance(place, dict):
            continue
        path, uri = place.get("LocalPath"), place.get("S3Uri")
        if isinstance(path, str) and path.rstrip("/") == model_dir.rstrip("/"):
            return uri if isinstance(uri, str) else None
    return None


def origin(job_config_file: str) -> dict[str, str | None]:
    """Pipeline and execution, for the last line.

    The execution is read from the job's name: in the environment or the arguments, which are
    SageMaker's cache key ("Caching pipeline steps"), it would end every cache hit.
    """
    name = read_request(job_config_file).get("ProcessingJobName")
    match = JOB_OF_A_PIPELINE.fullmatch(name) if isinstance(name, str) else None
    return {
        "pipeline": os.environ.get(PIPELINE_VARIABLE) or None,
        "execution": match[1] if match else None,
    }
