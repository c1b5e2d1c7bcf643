"""ARNs of what is not made by the stack, or not yet."""

from aws_cdk import Stack, Token


class Arns:
    """Writes the ARNs of one stack's account and region.

    Args:
        stack: The stack.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def of(
        self, service: str, resource: str, name: str, *, account: str | None = None, sep: str = "/"
    ) -> str:
        """An ARN.

        Args:
            service: Such as ``sagemaker``.
            resource: Kind of the resource, such as ``processing-job``.
            name: Its name, or a pattern of names.
            account: Its account. Default: the stack's.
            sep: What stands between the kind and the name.
        """
        owner = f"{self._stack.region}:{account or self._stack.account}"
        return f"arn:{self._stack.partition}:{service}:{owner}:{resource}{sep}{name}"


def spellings(name: str) -> list[str]:
    """A name as SageMaker writes it in ARNs, where it has written names in lower case.

    Policies compare exactly.
    """
    return [name] if Token.is_unresolved(name) else list(dict.fromkeys((name, name.lower())))
