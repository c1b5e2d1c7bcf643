"""docs/security.md names what the stages' roles and resources allow, and nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import template_of
from tests.docs.pages import DOCS, PROJECT

PAGE = (DOCS / "security.md").read_text()
TEMPLATES = sorted(
    (PROJECT / "tests" / "stacks" / "__snapshots__" / "test_model_packaging_stack").glob(
        "test_template*.json"
    )
)
# The section of each role, by the beginning of its logical id.
SECTIONS = {
    "TriggerRole": "The rule's role",
    "PackagingRolesPipelineRole": "The pipeline's role",
    "PackagingRolesJobRole": "The job's role",
    "NightlyRole": "The schedule's role",
    "ProcessingLogsRole": "Roles of the CDK's own functions",
}
RESOURCES = "What the resources let others do"


def section(title: str) -> str:
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def told(title: str) -> set[str]:
    """The actions that a section's table names."""
    rows = [line for line in section(title).splitlines() if line.startswith("|")]
    return set(re.findall(r"`(\w+:[\w*]+)`", "\n".join(rows))) - {"aws:SourceArn"}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed(document: dict[str, Any]) -> set[str]:
    statements = [one for one in document["Statement"] if one["Effect"] == "Allow"]
    return {action for one in statements for action in listed(one["Action"])}


@pytest.fixture(scope="module")
def deployed(surrounded: Path) -> list[dict[str, Any]]:
    """The resources of each stage, and of the one with everything around its packages on."""
    templates = (json.loads(template.read_text()) for template in TEMPLATES)
    return [template["Resources"] for template in (*templates, template_of(surrounded))]


@pytest.mark.parametrize("prefix", SECTIONS)
def test_each_role_s_table_has_every_action_and_no_other(
    prefix: str, deployed: list[dict[str, Any]]
) -> None:
    has: set[str] = set()
    for resources in deployed:
        for one in resources.values():
            if one["Type"] != "AWS::IAM::Policy":
                continue
            [role] = one["Properties"]["Roles"]
            if role["Ref"].startswith(prefix):
                has |= allowed(one["Properties"]["PolicyDocument"])
    assert told(SECTIONS[prefix]) == has


def test_every_role_with_a_policy_has_a_section(deployed: list[dict[str, Any]]) -> None:
    roles = {
        one["Properties"]["Roles"][0]["Ref"]
        for resources in deployed
        for one in resources.values()
        if one["Type"] == "AWS::IAM::Policy"
    }
    assert {role for role in roles if not role.startswith(tuple(SECTIONS))} == set()


def test_what_resources_let_others_do_is_told(deployed: list[dict[str, Any]]) -> None:
    has: set[str] = set()
    for resources in deployed:
        for one in resources.values():
            properties = one.get("Properties", {})
            if one["Type"] == "AWS::KMS::Key":
                has |= allowed(properties["KeyPolicy"])
            elif one["Type"].endswith(("BucketPolicy", "QueuePolicy", "TopicPolicy")):
                has |= allowed(properties["PolicyDocument"])
    assert told(RESOURCES) == has
