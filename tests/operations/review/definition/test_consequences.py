"""What follows from a change of the definition."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operations.review.assemblies.assembly import Assembly
from operations.review.changes import Change
from operations.review.definition import Definitions, Side

Definition = dict[str, Any]
ETAG = "MIMS_MODEL_ETAG"
REUSED = "PackagingStep now takes a model that replaces another one under its key for the other one"
ANEW = "Results of PackagingStep that are cached no longer count"


@pytest.fixture(scope="module")
def real(dev: Path) -> Side:
    assembly = Assembly.read(dev)
    return Side(assembly.definition, assembly.template)


def changed(side: Side, change: Callable[[Definition], object]) -> Side:
    definition: Definition = copy.deepcopy(dict(side.definition))
    change(definition)
    return Side(definition, copy.deepcopy(side.template))


def told(old: Side, new: Side) -> list[Change]:
    return Definitions(old, new).changes()


def step(definition: Definition) -> dict[str, Any]:
    found: dict[str, Any] = definition["Steps"][0]
    return found


def another(definition: Definition, **content: Any) -> None:
    definition["Steps"].append(copy.deepcopy(step(definition)) | content)


def rule(side: Side) -> dict[str, Any]:
    properties: dict[str, Any] = side.template["Resources"]["TriggerRule6377B3FF"]["Properties"]
    return properties


def test_a_parameter_that_the_trigger_does_not_fill_fails_every_start(real: Side) -> None:
    [change] = told(real, changed(real, lambda it: it["Parameters"].append({"Name": "X"})))
    assert (change.level, change.kind, change.where) == ("danger", "parameter", "Parameters › X")
    assert change.meaning.endswith(
        "Trigger/Rule does not fill X, which has no default: every start by it fails."
    )


def test_a_parameter_with_a_default_needs_no_trigger(real: Side) -> None:
    [change] = told(
        real,
        changed(
            real,
            lambda it: it["Parameters"].append({"Name": "X", "Type": "Integer", "DefaultValue": 3}),
        ),
    )
    assert change.level == "notice"
    assert change.meaning == (
        "The pipeline takes a parameter X (Integer), which is 3 if not given."
    )


def test_a_default_that_goes_fails_every_start_too(real: Side) -> None:
    old = changed(real, lambda it: it["Parameters"].append({"Name": "X", "DefaultValue": "a"}))
    new = changed(real, lambda it: it["Parameters"].append({"Name": "X"}))
    [change] = told(old, new)
    assert (change.level, change.where) == ("danger", "Parameters › X › DefaultValue")
    [back] = told(new, old)
    assert back.level == "notice"


def test_a_parameter_that_goes_is_still_given_by_the_trigger(real: Side) -> None:
    [change] = told(real, changed(real, lambda it: it["Parameters"].pop(0)))
    assert change.level == "danger"
    assert "Trigger/Rule still gives it" in change.meaning


def test_a_parameter_that_is_renamed_is_one_change(real: Side) -> None:
    def rename(definition: Definition) -> None:
        definition["Parameters"][2]["Name"] = "Tag"
        step(definition)["Arguments"]["Environment"][ETAG] = {"Get": "Parameters.Tag"}

    [change] = told(real, changed(real, rename))
    assert (change.where, change.old, change.new) == ("Parameters › Tag", "ModelETag", "Tag")
    assert change.level == "danger"
    assert "Trigger/Rule does not fill Tag" in change.meaning


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (
            lambda it: step(it)["Arguments"]["AppSpecification"]["ContainerArguments"].append("-x"),
            "AppSpecification › ContainerArguments › --existing-code",
        ),
        (lambda it: step(it)["Arguments"]["Environment"].update(A="b"), "Environment › A"),
        (
            lambda it: step(it)["Arguments"]["ProcessingInputs"][1]["S3Input"].update(S3Uri="s3://a"),
            "ProcessingInputs › inference_scripts_input › S3Input › S3Uri",
        ),
    ],
)  # fmt: skip
def test_what_the_cache_compares_makes_it_miss(
    real: Side, change: Callable[[Definition], object], where: str
) -> None:
    [told_there] = told(real, changed(real, change))
    assert told_there.where == f"PackagingStep › {where}"
    assert ANEW in told_there.meaning
    uncached = changed(real, lambda it: step(it).pop("CacheConfig"))
    [told_uncached] = told(uncached, changed(uncached, change))
    assert ANEW not in told_uncached.meaning


def test_a_miss_is_told_once_of_many_changes(real: Side) -> None:
    new = changed(real, lambda it: step(it)["Arguments"]["Environment"].update(A="b", B="c"))
    assert [ANEW in change.meaning for change in told(real, new)] == [True, False]


@pytest.mark.parametrize(
    "change",
    [
        lambda it: step(it)["Arguments"].pop("Tags"),
        lambda it: step(it)["Arguments"]["StoppingCondition"].update(MaxRuntimeInSeconds=1),
        lambda it: step(it)["Arguments"]["ProcessingInputs"].reverse(),
    ],
)
def test_what_the_cache_does_not_compare_makes_no_miss(
    real: Side, change: Callable[[Definition], object]
) -> None:
    [found] = told(real, changed(real, change))
    assert ANEW not in found.meaning


def test_a_cache_that_no_longer_sees_what_was_uploaded_is_dangerous(real: Side) -> None:
    new = changed(real, lambda it: step(it)["Arguments"]["Environment"].pop(ETAG))
    [change] = told(real, new)
    assert (change.level, change.where) == ("danger", f"PackagingStep › Environment › {ETAG}")
    assert REUSED in change.meaning
    assert all(REUSED not in one.meaning for one in told(new, real))


def test_a_cache_that_is_turned_on_without_the_etag_is_dangerous(real: Side) -> None:
    def without(definition: Definition) -> None:
        step(definition)["CacheConfig"]["Enabled"] = False
        step(definition)["Arguments"]["Environment"].pop(ETAG)

    old = changed(real, without)
    new = changed(old, lambda it: step(it)["CacheConfig"].update(Enabled=True))
    [change] = told(old, new)
    assert (change.level, change.where) == ("danger", "PackagingStep › CacheConfig › Enabled")
    assert REUSED in change.meaning


def test_caching_that_is_turned_off_and_on_says_what_executions_do(real: Side) -> None:
    off = changed(real, lambda it: step(it)["CacheConfig"].update(Enabled=False))
    [there], [back] = told(real, off), told(off, real)
    assert there.meaning == (
        "Caching is turned off for PackagingStep. "
        "Every execution runs PackagingStep anew, also for a model that it packaged."
    )
    assert back.level == "notice"
    assert "reuses what PackagingStep made of the same inputs" in back.meaning


def test_an_output_that_moves_is_a_warning(real: Side) -> None:
    def move(definition: Definition) -> None:
        outputs = step(definition)["Arguments"]["ProcessingOutputConfig"]["Outputs"]
        outputs[0]["S3Output"]["S3Uri"] = "s3://elsewhere"

    [change] = told(real, changed(real, move))
    assert change.level == "warning"
    assert change.meaning == (
        "PackagingStep writes its output packaged_model_output somewhere else: those who look "
        "where it was find nothing new."
    )
    assert change.new == "s3://elsewhere"


def test_a_step_whose_jobs_the_role_may_not_create_is_dangerous(real: Side) -> None:
    [change] = told(real, changed(real, lambda it: another(it, Name="Second")))
    assert (change.level, change.where, change.new) == ("danger", "Second", "Processing")
    assert change.meaning == (
        "The pipeline has another step, Second (Processing). Packaging/Roles/PipelineRole may not "
        "create the jobs of Second (sagemaker:CreateProcessingJob): the step fails."
    )
    assert "+ ProcessingResources › ClusterConfig › InstanceType: ml.m5.2xlarge\n" in change.detail


def test_a_step_whose_role_may_not_be_passed_is_dangerous(real: Side) -> None:
    role = "${Trigger/Role.Arn}"
    [change] = told(real, changed(real, lambda it: step(it)["Arguments"].update(RoleArn=role)))
    assert (change.level, change.where) == ("danger", "PackagingStep › RoleArn")
    assert "may not pass PackagingStep its role (iam:PassRole): the step fails." in change.meaning


def test_nobody_can_tell_what_a_role_outside_of_the_template_may(real: Side) -> None:
    new = changed(real, lambda it: another(it, Name="Second"))
    [pipeline] = [
        resource
        for resource in new.template["Resources"].values()
        if resource["Type"] == "AWS::SageMaker::Pipeline"
    ]
    pipeline["Properties"]["RoleArn"] = "arn:aws:iam::123456789012:role/other"
    [change] = told(real, new)
    assert change.level == "danger"
    assert "Nobody can tell whether jobs of Second may be created" in change.meaning


def branch(*steps: Any) -> dict[str, Any]:
    arguments = {"Conditions": [], "IfSteps": list(steps), "ElseSteps": []}
    return {"Name": "Ask", "Type": "Condition", "Arguments": arguments}


def test_a_step_in_a_branch_is_judged_as_any_other(real: Side) -> None:
    def ask(*more: str) -> Side:
        return changed(
            real,
            lambda it: it["Steps"].append(
                branch(*(copy.deepcopy(step(it)) | {"Name": name} for name in more))
            ),
        )

    denied = "may not create the jobs of Second (sagemaker:CreateProcessingJob): the step fails."
    [whole] = told(real, ask("Second"))
    [part] = told(ask(), ask("Second"))
    assert (whole.where, part.where) == ("Ask", "Ask › IfSteps › Second")
    for change in (whole, part):
        assert change.level == "danger"
        assert denied in change.meaning

    def edit(definition: Definition) -> None:
        inner = definition["Steps"][1]["Arguments"]["IfSteps"][0]
        inner["Arguments"]["Environment"][ETAG] = "always the same"

    old = ask("Second")
    [stale] = told(old, changed(old, edit))
    assert stale.level == "danger"
    assert "Results of Second that are cached no longer count" in stale.meaning
    assert REUSED.replace("PackagingStep", "Second") in stale.meaning


def test_a_step_that_creates_nothing_needs_no_permission(real: Side) -> None:
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
    [change] = told(real, changed(real, lambda it: it["Steps"].append(stop)))
    assert change.level == "notice"


@pytest.mark.parametrize("moved", [True, False])
def test_a_step_that_is_renamed_is_one_step(real: Side, moved: bool) -> None:
    def rename(definition: Definition) -> None:
        step(definition)["Name"] = "Pack"
        if moved:
            for output in step(definition)["Arguments"]["ProcessingOutputConfig"]["Outputs"]:
                values = output["S3Output"]["S3Uri"]["Std:Join"]["Values"]
                values[0] = values[0].replace("PackagingStep", "Pack")

    changes = told(real, changed(real, rename))
    assert [(one.where, one.old, one.new) for one in changes[:1]] == [
        ("Pack", "PackagingStep", "Pack")
    ]
    assert "may not create the jobs of Pack" in changes[0].meaning
    assert [one.where.split(" › ")[-1] for one in changes[1:]] == ["S3Uri", "S3Uri"] * moved


def test_a_safeguard_of_a_job_that_goes_is_dangerous(real: Side) -> None:
    [change] = told(real, changed(real, lambda it: step(it)["Arguments"].pop("NetworkConfig")))
    assert change.level == "danger"
    assert change.meaning == (
        "A safeguard of PackagingStep got weaker: its containers can reach the network."
    )


def test_an_error_that_is_retried_with_others_now_is_neither_new_nor_gone(real: Side) -> None:
    def alone(definition: Definition) -> None:
        _, capacity, limits = step(definition)["RetryPolicies"]
        assert capacity["ExceptionType"] == [
            "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR",
        ]  # fmt: skip
        capacity["ExceptionType"] = ["SageMaker.CAPACITY_ERROR"]
        limits["MaxAttempts"] = 3

    new = changed(real, alone)
    assert sorted(change.meaning for change in told(real, new)) == [
        "MaxAttempts of PackagingStep's retries on SageMaker.RESOURCE_LIMIT is 3 now; it was not "
        "set.",
        "PackagingStep is no longer retried on SageMaker.JOB_INTERNAL_ERROR.",
    ]
    assert len(told(new, real)) == 2


def test_steps_and_inputs_in_another_order_are_told_as_that(real: Side) -> None:
    new = changed(real, lambda it: step(it)["Arguments"]["ProcessingInputs"].reverse())
    [change] = told(real, new)
    assert (change.level, change.where) == ("info", "PackagingStep › ProcessingInputs › (order)")


RETRIED = "Step.SERVICE_FAULT, Step.THROTTLING"


def say(definition: Definition) -> None:
    words = step(definition)["Arguments"]["AppSpecification"]["ContainerArguments"]
    words[words.index("--mode") + 1] = "stream"


@pytest.mark.parametrize(
    ("change", "meaning"),
    [
        (say, "PackagingStep is called with --mode stream; before, with --mode auto."),
        (
            lambda it: step(it)["RetryPolicies"].pop(0),
            f"PackagingStep is no longer retried on {RETRIED}.",
        ),
        (
            lambda it: step(it)["RetryPolicies"][0].update(MaxAttempts=1),
            f"MaxAttempts of PackagingStep's retries on {RETRIED} is 1 now; it was 5.",
        ),
        (
            lambda it: step(it)["CacheConfig"].update(ExpireAfter="P1D"),
            "PackagingStep reuses results that are up to P1D old; before, up to P30D.",
        ),
        (
            lambda it: step(it).update(DependsOn=["A", "B"]),
            "PackagingStep waits for A and B; before, for none.",
        ),
        (
            lambda it: it.update(MlflowConfig={"Name": "a"}),
            'MlflowConfig of the pipeline is {"Name": "a"} now; it was not set.',
        ),
        (
            lambda it: it.pop("MlflowConfig"),
            "MlflowConfig of the pipeline is no longer set; it was null.",
        ),
        (
            lambda it: step(it)["Arguments"]["Tags"][0].update(Value="x"),
            'Tags › stage › Value of PackagingStep is "x" now; it was "dev".',
        ),
    ],
)
def test_a_change_is_said_in_the_words_of_those_who_run_it(
    real: Side, change: Callable[[Definition], object], meaning: str
) -> None:
    [found] = told(real, changed(real, change))
    assert found.meaning.startswith(meaning)
