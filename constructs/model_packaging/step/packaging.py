"""The packaging step: a processing job that joins a model with its inference scripts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from model_packaging.step import contract
from model_packaging.step.builder_base import StepBuilderBase
from model_packaging.step.config import PackageStepConfig
from model_packaging.step.offline import offline

if TYPE_CHECKING:
    from sagemaker.core.shapes import ProcessingInput, ProcessingOutput
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, Step

    from model_packaging.step.sklearn_processor import SKLearnProcessor

_BASE_JOB_NAME_LIMIT = 30


class MIMSPackagingStepBuilder(StepBuilderBase):
    """Builds the step that runs ``mims_package.py`` in the scikit-learn container.

    Args:
        config: The step's settings.
        role: ARN of the role that the processing job assumes.
        packaging_script_uri: S3 URI of ``mims_package.py``.
        inference_scripts_uri: S3 URI of the inference scripts: a prefix, or one ``.zip``.
        region: Region whose scikit-learn container runs the job. Default: the session's.
        image_uri: The container itself, where its region is known at deployment only.
        environment: Environment variables of the job; values may be SDK expressions.
        sagemaker_session: Session of the SDK objects. Default: the offline session.
    """

    def __init__(
        self,
        config: PackageStepConfig,
        *,
        role: str,
        packaging_script_uri: str,
        inference_scripts_uri: str,
        region: str | None = None,
        image_uri: str | None = None,
        environment: Mapping[str, Any] | None = None,
        sagemaker_session: "PipelineSession | None" = None,
    ) -> None:
        super().__init__(config, role=role, sagemaker_session=sagemaker_session)
        self.region = region
        self.image_uri = image_uri
        self.packaging_script_uri = packaging_script_uri
        self.inference_scripts_uri = inference_scripts_uri
        self.environment = dict(environment or {})

    def validate_configuration(self) -> None:
        """Check that every required input and output has a name.

        Raises:
            ValueError: Names what is missing.
        """
        required = (
            ("input_names", self.config.input_names, contract.MODEL_INPUT),
            ("input_names", self.config.input_names, contract.INFERENCE_SCRIPTS_INPUT),
            ("output_names", self.config.output_names, contract.PACKAGED_MODEL_OUTPUT),
        )
        for setting, names, name in required:
            if not names.get(name):
                raise ValueError(
                    f"{setting}: {name!r} has no name in {names!r}; add {{{name!r}: {name!r}}}"
                )

    @offline()
    def create_step(
        self, model_artifacts_input_source: Any, dependencies: "list[Step | str] | None" = None
    ) -> "ProcessingStep":
        """Build the step.

        Args:
            model_artifacts_input_source: S3 URI of the model: a string, a pipeline parameter, a
                ``Join``, or an upstream step's ``properties``.
            dependencies: Steps, or their names, that must have succeeded before.

        Returns:
            The SDK's ``ProcessingStep``, ready for a ``Pipeline``.

        Raises:
            ValueError: A required input or output has no name, or the framework version or the
                region has no container.
        """
        from sagemaker.mlops.workflow.steps import ProcessingStep

        self.validate_configuration()
        processor = self._create_processor()
        return ProcessingStep(
            name=self._get_step_name("Package"),
            step_args=processor.run(
                code=self.packaging_script_uri,
                inputs=self._get_processing_inputs(model_artifacts_input_source),
                outputs=self._get_processing_outputs(),
                arguments=[
                    *contract.script_arguments(self.config.inference_entry_point),
                    *self.config.processing_script_arguments,
                ],
            ),
            depends_on=dependencies,
            cache_config=self._get_cache_config(),
        )

    def create_packaging_step(
        self, model_data: Any, dependencies: "list[Step | str] | None" = None
    ) -> "ProcessingStep":
        """The old name of :meth:`create_step`."""
        return self.create_step(model_data, dependencies)

    @offline()
    def _create_processor(self) -> "SKLearnProcessor":
        from sagemaker.core.network import NetworkConfig

        from model_packaging.step.sklearn_processor import SKLearnProcessor

        pipeline = self._sanitize_name_for_sagemaker(
            self.config.pipeline_name, _BASE_JOB_NAME_LIMIT
        )
        return SKLearnProcessor(
            self.config.processing_framework_version,
            region=self.region,
            image_uri=self.image_uri,
            role=self.role,
            instance_count=self.config.processing_instance_count,
            instance_type=self.config.get_instance_type(),
            volume_size_in_gb=self.config.processing_volume_size,
            base_job_name=f"{pipeline}-mims-pkg",
            env=self.environment or None,
            # The script needs no network; S3 is read and written by the service beside it.
            network_config=NetworkConfig(enable_network_isolation=True),
            sagemaker_session=self.session,
        )

    @offline()
    def _get_processing_inputs(self, model: Any) -> "list[ProcessingInput]":
        from sagemaker.core.shapes import ProcessingInput, ProcessingS3Input

        names = self.config.get_input_names()
        return [
            ProcessingInput(
                input_name=names[name],
                s3_input=ProcessingS3Input(
                    s3_uri=uri,
                    local_path=directory,
                    s3_data_type="S3Prefix",
                    s3_input_mode="File",
                ),
            )
            for name, uri, directory in (
                (contract.MODEL_INPUT, model, contract.MODEL_DIR),
                (
                    contract.INFERENCE_SCRIPTS_INPUT,
                    self.inference_scripts_uri,
                    contract.SCRIPTS_DIR,
                ),
            )
        ]

    @offline()
    def _get_processing_outputs(self) -> "list[ProcessingOutput]":
        from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output
        from sagemaker.core.workflow.execution_variables import ExecutionVariables
        from sagemaker.core.workflow.functions import Join

        prefix = f"{self.config.pipeline_s3_loc}/{self._get_step_name('Package')}"
        destination: Any = f"{prefix}/{contract.PACKAGED_MODEL_FOLDER}"
        if self.config.output_per_execution:
            # Events may be delivered twice; two executions must not write to the same place.
            destination = Join(
                on="/",
                values=[
                    prefix,
                    ExecutionVariables.PIPELINE_EXECUTION_ID,
                    contract.PACKAGED_MODEL_FOLDER,
                ],
            )
        return [
            ProcessingOutput(
                output_name=self.config.get_output_names()[contract.PACKAGED_MODEL_OUTPUT],
                s3_output=ProcessingS3Output(
                    s3_uri=destination,
                    local_path=contract.OUTPUT_DIR,
                    # An archive that is still being written never leaves the instance.
                    s3_upload_mode="EndOfJob",
                ),
            )
        ]

    @offline()
    def _get_cache_config(self) -> "CacheConfig | None":
        from sagemaker.mlops.workflow.steps import CacheConfig

        if not self.config.enable_caching_package_step:
            return None
        return CacheConfig(enable_caching=True, expire_after=self.config.cache_expires_after)
