"""Templates as the CDK writes them: JSON, which moto takes a second to read as YAML."""

import json
from typing import Any

import yaml  # type: ignore[import-untyped]
from moto.cloudformation import models
from moto.cloudformation.utils import yaml_tag_constructor


class _TemplateLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with CloudFormation's short forms, such as ``!Ref``."""


_TemplateLoader.add_multi_constructor("", yaml_tag_constructor)


def read_template(text: str) -> Any:
    """Read a template in JSON or YAML."""
    try:
        return json.loads(text)
    except ValueError:
        return yaml.load(text, Loader=_TemplateLoader)  # noqa: S506  # it is a safe one


class Stack(models.Stack):  # type: ignore[misc]  # moto is not checked
    """moto's. It has its name, too: moto finds ``StackStatus`` in ``status`` of a ``Stack``."""

    parse_template = staticmethod(read_template)


class ChangeSet(models.ChangeSet):  # type: ignore[misc]  # moto is not checked
    """moto's, and with its name."""

    def _parse_template(self) -> None:
        self.template_dict = read_template(self.template)
