import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from aws_cdk import App, Aws, CfnParameter, DefaultStackSynthesizer, Environment, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from model_packaging import (
    ModelUpload,
    PackageStepConfig,
    PackagingPipeline,
    PipelineTrigger,
    StepContext,
    UpstreamModel,
)
from model_packaging.step import offline
from model_packaging.step.sdk.sklearn_image import image_uri
from tests.definitions import definition_of, resolve
from tests.model_packaging.expressions import Expressions
from tests.policies import ACCOUNT, REGION, Deployed, Request, is_allowed


def pipeline_in(
    stack: Stack, settings: dict[str, Any], *, asset_account: str | None = None, **upload: Any
) -> PackagingPipeline:
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")
    return PackagingPipeline(
        stack,
        "Packaging",
        config=PackageStepConfig(**settings),
        model=ModelUpload(bucket, **upload),
        asset_account=asset_account,
    )


def template_of(stack: Stack) -> dict[str, Any]:
    return Template.from_stack(stack).to_json()


def test_a_stack_with_a_region_names_that_regions_container(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack", env=Environment(region="eu-west-1", account="111122223333"))
    pipeline_in(stack, settings)
    template = template_of(stack)
    [step] = definition_of(template)["Steps"]
    assert step["Arguments"]["AppSpecification"]["ImageUri"] == (
        "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
    )
    assert "Mappings" not in template


def test_a_stack_without_a_region_looks_its_container_up_at_deployment(
    settings: dict[str, Any],
) -> None:
    stack = Stack(App(), "Stack")
    pipeline_in(stack, settings)
    [mapping] = template_of(stack)["Mappings"].values()
    assert mapping["us-east-1"] == {"account": "683313688378"}
    assert mapping["cn-north-1"] == {"account": "450853457545"}


def test_tokens_in_the_settings_reach_the_definition(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    bucket = CfnParameter(stack, "PackageBucket").value_as_string
    pipeline_in(
        stack,
        settings
        | {
            "pipeline_s3_loc": f"s3://{bucket}/packaged",
            "processing_script_arguments": ("--mode", bucket),
        },
    )
    [step] = definition_of(template_of(stack))["Steps"]
    output, _ = step["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"]["Std:Join"]["Values"][0] == (
        "s3://<PackageBucket>/packaged/PackagingStep"
    )
    assert step["Arguments"]["AppSpecification"]["ContainerArguments"][-2:] == [
        "--mode",
        "<PackageBucket>",
    ]


def test_a_package_that_would_start_the_pipeline_again_is_refused(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match="every package would start the pipeline again"):
        pipeline_in(
            Stack(App(), "Stack"),
            settings | {"pipeline_s3_loc": "s3://models-bucket/models/packaged"},
        )


def test_browsing_the_scripts_does_not_change_what_ships(settings: dict[str, Any]) -> None:
    def shipped() -> Any:
        stack = Stack(App(), "Stack")
        pipeline_in(stack, settings)
        [step] = definition_of(template_of(stack))["Steps"]
        return step["Arguments"]["ProcessingInputs"][1]["S3Input"]["S3Uri"]

    before = shipped()
    for name in ("__pycache__/inference.pyc", ".ipynb_checkpoints/x", ".git/HEAD", ".DS_Store"):
        file = settings["source_dir"] / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    assert shipped() == before
    (settings["source_dir"] / "inference.py").write_text("changed")
    assert shipped() != before


def shipped_packager(settings: dict[str, Any]) -> tuple[str, Path]:
    """The job's entry point, and the asset that it is."""
    app = App()
    stack = Stack(app, "Stack")
    pipeline_in(stack, settings)
    assembly = app.synth()
    [step] = definition_of(assembly.get_stack_by_name("Stack").template)["Steps"]
    assets = json.loads(Path(assembly.directory, "Stack.assets.json").read_text())
    program, name = step["Arguments"]["AppSpecification"]["ContainerEntrypoint"]
    assert program == "python3"
    name = name.removeprefix("/opt/ml/processing/input/code/")
    source = assets["files"][name.partition(".")[0]]["source"]
    assert source["packaging"] == ("zip" if name.endswith(".zip") else "file")
    return name, Path(assembly.directory, source["path"])


def test_a_packager_that_is_a_folder_ships_whole_as_one_zip_that_python_runs(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "packaging"
    (folder / "engine" / "__pycache__").mkdir(parents=True)
    (folder / "engine" / "__init__.py").write_text("SAID = 'packaged'\n")
    (folder / "__main__.py").write_text("import mims_package\n")
    (folder / "mims_package.py").write_text("import engine\nprint(engine.SAID)\n")
    settings["processing_source_dir"] = folder
    name, asset = shipped_packager(settings)
    assert name.endswith(".zip")
    assert sorted(str(file.relative_to(asset)) for file in asset.rglob("*.*")) == [
        "__main__.py",
        "engine/__init__.py",
        "mims_package.py",
    ]
    zipped = shutil.make_archive(str(tmp_path / "asset"), "zip", asset)
    run = subprocess.run([sys.executable, zipped], capture_output=True, text=True, check=True)
    assert run.stdout == "packaged\n"
    for left_over in ("__pycache__/mims_package.pyc", "engine/__pycache__/x.pyc", ".DS_Store"):
        (folder / left_over).parent.mkdir(exist_ok=True)
        (folder / left_over).write_text("x")
    assert shipped_packager(settings)[0] == name
    (folder / "engine" / "__init__.py").write_text("SAID = 'packaged again'\n")
    assert shipped_packager(settings)[0] != name


def test_a_packaging_script_of_the_users_own_ships_alone(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "packaging"
    folder.mkdir()
    (folder / "pack.py").write_text("print('my own')\n")
    (folder / "notes.txt").write_text("not for the container")
    name, asset = shipped_packager(
        settings | {"processing_source_dir": folder, "processing_entry_point": "pack.py"}
    )
    assert name.endswith(".py")
    assert asset.read_text() == "print('my own')\n"


def test_a_setting_that_is_not_rendered_may_contain_tokens_too(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    description = CfnParameter(stack, "Description").value_as_string
    pipeline_in(
        stack,
        settings
        | {
            "pipeline_description": description,
            "processing_instance_type_large": CfnParameter(stack, "Large").value_as_string,
            "processing_instance_type_small": CfnParameter(stack, "Small").value_as_string,
        },
    )
    template = template_of(stack)
    [step] = definition_of(template)["Steps"]
    cluster = step["Arguments"]["ProcessingResources"]["ClusterConfig"]
    assert cluster["InstanceType"] == "<Small>"
    [pipeline] = Template.from_json(template).find_resources("AWS::SageMaker::Pipeline").values()
    assert pipeline["Properties"]["PipelineDescription"] == {"Ref": "Description"}


def test_the_job_may_use_the_key_of_an_encrypted_bucket(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    bucket = s3.Bucket(stack, "Bucket", encryption_key=kms.Key(stack, "Key"))
    PackagingPipeline(
        stack, "Packaging", config=PackageStepConfig(**settings), model=ModelUpload(bucket)
    )
    actions = {
        action
        for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= actions


def test_a_name_in_upper_case_can_be_started_under_both_spellings(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    pipeline = pipeline_in(stack, settings | {"pipeline_name": "Churn-Model"})
    user = iam.User(stack, "User")
    pipeline.grant_start(user)
    [policy] = (
        policy
        for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
        if policy["Properties"].get("Users")
    )
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    written = [resolve(resource, {}).rpartition(":")[2] for resource in statement["Resource"]]
    [pipeline_id] = Template.from_stack(stack).find_resources("AWS::SageMaker::Pipeline")
    assert written == [f"pipeline/<{pipeline_id}>", "pipeline/churn-model"]


def test_tokens_may_stand_in_every_text_of_the_settings(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")

    def token(name: str) -> str:
        return CfnParameter(stack, name).value_as_string

    pipeline = pipeline_in(
        stack,
        settings
        | {
            "pipeline_name": token("Name"),
            "author": token("Author"),
            "pipeline_version": token("Version"),
            "environment": {"LEVEL": token("Level")},
            "tags": {token("TagName"): token("TagValue")},
            "volume_kms_key": token("VolumeKey"),
            "output_kms_key": f"arn:aws:kms:eu-west-1:{token('Account')}:key/{token('Key')}",
            "subnets": [token("Subnet")],
            "security_group_ids": [token("Group")],
            "extra_inputs": {"calibration": f"s3://{token('Extra')}/x"},
            "input_names": {
                "model_input": token("In"),
                "inference_scripts_input": "inference_scripts_input",
            },
            "instance_preferences": [token("First"), "ml.m5.xlarge"],
        },
    )
    iam.User(stack, "User").add_to_policy(
        iam.PolicyStatement(actions=["x:Y"], resources=[pipeline.pipeline_arn])
    )
    pipeline.grant_start(iam.User(stack, "Starter"))
    template = template_of(stack)
    [step] = definition_of(template)["Steps"]
    arguments = step["Arguments"]
    tags = [
        {"Key": "author", "Value": "<Author>"},
        {"Key": "pipeline-version", "Value": "<Version>"},
        {"Key": "<TagName>", "Value": "<TagValue>"},
    ]
    assert arguments["Tags"] == tags
    assert arguments["Environment"]["MIMS_PIPELINE"] == "<Name>"
    assert arguments["Environment"]["LEVEL"] == "<Level>"
    assert arguments["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == "<VolumeKey>"
    assert arguments["ProcessingResources"]["ClusterConfig"]["InstancePreferences"] == [
        {"InstanceType": "<First>"},
        {"InstanceType": "ml.m5.xlarge"},
    ]
    assert arguments["ProcessingOutputConfig"]["KmsKeyId"] == (
        "arn:aws:kms:eu-west-1:<Account>:key/<Key>"
    )
    assert arguments["NetworkConfig"]["VpcConfig"] == {
        "Subnets": ["<Subnet>"],
        "SecurityGroupIds": ["<Group>"],
    }
    assert arguments["ProcessingInputs"][0]["InputName"] == "<In>"
    assert arguments["ProcessingInputs"][2]["S3Input"]["S3Uri"] == "s3://<Extra>/x"
    [resource] = Template.from_json(template).find_resources("AWS::SageMaker::Pipeline").values()
    assert resource["Properties"]["PipelineName"] == {"Ref": "Name"}
    own = resolve(resource["Properties"]["Tags"], {})
    assert sorted(own, key=lambda tag: tag["Key"]) == sorted(tags, key=lambda tag: tag["Key"])


def test_one_template_has_the_container_of_every_region(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    pipeline_in(stack, settings)
    template = template_of(stack)
    [pipeline] = Template.from_json(template).find_resources("AWS::SageMaker::Pipeline").values()
    body = pipeline["Properties"]["PipelineDefinition"]["PipelineDefinitionBody"]
    [(mapping_id, mapping)] = template["Mappings"].items()
    assert len(mapping) >= 37
    assert {"cn-north-1", "us-gov-west-1"} <= mapping.keys()
    session = botocore.session.Session()
    for region, entry in mapping.items():
        partition = session.get_partition_for_region(region)
        suffix = session.get_data("partitions")["partitions"]
        values = {
            "AWS::Region": region,
            "AWS::Partition": partition,
            "AWS::URLSuffix": next(
                item["outputs"]["dnsSuffix"] for item in suffix if item["id"] == partition
            ),
            f"{mapping_id}.{region}.account": entry["account"],
        }
        [step] = json.loads(resolve(body, values))["Steps"]
        assert step["Arguments"]["AppSpecification"]["ImageUri"] == image_uri("1.2-1", region)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (None, "has no region of its own; give the stack env=Environment(region='eu-west-1')"),
        (Environment(region="us-east-1"), "is deployed to 'us-east-1'; write the same region"),
    ],
)
def test_the_configurations_region_must_be_the_stacks(
    settings: dict[str, Any], env: Environment | None, expected: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        pipeline_in(Stack(App(), "Stack", env=env), settings | {"region": "EU"})
    pipeline_in(
        Stack(App(), "Stack", env=Environment(region="eu-west-1")), settings | {"region": "EU"}
    )


def test_a_folder_as_an_extra_input_ships_as_an_asset(settings: dict[str, Any]) -> None:
    folder = settings["source_dir"].parent / "vocabulary"
    folder.mkdir()
    (folder / "words.txt").write_text("one two")

    def template() -> dict[str, Any]:
        stack = Stack(App(), "Stack")
        pipeline_in(stack, settings | {"extra_inputs": {"vocabulary": folder}})
        return template_of(stack)

    def uri(rendered: dict[str, Any]) -> str:
        [step] = definition_of(rendered)["Steps"]
        return step["Arguments"]["ProcessingInputs"][2]["S3Input"]["S3Uri"]

    before = template()
    assert uri(before).endswith(".zip")
    key = uri(before).rpartition("/")[2]
    assert f"/{key}" in json.dumps(Template.from_json(before).find_resources("AWS::IAM::Policy"))
    (folder / "words.txt").write_text("one two three")
    assert uri(template()) != uri(before)


def test_in_a_stack_with_its_own_prefix_no_edited_file_changes_a_permission(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    packager, words = tmp_path / "packager", tmp_path / "words"
    shutil.copytree(settings["processing_source_dir"], packager)
    words.mkdir()
    files = [
        settings["source_dir"] / "inference.py",
        packager / "mims_package.py",
        words / "words.txt",
    ]
    files[-1].touch()
    shipping = settings | {"processing_source_dir": packager, "extra_inputs": {"words": words}}

    def template() -> dict[str, Any]:
        synthesizer = DefaultStackSynthesizer(bucket_prefix="churn/")
        stack = Stack(App(), "Stack", synthesizer=synthesizer)
        pipeline_in(stack, shipping)
        return template_of(stack)

    rendered = [template()]
    for file in files:
        file.write_text(f"# edited\n{file.read_text()}")
        rendered.append(template())
    definitions = [json.dumps(definition_of(one)) for one in rendered]
    assert len(set(definitions)) == len(files) + 1
    assert len(re.findall(r"/churn/[0-9a-f]{64}\.zip", definitions[0])) == len(files)
    first, *others = (
        Template.from_json(one).find_resources("AWS::IAM::Policy") for one in rendered
    )
    assert "/churn/*.zip" in json.dumps(first)
    assert others == [first] * len(files)


@pytest.mark.parametrize("given", [None, "444455556666"])
def test_the_assets_bucket_must_belong_to_the_stacks_account_or_the_one_that_is_named(
    settings: dict[str, Any], given: str | None
) -> None:
    stack = Stack(App(), "Stack", env=Environment(account=ACCOUNT, region=REGION))
    pipeline_in(stack, settings, asset_account=given)
    policies = json.dumps(Template.from_stack(stack).find_resources("AWS::IAM::Policy"))
    assert set(re.findall(r'"aws:ResourceAccount": "(\d+)"', policies)) == {given or ACCOUNT}


def test_upstream_steps_join_the_pipeline(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    bucket = s3.Bucket(stack, "Bucket")
    role = iam.Role(
        stack,
        "TrainingRole",
        assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"),
        role_name="training",
    )

    def train(context: StepContext) -> tuple[list[Any], Any]:
        from sagemaker.core.shapes import OutputDataConfig, StoppingCondition
        from sagemaker.mlops.workflow.steps import TrainingStep
        from sagemaker.train import ModelTrainer
        from sagemaker.train.configs import Compute, InputData

        place = context.hide(f"s3://{bucket.bucket_name}")
        trainer = ModelTrainer(
            training_image="141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1",
            role=context.hide_role(role.role_arn),
            sagemaker_session=context.session,
            compute=Compute(instance_type="ml.m5.xlarge", instance_count=1, volume_size_in_gb=30),
            output_data_config=OutputDataConfig(s3_output_path=f"{place}/training"),
            stopping_condition=StoppingCondition(max_runtime_in_seconds=3600),
        )
        data = InputData(channel_name="train", data_source=f"{place}/data")
        step = TrainingStep(name="Train", step_args=trainer.train(input_data_config=[data]))
        return [step], step.properties.ModelArtifacts.S3ModelArtifacts

    pipeline = PackagingPipeline(
        stack,
        "Packaging",
        config=PackageStepConfig(**settings),
        model=UpstreamModel(build=train, bucket=bucket, prefix="training/"),
    )
    first, second = definition_of(template_of(stack))["Steps"]
    [bucket_id] = Template.from_stack(stack).find_resources("AWS::S3::Bucket")
    assert first["Arguments"]["OutputDataConfig"] == {
        "S3OutputPath": f"s3://<{bucket_id}>/training"
    }
    assert first["Arguments"]["RoleArn"].startswith("<TrainingRole")
    assert second["DependsOn"] == ["Train"]
    assert second["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"] == {
        "Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"
    }

    deployed = Deployed(template_of(stack))
    pipeline_role = deployed.find("AWS::IAM::Role", Description="Assumed by the pipeline")
    statements = deployed.identity(pipeline_role)
    training_role = deployed.arn(deployed.find("AWS::IAM::Role", RoleName="training"))
    job = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/pipelines-abc-Train-def-0"
    passed = {"iam:PassedToService": "sagemaker.amazonaws.com"}

    def may(action: str, resource: str, **context: Any) -> bool:
        caller = deployed.arn(pipeline_role)
        return is_allowed(Request(caller, action, resource, **context), statements)

    assert may("sagemaker:CreateTrainingJob", job)
    assert may("iam:PassRole", training_role, context=passed)
    assert not may("sagemaker:CreateTrainingJob", job.replace("Train-", "Other-"))

    with pytest.raises(ValueError, match="is announced by no event"):
        PipelineTrigger(stack, "Trigger", pipeline=pipeline)


@pytest.mark.parametrize("setting", ["output_kms_key", "volume_kms_key"])
def test_the_job_may_use_the_keys_that_the_settings_name(
    settings: dict[str, Any], setting: str
) -> None:
    def granted(key: Callable[[Stack], str]) -> list[str]:
        stack = Stack(App(), "Stack")
        pipeline_in(stack, settings | {setting: key(stack)})
        deployed = Deployed(template_of(stack))
        role = deployed.find("AWS::IAM::Role", Description="Assumed by the packaging job")
        return sorted(
            {
                statement["Resource"]
                for statement in deployed.identity(role)
                if "kms:" in json.dumps(statement["Action"])
            }
        )

    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key"
    assert granted(lambda stack: "0ab1") == [f"{arn}/0ab1"]
    assert granted(lambda stack: f"{arn}/0ab1") == [f"{arn}/0ab1"]
    assert all(
        name.startswith(f"{arn}/") for name in granted(lambda stack: kms.Key(stack, "K").key_id)
    )
    assert len(granted(lambda stack: kms.Key(stack, "K").key_arn)) == 1
    for alias in (
        lambda stack: "alias/packages",
        lambda stack: f"{arn.removesuffix('key')}alias/packages",
        lambda stack: kms.Alias.from_alias_name(stack, "A", "alias/packages").key_arn,
    ):
        with pytest.raises(ValueError, match=f"{setting}: .* is an alias, which a policy"):
            granted(alias)


@pytest.mark.parametrize("prefix", ["", "a*"])
def test_upstream_steps_may_not_open_the_whole_bucket(prefix: str) -> None:
    bucket = s3.Bucket(Stack(App(), "Stack"), "Bucket")
    with pytest.raises(ValueError, match="prefix"):
        UpstreamModel(build=lambda context: ([], "s3://a-b/x"), bucket=bucket, prefix=prefix)


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (None, "build returned NoneType; return the steps and the model's S3 URI"),
        (([], Aws.STACK_NAME), "pass it through context.hide"),
    ],
)
def test_what_upstream_steps_must_return_is_said(
    settings: dict[str, Any], built: Any, expected: str
) -> None:
    stack = Stack(App(), "Stack")
    model = UpstreamModel(
        build=lambda context: built, bucket=s3.Bucket(stack, "Bucket"), prefix="training/"
    )
    with pytest.raises(ValueError, match=expected):
        PackagingPipeline(stack, "Packaging", config=PackageStepConfig(**settings), model=model)


@pytest.mark.parametrize(
    ("method", "metric", "statistic"),
    [
        ("metric_executions_started", "ExecutionStarted", "Maximum"),
        ("metric_executions_succeeded", "ExecutionSucceeded", "Maximum"),
        ("metric_executions_failed", "ExecutionFailed", "Maximum"),
        ("metric_duration", "ExecutionDuration", "Average"),
    ],
)
def test_a_pipelines_metrics_are_its_own_with_the_callers_options(
    settings: dict[str, Any], method: str, metric: str, statistic: str
) -> None:
    pipeline = pipeline_in(Stack(App(), "Stack"), settings)
    found = getattr(pipeline, method)(statistic=statistic)
    assert (found.metric_name, found.statistic) == (metric, statistic)
    assert found.dimensions == {"PipelineName": "churn-packaging"}


def test_existing_roles_get_what_they_need(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    role = iam.Role(
        stack,
        "OwnJobRole",
        assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"),
        role_name="own-job-role",
    )
    pipeline = PackagingPipeline(
        stack,
        "Packaging",
        config=PackageStepConfig(**settings),
        model=ModelUpload(s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")),
        job_role=role,
    )
    assert pipeline.roles.job_role is role
    template = template_of(stack)
    [step] = definition_of(template)["Steps"]
    deployed = Deployed(template)
    own = deployed.find("AWS::IAM::Role", RoleName="own-job-role")
    assert step["Arguments"]["RoleArn"] == f"<{own}.Arn>"
    read = Request(deployed.arn(own), "s3:GetObject", "arn:aws:s3:::models-bucket/models/a")
    assert is_allowed(read, deployed.identity(own))


def job_may_read(template: dict[str, Any], bucket: str, key: str) -> bool:
    deployed = Deployed(template)
    role = deployed.find("AWS::IAM::Role", Description="Assumed by the packaging job")
    arn = f"arn:aws:s3:::{bucket}/{key}"
    request = Request(deployed.arn(role), "s3:GetObject", arn)
    return bool(is_allowed(request, deployed.identity(role)))


def test_sources_in_s3_are_read_from_there_and_nothing_beside_them(
    settings: dict[str, Any],
) -> None:
    stack = Stack(App(), "Stack")
    token = CfnParameter(stack, "ScriptsBucket").value_as_string
    sources = {
        "source_dir": f"s3://{token}/scripts/v7",
        "processing_source_dir": "s3://tools-bucket/packaging",
        "processing_entry_point": "pack.py",
    }
    pipeline_in(stack, settings | sources)
    template = template_of(stack)
    [step] = definition_of(template)["Steps"]
    uris = [item["S3Input"]["S3Uri"] for item in step["Arguments"]["ProcessingInputs"]]
    assert uris[1:] == ["s3://<ScriptsBucket>/scripts/v7/", "s3://tools-bucket/packaging/pack.py"]
    assert job_may_read(template, "tools-bucket", "packaging/pack.py")
    assert not job_may_read(template, "tools-bucket", "packaging/other.py")
    written = json.dumps(template["Resources"])
    assert "scripts/v7/*" in written
    assert "scripts/v7*" not in written


def test_without_scripts_there_is_no_asset_of_them(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    del settings["source_dir"]
    pipeline = pipeline_in(stack, settings | {"inference_entry_point": None})
    [step] = definition_of(template_of(stack))["Steps"]
    names = [item["InputName"] for item in step["Arguments"]["ProcessingInputs"]]
    assert names == ["model_input", "code"]
    assert pipeline.node.try_find_child("InferenceScripts") is None
    assert pipeline.node.try_find_child("PackagingScript") is not None


@pytest.fixture
def parameters() -> Any:
    with offline():
        from sagemaker.core.workflow import parameters
    return parameters


def test_parameters_that_stand_for_settings_are_declared(
    settings: dict[str, Any], parameters: Any
) -> None:
    stack = Stack(App(), "Stack")
    volume = parameters.ParameterInteger("Volume", default_value=50)
    level = parameters.ParameterString("Level", default_value="info")
    given = {"processing_volume_size": volume, "environment": {"LEVEL": level, "AGAIN": level}}
    pipeline = pipeline_in(stack, settings | given)
    assert set(pipeline.parameters.optional) == {"Volume", "Level"}
    PipelineTrigger(stack, "Trigger", pipeline=pipeline)
    [step] = definition_of(template_of(stack))["Steps"]
    cluster = step["Arguments"]["ProcessingResources"]["ClusterConfig"]
    assert cluster["VolumeSizeInGB"] == {"Get": "Parameters.Volume"}


def test_a_parameter_that_no_event_fills_needs_a_default(
    settings: dict[str, Any], parameters: Any
) -> None:
    stack = Stack(App(), "Stack")
    volume = parameters.ParameterInteger("Volume")
    pipeline = pipeline_in(stack, settings | {"processing_volume_size": volume})
    with pytest.raises(ValueError, match="Volume"):
        PipelineTrigger(stack, "Trigger", pipeline=pipeline)


def test_two_parameters_of_one_name_are_refused(settings: dict[str, Any], parameters: Any) -> None:
    key = parameters.ParameterString("ModelKey", default_value="not the model's")
    with pytest.raises(ValueError, match="'ModelKey' is declared twice"):
        pipeline_in(Stack(App(), "Stack"), settings | {"environment": {"KEY": key}})


@pytest.mark.parametrize(
    "setting", ["volume_kms_key", "output_kms_key", "subnets", "security_group_ids"]
)
def test_what_the_jobs_policy_names_is_no_parameter(
    settings: dict[str, Any], parameters: Any, setting: str
) -> None:
    text = parameters.ParameterString("Text")
    network = {"subnets": ["subnet-1"], "security_group_ids": ["sg-1"]}
    given = {setting: text} if setting.endswith("key") else network | {setting: [text]}
    expected = f"{setting}: {{'Get': 'Parameters.Text'}} is known when an execution runs, and the"
    with pytest.raises(ValueError, match=re.escape(expected)):
        pipeline_in(Stack(App(), "Stack"), settings | given)


def test_a_definition_is_kept_by_the_defaults_of_its_parameters(
    settings: dict[str, Any], parameters: Any, tmp_path: Path
) -> None:
    def default_of(value: int) -> Any:
        app = App(context={"model_packaging:definition_store": str(tmp_path / "store")})
        stack = Stack(app, "Stack")
        volume = parameters.ParameterInteger("Volume", default_value=value)
        pipeline_in(stack, settings | {"processing_volume_size": volume})
        declared = definition_of(template_of(stack))["Parameters"]
        [found] = [item for item in declared if item["Name"] == "Volume"]
        return found["DefaultValue"]

    assert [default_of(50), default_of(60), default_of(50)] == [50, 60, 50]


def test_an_extra_input_is_what_a_step_before_has_written(settings: dict[str, Any]) -> None:
    stack = Stack(App(), "Stack")
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "models-bucket")
    expressions = Expressions.named("calibration-of-a-step-before")
    calibration = expressions.value({"model_of_processing": "Calibrate"})
    model = expressions.value({"model_of_training": "Train"})
    PackagingPipeline(
        stack,
        "Packaging",
        config=PackageStepConfig(**settings, extra_inputs={"calibration": calibration}),
        model=UpstreamModel(
            build=lambda context: ([*expressions.steps.values()], model),
            bucket=bucket,
            prefix="training/",
        ),
    )
    *_, step = definition_of(template_of(stack))["Steps"]
    uris = {
        item["InputName"]: item["S3Input"]["S3Uri"]
        for item in step["Arguments"]["ProcessingInputs"]
    }
    output = "Steps.Calibrate.ProcessingOutputConfig.Outputs['model'].S3Output.S3Uri"
    assert uris["calibration"] == {"Get": output}
    assert uris["model_input"] == {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
