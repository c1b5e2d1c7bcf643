"""Start the pipeline for a model in S3, as its upload would have, and follow it to its end."""

import argparse
import datetime
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.exceptions

from local_aws.rule_targets import pipeline_parameters
from model_packaging.step.s3_location import S3Location
from operations.executions.deployed_stage import DeployedStage, add_stage, deployed_stage, named
from operations.executions.faults import OperationError, telling_faults
from operations.executions.job_log import JobLog
from operations.executions.packagings import RUNNING, Packaging, package_report, packaging
from operations.executions.tables import duration, print_json, size

POLL_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_stage(parser)
    parser.add_argument(
        "model", type=named("a MODEL, s3://<bucket>/<key>"), help="s3://<bucket>/<key> of the model"
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="end when it has started, without following it"
    )


@telling_faults
def run(options: argparse.Namespace) -> int:
    """Start an execution.

    Returns:
        0; 1 if it can't start or doesn't succeed.
    """
    stage = deployed_stage(options.stage)
    event = announcement(stage, options.model)
    parameters = parameters_for(stage, event)
    arn = stage.client("sagemaker").start_pipeline_execution(
        PipelineName=stage.pipeline_name, PipelineParameters=parameters
    )["PipelineExecutionArn"]
    if options.no_wait:
        _tell_start(arn, parameters, as_json=options.json)
        return 0
    if not options.json:
        _tell_start(arn, parameters, as_json=False)
    one = follow(stage, arn, quiet=options.json)
    report = package_report(stage, one.report) if one.report else None
    succeeded = one.status == "Succeeded"
    if options.json:
        print_json(
            {
                "execution": one.execution_id,
                "status": one.status,
                "model": options.model,
                "package": one.package if succeeded else None,
                "sha256": report["archive"]["sha256"] if report and succeeded else None,
                "cached_from": one.cached_from,
                "reason": one.reason,
            }
        )
        return 0 if succeeded else 1
    if not succeeded:
        raise OperationError(f"the execution is {one.status}: {one.reason or 'someone stopped it'}")
    print(f"Succeeded after {duration(one.seconds)}.")
    if one.cached_from:
        print(f"The same model and scripts were packaged by {one.cached_from}; its package again:")
    print(one.package)
    if report:
        archive = report["archive"]
        print(f"{size(archive['bytes'])}, {report['mode']}, SHA-256 {archive['sha256']}")
    return 0


def announcement(stage: DeployedStage, model: str) -> dict[str, Any]:
    """The event that would announce a model, made from the object itself.

    It has what S3 tells of an upload ("EventBridge event message structure") and what SageMaker
    tells of a training job, so that either kind of rule finds what its parameters are filled from.

    Raises:
        OperationError: The text is no S3 URI, or there is no such object.
    """
    if not model.startswith("s3://"):
        upload = stage.outputs.get("ModelUploadUri", "s3://<bucket>/<prefix>")
        hint = f"upload it below {upload}" if Path(model).exists() else f"write {upload}…"
        raise OperationError(f"{model!r} is no model in S3; {hint}")
    place = S3Location.parse(model)
    s3 = stage.client("s3")
    try:
        found = s3.head_object(Bucket=place.bucket, Key=place.key)
    except botocore.exceptions.ClientError as fault:
        code = fault.response["Error"]["Code"]
        if code in ("404", "NoSuchKey", "NoSuchBucket"):
            raise OperationError(
                f"there is no object {model}; `aws s3 ls` shows what is"
            ) from fault
        if code == "403":
            # S3 says this also of a missing object, to who may not list ("HeadObject").
            raise OperationError(
                f"{model} can't be read with these credentials, or doesn't exist"
            ) from fault
        raise
    described = {
        "key": place.key,
        "size": found["ContentLength"],
        "etag": found["ETag"].strip('"'),
        "version-id": found.get("VersionId", ""),
        "sequencer": "0",
    }
    account = stage.pipeline_arn.split(":")[4]
    return {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": account,
        "time": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": stage.pipeline_arn.split(":")[3],
        "resources": [f"arn:aws:s3:::{place.bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": place.bucket},
            "object": described,
            "reason": "PutObject",
            "ModelArtifacts": {"S3ModelArtifacts": model},
        },
    }


def follow(stage: DeployedStage, arn: str, *, quiet: bool = False) -> Packaging:
    """Print an execution's status and its job's log as they come, until it has ended.

    Args:
        stage: Whose pipeline's.
        arn: The execution.
        quiet: Print nothing.

    Returns:
        The execution, ended.
    """
    told = ""
    log: JobLog | None = None
    while True:
        one = packaging(stage, arn)
        status = _status(stage, one)
        lines: list[str] = []
        if one.job and not quiet:
            log = log or JobLog(stage, one.job)
            lines = [f"{'':10}  {line}" for line in _readable(log.new_lines())]
        if status != told:
            told = status
            # What the job has printed comes before its end, and after its beginning.
            place = 0 if one.status in RUNNING else len(lines)
            lines.insert(place, f"{duration(one.seconds):>10}  {status}")
        if lines and not quiet:
            print("\n".join(lines), flush=True)
        if one.status not in RUNNING:
            return one
        time.sleep(POLL_SECONDS)


def _status(stage: DeployedStage, one: Packaging) -> str:
    if one.status not in RUNNING or one.job is None:
        return one.status
    job = stage.client("sagemaker").describe_processing_job(ProcessingJobName=one.job)
    return f"{one.status}, job {job['ProcessingJobStatus']}"


def _readable(lines: Iterator[str]) -> Iterator[str]:
    """The lines for people: those for metric filters say the same as JSON."""
    return (line for line in lines if not line.startswith("{"))


def parameters_for(stage: DeployedStage, event: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the pipeline's own trigger would start it with.

    Args:
        stage: Whose pipeline's.
        event: The event, as ``announcement`` makes it.

    Raises:
        OperationError: No rule starts the pipeline with what such an event has.
    """
    events = stage.client("events")
    rules = [
        name
        for page in events.get_paginator("list_rule_names_by_target").paginate(
            TargetArn=stage.pipeline_arn
        )
        for name in page["RuleNames"]
    ]
    if not rules:
        raise OperationError(
            f"no rule starts {stage.pipeline_name}, so nothing tells what its parameters are "
            "filled from; start it with `aws sagemaker start-pipeline-execution`"
        )
    usable: list[tuple[bool, list[dict[str, str]]]] = []
    for rule in rules:
        pattern = events.describe_rule(Name=rule)["EventPattern"]
        matches = events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]
        for target in events.list_targets_by_rule(Rule=rule)["Targets"]:
            if target["Arn"].lower() == stage.pipeline_arn.lower():
                try:
                    usable.append((matches, pipeline_parameters(target, event)))
                except ValueError:
                    continue  # another kind of event fills this one
    if not usable:
        raise OperationError(
            f"what the rules of {stage.pipeline_name} fill its parameters from is nothing that "
            "an object in S3 has; start it with `aws sagemaker start-pipeline-execution`"
        )
    # The rule that the upload would match, if there is one.
    _, parameters = max(usable, key=lambda found: found[0])
    return parameters


def _tell_start(arn: str, parameters: list[dict[str, str]], *, as_json: bool) -> None:
    execution_id = arn.rpartition("/")[2]
    given = {parameter["Name"]: parameter["Value"] for parameter in parameters}
    if as_json:
        print_json({"execution": execution_id, "status": "Executing", "parameters": given})
        return
    print(f"Started {execution_id} with")
    for name, value in given.items():
        print(f"    {name} = {value}")
