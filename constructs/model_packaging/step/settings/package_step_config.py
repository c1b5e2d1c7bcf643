"""The settings of one packaging step: their one face, and what the groups have to agree on."""

from pathlib import Path

from model_packaging.step import contract, service_model
from model_packaging.step.packager import PROGRAM, is_packager, own_packager
from model_packaging.step.settings.caching_and_retries import CachingAndRetrySettings
from model_packaging.step.settings.content import ContentSettings
from model_packaging.step.settings.encryption_and_network import EncryptionAndNetworkSettings
from model_packaging.step.settings.instances import DEFAULT_INSTANCE_TYPE, InstanceSettings
from model_packaging.step.settings.job import JobSettings
from model_packaging.step.settings.local_storage import has_local_storage
from model_packaging.step.settings.packaging_script import PackagingScriptSettings
from model_packaging.step.settings.pipeline import PipelineSettings
from model_packaging.step.settings.python_syntax import syntax_error


class PackageStepConfig(  # the last group's settings come first in the schema and the table
    CachingAndRetrySettings,
    EncryptionAndNetworkSettings,
    JobSettings,
    InstanceSettings,
    PackagingScriptSettings,
    ContentSettings,
    PipelineSettings,
):
    """Settings of the packaging step: which scripts ship, where the package goes, what runs it.

    Wherever a text stands that reaches AWS as it is, a CDK token may stand. What SageMaker limits
    is checked against its own service model as botocore has it.

    Raises:
        InvalidConfigError: Every setting that can't work, together, each with what was given and
            what to write instead.
    """

    def problems(self) -> list[str]:
        """See :meth:`SettingsGroup.problems`."""
        return [
            *super().problems(),
            *self._inference_script_problems(),
            *self._packager_problems(),
            *self._name_problems(),
            *self._tag_problems(),
            *self._volume_key_problems(),
        ]

    def _inference_script_problems(self) -> list[str]:
        if self.inference_entry_point is None:
            if self.source_dir is None:
                return []
            return [
                f"source_dir: {str(self.source_dir)!r} is given, but inference_entry_point is "
                "None, which packages without scripts; leave source_dir out, or name the script "
                "in it"
            ]
        scripts = self.source_dir or self.processing_source_dir
        if scripts is None:
            return [
                "source_dir: None is given; name the folder of the inference scripts, or package "
                "without any by inference_entry_point=None"
            ]
        if isinstance(scripts, str):
            return []  # what is in S3, the packager will see
        if self.source_dir is None and is_packager(scripts):
            return [
                f"source_dir: None is given, and processing_source_dir {str(scripts)!r} is a "
                "packager, since it has a __main__.py; name the folder of the inference scripts"
            ]
        if not scripts.is_dir():
            return [
                f"source_dir: {str(scripts)!r} is not a folder; name the folder of the "
                "inference scripts"
            ]
        if not (scripts / self.inference_entry_point).is_file():
            return [
                f"inference_entry_point: {self.inference_entry_point!r} is not in "
                f"{str(scripts)!r}; add the script or name another one"
            ]
        if pattern := contract.left_out_by(self.inference_entry_point, _packageignore(scripts)):
            where = "of every package" if pattern in contract.LEFT_OUT else "by .packageignore"
            return [
                f"inference_entry_point: {self.inference_entry_point!r} does not ship, since "
                f"{pattern!r} is left out {where}; name another script"
            ]
        return self._syntax_problems(scripts / self.inference_entry_point)

    def _syntax_problems(self, script: Path) -> list[str]:
        if script.suffix != ".py" or not (fault := syntax_error(script.read_bytes())):
            return []
        return [
            f"inference_entry_point: {self.inference_entry_point!r} can't be imported by any "
            f"server ({fault}); mend the script"
        ]

    def _packager_problems(self) -> list[str]:
        return [*self._script_problems(), *self._extra_path_problems()]

    def _extra_path_problems(self) -> list[str]:
        try:
            is_the_librarys = self.get_effective_source_dir() == own_packager()
        except FileNotFoundError:
            return []  # is reported as what it is
        if not self.extra_input_paths or not is_the_librarys:
            return []
        return [
            f"extra_input_paths: {self.extra_input_paths!r} is given, and the library's packager "
            f"looks below {contract.EXTRA_DIR}; leave it out, or name a packaging script of your "
            "own by processing_source_dir"
        ]

    def _script_problems(self) -> list[str]:
        remedy = "set processing_source_dir to the folder of the packaging script"
        try:
            script = self.get_script_path()
        except FileNotFoundError as error:
            return [f"processing_source_dir: None is given, but {error}"]
        if isinstance(script, str):
            return []  # what is in S3, the job will see
        if is_packager(script.parent) and self.processing_entry_point == PROGRAM:
            return []
        if script.is_file():
            return self._unused_entry_point_problems(script)
        if self.processing_source_dir is not None:
            return [f"processing_entry_point: {str(script)!r} is not a file; {remedy}"]
        return [
            f"processing_entry_point: {self.processing_entry_point!r} is neither in source_dir nor "
            f"in the library's own packager; {remedy}"
        ]

    def _unused_entry_point_problems(self, script: Path) -> list[str]:
        if not is_packager(script.parent):
            return []
        return [
            f"processing_entry_point: {self.processing_entry_point!r} is given, but "
            f"{str(script.parent)!r} has a __main__.py, which would run instead; leave "
            "processing_entry_point out, or name a folder without a __main__.py"
        ]

    def _name_problems(self) -> list[str]:
        problems = []
        taken = [*self.input_names.values(), *self.extra_inputs, contract.SDK_CODE_INPUT]
        for setting, names in (
            ("input_names", taken),
            ("output_names", [*self.get_output_names().values()]),
        ):
            problems += [
                f"{setting}: the name {name!r} is taken twice; write another one"
                for name in sorted({name for name in names if names.count(name) > 1})
            ]
        return problems

    def _tag_problems(self) -> list[str]:
        _, most = service_model.limits("TagList")
        if len(tags := self.get_tags()) <= (most or 0):
            return []
        return [
            f"tags: {len(tags)} are given, with author, current_date and pipeline_version; "
            f"SageMaker takes at most {most}"
        ]

    def _volume_key_problems(self) -> list[str]:
        if self.volume_kms_key is None:
            return []
        return [
            f"{setting}: {name!r} has local NVMe storage, which takes no volume_kms_key; write a "
            f"type without it, such as {DEFAULT_INSTANCE_TYPE!r}, or do without volume_kms_key"
            for setting, name in self.get_instance_types().items()
            if isinstance(name, str) and has_local_storage(name)  # no SDK expression
        ]

    def get_inference_source_dir(self) -> Path | str | None:
        """Folder of the inference scripts: ``source_dir``, or else ``processing_source_dir``.

        Returns:
            A folder here, or the S3 URI of one or of its zip; none where the package gets no
            scripts.
        """
        if self.inference_entry_point is None:
            return None
        folder = self.source_dir or self.processing_source_dir
        if isinstance(folder, str) and not folder.endswith(".zip"):
            # S3 reads a URI as the beginning of keys: else, longer names would come along.
            return f"{folder}/"
        return folder

    def get_effective_source_dir(self) -> Path | str:
        """Folder of the packaging script, here or in S3.

        ``processing_source_dir``, or else ``source_dir`` if it holds the script (so that nobody's
        own script is replaced silently), or else the library's own packager.
        """
        if self.processing_source_dir is not None:
            return self.processing_source_dir
        folder = self.source_dir
        if isinstance(folder, Path) and (folder / self.processing_entry_point).is_file():
            return folder
        return own_packager()

    def get_script_path(self) -> Path | str:
        """The packaging script, here or in S3."""
        folder = self.get_effective_source_dir()
        if isinstance(folder, str):
            return f"{folder}/{self.processing_entry_point}"
        return folder / self.processing_entry_point

    def get_packaging_source(self) -> Path | str:
        """What ships as the packager: a folder or one file here, or one file in S3.

        Returns:
            The folder of the packaging script if it has a ``__main__.py``: it ships as one zip,
            which Python runs as it is (``python -m zipapp`` makes one as well). Else the packaging
            script alone.
        """
        folder = self.get_effective_source_dir()
        return (
            folder if isinstance(folder, Path) and is_packager(folder) else self.get_script_path()
        )

    def get_tags(self) -> dict[str, str]:
        """Tags of the pipeline and its jobs: ``tags``, and who, when and which version."""
        told = {
            "author": self.author,
            "configuration-date": self.current_date and self.current_date.isoformat(),
            "pipeline-version": self.pipeline_version,
        }
        return {name: value for name, value in told.items() if value} | self.tags


def _packageignore(folder: Path) -> str:
    file = folder / ".packageignore"
    return file.read_text(errors="replace") if file.is_file() else ""
