"""What happens to each resource, and what is lost with it."""

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from operations.review import permissions
from operations.review.changes import Change
from operations.review.resources import replacements, safeguards
from operations.review.resources.replacements import CloudFormationDiffError, compare
from tests.conftest import template_of

ASSET = f"{'a' * 64}.zip"


def resource(kind: str, /, **given: Any) -> dict[str, Any]:
    attributes = {
        name: given.pop(name) for name in ("DeletionPolicy", "DependsOn") if name in given
    }
    if "UpdateReplacePolicy" in given:
        attributes["UpdateReplacePolicy"] = given.pop("UpdateReplacePolicy")
    return {"Type": kind, "Properties": given, **attributes}


def alarm(threshold: int, **more: Any) -> dict[str, Any]:
    return resource(
        "AWS::CloudWatch::Alarm", MetricName="Errors", EvaluationPeriods=2, Threshold=threshold,
        ComparisonOperator="GreaterThanThreshold", Period=60, **more,
    )  # fmt: skip


SHUT = {"BlockPublicAcls": True, "Other": "a"}
OLD: dict[str, Any] = {
    "Mappings": {"Registry": {"eu-west-1": {"account": "1"}}},
    "Resources": {
        "Models": resource("AWS::S3::Bucket", BucketName="old"),
        "Kept": resource("AWS::S3::Bucket", BucketName="old", UpdateReplacePolicy="Retain"),
        "Removed": resource("AWS::S3::Bucket", BucketName="b"),
        "Orphaned": resource("AWS::KMS::Key", DeletionPolicy="Retain", Description="d"),
        "Went": resource("AWS::SQS::Queue", DelaySeconds=1, Tags=[{"Key": "a", "Value": "b"}]),
        "Same": resource("AWS::SNS::Topic", TopicName="t"),
        "Slow": alarm(1),
        "Gone": alarm(1, AlarmName="gone"),
        "Tagged": resource("AWS::SNS::Topic", Tags=[{"Key": "a", "Value": "1"}]),
        "Function": resource("AWS::Lambda::Function", Code={"S3Key": ASSET}, DependsOn=["Same"]),
        "Maybe": resource("AWS::Kinesis::Stream", StreamEncryption={"KeyId": "k"}),
        "Board": resource("AWS::CloudWatch::Dashboard", DashboardBody=json.dumps(["x"] * 40)),
        "Pipeline": resource(
            "AWS::SageMaker::Pipeline",
            PipelineName="old",
            PipelineDefinition={"PipelineDefinitionBody": {"Ref": "Models"}},
        ),
        "Policy": resource("AWS::SQS::QueuePolicy", Queues=[{"Ref": "Went"}], PolicyDocument={}),
        "Reader": resource("AWS::Lambda::Url", TargetFunctionArn={"Fn::GetAtt": ["Went", "Arn"]}),
        "Typed": resource("AWS::SNS::Topic", TopicName="a"),
        "Copied": resource("AWS::RDS::DBInstance", Engine="mysql", UpdateReplacePolicy="Snapshot"),
        "Watch": alarm(1, AlarmActions=["a", "b"], Unit="Count"),
        "Open": resource("AWS::S3::Bucket", PublicAccessBlockConfiguration=SHUT),
        "Logs": resource("AWS::Logs::LogGroup", RetentionInDays=90, LogGroupClass="STANDARD"),
    },
}


def changed() -> dict[str, Any]:
    new = copy.deepcopy(OLD)
    new["Mappings"]["Registry"]["eu-west-1"]["account"] = "2"
    given = new["Resources"]
    for name in ("Models", "Kept"):
        given[name]["Properties"]["BucketName"] = "new"
    for name in ("Removed", "Orphaned", "Gone"):
        del given[name]
    text = json.dumps(given).replace('"Went"', '"Came"')
    given = new["Resources"] = json.loads(text)
    given["Added"] = resource("AWS::SNS::Subscription", Protocol="email")
    given["Slow"]["Properties"]["Threshold"] = 5
    given["Tagged"]["Properties"]["Tags"][0]["Value"] = "2"
    given["Function"]["Properties"]["Code"]["S3Key"] = f"{'b' * 64}.zip"
    given["Function"]["DependsOn"] = ["Same", "Tagged"]
    given["Board"]["Properties"]["DashboardBody"] = json.dumps(["x"] * 39 + ["y"])
    given["Pipeline"]["Properties"]["PipelineName"] = "new"
    given["Pipeline"]["Properties"]["PipelineDescription"] = "new"
    given["Policy"]["Properties"]["PolicyDocument"] = {"Statement": []}
    given["Same"]["Metadata"] = {"aws:cdk:path": "Stack/Same"}
    given["Typed"] = resource("AWS::SQS::Queue")
    given["Copied"]["Properties"]["Engine"] = "postgres"
    given["Watch"]["Properties"]["Unit"] = "Seconds"
    del given["Open"]["Properties"]["PublicAccessBlockConfiguration"]
    given["Maybe"]["Properties"]["Name"] = "new"
    given["Logs"]["Properties"]["RetentionInDays"] = 30
    given["Logs"]["Properties"]["LogGroupClass"] = "DELIVERY"
    return new


@pytest.fixture(scope="module")
def changes() -> dict[str, Change]:
    """The changes by their places, no two of which are the same."""
    found = compare(OLD, changed())
    by_place = {change.where: change for change in found}
    assert len(by_place) == len(found)
    return by_place


@pytest.mark.parametrize(
    ("where", "level", "meaning"),
    [
        ("Models", "danger", "Models, a bucket, is replaced because its BucketName changes: the "
         "new one is empty, and the old one is deleted, and with it all objects in it, models and "
         "packages among them."),
        ("Kept", "danger", "Kept, a bucket, is replaced because its BucketName changes: the new "
         "one is empty, and the old one is kept, but no longer managed by the stack."),
        ("Removed", "danger", "Removed, a bucket, is no longer in the stack: it is deleted, and "
         "with it all objects in it."),
        ("Orphaned", "warning", "Orphaned, a key, is no longer in the stack: it is kept, but no "
         "longer managed by the stack."),
        ("Came", "danger", "Went, a queue, is called Came now, which makes it another one for "
         "CloudFormation: the new one is empty, and the old one is deleted, and with it the "
         "messages in it, failed events among them."),
        ("Gone", "danger", "Gone, an alarm, is no longer in the stack: it is deleted, and with it "
         "the watch that it kept."),
        ("Added", "info", "Added, a subscription, is added."),
        ("Slow › Threshold", "notice", "The alarm Slow goes off when Errors is above 5 in 2 "
         "periods of a minute in a row; before, when it was above 1 in 2 periods of a minute in a "
         "row."),
        ("Tagged › Tags › a › Value", "notice",
         'Tagged is updated in place: Tags › a › Value is "2" now; it was "1".'),
        ("Function › DependsOn", "info", "Function waits for others while it is deployed."),
        ("Board › DashboardBody", "notice", "Board is updated in place: DashboardBody changes."),
        ("Pipeline", "danger", "Pipeline, a pipeline, is replaced because its PipelineName "
         "changes: the old one is deleted, and with it the history of its executions."),
        ("Pipeline › PipelineDescription", "notice", "Pipeline differs in this, too: "
         'PipelineDescription is "new" now; it was not set.'),
        ("Typed", "danger", "Typed, a queue, is replaced because it was a topic: the new one is "
         "empty, and the old one is deleted, and with it its subscriptions."),
        ("Watch › Unit", "notice",
         'Watch is updated in place: Unit is "Seconds" now; it was "Count".'),
        ("Open › PublicAccessBlockConfiguration › Other", "notice", "Open is updated in place: "
         'PublicAccessBlockConfiguration › Other is no longer set; it was "a".'),
        ("Mappings › Registry › eu-west-1 › account", "notice",
         'Account in the template\'s Mappings is "2" now; it was "1".'),
        ("Reader", "warning", "Reader, AWS::Lambda::Url, is replaced because what its "
         "TargetFunctionArn refers to is replaced: the old one is deleted."),
    ],
)  # fmt: skip
def test_what_happens_to_a_resource_is_said_with_what_is_lost(
    changes: dict[str, Change], where: str, level: str, meaning: str
) -> None:
    assert (changes[where].level, changes[where].meaning) == (level, meaning)
    assert changes[where].kind == "resource"


def test_nothing_is_said_of_policies_assets_safeguards_and_metadata(
    changes: dict[str, Change],
) -> None:
    said = {where.partition(" ")[0] for where in changes}
    assert "Policy" not in said
    assert "Same" not in said
    assert "Function › Code › S3Key" not in changes
    assert [where for where in changes if where.startswith("Logs")] == ["Logs › LogGroupClass"]


def test_a_change_of_the_pipeline_itself_reaches_what_runs(changes: dict[str, Change]) -> None:
    assert [where for where, change in changes.items() if change.running] == ["Pipeline"]


def test_a_long_text_is_told_by_its_lines(changes: dict[str, Change]) -> None:
    change = changes["Board › DashboardBody"]
    assert (change.old, change.new) == (None, None)
    assert '-  "x"\n+  "y"' in change.detail.replace(",", "")


def test_the_way_back_is_about_the_same_places(changes: dict[str, Change]) -> None:
    def places(found: Any) -> set[str]:
        return {where.replace("Came", "Went").removesuffix(" › Other") for where in found}

    assert places(change.where for change in compare(changed(), OLD)) == places(
        # What is kept longer again is no safeguard that got weaker.
        {*changes, "Logs › RetentionInDays"}
    )


def test_two_equal_templates_need_no_node(prod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = template_of(prod)
    described = copy.deepcopy(template)
    for one in described["Resources"].values():
        one["Metadata"] = {"aws:cdk:path": "Stack/Here"}
    monkeypatch.setenv("JSII_NODE", "/nonexistent/node")
    assert compare(template, template) == []
    assert compare(template, described) == []


def test_node_answers_and_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    link = tmp_path / "node"
    link.symlink_to(os.environ["JSII_NODE"])
    usual = replacements.impacts(OLD, changed())
    monkeypatch.setenv("JSII_NODE", str(link))
    assert replacements.impacts(OLD, changed()) == usual


def test_the_node_of_set_up_answers_also_without_make(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "node" / "bin" / "node"
    own.parent.mkdir(parents=True)
    own.symlink_to(os.environ["JSII_NODE"])
    monkeypatch.delenv("JSII_NODE")
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    assert "Models" in replacements.impacts(OLD, changed())


def test_without_node_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JSII_NODE", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("sys.prefix", "/nonexistent")
    with pytest.raises(CloudFormationDiffError, match=r"Node is needed.*make setup"):
        compare(OLD, changed())


def test_a_library_that_fails_is_heard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "cloudformation_diff.js"
    script.write_text("require('no-such-module')")
    monkeypatch.setattr(replacements, "_SCRIPT", script)
    with pytest.raises(CloudFormationDiffError, match=r"(?s)run: make setup\n.*no-such-module"):
        compare(OLD, changed())


def leaves_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in members:
        if isinstance(inner, dict | list):
            yield from leaves_of(inner, (*path, name))
        else:
            yield (*path, name)


def test_whatever_differs_in_a_resource_of_the_product_is_told_and_in_one_way(
    prod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updated = {"It": {"impact": "WILL_UPDATE", "properties": {}, "other": []}}
    monkeypatch.setattr(replacements, "impacts", lambda old, new: updated if old != new else {})
    # What others in a review tell of, and what is nothing but the name of a policy.
    elsewhere = {"EventPattern", "PipelineDefinition", "PolicyName", "State", "Targets"}
    seen = set()
    for one in template_of(prod)["Resources"].values():
        for path in leaves_of(one):
            kind = (one["Type"], *(part for part in path if not isinstance(part, int)))
            if path[0] in ("Metadata", "Type") or elsewhere & {*path} or kind in seen:
                continue
            seen.add(kind)
            other = copy.deepcopy(one)
            place: Any = other
            for part in path[:-1]:
                place = place[part]
            value = place[path[-1]]
            place[path[-1]] = not value if isinstance(value, bool) else f"{value}0"
            old, new = ({"Resources": {"It": it}} for it in (one, other))
            everywhere = (replacements, safeguards, permissions)
            told = [bool(module.compare(old, new)) for module in everywhere]
            assert sum(told) == 1, (path, told)
    assert len(seen) > 100
