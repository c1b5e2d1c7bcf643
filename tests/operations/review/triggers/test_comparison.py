"""What starts the pipeline now and did not, and the other way round."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operations.review.assemblies.assembly import Assembly
from operations.review.changes import Change
from operations.review.definition import Definitions, Side
from operations.review.triggers import compare, in_words

RULE = "TriggerRule6377B3FF"
BUCKET = "s3://${Artifacts/Bucket}"

Properties = dict[str, Any]


@pytest.fixture(scope="module")
def real(dev: Path) -> Side:
    assembly = Assembly.read(dev)
    return Side(assembly.definition, assembly.template)


def changed(side: Side, change: Callable[[Properties], object]) -> Side:
    template = copy.deepcopy(dict(side.template))
    change(template["Resources"][RULE]["Properties"])
    return Side(side.definition, template)


def told(old: Side, new: Side) -> list[Change]:
    return compare(old, new, Definitions(old, new))


def keys(*tests: Any) -> Callable[[Properties], object]:
    return lambda it: it["EventPattern"]["detail"]["object"].update(key=list(tests))


def parameters(properties: Properties) -> list[dict[str, str]]:
    target = properties["Targets"][0]
    found: list[dict[str, str]] = target["SageMakerPipelineParameters"]["PipelineParameterList"]
    return found


@pytest.mark.parametrize(
    ("tests", "come", "gone"),
    [
        ([{"wildcard": "incoming/*.tar.gz"}], "incoming/example.tar.gz", "models/example.tar.gz"),
        ([{"prefix": "models/"}], "models/example", None),
        ([{"wildcard": "models/*.zip"}], "models/example.zip", "models/example.tar.gz"),
        ([{"wildcard": "models/churn/*.tar.gz"}], None, "models/example.tar.gz"),
        ([{"wildcard": "models/*.tar.gz"}, "one.bin"], "one.bin", None),
        ([{"anything-but": {"suffix": ".tmp"}}], "example", None),
        ([{"suffix": ".tar.gz"}], "example.tar.gz", None),
        ([{"prefix": {"equals-ignore-case": "MODELS/"}}], "MODELS/example", None),
    ],
)
def test_uploads_that_start_the_pipeline_and_no_longer_do_each_have_an_example(
    real: Side, tests: list[Any], come: str | None, gone: str | None
) -> None:
    new = changed(real, keys(*tests))
    [change], [back] = told(real, new), told(new, real)
    assert (change.kind, change.where) == ("trigger", "Trigger/Rule › EventPattern")
    assert (change.old, change.new) == (back.new, back.old)
    assert change.level == ("warning" if gone else "notice")
    for meaning, more, less in ((change.meaning, come, gone), (back.meaning, gone, come)):
        now = f"ploads such as {BUCKET}/{more} start the pipeline now and did not"
        no_longer = f"ploads such as {BUCKET}/{less} no longer"
        assert (now in meaning, "now and did not" in meaning) == (bool(more),) * 2
        assert (no_longer in meaning, "no longer" in meaning) == (bool(less),) * 2


def test_a_pattern_that_is_written_in_another_way_is_said_to_be_that(real: Side) -> None:
    [change] = told(real, changed(real, keys({"wildcard": "models/*.tar.gz"}, "models/a.tar.gz")))
    assert change.meaning == (
        "Trigger/Rule says in another way what it waits for; no event was found that makes a "
        "difference."
    )


def test_a_pattern_that_is_not_understood_is_dangerous(real: Side) -> None:
    [change] = told(real, changed(real, keys({"cidr": "10.0.0.0/24"})))
    assert change.level == "danger"
    assert change.meaning.startswith("Nobody can tell which events start the pipeline now")


def test_a_trigger_that_is_switched_off_starts_nothing(real: Side) -> None:
    off = changed(real, lambda it: it.update(State="DISABLED"))
    [change], [back] = told(real, off), told(off, real)
    assert (change.level, change.where) == ("warning", "Trigger/Rule › State")
    assert change.meaning == (
        "Trigger/Rule is switched off: uploads to `${Artifacts/Bucket}` with a key like "
        "`models/*.tar.gz` no longer start the pipeline."
    )
    assert back.meaning.endswith("start the pipeline now.")
    assert (change.old, change.new) == (back.new, back.old)


def test_a_parameter_that_is_no_longer_filled_fails_every_start(real: Side) -> None:
    [change] = told(real, changed(real, lambda it: parameters(it).pop(0)))
    assert (change.level, change.where) == ("danger", "Trigger/Rule › Parameters › ModelBucket")
    assert "does not fill ModelBucket, which has no default: every start by it fails." in (
        change.meaning
    )


def test_a_parameter_that_the_pipeline_does_not_take_is_dangerous(real: Side) -> None:
    new = changed(real, lambda it: parameters(it).append({"Name": "X", "Value": "$.id"}))
    [change] = told(real, new)
    assert (change.level, change.new) == ("danger", "$.id")
    assert "the pipeline declares no parameter X" in change.meaning.replace("The", "the")
    [back] = told(new, real)
    assert back.level == "notice"


def test_an_etag_that_is_no_longer_handed_over_lets_the_cache_hit(real: Side) -> None:
    new = changed(real, lambda it: parameters(it)[2].update(Value="always"))
    [change] = told(real, new)
    assert change.level == "danger"
    assert "so the old package is handed out" in change.meaning
    [back] = told(new, real)
    assert "so the old package is handed out" not in back.meaning


def test_the_rest_of_a_target_is_told_at_its_place(real: Side) -> None:
    new = changed(real, lambda it: it["Targets"][0]["RetryPolicy"].update(MaximumRetryAttempts=3))
    [change] = told(real, new)
    assert (change.level, change.old, change.new) == ("notice", 185, 3)
    assert change.where == "Trigger/Rule › Targets › Pipeline › RetryPolicy › MaximumRetryAttempts"


@pytest.mark.parametrize("place", [("DeadLetterConfig",), ("DeadLetterConfig", "Arn")])
def test_a_safeguard_of_a_target_that_got_weaker_is_dangerous(
    real: Side, place: tuple[str, ...]
) -> None:
    def remove(properties: Properties) -> None:
        inner = properties["Targets"][0]
        for name in place[:-1]:
            inner = inner[name]
        del inner[place[-1]]

    new = changed(real, remove)
    [change], [back] = told(real, new), told(new, real)
    where = " › ".join(("Trigger/Rule › Targets › Pipeline", *place))
    assert (change.level, change.where) == ("danger", where)
    assert change.meaning.endswith(
        "A safeguard of Trigger/Rule got weaker: events that can't be delivered are lost."
    )
    assert (back.level, back.where) == ("notice", where)


def test_a_rule_that_has_no_target_any_more_starts_nothing(real: Side) -> None:
    new = changed(real, lambda it: it.pop("Targets"))
    [change], [back] = told(real, new), told(new, real)
    assert (change.level, change.where) == ("warning", "Trigger/Rule › Targets")
    assert change.meaning == (
        "Trigger/Rule no longer starts the pipeline: uploads to `${Artifacts/Bucket}` with a key "
        "like `models/*.tar.gz` start nothing by it."
    )
    assert (back.level, back.where) == ("notice", "Trigger/Rule › Targets")
    assert back.meaning == (
        "Trigger/Rule starts the pipeline now, which it did not: uploads to `${Artifacts/Bucket}` "
        "with a key like `models/*.tar.gz`."
    )


def test_a_target_that_comes_without_a_parameter_fails_every_start(real: Side) -> None:
    old = changed(real, lambda it: it.pop("Targets"))
    new = changed(real, lambda it: parameters(it).pop())
    [change] = told(old, new)
    assert change.level == "danger"
    assert "does not fill ModelETag, which has no default: every start by it fails." in (
        change.meaning
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(Targets={"Fn::If": ["A", [], []]}),
        lambda it: it.update(Targets=["a"]),
        lambda it: it["Targets"][0].update(SageMakerPipelineParameters="a"),
        lambda it: parameters(it)[0].pop("Value"),
        lambda it: parameters(it)[0].pop("Name"),
        lambda it: it.update(EventPattern="a"),
        lambda it: it["EventPattern"].update(detail=["a"]),
        lambda it: it["EventPattern"]["detail"].update(object="a"),
        lambda it: it["EventPattern"]["detail"].update(object=[1, {"exists": True}]),
        keys({}),
        keys({"prefix": {}}),
        keys(["a"]),
    ],
)
def test_what_no_rule_says_is_told_without_a_fault(
    real: Side, change: Callable[[Properties], object]
) -> None:
    new = changed(real, change)
    there, back = told(real, new), told(new, real)
    assert len(there) == len(back) == 1
    assert in_words(new.template) is not None


def test_another_trigger_that_fills_too_little_fails_every_start(real: Side) -> None:
    template = copy.deepcopy(dict(real.template))
    another = copy.deepcopy(template["Resources"][RULE])
    another["Metadata"] = {"aws:cdk:path": "Stack/Nightly"}
    another["Properties"].pop("EventPattern")
    another["Properties"]["ScheduleExpression"] = "rate(1 day)"
    parameters(another["Properties"]).pop()
    for parameter in parameters(another["Properties"]):
        parameter["Value"] = "always the same"
    template["Resources"]["Nightly"] = another
    new = Side(real.definition, template)
    [change], [back] = told(real, new), told(new, real)
    assert (change.level, change.where) == ("danger", "Nightly")
    assert change.meaning == (
        "Nightly is new: executions by the schedule rate(1 day) start the pipeline. "
        "Nightly does not fill ModelETag, which has no default: every start by it fails."
    )
    assert back.meaning == (
        "Nightly is gone: executions by the schedule rate(1 day) no longer start the pipeline."
    )


def test_a_rule_that_starts_no_pipeline_is_told_in_its_own_words(real: Side) -> None:
    def elsewhere(resources: dict[str, Any], kind: str) -> None:
        resources["Watch"] = {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {"source": ["aws.sagemaker"], "detail": {"status": [kind]}},
                "Targets": [{"Id": "T", "Arn": {"Ref": "Topic"}}],
            },
        }

    sides = []
    for kind in ("Failed", "Stopped"):
        template = copy.deepcopy(dict(real.template))
        elsewhere(template["Resources"], kind)
        sides.append(Side(real.definition, template))
    [change] = told(*sides)
    assert change.where == "Watch › EventPattern"
    assert change.meaning == (
        'Events such as one of aws.sagemaker with status "Stopped" reach Watch\'s target now and '
        'did not; events such as one of aws.sagemaker with status "Failed" no longer do.'
    )


def test_a_trigger_is_said_in_words(real: Side) -> None:
    assert in_words(real.template) == [
        "Trigger/Rule",
        "  starts the pipeline on uploads to `${Artifacts/Bucket}` with a key like "
        "`models/*.tar.gz`",
        "  fills ModelBucket with $.detail.bucket.name",
        "  fills ModelKey with $.detail.object.key",
        "  fills ModelETag with $.detail.object.etag",
    ]


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("a", "`a`"),
        (3, "3"),
        ({"prefix": "a"}, "beginning with `a`"),
        ({"suffix": {"equals-ignore-case": "a"}}, "ending in `a` in upper or lower case"),
        ({"equals-ignore-case": "a"}, "`a` in upper or lower case"),
        ({"anything-but": ["a", "b"]}, "anything but `a` or `b`"),
        ({"anything-but": {"prefix": "a"}}, "anything but beginning with `a`"),
        ({"anything-but": {"suffix": ["a", "b"]}}, "anything but ending in `a` or ending in `b`"),
        ({"exists": False}, "not there"),
        ({"numeric": [">", 0, "<=", 5]}, "> 0 <= 5"),
    ],
)
def test_every_operator_is_said_in_words(real: Side, test: Any, words: str) -> None:
    assert in_words(changed(real, keys(test)).template)[1].endswith(f" with a key {words}")


def test_one_of_several_patterns_is_said_with_the_others(real: Side) -> None:
    new = changed(
        real, lambda it: it.update(EventPattern={"$or": [{"source": ["a"]}, {"source": ["b"]}]})
    )
    assert in_words(new.template)[1].endswith(
        "on events where source is `a` or events where source is `b`"
    )
    inside = {"$or": [{"object": {"key": ["a"]}}, {"bucket": {"name": ["b"]}}]}
    new = changed(real, lambda it: it["EventPattern"].update(detail=inside))
    assert in_words(new.template)[1].endswith(
        "on uploads to any bucket with a key `a` or uploads to `b`"
    )
