"""Steps behind the packaging step: as the documentation writes them, and what they may do."""

import functools
import io
import json
import runpy
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template
from syrupy.assertion import SnapshotAssertion

from model_packaging import (
    ModelUpload,
    PackageContext,
    PackageStepConfig,
    PackagingPipeline,
    StepsBehind,
)
from model_packaging.definition_bridge import DefinitionBridge
from model_packaging.step import InvalidRequestError
from tests.conftest import Make
from tests.definitions import definition_of
from tests.docs import pages
from tests.explained_snapshots import JsonFile
from tests.policies import ACCOUNT, REGION, Deployed, Request, is_allowed
from tests.stacks.test_model_packaging_stack import pretty

PAGE = pages.DOCS / "steps-around.md"
CHAIN, TRY_PACKAGE, _ = pages.blocks("python", PAGE)
IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/own:1"


def processing_step(name: str, context: PackageContext, role: str, **run: Any) -> Any:
    from sagemaker.core.processing import ScriptProcessor
    from sagemaker.mlops.workflow.steps import ProcessingStep

    processor = ScriptProcessor(
        image_uri=IMAGE,
        command=["python3"],
        role=role,
        instance_count=1,
        instance_type="ml.m5.large",
        sagemaker_session=context.session,
    )
    return ProcessingStep(name=name, step_args=processor.run(code="s3://own-bucket/x.py", **run))


@pytest.fixture(scope="module")
def chain(once: Callable[[str, Make], Path]) -> dict[str, Any]:
    """The template of the documentation's chain."""

    def make(folder: Path) -> None:
        (folder / "scripts" / "inference").mkdir(parents=True)
        (folder / "scripts" / "inference" / "inference.py").write_text("...\n")
        (folder / "scripts" / "try_package.py").write_text(TRY_PACKAGE.text)
        # The process that the CDK runs in has a working directory and variables of its own.
        text = CHAIN.text.replace('"scripts/', f'"{folder}/scripts/')
        outdir = str(folder / "cdk.out")
        (folder / "app.py").write_text(text.replace("App()", f"App(outdir={outdir!r})"))
        runpy.run_path(str(folder / "app.py"))

    folder = once("chain", make)
    return json.loads((folder / "cdk.out" / "ChurnChain.template.json").read_text())


def test_the_documentations_chain(chain: dict[str, Any], snapshot: SnapshotAssertion) -> None:
    definition = definition_of(chain)
    assert [step["Name"] for step in definition["Steps"]] == [
        *("Train", "Calibrate", "PackagingStep", "TryPackage", "RegistrationStep"),
    ]
    assert pretty(definition) == snapshot.use_extension(JsonFile)


def test_what_calibration_made_ships_in_its_folder_and_what_failed_is_not_registered(
    chain: dict[str, Any],
) -> None:
    _, _, packaging, trying, registration = definition_of(chain)["Steps"]
    inputs = {
        item["InputName"]: item["S3Input"] for item in packaging["Arguments"]["ProcessingInputs"]
    }
    assert inputs["calibration"]["LocalPath"] == "/opt/ml/processing/input/extra/calibration"
    assert inputs["calibration"]["S3Uri"] == {
        "Get": "Steps.Calibrate.ProcessingOutputConfig.Outputs['curve'].S3Output.S3Uri"
    }
    folder = {
        "Get": "Steps.PackagingStep.ProcessingOutputConfig.Outputs['packaged_model_output']"
        ".S3Output.S3Uri"
    }
    given, _ = trying["Arguments"]["ProcessingInputs"]
    assert given["S3Input"]["S3Uri"] == folder
    assert registration["DependsOn"] == ["TryPackage"]
    [container] = registration["Arguments"]["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == {
        "Std:Join": {"On": "/", "Values": [folder, "model.tar.gz"]}
    }


PREDICTING = """
def model_fn(folder): return 2
def predict_fn(rows, model): return rows[0][0] * model
"""


@pytest.mark.parametrize(
    ("script", "succeeds"),
    [
        (PREDICTING, True),
        ("import nowhere", False),
        ("def model_fn(folder): return open(f'{folder}/missing')", False),
    ],
)
def test_the_documentations_script_predicts_with_a_package_or_fails(
    tmp_path: Path, script: str, succeeds: bool
) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("code/inference.py")
        entry.size = len(script)
        archive.addfile(entry, io.BytesIO(script.encode()))
    (tmp_path / "try_package.py").write_text(TRY_PACKAGE.text)
    command = [sys.executable, "-W", "ignore", "try_package.py", "--package", "model.tar.gz"]
    run = subprocess.run(
        [*command, "--row", "[21, 1]"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (run.returncode == 0) is succeeds, run.stderr
    if succeeds:
        assert run.stdout == "predicted 42\n"


Build = Callable[[PackageContext], Sequence[Any]]


class Packaging:
    """A pipeline with steps behind, and what its roles may do."""

    def __init__(self, settings: dict[str, Any], build: Build, **options: Any) -> None:
        app = App(context=options.pop("context", {}))
        stack = Stack(app, "Stack", env=Environment(account=ACCOUNT, region=REGION))
        self.key = kms.Key(stack, "Key") if options.pop("encrypted", False) else None
        bucket = s3.Bucket(stack, "Bucket", bucket_name="artifacts", encryption_key=self.key)
        self.role = iam.Role(
            stack,
            "Trying",
            role_name="trying",
            assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"),
        )
        behind = StepsBehind(build=build, readers=(self.role,), **options)
        packages = bucket.s3_url_for_object("packaged/churn")
        self.pipeline = PackagingPipeline(
            stack,
            "Packaging",
            config=PackageStepConfig(**settings | {"pipeline_s3_loc": packages}),
            model=ModelUpload(bucket, prefix="models/"),
            following=[behind],
        )
        self.template = Template.from_stack(stack).to_json()
        self.deployed = Deployed(self.template)
        self.steps = definition_of(self.template)["Steps"]

    def may(self, role: str, action: str, resource: str, **context: Any) -> bool:
        name = self.deployed.find(
            "AWS::IAM::Role", **({"RoleName": role} if role == "trying" else {"Description": role})
        )
        request = Request(self.deployed.arn(name), action, resource, context=context)
        policy = None
        if action.startswith("kms:"):
            policy = self.deployed.policy_of(self.deployed.find("AWS::KMS::Key"))
        return is_allowed(request, self.deployed.identity(name), policy)


PIPELINE = "Assumed by the pipeline"
REPORT = "arn:aws:s3:::artifacts/packaged/churn/PackagingStep/e1/package_report/package_report.json"
PACKAGE = REPORT.replace(
    "package_report/package_report.json", "packaged_model_artifacts/model.tar.gz"
)


def job(step: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/pipelines-e1-{step}-abc"


TRYING = f"arn:aws:iam::{ACCOUNT}:role/trying"


def trying(context: PackageContext) -> list[Any]:
    return [processing_step("Try", context, TRYING)]


@pytest.fixture(scope="module")
def module_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    scripts = tmp_path_factory.mktemp("scripts")
    (scripts / "inference.py").touch()
    return {"pipeline_name": "churn", "source_dir": scripts}


@pytest.fixture(scope="module")
def tried(module_settings: dict[str, Any]) -> Packaging:
    return Packaging(module_settings, trying, encrypted=True)


def test_a_reader_may_read_packages_and_nothing_else(tried: Packaging) -> None:
    bucket, _, key = PACKAGE.partition("/")
    assert tried.may("trying", "s3:GetObject", PACKAGE)
    assert tried.may("trying", "s3:ListBucket", bucket, **{"s3:prefix": key})
    assert not tried.may("trying", "s3:GetObject", f"{bucket}/models/model.tar.gz")
    assert not tried.may("trying", "s3:PutObject", PACKAGE)
    via_s3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    key_arn = tried.deployed.arn(tried.deployed.find("AWS::KMS::Key"))
    assert tried.may("trying", "kms:Decrypt", key_arn, **via_s3)
    assert not tried.may("trying", "kms:GenerateDataKey", key_arn, **via_s3)


def test_the_pipeline_may_run_their_jobs_and_no_others(tried: Packaging) -> None:
    passed = {"iam:PassedToService": "sagemaker.amazonaws.com"}
    assert tried.may(PIPELINE, "sagemaker:CreateProcessingJob", job("Try"))
    assert not tried.may(PIPELINE, "sagemaker:CreateProcessingJob", job("Other"))
    assert tried.may(PIPELINE, "iam:PassRole", TRYING, **passed)
    assert not tried.may(PIPELINE, "iam:PassRole", f"{TRYING}-2", **passed)


def test_who_uses_no_report_may_not_read_it(tried: Packaging) -> None:
    assert not tried.may(PIPELINE, "s3:GetObject", REPORT)


def test_a_condition_on_the_report_lets_the_pipeline_read_it_and_run_what_is_inside(
    module_settings: dict[str, Any],
) -> None:
    def when_spliced(context: PackageContext) -> list[Any]:
        from sagemaker.core.workflow.conditions import ConditionEquals
        from sagemaker.mlops.workflow.condition_step import ConditionStep

        is_spliced = ConditionEquals(left=context.package.report("mode"), right="splice")
        return [
            ConditionStep(
                name="WhenSpliced",
                conditions=[is_spliced],
                if_steps=[processing_step("Inside", context, TRYING)],
                else_steps=[],
            )
        ]

    made = Packaging(module_settings, when_spliced, encrypted=True)
    condition = made.steps[1]["Arguments"]["Conditions"][0]
    assert condition["LeftValue"] == {
        "Std:JsonGet": {
            "PropertyFile": {"Get": "Steps.PackagingStep.PropertyFiles.PackageReport"},
            "Path": "mode",
        }
    }
    assert made.may(PIPELINE, "s3:GetObject", REPORT)
    assert not made.may(PIPELINE, "s3:GetObject", PACKAGE)
    key = made.deployed.arn(made.deployed.find("AWS::KMS::Key"))
    via_s3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    assert made.may(PIPELINE, "kms:Decrypt", key, **via_s3)
    assert made.may(PIPELINE, "sagemaker:CreateProcessingJob", job("Inside"))


def test_parameters_of_their_own_are_declared(module_settings: dict[str, Any]) -> None:
    @functools.cache
    def row() -> Any:
        from sagemaker.core.workflow.parameters import ParameterString

        return ParameterString(name="Row", default_value="[1]")

    made = Packaging(
        module_settings,
        lambda context: [processing_step("Try", context, TRYING, arguments=["--row", row()])],
        parameters=lambda: [row()],
    )
    declared = definition_of(made.template)["Parameters"]
    assert {"Name": "Row", "Type": "String", "DefaultValue": "[1]"} in declared


def test_what_sagemaker_would_refuse_of_them_is_refused(module_settings: dict[str, Any]) -> None:
    def too_long(context: PackageContext) -> list[Any]:
        return [processing_step("Try", context, TRYING, arguments=["x" * 300])]

    with pytest.raises(InvalidRequestError, match="SageMaker would refuse the step 'Try'"):
        Packaging(module_settings, too_long)


def test_a_step_without_a_list_is_refused(module_settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="build returned NoneType; return the steps in a list"):
        Packaging(module_settings, lambda context: None)  # type: ignore[arg-type,return-value]


def test_a_kind_that_promises_to_be_kept_hides_nothing_new_when_it_binds(
    module_settings: dict[str, Any], tmp_path: Path
) -> None:
    class Promising(StepsBehind):
        def rendered_from(self, bridge: DefinitionBridge) -> Any:
            return "promised"

    app = App(context={"model_packaging:definition_store": str(tmp_path)})
    stack = Stack(app, "Stack")
    bucket = s3.Bucket(stack, "Bucket")

    def hiding(context: PackageContext) -> list[Any]:
        return [processing_step("Try", context, context.hide_role(f"{bucket.bucket_arn}/x"))]

    with pytest.raises(ValueError, match="let rendered_from be None"):
        PackagingPipeline(
            stack,
            "Packaging",
            config=PackageStepConfig(**module_settings, pipeline_s3_loc="s3://artifacts/packaged"),
            model=ModelUpload(bucket, prefix="models/"),
            following=[Promising(build=hiding)],
        )
