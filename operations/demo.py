"""The product at work: from an upload to an endpoint that answers, on the local AWS."""

import argparse
import hashlib
import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from local_aws.cloud import LocalCloud, local_cloud
from local_aws.model_server import unpack
from model_packaging.step import contract
from model_packaging.step.s3_location import S3Location
from operations.endpoint_stages import EndpointStages, Original
from operations.executions.deployed_stage import settings_of
from operations.own_folder import empty_folder
from operations.registered_versions import GROUP_OUTPUT, digests
from operations.registration_stage import read_registered, registration_for
from operations.serving_environment import serving_environment
from operations.stages import ExplainedError, Stage, StageError, Stages
from operations.synthesis import PROJECT, stack_name, synthesize

STACK = "ModelPackaging"  # its construct, which the CDK CLI asks for; its name is the stage's
INFERENCE_SCRIPTS = PROJECT / "scripts" / "inference"
ENTRY_POINT = "inference.py"
_SECONDS = 120  # for the event, the pipeline and the job


@dataclass
class Result:
    """What a run showed, for the table at its end."""

    seconds: dict[str, float] = field(default_factory=dict)
    stack: str = ""
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
    version: str = ""
    version_arn: str = ""
    files: str = ""
    encryption: str = ""
    predictions: str = ""


class Demo:
    """One run.

    Args:
        directory: Folder for everything that the run writes. What is in it is deleted.
        model: The user's own archive. Default: a model is trained.
        scripts: Folder of inference scripts.
        console: Where progress is shown.
        request: File with a request for the model.
        requirements: File that names what the model needs where it is served.
        stage: A stage of cdk.json. Default: cdk.json's.
    """

    def __init__(
        self,
        directory: Path,
        *,
        model: Path | None,
        scripts: Path,
        console: Console,
        request: Path | None = None,
        requirements: Path | None = None,
        stage: str | None = None,
    ) -> None:
        self._directory = directory.resolve()
        self._model = model
        self._scripts = scripts.resolve()
        self._request = request
        self._requirements = requirements
        self._stage = stage
        self._stages = Stages(console, self._directory)
        self._rows: list[list[float]] = []
        self._expected: list[Any] = []
        self._report: dict[str, Any] = {}
        self.result = Result(seconds=self._stages.seconds)

    def run(self) -> Result:
        """Run every stage.

        Raises:
            StageError: The stage that failed, and why.
        """
        self._check_arguments()
        reason = f"another demo is running, with all that it has in {self._directory}; let it end"
        with empty_folder(self._directory, StageError("Start the demo", reason)):
            return self._run()

    def _run(self) -> Result:
        self._directory.mkdir(parents=True)
        python = self._install_requirements()
        with self._cloud(python) as cloud:
            archive = self._get_model()
            outputs = self._deploy(cloud, self._synthesize())
            self._upload(cloud, archive, outputs)
            self._wait(cloud, outputs)
            package = self._download(cloud)
            self._find_version(cloud, outputs)
            original = self._compare_files(archive, package)
            endpoint = EndpointStages(cloud.client, self._stages, self._directory / "endpoint.log")
            self.result.predictions = endpoint.run(
                self.result.output_uri,
                _image(cloud, self.result.pipeline),
                ENTRY_POINT,
                original,
                self._request,
            )
        return self.result

    def _check_arguments(self) -> None:
        given = {
            "MODEL": (
                self._model,
                Path.is_file,
                "is not a file; name a model archive on this machine",
            ),
            "SCRIPTS": (
                self._scripts,
                _has_entry_point,
                f"has no {ENTRY_POINT}; name a folder with one",
            ),
            "REQUEST": (self._request, Path.is_file, "is not a file; name one with a request"),
            "REQUIREMENTS": (
                self._requirements,
                Path.is_file,
                "is not a file; name one that lists packages",
            ),
        }
        for name, (place, is_usable, otherwise) in given.items():
            if place is None:
                continue
            if not is_usable(place):
                raise StageError(name, f"{place} {otherwise}")
            if place.resolve().is_relative_to(self._directory):
                reason = f"{place} is in the folder that the demo empties; copy it elsewhere"
                raise StageError(name, reason)
        stages = json.loads((PROJECT / "cdk.json").read_text())["context"]["stages"]
        if self._stage is not None and self._stage not in stages:
            reason = f"cdk.json has no stage {self._stage!r}; it has {', '.join(stages)}"
            raise StageError("STAGE", reason)

    def _install_requirements(self) -> Path | None:
        if self._requirements is None:
            return None
        with self._stages.run("Install the requirements") as stage:
            environments = PROJECT / ".local" / "serving"
            # What the trained model is loaded with.
            also = () if self._model else ("scikit-learn",)
            python = serving_environment(self._requirements, environments, also)
            stage.show(_shown(python.parent.parent))
        return python

    def _get_model(self) -> Path:
        if self._model is not None:
            return self._model.resolve()
        with self._stages.run("Train a model") as stage:
            from operations.sample_model import train

            trained = train(self._directory / "training")
            self._rows, self._expected = trained.rows, trained.predictions
            stage.show(f"random forest on the wine data set, accuracy {trained.accuracy:.2f}")
        return trained.archive

    def _synthesize(self) -> Path:
        with self._stages.run("Synthesize the app") as stage:
            context = {"inference_scripts": str(self._scripts)}
            if self._stage:
                context["stage"] = self._stage
            if registration := registration_for(settings_of(self._stage)):
                context["registration"] = json.dumps(registration)
            assembly = synthesize(self._directory / "synth", context)
            self.result.stack = stack_name(assembly, STACK)
            stage.show(f"{self.result.stack}, without credentials or region")
        return assembly

    @contextmanager
    def _cloud(self, serving_python: Path | None) -> Iterator[LocalCloud]:
        with self._stages.run("Start the local AWS") as stage:
            context = local_cloud(self._directory / "aws", serving_python)
            cloud = context.__enter__()
            stage.show(cloud.endpoint)
        try:
            yield cloud
        finally:
            context.__exit__(None, None, None)

    def _deploy(self, cloud: LocalCloud, assembly: Path) -> dict[str, str]:
        name = self.result.stack
        with self._stages.run("cdk bootstrap", _resources(cloud, "CDKToolkit")) as stage:
            cloud.bootstrap()
            stage.show("CDKToolkit")
        with self._stages.run("cdk deploy", _resources(cloud, name)) as stage:
            cloud.deploy(assembly, STACK)
            outputs = cloud.outputs(name)
            stage.show(_resources(cloud, name)())
        return outputs

    def _upload(self, cloud: LocalCloud, archive: Path, outputs: dict[str, str]) -> None:
        result = self.result
        with self._stages.run("Upload the model") as stage:
            prefix = outputs.get("ModelUploadUri")
            if prefix is None:
                raise ExplainedError(
                    "no upload starts the pipeline of this stage; name another STAGE"
                )
            name = archive.name if archive.name.endswith(".tar.gz") else "model.tar.gz"
            place = S3Location.parse(prefix)
            result.input_bytes, result.input_sha256 = _digest(archive)
            cloud.client("s3").upload_file(
                *(str(archive), place.bucket, f"{place.key}demo/{name}"),
                Callback=_share(stage, result.input_bytes),
            )
            result.input_uri = f"{prefix}demo/{name}"
            stage.show(result.input_uri)

    def _wait(self, cloud: LocalCloud, outputs: dict[str, str]) -> None:
        result = self.result
        result.pipeline = outputs["PipelineName"]
        with self._stages.run(
            "Event, pipeline, packaging", _executions(cloud, result.pipeline)
        ) as stage:
            execution = _execution(cloud, result.pipeline, outputs["DeadLetterQueueUrl"])
            arn = result.execution_arn = execution["PipelineExecutionArn"]
            sagemaker = cloud.client("sagemaker")
            given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
            result.parameters = {
                item["Name"]: item["Value"] for item in given["PipelineParameters"]
            }
            written = _list(cloud, outputs["PackagedModelUri"])
            if execution["PipelineExecutionStatus"] != "Succeeded":
                raise ExplainedError(
                    f"the execution {execution['PipelineExecutionStatus'].lower()}: "
                    f"{execution['FailureReason']}. Below {outputs['PackagedModelUri']}: "
                    f"{', '.join(written) or 'nothing was written'}.",
                    cloud.directory / "executions" / arn.rpartition("/")[2],
                )
            result.report_uri, result.output_uri = sorted(written)
            stage.show(f"execution {arn.rpartition('/')[2]} succeeded")

    def _download(self, cloud: LocalCloud) -> Path:
        result = self.result
        with self._stages.run("Download the package") as stage:
            package = self._directory / "packaged" / "model.tar.gz"
            package.parent.mkdir()
            place = S3Location.parse(result.output_uri)
            cloud.client("s3").download_file(place.bucket, place.key, str(package))
            result.output_bytes, result.output_sha256 = _digest(package)
            head = cloud.client("s3").head_object(Bucket=place.bucket, Key=place.key)
            result.encryption = head.get("SSEKMSKeyId") or head["ServerSideEncryption"]
            place = S3Location.parse(result.report_uri)
            body = cloud.client("s3").get_object(Bucket=place.bucket, Key=place.key)["Body"]
            self._report = json.load(body)
            reported = self._report["archive"]["sha256"]
            if reported != result.output_sha256:
                raise ExplainedError(f"the report's SHA-256 of the package is {reported}")
            stage.show(_shown(package))
        return package

    def _find_version(self, cloud: LocalCloud, outputs: dict[str, str]) -> None:
        result = self.result
        with self._stages.run("Register the package") as stage:
            if GROUP_OUTPUT not in outputs:
                stage.skip("this stage registers no packages")
                return
            version = read_registered(
                cloud.client("sagemaker"),
                result.execution_arn,
                result.output_uri,
                self._report,
                digests(package=result.output_sha256, model=result.input_sha256),
            )
            result.version, result.version_arn = version.told, version.arn
            stage.show(f"{version.told}; its URI and metadata are the package's")

    def _compare_files(self, archive: Path, package: Path) -> Original:
        with self._stages.run("Unpack as hosting does") as stage:
            original, served = self._directory / "original", self._directory / "served"
            unpack(archive, original)
            unpack(package, served)
            code = original / "code"
            own_modules = {path.stem for path in code.iterdir()} if code.is_dir() else set()
            # What hosting would have been given without this product.
            shutil.rmtree(code, ignore_errors=True)
            left_out = shutil.ignore_patterns(*contract.LEFT_OUT)
            shutil.copytree(self._scripts, code, ignore=left_out)
            if (self._scripts / ".packageignore").is_file():
                _leave_out_likewise(code, served / "code")
            self.result.files = _compare(original, served)
            stage.show(self.result.files)
        return Original(original, own_modules, self._rows, self._expected)


def show_result(console: Console, result: Result) -> None:
    """Print the table at the end of a run."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = [
        ("stack", result.stack),
        ("pipeline", result.pipeline),
        ("execution", result.execution_arn),
        *((f"  {name}", f"{value}  (from the event)") for name, value in result.parameters.items()),
        ("input", result.input_uri),
        ("", f"{_size(result.input_bytes)}, SHA-256 {result.input_sha256}"),
        ("output", result.output_uri),
        ("", f"{_size(result.output_bytes)}, SHA-256 {result.output_sha256}"),
        ("", f"encrypted with {result.encryption}"),
        ("report", result.report_uri),
        *([("version", result.version), ("", result.version_arn)] if result.version else []),
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
    parser.add_argument("--request", type=Path, help="file with a request for your model")
    parser.add_argument(
        "--requirements", type=Path, help="file of packages that your model needs to be served"
    )
    parser.add_argument("--stage", help="stage of cdk.json; default: cdk.json's")
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
    demo = Demo(
        options.directory,
        model=options.model,
        scripts=options.scripts,
        console=console,
        request=options.request,
        requirements=options.requirements,
        stage=options.stage,
    )
    try:
        show_result(console, demo.run())
    except StageError as fault:
        sys.stdout.flush()
        print(f"\nFailed: {fault.stage}", file=sys.stderr)
        print(f"Reason: {fault}", file=sys.stderr)
        if fault.log is not None:
            print(f"Logs:   {fault.log}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the local AWS is stopped.", file=sys.stderr)
        return 130
    return 0


def _stop(signal_number: int, _: Any) -> NoReturn:
    sys.exit(128 + signal_number)


def _execution(cloud: LocalCloud, pipeline: str, queue_url: str) -> dict[str, Any]:
    """The execution that the upload starts, when it has ended.

    Raises:
        ExplainedError: None has started, or it doesn't end.
    """
    for _ in range(_SECONDS):
        try:
            return cloud.wait_for_execution(pipeline, seconds=1)
        except TimeoutError:
            if reason := _undelivered(cloud, queue_url):
                raise ExplainedError(f"the event could not be delivered: {reason}") from None
    raise ExplainedError(f"no execution of {pipeline} ended within {_SECONDS} s")


def _undelivered(cloud: LocalCloud, queue_url: str) -> str | None:
    """Why an event did not start the pipeline, if its dead-letter queue tells."""
    received = cloud.client("sqs").receive_message(
        QueueUrl=queue_url, MessageAttributeNames=["All"]
    )
    for message in received.get("Messages", []):
        code, reason = (
            message["MessageAttributes"][name]["StringValue"]
            for name in ("ERROR_CODE", "ERROR_MESSAGE")
        )
        return f"{code}: {reason}"
    return None


def _resources(cloud: LocalCloud, stack: str) -> Callable[[], str]:
    """How many resources of a stack there are, told when asked."""

    def count() -> str:
        listed = cloud.client("cloudformation").list_stack_resources(StackName=stack)
        return f"{len(listed['StackResourceSummaries'])} resources"

    return count


def _executions(cloud: LocalCloud, pipeline: str) -> Callable[[], str]:
    """The status of a pipeline's execution, told when asked."""

    def status() -> str:
        listed = cloud.client("sagemaker").list_pipeline_executions(PipelineName=pipeline)
        running = listed["PipelineExecutionSummaries"]
        return running[0]["PipelineExecutionStatus"].lower() if running else "waiting for the event"

    return status


def _share(stage: Stage, size: int) -> Callable[[int], None]:
    """Tells how much of a file was sent."""
    sent = 0

    def add(count: int) -> None:
        nonlocal sent
        sent += count
        stage.tell(f"{_size(sent)} of {_size(size)}")

    return add


def _image(cloud: LocalCloud, pipeline: str) -> str:
    """The image that the pipeline's job runs in: scikit-learn's, which hosting has too."""
    described = cloud.client("sagemaker").describe_pipeline(PipelineName=pipeline)
    definition = json.loads(described["PipelineDefinition"])
    jobs = [step for step in definition["Steps"] if step["Type"] == "Processing"]
    image: str = jobs[-1]["Arguments"]["AppSpecification"]["ImageUri"]
    return image


def _has_entry_point(folder: Path) -> bool:
    return (folder / ENTRY_POINT).is_file()


def _shown(path: Path) -> str:
    return str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)


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
        ExplainedError: A file is missing, changed or too many.
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
        raise ExplainedError(
            f"the package differs from model and scripts in {', '.join(different)}"
        )
    return f"{len(trees[1])} of {len(trees[0])} equal"


def _size(count: int) -> str:
    size, units = float(count), ["bytes", "KB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:,.0f} {units[0]}" if units[0] == "bytes" else f"{size:,.1f} {units[0]}"
