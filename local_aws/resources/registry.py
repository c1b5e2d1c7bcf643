# ruff: noqa: D101, D102  # each class is one CloudFormation type
"""Groups of the model registry."""

import boto3

from local_aws.resources.base import Properties, Resource


class ModelPackageGroup(Resource):
    TYPE = "AWS::SageMaker::ModelPackageGroup"
    NAME_PROPERTY = "ModelPackageGroupName"
    PROPERTIES = frozenset({"ModelPackageGroupDescription", "ModelPackageGroupName", "Tags"})
    ATTRIBUTES = frozenset({"CreationTime", "ModelPackageGroupArn", "ModelPackageGroupStatus"})
    REPLACED_BY = frozenset({"ModelPackageGroupDescription", "ModelPackageGroupName"})

    def create(self) -> None:
        sagemaker = boto3.client("sagemaker")
        name = self.physical_resource_id
        arn = sagemaker.create_model_package_group(**self.given("Tags"), Tags=self._tags())
        group = sagemaker.describe_model_package_group(ModelPackageGroupName=name)
        self.physical_resource_id = arn["ModelPackageGroupArn"]  # what Ref gives
        self.attributes = {
            "CreationTime": group["CreationTime"].isoformat(),
            "ModelPackageGroupArn": self.physical_resource_id,
            "ModelPackageGroupStatus": group["ModelPackageGroupStatus"],
        }

    def update(self, before: Properties) -> None:
        sagemaker, arn = boto3.client("sagemaker"), self.physical_resource_id
        if gone := [tag["Key"] for tag in before.get("Tags", [])]:  # moto would keep both values
            sagemaker.delete_tags(ResourceArn=arn, TagKeys=gone)
        if tags := self._tags():
            sagemaker.add_tags(ResourceArn=arn, Tags=tags)

    def remove(self) -> None:
        name = self.physical_resource_id.rpartition("/")[2]
        boto3.client("sagemaker").delete_model_package_group(ModelPackageGroupName=name)

    def _tags(self) -> list[dict[str, str]]:
        tags: list[dict[str, str]] = self.properties.get("Tags", [])
        return tags
