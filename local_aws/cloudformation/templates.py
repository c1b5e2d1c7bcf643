"""Templates, read as the CDK writes them: moto takes a second to read a large JSON one as YAML."""

import json
from typing import Any

import yaml  # type: ignore[import-untyped]
from moto.cloudformation.models import ChangeSet, Stack
from moto.cloudformation.utils import yaml_tag_constructor


class _TemplateLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with CloudFormation's short forms, such as ``!Ref``."""


_TemplateLoader.add_multi_constructor("", yaml_tag_constructor)


def parse_template(template: str) -> Any:
    """A template's content, be it JSON or YAML."""
    try:
        return json.loads(template)
    except ValueError:
        return yaml.load(template, Loader=_TemplateLoader)  # noqa: S506  # it is a safe one


class LocalStack(Stack):  # type: ignore[misc]  # moto is not checked
    """moto's stack, with templates read here."""

    parse_template = staticmethod(parse_template)


class LocalChangeSet(ChangeSet):  # type: ignore[misc]  # moto is not checked
    """moto's change set, with its template read here."""

    def _parse_template(self) -> None:
        self.template_dict = parse_template(self.template)
