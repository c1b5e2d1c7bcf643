"""The AWS CLI's commands as the calls that they make, so that a page's can run on the local AWS.

The CLI itself is no dependency: each of its versions wants one version of botocore. What it does
with a command's words is in its user guide, "Specify parameter values for the AWS CLI" and "Use
shorthand syntax with the AWS CLI".
"""

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import jmespath
from botocore import xform_name

from model_packaging.step.s3_location import S3Location

Client = Callable[[str], Any]


def run(words: list[str], client: Client, folder: Path) -> str:
    """Do what a command does.

    Args:
        words: The command's, without ``aws``.
        client: Gives the boto3 client of a service.
        folder: Where it runs.

    Returns:
        What it prints.

    Raises:
        botocore.exceptions.ClientError: AWS refuses.
    """
    service, operation, *rest = words
    if service == "s3":
        return _S3[operation](rest, client("s3"), folder)
    service = {"s3api": "s3"}.get(service, service)
    model = _model(service)
    name = next(name for name in model.operation_names if xform_name(name, "-") == operation)
    operation_model = model.operation_model(name)
    # An answer that is a stream goes into a file, whose name is the command's last word.
    file = folder / rest.pop() if operation_model.has_streaming_output else None
    options = _options(rest)
    query, output = options.pop("query", []), options.pop("output", ["json"])
    shape = operation_model.input_shape
    members = {xform_name(member, "-"): member for member in shape.members} if shape else {}
    arguments = {
        members[option]: _value(values, shape.members[members[option]], folder)
        for option, values in options.items()
    }
    answer = getattr(client(service), xform_name(name))(**arguments)
    answer.pop("ResponseMetadata", None)
    if file:
        [body] = [member for member in answer if hasattr(answer[member], "read")]
        file.write_bytes(answer.pop(body).read())
    found = jmespath.search(query[0], answer) if query else answer
    return _printed(found, output[0])


@functools.lru_cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _options(words: list[str]) -> dict[str, list[str]]:
    """Each option with its values."""
    options: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            values = options.setdefault(word.removeprefix("--"), [])
        else:
            values.append(word)
    return options


def _value(words: list[str], shape: Any, folder: Path) -> Any:
    if words and words[0].startswith(("file://", "fileb://")):
        content = (folder / words[0].partition("://")[2]).read_bytes()
        if shape.type_name == "blob":
            return content
        words = [content.decode()]
    kind = shape.type_name
    if kind in ("structure", "map", "list") and words[0].lstrip()[:1] in ("{", "["):
        return json.loads(words[0])
    if kind == "list":
        return [_value([word], shape.member, folder) for word in words]
    if kind in ("structure", "map"):
        pairs = dict(pair.split("=", 1) for pair in words[0].split(","))
        return {
            name: _value(
                [value], shape.members[name] if kind == "structure" else shape.value, folder
            )
            for name, value in pairs.items()
        }
    if kind == "boolean":
        return True
    [word] = words
    return int(word) if kind in ("integer", "long") else float(word) if kind == "double" else word


def _printed(found: Any, output: str) -> str:
    if output == "json":
        return json.dumps(found, indent=4, default=str)
    if isinstance(found, Mapping):
        found = list(found.values())
    if not isinstance(found, list):
        return str(found)
    rows = [
        _printed(item, output) if isinstance(item, list | Mapping) else str(item) for item in found
    ]
    return ("\n" if any(isinstance(item, list | Mapping) for item in found) else "\t").join(rows)


def _cp(words: list[str], s3: Any, folder: Path) -> str:
    source, target = words
    if not source.startswith("s3://"):
        to = S3Location.parse(target)
        s3.upload_file(str(folder / source), to.bucket, to.key)
    elif not target.startswith("s3://"):
        there = S3Location.parse(source)
        s3.download_file(there.bucket, there.key, str(folder / target))
    else:
        there, to = S3Location.parse(source), S3Location.parse(target)
        s3.copy({"Bucket": there.bucket, "Key": there.key}, to.bucket, to.key)
    return f"{source} to {target}"


def _ls(words: list[str], s3: Any, folder: Path) -> str:
    recursive, uri = words[0] == "--recursive", words[-1]
    assert recursive, "only --recursive is imitated"
    place = S3Location.parse(uri)
    found = s3.list_objects_v2(Bucket=place.bucket, Prefix=place.key).get("Contents", [])
    return "\n".join(
        f"{item['LastModified']:%Y-%m-%d %H:%M:%S} {item['Size']:>10} {item['Key']}"
        for item in found
    )


_S3: dict[str, Callable[[list[str], Any, Path], str]] = {"cp": _cp, "ls": _ls}
