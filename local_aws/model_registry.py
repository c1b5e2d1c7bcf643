"""The model registry: moto's takes what SageMaker's refuses, and forgets when it is approved.

Errors are in the service's own words where its users quote them: no document lists them.
"""

import json
import re
import threading
import unicodedata
from collections.abc import Mapping
from typing import Any

import botocore.exceptions
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker import models
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.responses import SageMakerResponse

from local_aws.container import JobError
from local_aws.identities import session_of
from local_aws.job_data import S3Location
from local_aws.moto_seams import OwnBackend
from local_aws.sagemaker_events import model_package_changed

# botocore's model of SageMaker: the shapes CustomerMetadataKey and CustomerMetadataValue.
_METADATA = re.compile(r"[_.:/=+\-@]")
_METADATA_CATEGORIES = ("L", "Z", "N")
_LONGEST_KEY, _LONGEST_VALUE, _MOST = 128, 256, 50
# Of a new package and of a change, what moto keeps.
_KEPT = frozenset(
    {
        "AdditionalInferenceSpecifications",
        "CertifyForMarketplace",
        "ClientToken",
        "CustomerMetadataProperties",
        "Domain",
        "DriftCheckBaselines",
        "InferenceSpecification",
        "MetadataProperties",
        "ModelApprovalStatus",
        "ModelMetrics",
        "ModelPackageDescription",
        "ModelPackageGroupName",
        "ModelPackageName",
        "SamplePayloadUrl",
        "SkipModelValidation",
        "SourceAlgorithmSpecification",
        "Tags",
        "Task",
        "ValidationSpecification",
    }
)
_CHANGED = frozenset(
    {
        "ApprovalDescription",
        "CustomerMetadataProperties",
        "CustomerMetadataPropertiesToRemove",
        "ModelApprovalStatus",
        "ModelPackageArn",
    }
)


class RegistryBackend(OwnBackend, models.SageMakerModelBackend):  # type: ignore[misc]
    """moto's, whose registry is as strict as SageMaker's."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._registering = threading.Lock()
        self._versions: dict[str, int] = {}  # the last of each group

    def create_model_package_group(self, **arguments: Any) -> Any:
        """Refuse a second one of a name."""
        if group := self.model_package_groups.get(arguments["model_package_group_name"]):
            raise AWSValidationException(f"Model Package Group already exists: {group.arn}")
        return super().create_model_package_group(**arguments)

    def delete_model_package_group(self, name_or_arn: str) -> None:
        """Delete a group that has no packages ("Delete a Model Group")."""
        name = name_or_arn.rpartition("/")[2]
        group = self.describe_model_package_group(name)
        if any(one.model_package_group_name == name for one in self.model_packages.values()):
            raise AWSValidationException(
                f"Cannot delete Model Package Group {group.arn}: it still has model packages."
            )
        del self.model_package_groups[name]

    def delete_model_package(self, name_or_arn: str) -> None:
        """Delete a package."""
        package = self.describe_model_package(name_or_arn)
        del self.model_packages[package.arn]

    def create_model_package(self, **arguments: Any) -> str:
        """Take a group by its ARN, too, and use no version's number again."""
        group = (arguments["model_package_group_name"] or "").rpartition("/")[2] or None
        check_metadata(arguments["customer_metadata_properties"] or {})
        packages: dict[str, Any] = self.model_packages
        with self._registering:
            others = dict(packages)
            made = super().create_model_package(**{**arguments, "model_package_group_name": group})
            package = packages[made]
            if group is not None:
                packages.clear()
                packages.update(others)
                self._number(package, group)
        model_package_changed(self, package.gen_response_object())
        arn: str = package.arn
        return arn

    def _number(self, package: Any, group: str) -> None:
        """Give a package the next version: moto counts those that there are."""
        version = self._versions[group] = self._versions.get(group, 0) + 1
        package.model_package_version = version
        package.arn = f"{package.arn.rpartition('/')[0]}/{version}"
        self.model_packages[package.arn] = package

    def update_model_package(self, **arguments: Any) -> str:
        """Change what is given, and keep the rest."""
        package = self.describe_model_package(arguments["model_package_arn"])
        added = arguments["customer_metadata_properties"]
        check_metadata(added or {})
        updated = [
            name
            for name, value in (
                ("ModelApprovalStatus", arguments["model_approval_status"]),
                ("ApprovalDescription", arguments["approval_description"]),
                (
                    "CustomerMetadataProperties",
                    added or arguments["customer_metadata_properties_to_remove"],
                ),
            )
            if value
        ]
        kept = {
            "model_approval_status": package.model_approval_status,
            "approval_description": package.approval_description,
        }
        given = {name: arguments[name] or value for name, value in kept.items()}
        metadata = {**(package.customer_metadata_properties or {}), **(added or {})}
        arn: str = super().update_model_package(
            **{**arguments, **given, "customer_metadata_properties": metadata}
        )
        model_package_changed(self, package.gen_response_object(), updated)
        return arn


class RegistryResponse(SageMakerResponse):  # type: ignore[misc]  # moto is not checked
    """moto's, with the registry's actions that it lacks."""

    def create_model_package(self) -> Any:
        """``CreateModelPackage``, which reads the model as whoever registers it."""
        self._refuse_unknown(_KEPT)
        specification = self._get_param("InferenceSpecification") or {}
        for container in specification.get("Containers", []):
            if url := container.get("ModelDataUrl"):
                self._check_model(url)
        made = super().create_model_package()
        if skipped := self._get_param("SkipModelValidation"):  # which nothing here does
            package = self.sagemaker_backend.model_packages[made.result["ModelPackageArn"]]
            package.skip_model_validation = skipped
        return made

    def update_model_package(self) -> Any:
        """``UpdateModelPackage``."""
        self._refuse_unknown(_CHANGED)
        return super().update_model_package()

    def delete_model_package(self) -> Any:
        """``DeleteModelPackage``."""
        self.sagemaker_backend.delete_model_package(self._get_param("ModelPackageName"))
        return EmptyResult()

    def delete_model_package_group(self) -> Any:
        """``DeleteModelPackageGroup``."""
        self.sagemaker_backend.delete_model_package_group(self._get_param("ModelPackageGroupName"))
        return EmptyResult()

    def list_tags(self) -> Any:
        """``ListTags``, of packages and groups too."""
        arn, backend = self._get_param("ResourceArn"), self.sagemaker_backend
        groups = {group.arn: group for group in backend.model_package_groups.values()}
        found = backend.model_packages.get(arn) or groups.get(arn)
        if found is None:
            return super().list_tags()
        return ActionResult({"Tags": found.tags or []})

    def _refuse_unknown(self, known: frozenset[str]) -> None:
        if unknown := sorted(set(json.loads(self.body)) - known):
            raise AWSValidationException(f"The local AWS's registry has no {', '.join(unknown)}.")

    def _check_model(self, url: str) -> None:
        session = session_of(self.current_account, self.access_key)
        try:
            place = S3Location.parse(url)
            session.client("s3").get_object(Bucket=place.bucket, Key=place.key)["Body"].close()
        except JobError as fault:
            raise AWSValidationException(str(fault)) from fault
        except botocore.exceptions.ClientError as fault:
            error = fault.response["Error"]
            if error["Code"] in ("NoSuchBucket", "NoSuchKey"):
                raise AWSValidationException(f"Could not find model data at {url}.") from fault
            raise AWSValidationException(
                f"Access denied for bucket: {place.bucket}, object key: {place.key}. "
                f"{error['Message']}"
            ) from fault


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Check the metadata of a customer's own that a package gets.

    Raises:
        AWSValidationException: The registry takes none of such a form.
    """
    if len(metadata) > _MOST:
        raise AWSValidationException(f"CustomerMetadataProperties: at most {_MOST}, not more.")
    for key, value in metadata.items():
        for what, text, longest in (("key", key, _LONGEST_KEY), ("value", value, _LONGEST_VALUE)):
            if not 1 <= len(text) <= longest or not all(map(_is_taken, text)):
                raise AWSValidationException(
                    f"1 validation error detected: Value '{text}' at 'customerMetadataProperties' "
                    f"failed to satisfy constraint: Map {what} must satisfy constraint: [Member "
                    f"must have length between 1 and {longest}, Member must satisfy regular "
                    r"expression pattern: ([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)]"
                )


def _is_taken(character: str) -> bool:
    category = unicodedata.category(character)
    return category.startswith(_METADATA_CATEGORIES) or bool(_METADATA.fullmatch(character))
