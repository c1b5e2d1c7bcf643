"""Keys and networks that a job names, and how a refusal of them reads in its failure reason."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import boto3.exceptions
import botocore.exceptions

from local_aws.authorization import AccessDeniedError, authorize_key
from local_aws.container import JobError
from local_aws.identities import RoleSession


@contextmanager
def told_as_reason() -> Iterator[None]:
    """Let a job fail with what AWS's other services refuse it.

    Raises:
        JobError: Something was refused.
    """
    try:
        yield
    except botocore.exceptions.ClientError as fault:
        error = fault.response["Error"]
        raise JobError(f"ClientError: {error['Code']}: {error['Message']}") from fault
    except boto3.exceptions.S3UploadFailedError as fault:
        raise JobError(f"ClientError: {fault}") from fault
    except AccessDeniedError as fault:
        raise JobError(f"ClientError: AccessDeniedException: {fault}") from fault


def check_keys(session: RoleSession, volume_key: str | None, output_key: str | None) -> None:
    """Use the keys that a job names, as itself.

    Source: "CreateProcessingJob API: Execution Role Permissions", and of training jobs the like.

    Args:
        session: The job's role.
        volume_key: The key of its storage volume.
        output_key: The key of its outputs.

    Raises:
        AccessDeniedError: It may not.
        JobError: A key can't be used by anybody.
    """
    granted = {"kms:GrantIsForAWSResource": "true"}
    for action, key, context in (
        ("kms:CreateGrant", volume_key, granted),
        ("kms:Encrypt", output_key, {}),
    ):
        if key is None:
            continue
        metadata = boto3.client("kms").describe_key(KeyId=key)["KeyMetadata"]
        if metadata["KeyState"] != "Enabled":
            raise JobError(f"ClientError: the KMS key {key} is {metadata['KeyState']}")
        region = metadata["Arn"].split(":")[3]
        # "kms:ViaService" in the KMS Developer Guide names SageMaker's own.
        via = {"kms:ViaService": f"sagemaker.{region}.amazonaws.com"}
        authorize_key(session.caller, action, metadata["Arn"], region, context | via)


def check_network(vpc: Mapping[str, Any] | None) -> None:
    """Look for the subnets and the security groups of a job.

    Raises:
        botocore.exceptions.ClientError: One is not there.
    """
    if vpc is None:
        return
    ec2 = boto3.client("ec2")
    ec2.describe_subnets(SubnetIds=vpc["Subnets"])
    ec2.describe_security_groups(GroupIds=vpc["SecurityGroupIds"])
