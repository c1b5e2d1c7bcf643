"""A kind of model that this library does not know, written by a user of it."""

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from model_packaging import (
    ModelEvent,
    ModelObjects,
    PackageStepConfig,
    PackagingPipeline,
    PipelineTrigger,
    StepContext,
)
from model_packaging.step import ModelSource
from tests.definitions import definition_of


@dataclass(frozen=True)
class FinishedExperiment(ModelEvent):
    """Experiments of a platform of our own, which sends events of its own."""

    bucket: s3.IBucket
    bound: list[str] = field(default_factory=list)

    @property
    def event_pattern(self) -> dict[str, Any]:
        return {"source": ["example.experiments"], "detail-type": ["Experiment Finished"]}

    @property
    def parameter_paths(self) -> dict[str, str]:
        return {"ExperimentModel": "$.detail.model"}

    @property
    def models(self) -> ModelObjects:
        return ModelObjects(self.bucket, "experiments/")

    @property
    def rendered_from(self) -> str:
        return "experiments, version 1"

    def bind(self, context: StepContext) -> ModelSource:
        from sagemaker.core.workflow.parameters import ParameterString

        self.bound.append("bound")
        uri = ParameterString(name="ExperimentModel")
        return ModelSource(uri=uri, parameters=(uri,))

    def matches_below(self, s3_prefix: str) -> bool:
        return False

    def repeats(self, other: ModelEvent) -> bool:
        return isinstance(other, FinishedExperiment)


class Revised(FinishedExperiment):
    """Says the same of itself as another kind, but binds otherwise."""

    @property
    def rendered_from(self) -> str:
        return "experiments, version 1"

    def bind(self, context: StepContext) -> ModelSource:
        return replace(super().bind(context), environment={"REVISED": "yes"})


class Hiding(FinishedExperiment):
    """Promises to be kept, and uses what is known at deployment only."""

    @property
    def rendered_from(self) -> str:
        return "experiments, hiding"

    def bind(self, context: StepContext) -> ModelSource:
        return ModelSource(uri=context.hide(f"s3://{self.bucket.bucket_name}/experiments/"))


def packaging(
    kind: type[FinishedExperiment], settings: dict[str, Any], store: Path
) -> tuple[dict[str, Any], FinishedExperiment]:
    """The template of a stack that packages models of a kind."""
    stack = Stack(App(context={"model_packaging:definition_store": str(store)}), "Stack")
    model = kind(s3.Bucket(stack, "Bucket"))
    pipeline = PackagingPipeline(
        stack, "Packaging", config=PackageStepConfig(**settings), model=model
    )
    PipelineTrigger(stack, "Trigger", pipeline=pipeline)
    return Template.from_stack(stack).to_json(), model


def test_it_packages_triggers_and_is_kept_in_the_store(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    template, first = packaging(FinishedExperiment, settings, tmp_path)
    definition = definition_of(template)
    assert [parameter["Name"] for parameter in definition["Parameters"]] == ["ExperimentModel"]
    [model_input] = (
        given
        for given in definition["Steps"][0]["Arguments"]["ProcessingInputs"]
        if given["InputName"] == "model_input"
    )
    assert model_input["S3Input"]["S3Uri"] == {"Get": "Parameters.ExperimentModel"}

    [rule] = (
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Events::Rule"
    )
    assert rule["EventPattern"] == first.event_pattern
    [target] = rule["Targets"]
    assert target["SageMakerPipelineParameters"]["PipelineParameterList"] == [
        {"Name": "ExperimentModel", "Value": "$.detail.model"}
    ]
    assert '"Fn::GetAtt": ["Bucket' in json.dumps(template["Resources"])
    assert "experiments/*" in json.dumps(template["Resources"])

    again, second = packaging(FinishedExperiment, settings, tmp_path)
    assert again == template
    assert (len(first.bound), len(second.bound)) == (1, 0)


def test_two_kinds_that_say_the_same_of_themselves_are_not_confused(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    first, _ = packaging(FinishedExperiment, settings, tmp_path)
    second, _ = packaging(Revised, settings, tmp_path)
    assert "REVISED" not in json.dumps(first)
    assert "REVISED" in json.dumps(second)


def test_what_is_kept_may_not_depend_on_the_deployment(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="let rendered_from be None"):
        packaging(Hiding, settings, tmp_path)


def test_a_mixin_that_binds_is_rendered_anew(settings: dict[str, Any], tmp_path: Path) -> None:
    class Marking:
        def bind(self, context: StepContext) -> ModelSource:
            return ModelSource(uri="s3://models/marked/")

    class Marked(Marking, FinishedExperiment):
        """Binds by another class than the one that says what it is rendered from."""

        @property
        def parameter_paths(self) -> dict[str, str]:
            return {}

    assert Marked.rendered_from.fget is not FinishedExperiment.rendered_from.fget
    for _ in range(2):
        template, _ = packaging(Marked, settings, tmp_path)
        assert "s3://models/marked/" in json.dumps(template)


def test_it_binds_offline(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Looking(FinishedExperiment):
        def bind(self, context: StepContext) -> ModelSource:
            self.bound.append(os.environ.get("AWS_PROFILE", "none"))
            return super().bind(context)

    monkeypatch.setenv("AWS_PROFILE", "the-users-own")
    _, model = packaging(Looking, settings, tmp_path)
    assert model.bound[0] == "none"


def test_a_kind_that_lacks_an_answer_is_refused_by_name() -> None:
    class Silent(ModelEvent):
        pass

    with pytest.raises(TypeError, match=r"abstract.*bind"):
        Silent()  # type: ignore[abstract]


def test_a_loop_names_the_setting_and_the_kind(settings: dict[str, Any], tmp_path: Path) -> None:
    class Looping(FinishedExperiment):
        def matches_below(self, s3_prefix: str) -> bool:
            return True

    expected = "pipeline_s3_loc: .* could match Looping of models below experiments/"
    with pytest.raises(ValueError, match=expected):
        packaging(Looping, settings, tmp_path)


def test_a_subclass_that_binds_otherwise_is_rendered_anew(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    class Other(FinishedExperiment):
        def bind(self, context: StepContext) -> ModelSource:
            return super().bind(context)

    assert Other.rendered_from is not FinishedExperiment.rendered_from
    for _ in range(2):
        _, model = packaging(Other, settings, tmp_path)
        assert model.bound
