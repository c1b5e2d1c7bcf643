import json
from collections.abc import Callable
from typing import Any

import jsii
import pytest
from aws_cdk import App, Aws, CfnParameter, CfnResource, Fn, IStringProducer, Lazy, Stack

from model_packaging.definition_bridge import DefinitionBridge
from tests.definitions import resolve


@jsii.implements(IStringProducer)
class _Quoted:
    def produce(self, context: Any) -> str:
        return '"quoted\\"'


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


def shown(stack: Stack, bridge: DefinitionBridge, definition: dict[str, Any]) -> str:
    """The body as it stands in the template, put together."""
    return resolve(stack.resolve(bridge.show(definition))["PipelineDefinitionBody"], {})


def test_tokens_come_back_where_they_were(stack: Stack) -> None:
    bridge = DefinitionBridge(stack)
    definition = bridge.hide(
        {"Uri": f"s3://bucket-{Aws.ACCOUNT_ID}/{Aws.REGION}/x", "List": [Aws.REGION, 1, None]}
    )
    assert "Token" not in json.dumps(definition)
    assert json.loads(shown(stack, bridge, definition)) == {
        "Uri": "s3://bucket-<AWS::AccountId>/<AWS::Region>/x",
        "List": ["<AWS::Region>", 1, None],
    }


def test_nulls_numeric_keys_and_order_survive(stack: Stack) -> None:
    definition = {"b": None, "10": 1, "2": [None, True, 1.5], "a": {}}
    body = shown(stack, DefinitionBridge(stack), definition)
    assert body == json.dumps(definition, indent=2)


def test_a_literal_dollar_brace_survives(stack: Stack) -> None:
    definition = {
        "Arguments": [
            "--pattern",
            "${HOME}/{x}",
            "${Token",
            "a\u0000b\u2028c\x85",
            "\u00000\u0000",
            '"quoted"',
        ]
    }
    assert json.loads(shown(stack, DefinitionBridge(stack), definition)) == definition


def test_a_lazy_value_is_escaped_for_json(stack: Stack) -> None:
    bridge = DefinitionBridge(stack)
    lazy = Lazy.uncached_string(_Quoted())
    definition = bridge.hide({"Tag": f"the {lazy} value"})
    assert json.loads(shown(stack, bridge, definition)) == {"Tag": 'the "quoted\\" value'}


def test_one_line_of_json_is_one_element_of_the_template(stack: Stack) -> None:
    body = DefinitionBridge(stack).show({"a": 1, "b": [2]})["PipelineDefinitionBody"]
    assert body == {"Fn::Join": ["\n", ["{", '  "a": 1,', '  "b": [', "    2", "  ]", "}"]]}


def test_a_role_keeps_the_shape_of_an_arn(stack: Stack) -> None:
    role = CfnResource(stack, "Role", type="AWS::IAM::Role").get_att("Arn").to_string()
    bridge = DefinitionBridge(stack)
    hidden = bridge.hide_role(role)
    assert hidden.startswith("arn:aws:iam::")
    assert json.loads(shown(stack, bridge, {"RoleArn": hidden})) == {"RoleArn": "<Role.Arn>"}


def test_tokens_are_not_mistaken_for_one_another(stack: Stack) -> None:
    bridge = DefinitionBridge(stack)
    tokens = [Fn.ref(f"Resource{number}") for number in range(12)]
    hidden = [bridge.hide(token) for token in tokens]
    assert len(set(hidden)) == 12
    assert not any(one != two and one in two for one in hidden for two in hidden)


def test_a_value_that_did_not_come_back_is_named(stack: Stack) -> None:
    bridge = DefinitionBridge(stack)
    bridge.hide(Aws.REGION)
    with pytest.raises(ValueError, match=r'lost \{"Ref": "AWS::Region"\}'):
        bridge.show({"Steps": []})


def test_a_list_that_is_known_at_deployment_only_is_refused(stack: Stack) -> None:
    arguments = CfnParameter(stack, "Arguments", type="CommaDelimitedList").value_as_list
    with pytest.raises(ValueError, match=r"Fn\.select"):
        DefinitionBridge(stack).hide(arguments)


def test_a_text_that_looks_like_a_placeholder_is_refused(stack: Stack) -> None:
    with pytest.raises(ValueError, match="choose another name"):
        DefinitionBridge(stack).hide("s3://bucket/cdktoken0000x")


def test_a_value_that_came_back_twice_is_named(stack: Stack) -> None:
    bridge = DefinitionBridge(stack)
    region = bridge.hide(Aws.REGION)
    bridge.show({"One": region, "Two": f"s3://{region}/x"})
    with pytest.raises(ValueError, match=r'has \{"Ref": "AWS::Region"\} 2 times in one value'):
        bridge.show({"Uri": f"s3://{region}/{region}"})


@pytest.mark.parametrize("change", [str.title, lambda text: text[:-1], lambda text: text[:9]])
def test_a_piece_of_a_value_is_an_error(stack: Stack, change: Callable[[str], str]) -> None:
    bridge = DefinitionBridge(stack)
    region = bridge.hide(Aws.REGION)
    with pytest.raises(
        ValueError, match=r"(?i)has a piece of a deploy-time value in 's3://cdktoken"
    ):
        bridge.show({"One": region, "Uri": f"s3://{change(region)}"})


def test_a_name_may_be_known_at_deployment_only(stack: Stack) -> None:
    bridge = DefinitionBridge(stack)
    definition = bridge.hide({"Environment": {Aws.REGION: "x"}})
    assert json.loads(shown(stack, bridge, definition)) == {"Environment": {"<AWS::Region>": "x"}}


def test_a_definition_over_the_services_limit_is_refused_with_its_size(stack: Stack) -> None:
    with pytest.raises(
        ValueError, match=r"has 10\d{5} characters; SageMaker takes at most 1048576"
    ):
        DefinitionBridge(stack).show({"Steps": ["x" * 1_048_576]})


def test_one_value_may_be_hidden_in_both_shapes(stack: Stack) -> None:
    role = CfnResource(stack, "Role", type="AWS::IAM::Role").get_att("Arn").to_string()
    bridge = DefinitionBridge(stack)
    definition = {"Environment": bridge.hide(f"s3://{role}/x"), "RoleArn": bridge.hide_role(role)}
    assert definition["RoleArn"].startswith("arn:aws:iam::")
    assert json.loads(shown(stack, bridge, definition)) == {
        "Environment": "s3://<Role.Arn>/x",
        "RoleArn": "<Role.Arn>",
    }
