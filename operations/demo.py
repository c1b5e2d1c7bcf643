"""The product at work: from an upload to a packaged model that answers, on the local AWS."""

import argparse
import hashlib
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from local_aws import hosting
from local_aws.cdk_cli import CommandError
from local_aws.cloud import LocalCloud, local_cloud
from model_packaging.step import contract
from model_packaging.step.s3_location import S3Location
from operations.synthesis import PROJECT, synthesize

STACK = "ModelPackaging"
INFERENCE_SCRIPTS = PROJECT / "scripts" / "inference"
ENTRY_POINT = "inference.py"


class DemoError(Exception):
    """A stage can't do its work; the text says why.

    Attributes:
        log: File that tells more, if there is one.
    """

    def __init__(self, reason: str, log: Path | None = None) -> None:
        super().__init__(reason)
        self.log = log


class StageError(Exception):
    """A stage failed.

    Attributes:
        stage: Its name.
        log: File or folder that tells more.
    """

    def __init__(self, stage: str, reason: str, log: Path) -> None:
        super().__init__(reason)
        self.stage = stage
        self.log = log


@dataclass
class Result:
    """What a run showed, for the table at its end."""

    seconds: dict[str, float] = field(default_factory=dict)
    pipeline: str = ""
    execution_arn: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    input_uri: str = ""
    input_bytes: int = 0
    input_sha256: str = ""
    output_uri: str = ""
    report_uri: str = ""
    output_bytes: int = 0
    output_sha256: str = ""
    files: str = ""
    predictions: str = ""


class Demo:
    """One run.

    Args:
        directory: Folder for everything that the run writes. What is in it is deleted.
        model: The user's own archive. Default: a model is trained.
        scripts: Folder of inference scripts.
        console: Where progress is shown.
    """

    def __init__(
        self, directory: Path, *, model: Path | None, scripts: Path, console: Console
    ) -> None:
        self._directory = directory.resolve()
        self._model = model
        self._scripts = scripts.resolve()
        self._console = console
        self._rows: Path | None = None
        self._expected: list[Any] | None = None
        self.result = Result()

    def run(self) -> Result:
        """Run every stage.

        Raises:
            StageError: The stage that failed, and why.
        """
        self._check_arguments()
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        with self._cloud() as cloud:
            archive = self._get_model()
            outputs = self._deploy(cloud, self._synthesize())
            self._upload(cloud, archive, outputs["ModelUploadUri"])
            self._wait(cloud, outputs)
            package = self._download(cloud)
        self._check(archive, package)
        return self.result

    def _check_arguments(self) -> None:
        model = self._model
        if model is not None and not model.is_file():
            reason = f"{model} is not a file; name a model archive"
            raise StageError("MODEL", reason, self._directory)
        for given in (model, self._scripts):
            if given is not None and given.resolve().is_relative_to(self._directory):
                reason = f"{given} is in the folder that the demo empties; copy it elsewhere"
                raise StageError("MODEL or SCRIPTS", reason, self._directory)
        if not (self._scripts / ENTRY_POINT).is_file():
            reason = f"{self._scripts} has no {ENTRY_POINT}; name a folder with one"
            raise StageError("SCRIPTS", reason, self._directory)

    def _get_model(self) -> Path:
        if self._model is not None:
            return self._model.resolve()
        with self._stage("Train a model") as show:
            from operations.sample_model import train

            trained = train(self._directory / "training")
            self._rows = self._directory / "training" / "rows.json"
            self._rows.write_text(json.dumps(trained.rows))
            self._expected = trained.predictions
            show(f"random forest on the wine data set, accuracy {trained.accuracy:.2f}")
        return trained.archive

    def _synthesize(self) -> Path:
        with self._stage("Synthesize the app") as show:
            context = {"inference_scripts": str(self._scripts)}
            assembly = synthesize(self._directory / "synth", context)
            show(f"{STACK}, without credentials or region")
        return assembly

    @contextmanager
    def _cloud(self) -> Iterator[LocalCloud]:
        with self._stage("Start the local AWS") as show:
            context = local_cloud(self._directory / "aws")
            cloud = context.__enter__()
            show(cloud.endpoint)
        try:
            yield cloud
        finally:
            context.__exit__(None, None, None)

    def _deploy(self, cloud: LocalCloud, assembly: Path) -> dict[str, str]:
        with self._stage("cdk bootstrap") as show:
            cloud.bootstrap()
            show("CDKToolkit")
        with self._stage("cdk deploy") as show:
            cloud.deploy(assembly, STACK)
            outputs = cloud.outputs(STACK)
            resources = cloud.client("cloudformation").list_stack_resources(StackName=STACK)
            show(f"{len(resources['StackResourceSummaries'])} resources")
        return outputs

    def _upload(self, cloud: LocalCloud, archive: Path, prefix: str) -> None:
        result = self.result
        with self._stage("Upload the model") as show:
            name = archive.name if archive.name.endswith(".tar.gz") else "model.tar.gz"
            place = S3Location.parse(prefix)
            cloud.client("s3").upload_file(str(archive), place.bucket, f"{place.key}demo/{name}")
            result.input_uri = f"{prefix}demo/{name}"
            result.input_bytes, result.input_sha256 = _digest(archive)
            show(result.input_uri)

    def _wait(self, cloud: LocalCloud, outputs: dict[str, str]) -> None:
        result = self.result
        with self._stage("Event, pipeline, packaging") as show:
            result.pipeline = outputs["PipelineName"]
            try:
                execution = cloud.wait_for_execution(result.pipeline)
            except TimeoutError as fault:
                undelivered = _undelivered(cloud, outputs["DeadLetterQueueUrl"])
                raise DemoError(undelivered or str(fault)) from fault
            arn = result.execution_arn = execution["PipelineExecutionArn"]
            sagemaker = cloud.client("sagemaker")
            given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
            result.parameters = {
                item["Name"]: item["Value"] for item in given["PipelineParameters"]
            }
            written = _list(cloud, outputs["PackagedModelUri"])
            if execution["PipelineExecutionStatus"] != "Succeeded":
                raise DemoError(
                    f"the execution {execution['PipelineExecutionStatus'].lower()}: "
                    f"{execution['FailureReason']}. Below {outputs['PackagedModelUri']}: "
                    f"{', '.join(written) or 'nothing was written'}.",
                    cloud.directory / "executions" / arn.rpartition("/")[2],
                )
            result.report_uri, result.output_uri = sorted(written)
            show(f"execution {arn.rpartition('/')[2]} succeeded")

    def _download(self, cloud: LocalCloud) -> Path:
        result = self.result
        with self._stage("Download the package") as show:
            package = self._directory / "packaged" / "model.tar.gz"
            package.parent.mkdir()
            place = S3Location.parse(result.output_uri)
            cloud.client("s3").download_file(place.bucket, place.key, str(package))
            result.output_bytes, result.output_sha256 = _digest(package)
            place = S3Location.parse(result.report_uri)
            body = cloud.client("s3").get_object(Bucket=place.bucket, Key=place.key)["Body"]
            reported = json.load(body)["archive"]["sha256"]
            if reported != result.output_sha256:
                raise DemoError(f"the report's SHA-256 of the package is {reported}")
            show(f"{package.relative_to(PROJECT) if package.is_relative_to(PROJECT) else package}")
        return package

    def _check(self, archive: Path, package: Path) -> None:
        with self._stage("Unpack as hosting does") as show:
            original, served = self._directory / "original", self._directory / "served"
            hosting.unpack(archive, original)
            hosting.unpack(package, served)
            # What hosting would have been given without this product.
            shutil.rmtree(original / "code", ignore_errors=True)
            left_out = shutil.ignore_patterns(*contract.LEFT_OUT)
            shutil.copytree(self._scripts, original / "code", ignore=left_out)
            if (self._scripts / ".packageignore").is_file():
                _leave_out_likewise(original / "code", served / "code")
            self.result.files = _compare(original, served)
            show(self.result.files)
        with self._stage("Predict with the package") as show:
            self.result.predictions = self._compare_predictions(original, served)
            show(self.result.predictions)

    def _compare_predictions(self, original: Path, served: Path) -> str:
        try:
            expected = self._expected or hosting.predict(original, ENTRY_POINT, self._rows)
        except hosting.HostingError as fault:
            # The user's own model, which needs more than this machine has: not our failure.
            return f"not compared: {fault}"
        answers = hosting.predict(served, ENTRY_POINT, self._rows)
        if answers != expected:
            raise DemoError("the packaged model doesn't answer as the original does")
        return f"{len(answers)} of {len(expected)} equal"

    @contextmanager
    def _stage(self, name: str) -> Iterator[Any]:
        """Show a stage while it runs, then how long it took and what came of it."""
        shown: list[str] = []
        start = time.monotonic()
        try:
            with self._console.status(f"{name} …"):
                yield shown.append
        except (DemoError, CommandError) as fault:
            raise StageError(name, str(fault), fault.log or self._directory) from fault
        except Exception as fault:
            reason = str(fault) or type(fault).__name__
            raise StageError(name, reason, self._directory) from fault
        seconds = self.result.seconds[name] = time.monotonic() - start
        self._console.print(
            f"[green]✓[/green] {name:<28}{seconds:6.1f} s  ", end="", highlight=False
        )
        self._console.print(shown[0], highlight=False, markup=False, soft_wrap=True)


def show_result(console: Console, result: Result) -> None:
    """Print the table at the end of a run."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = [
        ("stack", STACK),
        ("pipeline", result.pipeline),
        ("execution", result.execution_arn),
        *((f"  {name}", f"{value}  (from the event)") for name, value in result.parameters.items()),
        ("input", result.input_uri),
        ("", f"{_size(result.input_bytes)}, SHA-256 {result.input_sha256}"),
        ("output", result.output_uri),
        ("", f"{_size(result.output_bytes)}, SHA-256 {result.output_sha256}"),
        ("report", result.report_uri),
        ("files", result.files),
        ("predictions", result.predictions),
        (
            "seconds",
            ", ".join(f"{name} {seconds:.1f}" for name, seconds in result.seconds.items())
            + f"; {sum(result.seconds.values()):.1f} in all",
        ),
    ]
    for row in rows:
        table.add_row(*row)
    console.print()
    console.print(table, highlight=False, markup=False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--model", type=Path, help="model archive; default: one is trained")
    parser.add_argument(
        "--scripts", type=Path, default=INFERENCE_SCRIPTS, help="folder of inference scripts"
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=PROJECT / ".local" / "demo",
        help="folder for logs and results; it is emptied first",
    )


def run(options: argparse.Namespace) -> int:
    """Run the demo.

    Returns:
        0; 1 if a stage fails, 130 if the user interrupts it.
    """
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, _stop)
    # A file or a pipe has no width to wrap at.
    console = Console(width=None if sys.stdout.isatty() else 200)
    demo = Demo(options.directory, model=options.model, scripts=options.scripts, console=console)
    try:
        show_result(console, demo.run())
    except StageError as fault:
        sys.stdout.flush()
        print(f"\nFailed: {fault.stage}", file=sys.stderr)
        print(f"Reason: {fault}", file=sys.stderr)
        print(f"Logs:   {fault.log}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the local AWS is stopped.", file=sys.stderr)
        return 130
    return 0


def _stop(signal_number: int, _: Any) -> NoReturn:
    sys.exit(128 + signal_number)


def _undelivered(cloud: LocalCloud, queue_url: str) -> str | None:
    """Why an event did not start the pipeline, if its dead-letter queue tells."""
    received = cloud.client("sqs").receive_message(
        QueueUrl=queue_url, MessageAttributeNames=["All"]
    )
    for message in received.get("Messages", []):
        reason: str = message["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
        return f"the event could not be delivered: {reason}"
    return None


def _list(cloud: LocalCloud, prefix: str) -> list[str]:
    place = S3Location.parse(prefix)
    listed = cloud.client("s3").list_objects_v2(Bucket=place.bucket, Prefix=place.key)
    return [S3Location(place.bucket, item["Key"]).uri for item in listed.get("Contents", [])]


def _digest(file: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _leave_out_likewise(scripts: Path, shipped: Path) -> None:
    """Remove the scripts that the user's own ``.packageignore`` kept from being shipped."""
    for file in [path for path in scripts.rglob("*") if path.is_file()]:
        if not (shipped / file.relative_to(scripts)).exists():
            file.unlink()


def _compare(original: Path, served: Path) -> str:
    """Check that a package holds the model's files as they were, and the scripts.

    Raises:
        DemoError: A file is missing, changed or too many.
    """
    trees = []
    for root in (original, served):
        files = sorted(path for path in root.rglob("*") if path.is_file())
        trees.append(
            {
                path.relative_to(root).as_posix(): _digest(path)
                for path in files
                if "__pycache__" not in path.parts
            }
        )
    different = sorted(
        name for name in set(trees[0]) | set(trees[1]) if trees[0].get(name) != trees[1].get(name)
    )
    if different:
        raise DemoError(f"the package differs from model and scripts in {', '.join(different)}")
    return f"{len(trees[1])} of {len(trees[0])} equal"


def _size(count: int) -> str:
    size, units = float(count), ["bytes", "KB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:,.0f} {units[0]}" if units[0] == "bytes" else f"{size:,.1f} {units[0]}"
