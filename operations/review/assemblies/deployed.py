"""What is deployed of a stage, as an assembly to compare with; read with the user's credentials."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from operations.executions.deployed_stage import DeployedStage, deployed_stage
from operations.executions.faults import OperationError
from operations.review.assemblies.assembly import Assembly
from operations.review.template.names import Token, function_of, pieces

# Where the definition names a script; a quotation mark or a backslash ends it there.
_URI = re.compile(r's3://([a-z0-9.-]+)/([^\s"\\]*?\b([0-9a-f]{64})\b[^\s"\\]*)')
_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_UNKNOWN = "\N{SYMBOL FOR NULL}"  # in no bucket's name


class Deployed:
    """The stack of a stage.

    Args:
        stage: The stage. Default: that of cdk.json.

    Raises:
        OperationError: There is no such stage, or it is not deployed.
        BotoCoreError: There are no credentials, or no region.
        ClientError: They do not suffice.
    """

    def __init__(self, stage: str | None) -> None:
        self._stage = deployed_stage(stage)
        stack = self._stage.stack
        cloudformation = self._stage.client("cloudformation")
        [self._description] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        # As it was handed in, before macros: "GetTemplate", CloudFormation API reference.
        found = cloudformation.get_template(StackName=stack, TemplateStage="Original")
        self._template = _parsed(found["TemplateBody"], stack)

    def assembly(self, new: Assembly, folder: Path, tell: Callable[[str], None]) -> Assembly:
        """All that was deployed, with its assets.

        Args:
            new: What it will be compared with: assets that both have are not downloaded.
            folder: Where to put the others.
            tell: Is told of assets that can't be read, without which the rest is compared.
        """
        assets = {}
        values = _pseudo_parameters(self._description)
        for digest, bucket, key in sorted(set(_assets(self._template, values))):
            if digest in new.assets:
                assets[digest] = new.assets[digest]
            elif file := _downloaded(self._stage, bucket, key, folder, tell):
                assets[digest] = file
        return Assembly(
            folder,
            self._stage.stack,
            self._template,
            assets,
            self._description.get("EnableTerminationProtection"),
            settings={"name": self._stage.stack},
        )


def _parsed(body: Any, stack: str) -> Mapping[str, Any]:
    if isinstance(body, str):  # botocore reads JSON alone
        try:
            body = json.loads(body)
        except ValueError:
            raise OperationError(
                f"the stack {stack} was deployed from YAML, so not by this app; deploy it from "
                "here before you compare"
            ) from None
    template: Mapping[str, Any] = body
    return template


def _pseudo_parameters(description: Mapping[str, Any]) -> dict[str, str]:
    """What the stack's own ARN says of where it is."""
    _, partition, _, region, account, _ = description["StackId"].split(":", 5)
    return {"AWS::Partition": partition, "AWS::Region": region, "AWS::AccountId": account}


def _assets(
    template: Mapping[str, Any], values: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """The hash of each asset that the template names, and the bucket and key where it is."""
    for value in _values(template.get("Resources", {})):
        if isinstance(value, str) or function_of(value):
            for bucket, key, digest in _URI.findall(_text(value, values)):
                yield digest, bucket, key
        elif {"S3Bucket", "S3Key"} <= value.keys():  # the code of a function
            bucket, key = (_text(value[name], values) for name in ("S3Bucket", "S3Key"))
            for digest in _HASH.findall(key):
                yield digest, bucket, key


def _values(value: Any) -> Iterator[Any]:
    """All texts, functions that make some, and mappings."""
    if isinstance(value, (str, Mapping)):
        yield value
    if isinstance(value, Mapping) and not function_of(value):
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)


def _text(value: Any, values: Mapping[str, str]) -> str:
    return "".join(
        values.get(piece.name, _UNKNOWN) if isinstance(piece, Token) else piece
        for piece in pieces(value)
    )


def _downloaded(
    of: DeployedStage, bucket: str, key: str, folder: Path, tell: Callable[[str], None]
) -> Path | None:
    file = folder / key.rpartition("/")[2]
    try:
        of.client("s3").download_file(bucket, key, str(file))
    except (Boto3Error, BotoCoreError, ClientError) as fault:
        tell(f"s3://{bucket}/{key} can't be read, so its files are not compared: {fault}")
        return None
    return file
