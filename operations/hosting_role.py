"""The role that hosting takes: it may read some packages and run a container."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from model_packaging.step.s3_location import S3Location

# "CreateModel API: Execution Role Permissions", in "How to use SageMaker AI execution roles".
TO_RUN = (
    "cloudwatch:PutMetricData",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
)


@contextmanager
def hosting_role(client: Callable[[str], Any], name: str, *packages: str) -> Iterator[str]:
    """Make a role with the least that hosting needs for packages, for as long as a block lasts.

    Args:
        client: Makes a boto3 client of a service, such as ``boto3.client``.
        name: Its name.
        *packages: S3 URIs of the packages.

    Yields:
        Its ARN.
    """
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    allowed = _policy(*statements(client("s3"), *packages))
    iam, policy = client("iam"), {"RoleName": name, "PolicyName": "ReadPackages"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]
    with ExitStack() as undo:
        undo.callback(iam.delete_role, RoleName=name)
        iam.put_role_policy(**policy, PolicyDocument=allowed)
        undo.callback(iam.delete_role_policy, **policy)
        yield role["Arn"]


def statements(s3: Any, *packages: str) -> list[dict[str, Any]]:
    """What a hosting role must be allowed, for packages that are there.

    Args:
        s3: A boto3 client of S3.
        *packages: S3 URIs of the packages.
    """
    places = [S3Location.parse(package) for package in packages]
    objects = [f"arn:{s3.meta.partition}:s3:::{place.bucket}/{place.key}" for place in places]
    heads = [s3.head_object(Bucket=place.bucket, Key=place.key) for place in places]
    keys = sorted({head["SSEKMSKeyId"] for head in heads if "SSEKMSKeyId" in head})
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": objects}
    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": keys}
    run = {"Effect": "Allow", "Action": list(TO_RUN), "Resource": "*"}
    return [read, *([decrypt] if keys else []), run]


def _policy(*allowed: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(allowed)})
