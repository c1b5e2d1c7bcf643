"""The packaging step: a processing job that joins a model with its inference scripts."""

import copy
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_packaging.step import contract
from model_packaging.step.builder_base import StepBuilderBase
from model_packaging.step.model_source import ModelSource, StaleModelWarning, may_be_stale
from model_packaging.step.packaged_model import PackagedModel
from model_packaging.step.packaging_values import PackagingValues
from model_packaging.step.s3_location import S3Location
from model_packaging.step.sdk.offline import offline
from model_packaging.step.sdk.uploads import upload
from model_packaging.step.settings.expressions import as_json, parameters_in
from model_packaging.step.settings.package_step_config import PackageStepConfig
from model_packaging.step.settings.s3_names import s3_uri

if TYPE_CHECKING:
    from sagemaker.core.shapes import ProcessingInput, ProcessingOutput
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.core.workflow.properties import PropertyFile
    from sagemaker.mlops.workflow.retry import SageMakerJobStepRetryPolicy, StepRetryPolicy
    from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, Step

    from model_packaging.step.sdk.sklearn_processor import SKLearnProcessor

logger = logging.getLogger(__name__)

_BASE_JOB_NAME_LIMIT = 30
_SCRIPT = "packaging_script_uri"


class MIMSPackagingStepBuilder(StepBuilderBase[PackageStepConfig]):
    """Builds the step that runs ``mims_package.py`` in the scikit-learn container.

    What the configuration names in this file system must be in S3 when the job runs. Say where by
    the URIs below; or give a session with credentials, and :meth:`create_step` uploads it to the
    session's default bucket.

    Args:
        config: The step's settings.
        sagemaker_session: Session of the SDK objects. Default: the offline session.
        role: ARN of the role that the processing job assumes.
        notebook_root: Folder that relative paths of the configuration start from. Default: the
            working directory.
        packaging_script_uri: S3 URI of what ``config.get_packaging_source()`` names: the script,
            or one ``.zip`` of the folder.
        inference_scripts_uri: S3 URI of the inference scripts: a prefix, or one ``.zip``.
        extra_input_uris: S3 URI of each extra input that the configuration names as a folder
            here, by its name: one ``.zip``.
        region: Region whose scikit-learn container runs the job. Default: the configuration's,
            or else the given session's.
        image_uri: The container itself, where its region is known at deployment only.
        environment: Environment variables of the job beside the configuration's; values may be
            SDK expressions.
        hide: Makes a setting fit for the SDK that holds what is known at deployment only: the CDK
            half's ``DefinitionBridge.hide``. Default: settings are given to the SDK as they are.
    """

    def __init__(
        self,
        config: PackageStepConfig,
        sagemaker_session: "PipelineSession | None" = None,
        role: str | None = None,
        notebook_root: Path | str | None = None,
        *,
        packaging_script_uri: str | None = None,
        inference_scripts_uri: str | None = None,
        extra_input_uris: Mapping[str, str] | None = None,
        region: str | None = None,
        image_uri: str | None = None,
        environment: Mapping[str, Any] | None = None,
        hide: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        super().__init__(config, sagemaker_session, role, notebook_root)
        self.region = region or config.aws_region
        if self.region is None and sagemaker_session is not None:
            self.region = sagemaker_session.boto_region_name
        self.image_uri = image_uri
        script, scripts = config.get_packaging_source(), config.get_inference_source_dir()
        if packaging_script_uri is None and isinstance(script, str):
            packaging_script_uri = hide(script)
        if inference_scripts_uri is None and isinstance(scripts, str):
            inference_scripts_uri = hide(scripts)
        self.packaging_script_uri = packaging_script_uri
        self.inference_scripts_uri = inference_scripts_uri
        self.extra_input_uris = dict(extra_input_uris or {})
        self.environment = dict(environment or {})
        self._hide = hide
        self._values = PackagingValues.of(config, self.extra_input_uris, hide)

    @property
    def rendered_from(self) -> dict[str, Any]:
        """All that the step depends on besides its model, as JSON."""
        return {
            "values": self._values.as_json(),
            "role": self.role,
            "packaging_script_uri": self.packaging_script_uri,
            "inference_scripts_uri": self.inference_scripts_uri,
            "region": self.region,
            "image_uri": self.image_uri,
            "environment": as_json(self.environment),
            "step": self._get_step_name("Package"),
        }

    @property
    def parameters(self) -> tuple[Any, ...]:
        """The SDK pipeline parameters that stand for settings: the pipeline must declare them."""
        found = [*self._values.parameters, *parameters_in(self.environment)]
        return tuple({parameter.name: parameter for parameter in found}.values())

    @property
    def package_report(self) -> "PropertyFile":
        """The step's property file: read a field of the package report with ``JsonGet``."""
        with offline():
            from sagemaker.core.workflow.properties import PropertyFile

            return PropertyFile(
                name=contract.PACKAGE_REPORT_PROPERTY_FILE,
                output_name=self._values.output_names[contract.PACKAGE_REPORT_OUTPUT],
                path=contract.REPORT_NAME,
            )

    def packaged_model(self, step: "ProcessingStep") -> PackagedModel:
        """The package, for steps that come behind.

        Args:
            step: What :meth:`create_step` built.
        """
        output = self._values.output_names[contract.PACKAGED_MODEL_OUTPUT]
        entry_point = self._values.inference_entry_point
        return PackagedModel(step, output, self.package_report, entry_point)

    def validate_configuration(self) -> None:
        """Check the configuration, and what the step needs beyond a valid one.

        Raises:
            ValueError: The configuration was changed into one that can't work, a required input
                or output has no name, no region is known, what is here has no place in S3 and no
                session to upload it, a URI is none or names no packager, or the role is no ARN.
        """
        self._check_configuration_again()
        required = [
            ("input_names", self.config.input_names, contract.MODEL_INPUT),
            ("output_names", self.config.output_names, contract.PACKAGED_MODEL_OUTPUT),
        ]
        if self.config.inference_entry_point is not None:
            required.append(
                ("input_names", self.config.input_names, contract.INFERENCE_SCRIPTS_INPUT)
            )
        for setting, names, name in required:
            if not names.get(name):
                raise ValueError(
                    f"{setting}: {name!r} has no name in {names!r}; add {{{name!r}: {name!r}}}"
                )
        if self.region is None and self.image_uri is None:
            raise ValueError(
                "region: None is given, and the container's registry differs by region; set "
                "region in the configuration, or pass it to the builder"
            )
        if self._session is None and (local := next(iter(self._to_upload()), None)):
            (argument, name), place = local
            written = f"{{{name!r}: 's3://…'}}" if name else "'s3://…'"
            raise ValueError(
                f"{argument}: {str(place)!r} is here, not in S3; upload it (a folder as a zip) and "
                f"pass {argument}={written}, or pass a sagemaker_session that uploads it, or use "
                "the CDK construct"
            )
        if self.config.inference_entry_point is None and self.inference_scripts_uri is not None:
            raise ValueError(
                f"inference_scripts_uri: {self.inference_scripts_uri!r} is given, but "
                "inference_entry_point is None, which packages without scripts; leave one out"
            )
        if unknown := sorted(set(self.extra_input_uris) - set(self.config.extra_inputs)):
            raise ValueError(
                f"extra_input_uris: {unknown[0]!r} is not among the configuration's extra_inputs; "
                "add it there"
            )
        uris = {
            _SCRIPT: self.packaging_script_uri,
            "inference_scripts_uri": self.inference_scripts_uri,
            **{f"extra_input_uris[{name!r}]": uri for name, uri in self.extra_input_uris.items()},
        }
        for name, uri in uris.items():
            if uri is not None:
                _require_s3_uri(name, uri)
        if self.packaging_script_uri is not None and _is_folder(self.packaging_script_uri):
            raise ValueError(
                f"{_SCRIPT}: {self.packaging_script_uri!r} is a folder, and the job runs one "
                "object; write the URI of the script, or of a zip of the packager's folder"
            )
        if self.role is None or (isinstance(self.role, str) and "/" not in self.role):
            raise ValueError(
                f"role: {self.role!r} is not the ARN of a role; write "
                "arn:aws:iam::<account>:role/<name>"
            )

    def _check_configuration_again(self) -> None:
        # pydantic checks what it makes, but not what model_copy(update=…) or model_construct(…) do.
        given = self.config.model_dump(warnings=False)
        for name in ("source_dir", "processing_source_dir"):
            if isinstance(place := given[name], Path):
                given[name] = self._local(place)
        if isinstance(extras := given["extra_inputs"], dict):
            given["extra_inputs"] = {
                name: self._local(place) if isinstance(place, Path) else place
                for name, place in extras.items()
            }
        type(self.config).model_validate(given)

    def create_step(
        self,
        model_artifacts_input_source: Any,
        dependencies: "Sequence[Step | str] | None" = None,
    ) -> "ProcessingStep":
        """Build the step.

        Args:
            model_artifacts_input_source: S3 URI of the model: a string, a pipeline parameter, a
                ``Join``, or an upstream step's ``properties``; or a :class:`ModelSource`, which
                tells what else comes with it, such as an upload's ETag
                (:meth:`ModelSource.uploaded`). Without an ETag, a :class:`StaleModelWarning` says
                what the step's cache would do.
            dependencies: Steps, or their names, that must have succeeded before.

        Returns:
            The SDK's ``ProcessingStep``, ready for a ``Pipeline``.

        Raises:
            ValueError: What :meth:`validate_configuration` raises, the region has no container,
                the source is no S3 URI, or SageMaker would refuse the job.
        """
        self.validate_configuration()
        source = model_artifacts_input_source
        is_bare = not isinstance(source, ModelSource)
        if is_bare:
            source = ModelSource(uri=source)
        known = {*source.extra_inputs, *self.config.extra_inputs}
        if unknown := sorted(set(self.config.extra_input_paths) - known):
            raise ValueError(
                f"extra_input_paths: {unknown[0]!r} is no extra input; there are "
                f"{', '.join(sorted(known)) or 'none'}"
            )
        if twice := sorted(set(source.extra_inputs) & set(self.config.extra_inputs)):
            raise ValueError(
                f"extra_inputs: {twice[0]!r} is given in the configuration, and is made by a step "
                "before too; leave one of the two out"
            )
        if not hasattr(source.uri, "expr"):  # no SDK expression
            _require_s3_uri("model_artifacts_input_source", source.uri)
        if dependencies is not None and not isinstance(dependencies, (list, tuple)):
            shown = repr(getattr(dependencies, "name", dependencies))
            raise ValueError(f"dependencies: {shown} is one step; write it as a list, [{shown}]")
        if is_bare and may_be_stale(source.uri) and self._values.enable_caching_package_step:
            warnings.warn(
                f"{_shown(source.uri)} says nothing of the model's content, by which SageMaker's "
                "step cache could tell one from another: a model uploaded again under the same key "
                f"within {self._values.cache_expires_after} would not be packaged, the earlier "
                "package would be given again; pass ModelSource.uploaded(uri, etag=…), or turn off "
                "enable_caching_package_step",
                StaleModelWarning,
                stacklevel=2,
            )
        logger.debug("%s packages %s", self._get_step_name("Package"), _shown(source.uri))
        return self._after_uploads()._build_step(source, list(dependencies or ()))

    def _to_upload(self) -> Iterator[tuple[tuple[str, str], Path]]:
        """What is here and of which no place in S3 is known, by the argument that could tell.

        For an extra input, with its name.
        """
        script, scripts = self.config.get_packaging_source(), self.config.get_inference_source_dir()
        if self.packaging_script_uri is None and isinstance(script, Path):
            yield ("packaging_script_uri", ""), script
        if self.inference_scripts_uri is None and isinstance(scripts, Path):
            yield ("inference_scripts_uri", ""), scripts
        for name, place in self.config.extra_inputs.items():
            if name not in self.extra_input_uris and isinstance(place, Path):
                yield ("extra_input_uris", name), place

    def _after_uploads(self) -> "MIMSPackagingStepBuilder":
        """A builder that knows where in S3 all is, after uploading what is here.

        This one goes on to upload: what is here may be edited before it builds the next step.
        """
        key = self.config.output_kms_key
        uris = {
            argument: upload(
                self._local(path),
                argument[1] or argument[0].removesuffix("_uri"),
                session=self.session,
                below=f"{self.config.pipeline_name}/{self._get_step_name('Package')}",
                kms_key=key if isinstance(key, str) else None,
            )
            for argument, path in self._to_upload()
        }
        other = copy.copy(self)
        for (argument, name), uri in uris.items():
            if not name:
                setattr(other, argument, uri)
        extras = {name: uri for (_, name), uri in uris.items() if name}
        other.extra_input_uris = {**self.extra_input_uris, **extras}
        other._values = PackagingValues.of(self.config, other.extra_input_uris, self._hide)
        return other

    @offline()
    def _build_step(
        self, source: ModelSource, dependencies: "list[Step | str]"
    ) -> "ProcessingStep":
        from sagemaker.mlops.workflow.steps import ProcessingStep

        processor = self._create_processor(source.environment)
        return ProcessingStep(
            name=self._get_step_name("Package"),
            step_args=processor.run(
                code=self.packaging_script_uri,
                inputs=self._get_processing_inputs(source.uri, source.extra_inputs),
                outputs=self._get_processing_outputs(),
                arguments=self._get_job_arguments(),
            ),
            depends_on=dependencies or None,
            cache_config=self._get_cache_config(),
            property_files=[self.package_report],
            retry_policies=self._get_retry_policies(),
        )

    def create_packaging_step(
        self, model_data: Any, dependencies: "Sequence[Step | str] | None" = None
    ) -> "ProcessingStep":
        """The old name of :meth:`create_step`."""
        return self.create_step(model_data, dependencies)

    @offline()
    def _create_processor(self, environment: Mapping[str, Any] | None = None) -> "SKLearnProcessor":
        from sagemaker.core.network import NetworkConfig

        from model_packaging.step.sdk.sklearn_processor import SKLearnProcessor

        values = self._values
        name = self._sanitize_name_for_sagemaker(self.config.pipeline_name, _BASE_JOB_NAME_LIMIT)
        preferences = [{"InstanceType": name} for name in values.instance_preferences]
        pipeline = {contract.PIPELINE_VARIABLE: values.pipeline_name}
        variables = {**pipeline, **values.environment, **self.environment, **(environment or {})}
        return SKLearnProcessor(
            values.processing_framework_version,
            region=self.region,
            image_uri=self.image_uri,
            role=self.role,
            instance_count=values.processing_instance_count,
            instance_type=values.instance_type,
            instance_preferences=preferences or None,
            volume_size_in_gb=values.processing_volume_size,
            volume_kms_key=values.volume_kms_key,
            output_kms_key=values.output_kms_key,
            max_runtime_in_seconds=values.max_runtime_in_seconds,
            base_job_name=f"{name}-mims-pkg",
            env=variables,
            tags=[{"Key": key, "Value": value} for key, value in values.tags.items()] or None,
            network_config=NetworkConfig(
                enable_network_isolation=values.enable_network_isolation,
                subnets=list(values.subnets) or None,
                security_group_ids=list(values.security_group_ids) or None,
            ),
            sagemaker_session=self.session,
        )

    def _get_job_arguments(self) -> list[str]:
        values = self._values
        return [
            *contract.script_arguments(
                values.inference_entry_point,
                mode=values.packaging_mode,
                existing_code=values.existing_code,
                zipped_extras=values.zipped_extras,
            ),
            *values.processing_script_arguments,
        ]

    @offline()
    def _get_processing_inputs(
        self, model: Any, made_before: Mapping[str, Any] | None = None
    ) -> "list[ProcessingInput]":
        from sagemaker.core.shapes import ProcessingInput, ProcessingS3Input

        names, extras = self._values.input_names, self._values.extra_inputs
        extras = {**extras, **(made_before or {})}
        scripts = contract.INFERENCE_SCRIPTS_INPUT
        uris = [(names[contract.MODEL_INPUT], model, contract.MODEL_DIR)]
        if self.inference_scripts_uri is not None:
            uris.append((names[scripts], self.inference_scripts_uri, contract.SCRIPTS_DIR))
        paths = {name: f"{contract.EXTRA_DIR}/{name}" for name in sorted(extras)}
        paths |= self._values.extra_input_paths
        uris += [(name, extras[name], path) for name, path in paths.items()]
        return [
            ProcessingInput(
                input_name=name,
                s3_input=ProcessingS3Input(
                    s3_uri=uri,
                    local_path=directory,
                    s3_data_type="S3Prefix",
                    s3_input_mode="File",
                ),
            )
            for name, uri, directory in uris
        ]

    @offline()
    def _get_processing_outputs(self) -> "list[ProcessingOutput]":
        from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output

        names = self._values.output_names
        return [
            ProcessingOutput(
                output_name=names[output],
                s3_output=ProcessingS3Output(
                    s3_uri=self._get_destination(folder),
                    local_path=directory,
                    # An archive that is still being written never leaves the instance.
                    s3_upload_mode="EndOfJob",
                ),
            )
            for output, folder, directory in (
                (
                    contract.PACKAGED_MODEL_OUTPUT,
                    contract.PACKAGED_MODEL_FOLDER,
                    contract.OUTPUT_DIR,
                ),
                (
                    contract.PACKAGE_REPORT_OUTPUT,
                    contract.PACKAGE_REPORT_FOLDER,
                    contract.REPORT_DIR,
                ),
            )
        ]

    def _get_destination(self, folder: str) -> Any:
        from sagemaker.core.workflow.execution_variables import ExecutionVariables
        from sagemaker.core.workflow.functions import Join

        prefix = f"{self._values.pipeline_s3_loc}/{self._get_step_name('Package')}"
        if not self._values.output_per_execution:
            return f"{prefix}/{folder}"
        # Events may be delivered twice; two executions must not write to the same place.
        return Join(on="/", values=[prefix, ExecutionVariables.PIPELINE_EXECUTION_ID, folder])

    @offline()
    def _get_cache_config(self) -> "CacheConfig | None":
        from sagemaker.mlops.workflow.steps import CacheConfig

        if not self._values.enable_caching_package_step:
            return None
        return CacheConfig(enable_caching=True, expire_after=self._values.cache_expires_after)

    @offline()
    def _get_retry_policies(self) -> "list[StepRetryPolicy | SageMakerJobStepRetryPolicy]":
        from sagemaker.mlops.workflow.retry import (
            SageMakerJobExceptionTypeEnum,
            SageMakerJobStepRetryPolicy,
            StepExceptionTypeEnum,
            StepRetryPolicy,
        )

        policies = []
        for policy in self._values.retry_policies:
            kind, faults = StepRetryPolicy, StepExceptionTypeEnum
            if policy.of_the_job:
                kind, faults = SageMakerJobStepRetryPolicy, SageMakerJobExceptionTypeEnum
            # Not faults(value): the SDK's enumerations answer every call with their first member.
            known = {fault.value: fault for fault in faults}
            policies.append(
                kind(
                    exception_types=[known[fault] for fault in policy.exceptions],
                    interval_seconds=policy.interval_seconds,
                    backoff_rate=policy.backoff_rate,
                    max_attempts=policy.max_attempts,
                    expire_after_mins=policy.expire_after_mins,
                )
            )
        return policies


def _is_folder(uri: str) -> bool:
    return uri.endswith("/") or not S3Location.parse(uri).key


def _require_s3_uri(name: str, uri: Any) -> None:
    if not isinstance(uri, str):
        raise ValueError(f"{name}: {uri!r} is not an S3 URI; write s3://<bucket>/<key>")
    try:
        s3_uri(uri)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _shown(value: Any) -> str:
    """A value for a log line; a pipeline variable refuses to become a text."""
    expression = getattr(value, "expr", None)
    return str(value) if expression is None else json.dumps(expression)
