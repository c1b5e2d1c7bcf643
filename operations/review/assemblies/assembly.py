"""What is compared: the assembly of one stack, as ``cdk synth`` writes it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from operations.review.template.names import Names, Token, pieces, with_paths
from operations.review.template.well_formed import faults

_STACK = "aws:cloudformation:stack"
_NESTED = "cdk:cloud-assembly"
_HASH = re.compile(r"[0-9a-f]{64}")
# More faults of a template are not listed.
_MOST_FAULTS = 5


class AssemblyError(Exception):
    """A folder is no assembly of one stack, or what is in it can't be read."""


@dataclass(frozen=True)
class Assembly:
    """A stack that could be deployed.

    Attributes:
        directory: The folder it was read from.
        stack: Id of the stack's artifact.
        template: Its template, with the construct paths of its resources.
        assets: What it uploads before, by hash: folders and files.
        termination_protection: Whether it can't be deleted by one command; None if nobody knows.
        asset_names: The construct paths of the assets, by hash, as far as they are known.
        settings: What else is said of the stack, by name, such as its environment.
    """

    directory: Path
    stack: str
    template: Mapping[str, Any]
    assets: Mapping[str, Path] = field(default_factory=dict)
    termination_protection: bool | None = None
    asset_names: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.template, f"the template of {self.stack} in {self.directory}")

    @classmethod
    def read(cls, directory: Path) -> "Assembly":
        """Read an assembly.

        Args:
            directory: The folder, such as ``cdk.out``.

        Raises:
            AssemblyError: It isn't one, or not of one stack.
        """
        manifest = _json(directory / "manifest.json")
        if not isinstance(manifest, Mapping):
            raise AssemblyError(f"{directory} is no assembly: its manifest.json holds no object")
        name, artifact = _only_stack(directory, manifest)
        properties = artifact["properties"]
        template = _json(directory / properties["templateFile"])
        _check(template, str(directory / properties["templateFile"]))
        metadata = artifact.get("metadata", {})
        if "additionalMetadataFile" in artifact:
            metadata = {**metadata, **_json(directory / artifact["additionalMetadataFile"])}
        files = dict(_files(directory, manifest, properties["templateFile"]))
        return cls(
            directory,
            name,
            with_paths(template, metadata),
            {one: directory / file["source"]["path"] for one, file in files.items()},
            properties.get("terminationProtection", False),
            {
                one: file["displayName"].removeprefix(f"{name}/")
                for one, file in files.items()
                if "displayName" in file
            },
            {
                "name": properties.get("stackName", name),
                "environment": artifact.get("environment"),
            },
        )

    @cached_property
    def definition(self) -> Mapping[str, Any]:
        """The pipeline's definition, its tokens as text; empty if there is none in the template.

        Raises:
            AssemblyError: It is no definition.
        """
        for resource in self.template.get("Resources", {}).values():
            if resource["Type"] == "AWS::SageMaker::Pipeline":
                definition = resource.get("Properties", {}).get("PipelineDefinition", {})
                if "PipelineDefinitionBody" in definition:
                    return self._defined(definition["PipelineDefinitionBody"])
        return {}

    def _defined(self, body: Any) -> Mapping[str, Any]:
        try:
            return _checked(_parsed(body, Names(self.template)))
        except ValueError as error:
            raise AssemblyError(
                f"the pipeline of {self.stack} in {self.directory} has a definition that can't be "
                f"read: {error}"
            ) from None

    @property
    def rules(self) -> Mapping[str, Mapping[str, Any]]:
        """The rules of EventBridge, by their logical ids."""
        return {
            logical_id: resource
            for logical_id, resource in self.template.get("Resources", {}).items()
            if resource["Type"] == "AWS::Events::Rule"
        }


def _only_stack(directory: Path, manifest: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The one stack that a manifest names, with its id."""
    artifacts = {
        name: artifact
        for name, artifact in manifest.get("artifacts", {}).items()
        if isinstance(artifact, Mapping)
    }
    stacks = [item for item in artifacts.items() if item[1].get("type") == _STACK]
    if len(stacks) == 1:
        return stacks[0]
    if stacks:
        names = ", ".join(name for name, _ in stacks)
        raise AssemblyError(
            f"{directory} holds {len(stacks)} stacks ({names}); a review compares one with one: "
            "give each stack an assembly of its own"
        )
    inside = [
        str(directory / artifact["properties"]["directoryName"])
        for artifact in artifacts.values()
        if artifact.get("type") == _NESTED
    ]
    if inside:
        raise AssemblyError(
            f"{directory} holds no stack, but assemblies of stages; review one of them: "
            f"{', '.join(inside)}"
        )
    raise AssemblyError(f"{directory} is no assembly of a stack: its manifest.json names none")


def _check(template: Any, called: str) -> None:
    found = [*faults(template)]
    if found:
        raise AssemblyError(
            f"{called} is none that can be deployed: {'; '.join(found[:_MOST_FAULTS])}"
        )


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AssemblyError(
            f"{file.parent} has no {file.name}, so it is no assembly; write one with "
            f"cdk synth --output {file.parent}"
        ) from None
    except NotADirectoryError:
        raise AssemblyError(
            f"{file.parent} is a file, not the folder of an assembly; name the folder that "
            "cdk synth writes to, such as cdk.out"
        ) from None
    except OSError as error:
        raise AssemblyError(f"{file} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise AssemblyError(f"{file} is no JSON: {error}") from None


def _files(
    directory: Path, manifest: Mapping[str, Any], template: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The assets by their hashes, without the template, which is uploaded as one of them."""
    for artifact in manifest["artifacts"].values():
        if artifact["type"] != "cdk:asset-manifest":
            continue
        listed = _json(directory / artifact["properties"]["file"])
        for name, file in listed.get("files", {}).items():
            if file["source"].get("path", template) != template:
                keys = [one["objectKey"] for one in file.get("destinations", {}).values()]
                found = [match[0] for key in keys if (match := _HASH.search(key))]
                yield (found[0] if found else name), file


def _parsed(body: Any, names: Names) -> Any:
    """JSON in which CloudFormation puts values, these as text; they may stand for numbers, too."""
    text, is_in_string = "", False
    for piece in pieces(body):
        if isinstance(piece, Token):
            said = json.dumps(names.piece(piece), ensure_ascii=False)
            text += said[1:-1] if is_in_string else said
            continue
        text += piece
        quotes = len(re.findall(r'(?<!\\)(?:\\\\)*"', piece))
        is_in_string ^= quotes % 2 == 1
    return json.loads(text)


def _checked(definition: Any) -> Mapping[str, Any]:
    """What has the shape of a definition.

    Raises:
        ValueError: It hasn't.
    """
    if not isinstance(definition, Mapping):
        raise ValueError("it is no object")
    for section in ("Parameters", "Steps"):
        members = definition.get(section, [])
        if not isinstance(members, list):
            raise ValueError(f"its {section} are no list")
        for one in members:
            if not isinstance(one, Mapping) or not isinstance(one.get("Name"), str):
                raise ValueError(f"one of its {section} has no Name")
            for name, kind in (("Type", str), ("Arguments", Mapping), ("CacheConfig", Mapping)):
                if name in one and not isinstance(one[name], kind):
                    raise ValueError(f"the {name} of {one['Name']} is {json.dumps(one[name])}")
    return definition
