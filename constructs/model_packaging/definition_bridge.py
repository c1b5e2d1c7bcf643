"""From a step of the SageMaker SDK to a property of ``AWS::SageMaker::Pipeline``.

The SDK parses URIs and role ARNs while it renders, and a CDK token is neither. So every token is
replaced by a placeholder of the right shape before the SDK sees it, and put back afterwards.
"""

import json
import re
from typing import Any, Final, TypeVar

from aws_cdk import Stack

from model_packaging.step.service_model import limits

_T = TypeVar("_T")

_TOKEN = re.compile(r"\$\{Token\[[^\]]+\]\}")
_LIST_TOKEN = re.compile(r"#\{Token\[[^\]]+\]\}")
_MARKER = "cdktoken"
_PLACEHOLDER = re.compile(rf"{_MARKER}\d{{4}}x")
_ROLE_ARN_SHAPE = "arn:aws:iam::000000000000:role/{}"


class DefinitionBridge:
    """Hides the tokens of one pipeline from the SDK, and shows them again in its definition.

    Args:
        stack: The stack that the pipeline belongs to.
    """

    PLACEHOLDER: Final = _PLACEHOLDER

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._tokens: dict[str, str] = {}
        self._most: dict[str, int] = {}  # occurrences in one hidden text
        self._seen: set[str] = set()

    @property
    def hidden(self) -> frozenset[str]:
        """The placeholders of all that was hidden until now."""
        return frozenset(self._tokens)

    def hide(self, value: _T) -> _T:
        """Replace every token in a string, or in the strings of a list, tuple or dictionary.

        Args:
            value: A setting that may contain tokens. Anything else is returned as it is.

        Returns:
            The setting with placeholders that are legal in names, paths, keys and bucket names.
        """
        hidden: Any = value
        if isinstance(value, str):
            if _MARKER in value.lower():
                raise ValueError(
                    f"{value!r} contains {_MARKER!r}, which stands for deploy-time values while a "
                    "definition is rendered; choose another name"
                )
            hidden = _TOKEN.sub(lambda match: self._placeholder(match.group()), value)
            self._count(hidden)
        elif isinstance(value, dict):
            hidden = {self.hide(key): self.hide(item) for key, item in value.items()}
        elif isinstance(value, (list, tuple)):
            if any(isinstance(item, str) and _LIST_TOKEN.search(item) for item in value):
                raise ValueError(
                    f"the list {self._stack.resolve(list(value))} is known at deployment only, and "
                    "a pipeline definition has a fixed number of elements; write "
                    "Fn.select(0, …) for each"
                )
            hidden = type(value)(self.hide(item) for item in value)
        return hidden  # type: ignore[no-any-return]

    def hide_role(self, role_arn: str) -> str:
        """Replace a role's ARN: the SDK asks IAM about a role that has no slash."""
        if not _TOKEN.fullmatch(role_arn):
            return self.hide(role_arn)
        placeholder = self._placeholder(role_arn, shape=_ROLE_ARN_SHAPE)
        self._count(placeholder)
        return placeholder

    def show(self, definition: dict[str, Any]) -> dict[str, Any]:
        """Write a rendered definition as the property ``PipelineDefinition``.

        The body stays inline and one JSON line is one element of a ``Fn::Join``, so that a
        change of one setting is a change of one line in ``cdk diff``. (``Stack.to_json_string``
        alone would write a single line, and drops nulls.)

        Args:
            definition: What the SDK rendered from hidden values.

        Returns:
            ``{"PipelineDefinitionBody": {"Fn::Join": …}}``, with every token in its place.

        Raises:
            ValueError: A hidden value did not come back, or more often than given, or in pieces;
                or the definition is longer than SageMaker takes.
        """
        leaves: list[str] = []

        def restore(value: Any) -> Any:
            if isinstance(value, dict):
                return {restore(key): restore(item) for key, item in value.items()}
            if isinstance(value, list):
                return [restore(item) for item in value]
            if not isinstance(value, str):
                return value
            shown = self.show_text(value)
            if shown == value and "\x00" not in value:
                return value
            leaves.append(self._stack.to_json_string(shown))
            return f"\x00{len(leaves) - 1}\x00"

        text = json.dumps(restore(definition), indent=2, ensure_ascii=False, allow_nan=False)
        if lost := [token for name, token in self._tokens.items() if name not in self._seen]:
            raise ValueError(
                f"the rendered pipeline definition lost {self._named(*lost)}: the SageMaker SDK "
                "changed or dropped the value it was given; write it without deploy-time parts"
            )
        _, limit = limits("PipelineDefinition")
        size = len(text) + sum(map(len, leaves))
        if limit is not None and size > limit:
            raise ValueError(
                f"the pipeline definition has {size} characters; SageMaker takes at most "
                f"{limit}: move long arguments into files that the steps read"
            )
        lines = [
            re.sub(r'"\\u0000(\d+)\\u0000"', lambda match: leaves[int(match.group(1))], line)
            for line in text.split("\n")
        ]
        return {"PipelineDefinitionBody": {"Fn::Join": ["\n", lines]}}

    def show_text(self, hidden: str) -> str:
        """Put the tokens back into one rendered text.

        Raises:
            ValueError: A hidden value is there more often than it was given, or in pieces.
        """
        shown = hidden
        for placeholder, token in self._tokens.items():
            if found := hidden.count(placeholder):
                self._seen.add(placeholder)
                if found > self._most[placeholder]:
                    raise ValueError(
                        f"the rendered pipeline definition has {self._named(token)} {found} times "
                        "in one value, but it was given "
                        f"{self._most[placeholder]} times: the SageMaker SDK doubled it"
                    )
                shown = shown.replace(placeholder, token)
        if _MARKER in shown.lower():
            raise ValueError(
                f"the rendered pipeline definition has a piece of a deploy-time value in "
                f"{shown!r}: the SageMaker SDK changed it; write it without deploy-time parts"
            )
        return shown

    def _count(self, hidden: str) -> None:
        for placeholder in self._tokens:
            self._most[placeholder] = max(self._most.get(placeholder, 0), hidden.count(placeholder))

    def _named(self, *tokens: str) -> str:
        return ", ".join(json.dumps(self._stack.resolve(token)) for token in tokens)

    def _placeholder(self, token: str, shape: str = "{}") -> str:
        # One token may be hidden in both shapes.
        for placeholder, known in self._tokens.items():
            if known == token and _PLACEHOLDER.sub("{}", placeholder) == shape:
                return placeholder
        # Fixed width and a closing letter: no placeholder is the beginning of another.
        placeholder = shape.format(f"{_MARKER}{len(self._tokens):04d}x")
        self._tokens[placeholder] = token
        return placeholder
