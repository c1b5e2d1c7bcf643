"""Whether a pipeline's role may create the jobs of a step, by the template's policies."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from operations.review.permissions.coverage import covers, may_cover
from operations.review.permissions.grants import (
    Condition,
    Grant,
    Rules,
    Subject,
    Value,
    arn_of_role,
    rules_of,
)
from operations.review.template.names import Names, Token, pieces

Template = Mapping[str, Any]

# What creates a step's work, and in what its ARN begins: "Actions, resources, and condition keys
# for Amazon SageMaker AI" in the Service Authorization Reference. Steps that aren't here, such as
# conditions, create nothing.
_CREATES = {
    "AutoML": ("sagemaker:CreateAutoMLJobV2", "automl-job"),
    "ClarifyCheck": ("sagemaker:CreateProcessingJob", "processing-job"),
    "Processing": ("sagemaker:CreateProcessingJob", "processing-job"),
    "QualityCheck": ("sagemaker:CreateProcessingJob", "processing-job"),
    "Training": ("sagemaker:CreateTrainingJob", "training-job"),
    "Transform": ("sagemaker:CreateTransformJob", "transform-job"),
    "Tuning": ("sagemaker:CreateHyperParameterTuningJob", "hyper-parameter-tuning-job"),
}
_PARTITION, _REGION, _ACCOUNT = (
    Token(f"AWS::{name}") for name in ("Partition", "Region", "AccountId")
)
# How SageMaker calls a role that a job assumes.
_PASSED = frozenset(
    {Condition("StringEquals", "iam:PassedToService", frozenset({("sagemaker.amazonaws.com",)}))}
)


class Permissions:
    """What the role of a template's pipeline may do.

    Args:
        template: The template.
    """

    def __init__(self, template: Template) -> None:
        self._template = template
        self._names = Names(template)
        self._roles: list[str | None] = [
            _role(resource["Properties"].get("RoleArn"))
            for resource in template.get("Resources", {}).values()
            if resource["Type"] == "AWS::SageMaker::Pipeline"
        ]

    def missing(self, step: Mapping[str, Any]) -> Iterator[str]:
        """What the role may not do, or not surely, that a step needs; as sentences."""
        kind, name = step.get("Type"), step.get("Name")
        if kind not in _CREATES or not isinstance(name, str):
            return
        action, resource = _CREATES[kind]
        for role in self._roles:
            if role is None or role not in self._template["Resources"]:
                yield (
                    f"nobody can tell whether jobs of {name} may be created: the pipeline's role "
                    "is not in this template"
                )
                continue
            rules = rules_of(self._template).get(Subject("identity", role), Rules())
            called = self._names.of(role)
            jobs = [_job(action, resource, one) for one in _spellings(name[:20])]
            yield from _judge(rules, jobs, f"create the jobs of {name} ({action})", called)
            passed = self._passed(step)
            if passed is not None:
                passing = Grant("Allow", (), (("iam:PassRole",),), (passed,), _PASSED)
                yield from _judge(rules, [passing], f"pass {name} its role (iam:PassRole)", called)

    def _passed(self, step: Mapping[str, Any]) -> Value | None:
        """The role of a step's jobs; None if it isn't in the template."""
        text = step.get("Arguments", {}).get("RoleArn")
        for logical_id, resource in self._template["Resources"].items():
            arn = self._names.text({"Fn::GetAtt": [logical_id, "Arn"]})
            if resource["Type"] == "AWS::IAM::Role" and arn == text:
                return arn_of_role(logical_id)
        return None


def _judge(rules: Rules, needed: Sequence[Grant], deed: str, role: str) -> Iterator[str]:
    allowed = [grant for grant in rules.grants if grant.effect == "Allow"]
    denied = [grant for grant in rules.grants if grant.effect == "Deny"]
    if any(covers(allowed, one) for one in needed):
        if any(covers(denied, one) for one in needed):
            yield f"{role} may not {deed}, which is denied: the step fails"
        return
    may = any(may_cover(grant, one) for grant in allowed for one in needed)
    if may or rules.unknown or rules.attached:
        yield f"nobody can tell whether {role} may {deed}"
    else:
        yield f"{role} may not {deed}: the step fails"


def _job(action: str, resource: str, name: str) -> Grant:
    """To create a job of a step.

    "Customize access management for Pipelines jobs" in the SageMaker developer guide: its name is
    ``pipelines-<execution id>-<step name, 20 characters>-<token>-<retries>``.
    """
    arn = (
        "arn:",
        _PARTITION,
        ":sagemaker:",
        _REGION,
        ":",
        _ACCOUNT,
        f":{resource}/pipelines-*-{name}-*",
    )
    return Grant("Allow", (), ((action,),), (arn,))


def _spellings(name: str) -> list[str]:
    """How a step's name may stand in an ARN: as it is, or in lower case."""
    return list(dict.fromkeys((name, name.lower())))


def _role(arn: Any) -> str | None:
    """The logical id of a role, by how its ARN is written in the template."""
    found = pieces(arn) if arn is not None else ()
    if len(found) == 1 and isinstance(found[0], Token) and found[0].attribute == "Arn":
        return found[0].name
    return None
