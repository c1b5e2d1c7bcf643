"""What no document of AWS's says, read from what this run has made happen."""

import datetime
import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from operations.executions.packagings import Packaging
from operations.smoke.packaging_checks import Packaged
from operations.smoke.trial import Trial

_SIZE_PATH = "$.detail.object.size"
_ARTIFACTS_PATH = "$.detail.ModelArtifacts.S3ModelArtifacts"
_DAYS = 14  # as long as an event may wait in the queue
# "Monitoring Amazon EventBridge", the metrics of rules.
_DEAD_LETTERS = ("InvocationsSentToDlq", "InvocationsFailedToBeSentToDlq")


def answer_of_failure(trial: Trial, one: Packaging) -> None:
    """The texts that a failed job leaves at its execution, its step and itself."""
    sagemaker = trial.stage.client("sagemaker")
    execution = sagemaker.describe_pipeline_execution(PipelineExecutionArn=one.arn)
    texts = {
        "execution's FailureReason": execution.get("FailureReason"),
        "step's FailureReason": one.reason,
    }
    if one.job:
        job = sagemaker.describe_processing_job(ProcessingJobName=one.job)
        texts |= {f"job's {name}": job.get(name) for name in ("FailureReason", "ExitMessage")}
    trial.journal.answer(
        "What exactly does a failure say?",
        "\n".join(f"the {where}: {text!r}" for where, text in texts.items()),
    )


def answer_all(trial: Trial, packaged: Packaged) -> None:
    """All that a successful execution and the stage itself tell."""
    questions = {
        f"Does {_SIZE_PATH}, a number, fill a parameter of type String?": _size,
        "Does a property file need S3 permissions of the pipeline's role?": _property_files,
        "With what does SageMaker encrypt the package that it writes?": _encryption,
        "Do undelivered events reach a dead-letter queue with a customer key?": _dead_letters,
        "Do training jobs' events have detail.ModelArtifacts?": _training_events,
    }
    for question, find in questions.items():
        try:
            answer = find(trial, packaged)
        except (BotoCoreError, ClientError) as fault:
            answer = f"Not known, these credentials may not look: {fault}"
        trial.journal.answer(question, answer)


def _size(trial: Trial, packaged: Packaged) -> str:
    filled = [name for _, name, path in _filled(trial) if path == _SIZE_PATH]
    if not filled:
        return "Not asked: the stage's rule passes no size."
    if trial.by_hand:
        return f"Not asked: no event came, since {trial.by_hand}."
    name = min(filled)
    value, size = packaged.started.parameters.get(name), str(packaged.started.upload.size)
    told = "Yes" if value == size else "No"
    return f"{told}: {name} was {value!r} for an object of {size} bytes."


def _filled(trial: Trial) -> Iterator[tuple[str, str, str]]:
    """The rules that start the pipeline, the parameters that each fills, and what from."""
    events = trial.stage.client("events")
    for rule in _rules(trial):
        for target in events.list_targets_by_rule(Rule=rule)["Targets"]:
            given = target.get("SageMakerPipelineParameters", {})
            for parameter in given.get("PipelineParameterList", []):
                yield rule, parameter["Name"], parameter["Value"]


def _rules(trial: Trial) -> list[str]:
    pages = (
        trial.stage.client("events")
        .get_paginator("list_rule_names_by_target")
        .paginate(TargetArn=trial.stage.pipeline_arn)
    )
    return [name for page in pages for name in page["RuleNames"]]


def _property_files(trial: Trial, packaged: Packaged) -> str:
    sagemaker = trial.stage.client("sagemaker")
    definition = json.loads(
        sagemaker.describe_pipeline_definition_for_execution(
            PipelineExecutionArn=packaged.ended.arn
        )["PipelineDefinition"]
    )
    if not any(step.get("PropertyFiles") for step in definition["Steps"]):
        return "Not asked: the pipeline has none."
    role = sagemaker.describe_pipeline(PipelineName=trial.stage.pipeline_name)["RoleArn"]
    allowed = sorted(
        action
        for action in _actions(trial.stage.client("iam"), role.rpartition("/")[2])
        if action == "*" or action.lower().startswith("s3:")
    )
    if allowed:
        return f"Not known: the pipeline's role may {', '.join(allowed)}."
    return (
        f"No: {packaged.ended.execution_id} succeeded with one, and the pipeline's role has no "
        "permission for S3. (Steps that read it with JsonGet do need it.)"
    )


def _encryption(trial: Trial, packaged: Packaged) -> str:
    """What training jobs ask for without a key is documented, and nothing of processing jobs is."""
    bucket, _, key = packaged.package.removeprefix("s3://").partition("/")
    found = trial.stage.client("s3").head_object(Bucket=bucket, Key=key)
    by = f" with the key {found['SSEKMSKeyId']}" if "SSEKMSKeyId" in found else ""
    job = trial.stage.client("sagemaker").describe_processing_job(
        ProcessingJobName=packaged.ended.job
    )
    named = (
        "names a key" if job.get("ProcessingOutputConfig", {}).get("KmsKeyId") else "names no key"
    )
    return f"{found.get('ServerSideEncryption', 'Nothing')}{by}; the job {named}."


def _actions(iam: Any, role: str) -> Iterator[str]:
    """What a role's policies allow."""
    documents = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        policy = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]
        documents.append(
            iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])[
                "PolicyVersion"
            ]["Document"]
        )
    for document in documents:
        statements = document["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            if statement["Effect"] == "Allow":
                actions = statement.get("Action", "*")
                yield from [actions] if isinstance(actions, str) else actions


def _dead_letters(trial: Trial, packaged: Packaged) -> str:
    """From the past: to make an event fail, somebody would have to break the rule."""
    queue = trial.stage.output("DeadLetterQueueUrl")
    attributes = trial.stage.client("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["KmsMasterKeyId"]
    )
    if "KmsMasterKeyId" not in attributes.get("Attributes", {}):
        return "Not asked: this stage's queue has no customer key."
    rules = _rules(trial)
    sent, lost = (_counted(trial, name, rules) for name in _DEAD_LETTERS)
    if sent or lost:
        told = "Yes" if sent and not lost else "No" if lost and not sent else "Not always"
        return f"{told}: in the last {_DAYS} days {sent:g} events reached it and {lost:g} did not."
    return (
        f"Not known: in the last {_DAYS} days every event was delivered, and this test breaks no "
        f"rule to see. It counts {' and '.join(_DEAD_LETTERS)}; after the next event that fails, "
        "run it again."
    )


def _training_events(trial: Trial, packaged: Packaged) -> str:
    """From the past: to make such an event, somebody would have to train a model."""
    rules = [rule for rule, _, path in _filled(trial) if path == _ARTIFACTS_PATH]
    if not rules:
        return "Not asked: no training job starts this stage's pipeline."
    invoked, failed = (
        _counted(trial, name, rules) for name in ("Invocations", "FailedInvocations")
    )
    if invoked > failed:
        return (
            f"Yes: in the last {_DAYS} days, {invoked - failed:g} of them started the pipeline "
            "with what is there."
        )
    if failed:
        return (
            f"Not known: in the last {_DAYS} days, {failed:g} of them matched the rule, which asks "
            "for it, and could not start the pipeline; `make redrive` tells why."
        )
    return (
        f"Not known: in the last {_DAYS} days, none matched the rule, which asks for it. If a "
        "training job has ended that should have, then no. This test trains nothing."
    )


def _counted(trial: Trial, what: str, rules: list[str]) -> float:
    """How often something became of the events of rules, in the last days."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return sum(
        float(point["Sum"])
        for rule in rules
        for point in trial.stage.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Events",
            MetricName=what,
            Dimensions=[{"Name": "RuleName", "Value": rule}],
            StartTime=now - datetime.timedelta(days=_DAYS),
            EndTime=now,
            Period=86400,
            Statistics=["Sum"],
        )["Datapoints"]
    )
