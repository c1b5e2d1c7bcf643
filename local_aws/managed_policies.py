"""AWS's managed policies: moto reads them for six partitions, and one is used."""

from typing import Any

from moto.iam.models import IAMBackend, iam_backends

from local_aws.moto_seams import OwnBackend, use_backend


class LocalIAMBackend(OwnBackend, IAMBackend):  # type: ignore[misc]  # moto is not checked
    """moto's, with managed policies in the partition that is used."""

    def _init_aws_policies(self) -> Any:
        return super()._init_aws_policies() if self.region_name == "aws" else []


def install() -> None:
    """Let moto's IAM read managed policies once."""
    use_backend(iam_backends, LocalIAMBackend)
