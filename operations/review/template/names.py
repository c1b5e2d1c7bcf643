"""How what a template computes is said in words: ``${Artifacts/Bucket.Arn}/models/*``.

A value is taken apart into literal text and tokens, so that those who compare can tell a token
from text that only looks like one, and those who read meet construct paths, no ``Fn::Join``.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PATH = "aws:cdk:path"
# What the CDK calls the resource in a construct that is made around it.
_INNER = ("/Resource", "/Default")
# Last parts of construct paths that only repeat what kind of thing it is.
_SAY_LITTLE = ("Bucket", "Handler", "Key", "Pipeline", "Queue", "Role", "Rule", "Topic")
_SUBSTITUTED = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass(frozen=True)
class Token:
    """What CloudFormation puts in while it deploys.

    Attributes:
        name: A logical id, a parameter or a pseudo parameter; of other functions the arguments.
        attribute: What ``Fn::GetAtt`` gets; empty for ``Ref``.
        function: Of functions other than those two, its name without ``Fn::``.
    """

    name: str
    attribute: str = ""
    function: str = ""


def pieces(value: Any) -> tuple[str | Token, ...]:
    """Take a value apart into literal text and tokens, no two texts in a row.

    Args:
        value: A string, number, truth value or function of a template.
    """
    found: list[str | Token] = []
    for piece in _pieces(value):
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif piece != "":
            found.append(piece)
    return tuple(found)


def function_of(value: Any) -> str | None:
    """The function that a value of a template is computed by, such as ``Fn::If``; None if none."""
    if isinstance(value, Mapping) and len(value) == 1:
        [name] = value
        if name in ("Ref", "Condition") or name.startswith("Fn::"):
            return str(name)
    return None


def references(value: Any) -> set[str]:
    """The names that are referred to anywhere in a value: of resources, parameters and such."""
    if function_of(value) is not None:
        return {piece.name for piece in pieces(value) if isinstance(piece, Token)}
    if isinstance(value, Mapping):
        return {name for inner in value.values() for name in references(inner)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {name for inner in value for name in references(inner)}
    return set()


def with_paths(template: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The template with its resources' construct paths in it, as the CDK CLI asks for.

    Args:
        template: The template.
        metadata: The metadata of its stack in the assembly: entries by construct path.
    """
    paths = {
        entry["data"]: path.removeprefix("/")
        for path, entries in metadata.items()
        for entry in entries
        if entry.get("type") == "aws:cdk:logicalId"
    }
    resources = {
        logical_id: resource
        | {"Metadata": {_PATH: paths[logical_id]} | resource.get("Metadata", {})}
        if logical_id in paths
        else resource
        for logical_id, resource in template.get("Resources", {}).items()
    }
    return {**template, "Resources": resources}


class Names:
    """What the resources of one template are called.

    Args:
        template: The template. Where its resources tell no construct path, they go by logical id.
    """

    def __init__(self, template: Mapping[str, Any]) -> None:
        paths = {
            logical_id: _without_stack(resource["Metadata"][_PATH])
            for logical_id, resource in template.get("Resources", {}).items()
            if _PATH in resource.get("Metadata", {})
        }
        short = {logical_id: _without_inner(path) for logical_id, path in paths.items()}
        times = Counter(short.values())
        self._names = {
            logical_id: name if times[name] == 1 else paths[logical_id]
            for logical_id, name in short.items()
        }

    def of(self, logical_id: str) -> str:
        """The construct path below the stack, or the logical id if the template tells none."""
        return self._names.get(logical_id, logical_id)

    def short(self, logical_id: str) -> str:
        """The end of the construct path, as long as it takes to say which resource it is."""
        parts = self.of(logical_id).split("/")
        others = [name.split("/") for name in self._names.values() if name != self.of(logical_id)]
        length = 2 if parts[-1] in _SAY_LITTLE else 1
        while length < len(parts) and any(one[-length:] == parts[-length:] for one in others):
            length += 1
        return "/".join(parts[-length:])

    def text(self, value: Any) -> str:
        """A value as one line, its tokens as ``${…}``.

        Args:
            value: Any value of a template; lists and mappings are shown as JSON.
        """
        if isinstance(value, Sequence) and not isinstance(value, str):
            return json.dumps(self.plain(value), ensure_ascii=False)
        if isinstance(value, Mapping) and function_of(value) is None:
            return json.dumps(self.plain(value), ensure_ascii=False)
        return "".join(self.piece(piece) for piece in pieces(value))

    def plain(self, value: Any) -> Any:
        """The same value with every function in it replaced by its text."""
        if isinstance(value, Mapping):
            if function_of(value) is not None:
                return self.text(value)
            return {key: self.plain(inner) for key, inner in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self.plain(inner) for inner in value]
        return value

    def piece(self, piece: str | Token) -> str:
        """One piece of a value as text."""
        if isinstance(piece, str):
            return piece
        if piece.function:
            arguments = json.loads(piece.name)
            listed = arguments if isinstance(arguments, list) else [arguments]
            if piece.function == "FindInMap" and all(isinstance(one, str) for one in listed[:1]):
                return f"${{{'.'.join(self._bare(one) for one in listed)}}}"
            return f"${{{piece.function}({', '.join(self._bare(one) for one in listed)})}}"
        return f"${{{'.'.join(filter(None, (self.of(piece.name), piece.attribute)))}}}"

    def _bare(self, argument: Any) -> str:
        """An argument of a function: a lone token in it needs no braces of its own."""
        text = self.text(argument)
        lone = re.fullmatch(r"\$\{([^${}]*)\}", text)
        return lone[1] if lone else text


def _without_stack(path: str) -> str:
    return path.partition("/")[2] or path


def _without_inner(path: str) -> str:
    for inner in _INNER:
        if path.endswith(inner):
            return path.removesuffix(inner)
    return path


def _pieces(value: Any) -> Iterator[str | Token]:
    function = function_of(value)
    if function is None:
        yield value if isinstance(value, str) else json.dumps(value)
        return
    match function, value[function]:
        case "Ref", str(name):
            yield Token(name)
        case "Fn::GetAtt", [str(name), str(attribute)]:
            yield Token(name, attribute)
        case "Fn::GetAtt", str(named) if "." in named:
            yield Token(*named.split(".", 1))
        case "Fn::Join", [str(delimiter), list(values)]:
            for place, one in enumerate(values):
                yield from ([delimiter] if place else [])
                yield from _pieces(one)
        case "Fn::Sub", str(text):
            yield from _substituted(text, {})
        case "Fn::Sub", [str(text), dict(variables)]:
            yield from _substituted(text, variables)
        case _, argument:
            # Equal ones are equal whatever the order of their keys.
            arguments = json.dumps(argument, sort_keys=True)
            yield Token(arguments, function=function.removeprefix("Fn::"))


def _substituted(text: str, variables: Mapping[str, Any]) -> Iterator[str | Token]:
    """The pieces of ``Fn::Sub``; ``${!Literal}`` stands for ``${Literal}`` itself."""
    end = 0
    for match in _SUBSTITUTED.finditer(text):
        yield text[end : match.start()]
        end = match.end()
        escaped, name = match.groups()
        if escaped:
            yield f"${{{name}}}"
        elif name in variables:
            yield from _pieces(variables[name])
        else:
            logical_id, _, attribute = name.partition(".")
            yield Token(logical_id, attribute)
    yield text[end:]
