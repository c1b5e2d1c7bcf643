# ruff: noqa: D101, D102  # each class is one CloudFormation type
"""SageMaker pipelines."""

import json
from typing import Any

import boto3
import botocore.exceptions

from local_aws.resources.base import Properties, Resource, UnsupportedError


class Pipeline(Resource):
    TYPE = "AWS::SageMaker::Pipeline"
    NAME_PROPERTY = "PipelineName"
    PROPERTIES = frozenset(
        {
            "PipelineDefinition",
            "PipelineDescription",
            "PipelineDisplayName",
            "PipelineName",
            "RoleArn",
            "Tags",
        }
    )
    REPLACED_BY = frozenset({"PipelineName"})
    KEPT = frozenset({"PipelineDescription", "PipelineDisplayName"})

    def create(self) -> None:
        boto3.client("sagemaker").create_pipeline(
            **self._arguments(), Tags=self.properties.get("Tags", [])
        )

    def update(self, before: Properties) -> None:
        boto3.client("sagemaker").update_pipeline(**self._arguments())

    def remove(self) -> None:
        try:
            boto3.client("sagemaker").delete_pipeline(PipelineName=self.physical_resource_id)
        except botocore.exceptions.ClientError as fault:
            # Deleted by someone else: that is success to CloudFormation.
            if fault.response["Error"]["Code"] != "ResourceNotFound":
                raise

    def _arguments(self) -> dict[str, Any]:
        definition = self.properties["PipelineDefinition"]
        if set(definition) != {"PipelineDefinitionBody"}:
            raise UnsupportedError(
                f"{self.TYPE}: PipelineDefinition needs PipelineDefinitionBody, not "
                f"{', '.join(sorted(definition))}"
            )
        json.loads(definition["PipelineDefinitionBody"])
        return {
            "PipelineName": self.physical_resource_id,
            "PipelineDefinition": definition["PipelineDefinitionBody"],
            **{
                name: self.properties[name]
                for name in ("PipelineDescription", "PipelineDisplayName", "RoleArn")
                if name in self.properties
            },
        }
