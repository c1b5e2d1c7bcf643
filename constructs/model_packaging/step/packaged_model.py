"""The package as the steps behind the packaging step see it: known when an execution runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_packaging.step import contract
from model_packaging.step.sdk.offline import offline

if TYPE_CHECKING:
    from sagemaker.core.workflow.functions import Join, JsonGet
    from sagemaker.core.workflow.properties import PropertyFile
    from sagemaker.mlops.workflow.steps import ProcessingStep


@dataclass(frozen=True)
class PackagedModel:
    """The package that one packaging step makes.

    Attributes:
        step: The packaging step, with its ``properties``.
        output_name: Name of its output that holds the package.
        report_file: Its property file, the package report.
        inference_entry_point: Script below ``code/`` that hosting starts with. None: the package
            has no scripts.
    """

    step: "ProcessingStep"
    output_name: str
    report_file: "PropertyFile"
    inference_entry_point: str | None = "inference.py"

    @property
    def folder_uri(self) -> Any:
        """S3 URI of the folder that holds the package and nothing else: a processing input."""
        output = self.step.properties.ProcessingOutputConfig.Outputs[self.output_name]
        return output.S3Output.S3Uri

    @property
    def uri(self) -> "Join":
        """S3 URI of the package."""
        with offline():
            from sagemaker.core.workflow.functions import Join

            # The step's output is a folder.
            return Join(on="/", values=[self.folder_uri, contract.ARCHIVE_NAME])

    def report(self, json_path: str) -> "JsonGet":
        """A value of the package report.

        Args:
            json_path: Its path, such as ``archive.sha256``.
        """
        with offline():
            from sagemaker.core.workflow.functions import JsonGet

            return JsonGet(
                step_name=self.step.name, property_file=self.report_file, json_path=json_path
            )
