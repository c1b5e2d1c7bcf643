"""AWS's managed policies, of which moto reads a thousand for each of six partitions."""

from typing import Any

from moto.iam.models import IAMBackend, iam_backends

from local_aws.moto_seams import OwnBackend, use_backend


def install() -> None:
    """Make moto's IAM read them once."""
    use_backend(iam_backends, LocalIAMBackend)


class LocalIAMBackend(OwnBackend, IAMBackend):  # type: ignore[misc]  # moto is not checked
    """moto's, with managed policies in the partition that is used."""

    def _init_aws_policies(self) -> Any:
        return super()._init_aws_policies() if self.region_name == "aws" else []
