"""RegisterModel steps: they register a model package, all in the pipeline's role.

No document lists what such a step calls. CloudTrail of real executions shows, in this order,
``CreateModelPackageGroup``, whose failure because there is one already is passed over,
``CreateModelPackage`` and ``DescribeModelPackage``, each create with a tag of the execution.
"""

from collections.abc import Mapping
from typing import Any

from local_aws.steps.context import CallError, StepContext


class RegistrationStep:
    """A step that registers a model package.

    Args:
        step: As the definition has it.
        context: The execution.
    """

    def __init__(self, step: Mapping[str, Any], context: StepContext) -> None:
        self._step = step
        self._context = context

    def run(self, request: Mapping[str, Any], record: dict[str, Any]) -> None:
        """Register.

        Args:
            request: The step's arguments, without expressions.
            record: What ``ListPipelineExecutionSteps`` shows; gets the package.

        Raises:
            JobError: The registry refused it.
        """
        group = request.get("ModelPackageGroupName", "")
        if group and not group.startswith("arn:"):  # no name, so that none could be made of it
            self._make_group(group)
        # "Events that SageMaker AI sends to EventBridge" shows who has made a package.
        made_by = {**request.get("MetadataProperties", {})}
        made_by.setdefault("GeneratedBy", self._context.execution_arn)
        arn = self._context.call(
            "CreateModelPackage",
            **{
                **request,
                "MetadataProperties": made_by,
                "Tags": self._context.tags(request.get("Tags")),
            },
        )["ModelPackageArn"]
        record["Metadata"] = {"RegisterModel": {"Arn": arn}}
        properties = self._context.call("DescribeModelPackage", ModelPackageName=arn)
        self._context.results.add(self._step, properties, {})

    def _make_group(self, name: str) -> None:
        try:
            self._context.call(
                "CreateModelPackageGroup", ModelPackageGroupName=name, Tags=self._context.tags()
            )
        except CallError as fault:
            if fault.code != "ValidationException":  # there is one
                raise
