"""What saved configurations of the predecessor hold that is no setting here, and what to write.

Its fields had several names over time; these are of its public versions (``nlp-pipeline`` and
``cursus`` of TianpeiLuke on GitHub), with those that its configurations shared with other steps'.
"""

from typing import Final

_DERIVED: Final = "remove it: it follows from the other settings"
_OF_OTHER_STEPS: Final = "remove it: it is of other steps than this one"

_WENT: Final[dict[str, str]] = {
    # Names that changed
    "packaging_entry_point": "write processing_entry_point",
    "packaging_script_arguments": "write processing_script_arguments",
    "inference_code_input_path": "write source_dir",
    "inference_scripts_dir": "write source_dir",
    "model_input_name_in_job": "write input_names={'model_input': …}",
    "scripts_input_name_in_job": "write input_names={'inference_scripts_input': …}",
    "inference_scripts_input_name_in_job": "write input_names={'inference_scripts_input': …}",
    "packaged_model_output_name_from_job": "write output_names={'packaged_model_output': …}",
    "enable_caching": "write enable_caching_package_step",
    # What follows from others
    "aws_region": _DERIVED,
    "resolved_processing_source_dir": _DERIVED,
    "effective_source_dir": _DERIVED,
    "effective_instance_type": _DERIVED,
    "script_path": _DERIVED,
    "portable_source_dir": _DERIVED,
    "portable_processing_source_dir": _DERIVED,
    "portable_script_path": _DERIVED,
    # What this step never used, or not as a setting
    "role": "remove it: the builder and the construct take the job's role",
    "framework_version": _OF_OTHER_STEPS,
    "py_version": "remove it: the container has its own Python",
    "model_class": _OF_OTHER_STEPS,
    "model_type": _OF_OTHER_STEPS,
    "model_objective": _OF_OTHER_STEPS,
    "service_name": "remove it: pipeline_name is the whole name",
    "job_type": _OF_OTHER_STEPS,
    "project_root_folder": "remove it: folders are found from where the program runs",
}


def where_it_went(field: str) -> str | None:
    """What to write instead of a field of the predecessor's, or none: it had no such field."""
    if field.startswith("__model_"):
        return "remove it: its loader wrote that for itself"
    return _WENT.get(field)
