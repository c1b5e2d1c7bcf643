"""What the predecessor's public tests asked of its configuration and its builder, asked of ours.

Which hold and which do not, and why, is in ``docs/from-the-predecessor.md``.
"""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest
from moto import mock_aws

from model_packaging import MIMSPackagingStepBuilder, PackageStepConfig
from model_packaging import step as step_half
from model_packaging.step import offline
from model_packaging.step.packager import own_packager
from model_packaging.step.sdk.uploads import zipped
from tests.docs import pages

ROLE = "arn:aws:iam::000000000000:role/DummyRole"
REGION = "eu-west-1"


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A notebook's folder, as it was: one folder of scripts with the packaging script in it."""
    scripts = tmp_path / "docker" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "mims_package.py").write_text("print('packaging')\n")
    (scripts / "inference.py").write_text("def model_fn(model_dir): ...\n")
    (scripts / "lib").mkdir()
    (scripts / "lib" / "features.py").write_text("SCALE = 2\n")
    (scripts / "__pycache__").mkdir()
    (scripts / "__pycache__" / "inference.pyc").touch()
    return tmp_path


@pytest.fixture
def saved(notebook: Path) -> dict[str, Any]:
    """A configuration as the predecessor's tests have it."""
    return {
        "bucket": "test-bucket",
        "author": "test-author",
        "pipeline_name": "test-pipeline",
        "pipeline_description": "Test Pipeline Description",
        "pipeline_version": "1.0.0",
        "pipeline_s3_loc": "s3://test-bucket/test-pipeline",
        "processing_entry_point": "mims_package.py",
        "processing_source_dir": str(notebook / "docker" / "scripts"),
        "processing_instance_count": 1,
        "processing_volume_size": 30,
        "processing_instance_type_large": "ml.m5.4xlarge",
        "processing_instance_type_small": "ml.m5.large",
        "use_large_processing_instance": False,
        "processing_framework_version": "1.2-1",
        "input_names": None,
        "output_names": None,
        "processing_script_arguments": None,
    }


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """The SDK's own ``PipelineSession``, with credentials, on an account in this process."""
    environment = {
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing"),
        "AWS_DEFAULT_REGION": REGION,
        "SAGEMAKER_VALIDATE_ROLE": "false",  # it would simulate the policies of a role
    }
    settings = {
        "SchemaVersion": "1.0",
        "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}},
    }
    with offline():
        from sagemaker.core.workflow.pipeline_context import PipelineSession
    with mock.patch.dict(os.environ, environment), mock_aws():
        boto_session = boto3.Session(region_name=REGION)
        yield PipelineSession(boto_session=boto_session, sagemaker_config=settings)


def definition_of(step: Any, session: Any, *parameters: Any) -> dict[str, Any]:
    """What the SDK makes of the step in its user's hands, outside of this library."""
    with offline():
        from sagemaker.mlops.workflow.pipeline import Pipeline

        pipeline = Pipeline(
            name="test-pipeline",
            steps=[step],
            parameters=list(parameters),
            sagemaker_session=session,
            pipeline_experiment_config=None,
        )
        [rendered] = json.loads(pipeline.definition())["Steps"]
    return rendered["Arguments"]


def sources(arguments: dict[str, Any]) -> dict[str, str]:
    return {item["InputName"]: item["S3Input"]["S3Uri"] for item in arguments["ProcessingInputs"]}


def stored(uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return boto3.client("s3", region_name=REGION).get_object(Bucket=bucket, Key=key)["Body"].read()


def files_in(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_fault_of_the_step_half_is_a_value_error() -> None:
    public = [getattr(step_half, name) for name in step_half.__all__]
    raised = [item for item in public if isinstance(item, type) and issubclass(item, Exception)]
    faults = [item for item in raised if not issubclass(item, Warning)]
    assert len(faults) >= 2
    assert all(issubclass(fault, ValueError) for fault in faults)


class TestConfiguration:
    def test_a_valid_one_is_taken_and_null_names_are_the_defaults(
        self, saved: dict[str, Any]
    ) -> None:
        config = PackageStepConfig(**saved)
        assert config.processing_entry_point == "mims_package.py"
        assert config.get_instance_type() == "ml.m5.large"
        assert set(config.input_names) == {"model_input", "inference_scripts_input"}
        assert "packaged_model_output" in config.output_names
        assert config.processing_script_arguments == ()

    def test_the_old_container_is_refused(self, saved: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"'0.23-1' has Python 3.7"):
            PackageStepConfig(**saved | {"processing_framework_version": "0.23-1"})

    def test_an_empty_entry_point_is_refused(self, saved: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="processing_entry_point: '' is not a relative path"):
            PackageStepConfig(**saved | {"processing_entry_point": ""})

    def test_no_folder_at_all_is_refused(self, saved: dict[str, Any]) -> None:
        del saved["processing_source_dir"]
        with pytest.raises(ValueError, match="source_dir: None is given"):
            PackageStepConfig(**saved)

    def test_source_dir_serves_where_there_is_no_processing_source_dir(
        self, saved: dict[str, Any]
    ) -> None:
        folder = saved.pop("processing_source_dir")
        config = PackageStepConfig(**saved, source_dir=folder)
        assert config.get_effective_source_dir() == Path(folder)
        assert str(config.get_script_path()).endswith("mims_package.py")

    def test_a_packaging_script_that_is_missing_is_a_value_error(
        self, saved: dict[str, Any]
    ) -> None:
        with pytest.raises(ValueError, match=r"processing_entry_point: .* is not a file"):
            PackageStepConfig(**saved | {"processing_entry_point": "missing.py"})

    @pytest.mark.parametrize("names", ["input_names", "output_names"])
    def test_names_may_be_chosen_but_only_of_what_there_is(
        self, saved: dict[str, Any], names: str
    ) -> None:
        known = {"input_names": "model_input", "output_names": "packaged_model_output"}[names]
        given = {known: "A description, as it was the custom"}
        config = PackageStepConfig(**saved | {names: given})
        assert getattr(config, names) == given
        with pytest.raises(ValueError, match="'wrong_name' is not a name here"):
            PackageStepConfig(**saved | {names: {"wrong_name": "description"}})

    def test_sizes_choose_the_instance_type(self, saved: dict[str, Any]) -> None:
        large = PackageStepConfig(**saved | {"use_large_processing_instance": True})
        assert large.get_instance_type() == "ml.m5.4xlarge"
        assert large.get_instance_type("small") == "ml.m5.large"
        with pytest.raises(ValueError, match="write 'large' or 'small'"):
            large.get_instance_type("invalid_size")  # type: ignore[arg-type]

    def test_it_does_not_change_after_it_was_checked(self, saved: dict[str, Any]) -> None:
        config = PackageStepConfig(**saved)
        with pytest.raises(ValueError, match="frozen"):
            config.use_large_processing_instance = True  # type: ignore[misc]

    def test_all_that_a_saved_one_has_too_many_is_named_at_once(
        self, saved: dict[str, Any]
    ) -> None:
        old = {
            "packaging_entry_point": "mims_package.py",
            "inference_code_input_path": "inference",
            "model_input_name_in_job": "model_input",
            "aws_region": "us-east-1",
            "__model_type__": "PackageStepConfig",
            "py_version": "py3",
        }
        with pytest.raises(ValueError, match="PackageStepConfig has 6 faults") as raised:
            PackageStepConfig.model_validate_json(json.dumps(saved | old))
        told = str(raised.value)
        assert [name for name in old if f"  {name}: " not in told] == []
        assert "write processing_entry_point" in told
        assert "write source_dir" in told


class TestBuilder:
    def test_another_kind_of_configuration_is_refused(self, saved: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="config: dict is given; write Package"):
            MIMSPackagingStepBuilder(saved, None, ROLE)  # type: ignore[arg-type]

    def test_the_old_call_uploads_what_is_here(
        self, saved: dict[str, Any], session: Any, notebook: Path
    ) -> None:
        config = PackageStepConfig(**saved)
        builder = MIMSPackagingStepBuilder(config, session, ROLE, notebook)
        step = builder.create_packaging_step("s3://bucket/model.tar.gz", [])
        assert step.name == "PackagingStep"
        arguments = definition_of(step, session)
        uris = sources(arguments)
        assert uris["model_input"] == "s3://bucket/model.tar.gz"
        bucket = session.default_bucket()
        assert uris["code"].startswith(
            f"s3://{bucket}/test-pipeline/PackagingStep/packaging_script/"
        )
        assert stored(uris["code"]) == b"print('packaging')\n"
        assert arguments["AppSpecification"]["ContainerEntrypoint"] == [
            "python3",
            "/opt/ml/processing/input/code/mims_package.py",
        ]
        assert files_in(stored(uris["inference_scripts_input"])) == {
            "inference.py": b"def model_fn(model_dir): ...\n",
            "lib/features.py": b"SCALE = 2\n",
            "mims_package.py": b"print('packaging')\n",
        }
        image = arguments["AppSpecification"]["ImageUri"]
        assert f".ecr.{REGION}." in image  # the session's region
        assert arguments["RoleArn"] == ROLE

    def test_the_sdk_creates_the_pipeline_in_its_users_hands(
        self, saved: dict[str, Any], session: Any, notebook: Path
    ) -> None:
        from sagemaker.mlops.workflow.pipeline import Pipeline

        builder = MIMSPackagingStepBuilder(PackageStepConfig(**saved), session, ROLE, notebook)
        step = builder.create_step("s3://bucket/model.tar.gz")
        Pipeline(name="test-pipeline", steps=[step], sagemaker_session=session).upsert(ROLE)
        client = boto3.client("sagemaker", region_name=REGION)
        found = client.describe_pipeline(PipelineName="test-pipeline")["PipelineDefinition"]
        [rendered] = json.loads(found)["Steps"]
        assert rendered["Arguments"] == definition_of(step, session)

    def test_the_librarys_packager_and_folders_go_as_zips(
        self, saved: dict[str, Any], session: Any, notebook: Path
    ) -> None:
        del saved["processing_source_dir"]
        source = notebook / "docker" / "scripts"
        (source / "mims_package.py").unlink()
        extras = {"calibration": notebook / "docker" / "scripts" / "lib"}
        config = PackageStepConfig(**saved, source_dir=source, extra_inputs=extras)
        step = MIMSPackagingStepBuilder(config, session, ROLE).create_step("s3://bucket/m.tar.gz")
        arguments = definition_of(step, session)
        uris = sources(arguments)
        assert uris["code"].endswith(".zip")
        assert stored(uris["code"]) == zipped(own_packager())
        assert "__main__.py" in files_in(stored(uris["code"]))
        assert files_in(stored(uris["calibration"])) == {"features.py": b"SCALE = 2\n"}
        words = arguments["AppSpecification"]["ContainerArguments"]
        assert words[-2:] == ["--unzip-extra", "calibration"]

    def test_an_edited_script_is_another_uri_and_an_unchanged_one_the_same(
        self, saved: dict[str, Any], session: Any, notebook: Path
    ) -> None:
        builder = MIMSPackagingStepBuilder(PackageStepConfig(**saved), session, ROLE)

        def uri() -> str:
            step = builder.create_step("s3://bucket/model.tar.gz")
            return sources(definition_of(step, session))["inference_scripts_input"]

        first = uri()
        assert uri() == first
        (notebook / "docker" / "scripts" / "lib" / "features.py").write_text("SCALE = 3\n")
        assert uri() != first

    def test_relative_paths_start_from_the_notebooks_folder(
        self,
        saved: dict[str, Any],
        session: Any,
        notebook: Path,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
        monkeypatch.chdir(notebook)
        config = PackageStepConfig(**saved | {"processing_source_dir": "docker/scripts"})
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        step = MIMSPackagingStepBuilder(config, session, ROLE, notebook).create_step("s3://abc/m")
        assert stored(sources(definition_of(step, session))["code"]) == b"print('packaging')\n"
        lost = MIMSPackagingStepBuilder(config, session, ROLE)
        with pytest.raises(ValueError, match=r"'docker/scripts/mims_package\.py' is not a file"):
            lost.create_step("s3://abc/m")

    def test_uploads_are_encrypted_with_the_packages_key(
        self, saved: dict[str, Any], session: Any
    ) -> None:
        key = boto3.client("kms", region_name=REGION).create_key()["KeyMetadata"]["Arn"]
        config = PackageStepConfig(**saved, output_kms_key=key)
        step = MIMSPackagingStepBuilder(config, session, ROLE).create_step("s3://bucket/m")
        bucket, _, name = sources(definition_of(step, session))["code"][5:].partition("/")
        head = boto3.client("s3", region_name=REGION).head_object(Bucket=bucket, Key=name)
        assert head["SSEKMSKeyId"] == key

    def test_without_a_session_it_says_what_to_upload(self, saved: dict[str, Any]) -> None:
        builder = MIMSPackagingStepBuilder(PackageStepConfig(**saved), role=ROLE, region=REGION)
        with pytest.raises(ValueError, match="pass a sagemaker_session that uploads it"):
            builder.create_step("s3://bucket/model.tar.gz")

    def test_without_a_role_it_says_so(self, saved: dict[str, Any], session: Any) -> None:
        with pytest.raises(ValueError, match="role: None is not the ARN of a role"):
            MIMSPackagingStepBuilder(PackageStepConfig(**saved), session).create_step("s3://abc/m")

    def test_scripts_are_optional(self, saved: dict[str, Any], session: Any) -> None:
        config = PackageStepConfig(**saved, inference_entry_point=None)
        step = MIMSPackagingStepBuilder(config, session, ROLE).create_step("s3://bucket/m")
        arguments = definition_of(step, session)
        assert set(sources(arguments)) == {"model_input", "code"}
        words = arguments["AppSpecification"]["ContainerArguments"]
        assert "--without-scripts" in words
        assert "--inference-entry-point" not in words

    def test_the_entry_point_has_any_name(
        self, saved: dict[str, Any], session: Any, notebook: Path
    ) -> None:
        (notebook / "docker" / "scripts" / "inference_xgb.py").touch()
        config = PackageStepConfig(**saved, inference_entry_point="inference_xgb.py")
        step = MIMSPackagingStepBuilder(config, session, ROLE).create_step("s3://bucket/m")
        words = definition_of(step, session)["AppSpecification"]["ContainerArguments"]
        assert words[words.index("--inference-entry-point") + 1] == "inference_xgb.py"

    def test_folders_in_s3_are_read_from_where_they_are(
        self, saved: dict[str, Any], session: Any
    ) -> None:
        saved["processing_source_dir"] = "s3://bucket/packaging/"
        config = PackageStepConfig(**saved, source_dir="s3://bucket/scripts")
        assert config.get_script_path() == "s3://bucket/packaging/mims_package.py"
        step = MIMSPackagingStepBuilder(config, session, ROLE).create_step("s3://bucket/m")
        assert sources(definition_of(step, session)) == {
            "model_input": "s3://bucket/m",
            # The slash: S3 reads a URI as the beginning of keys, those of scripts-old/ too.
            "inference_scripts_input": "s3://bucket/scripts/",
            "code": "s3://bucket/packaging/mims_package.py",
        }

    def test_a_zip_in_s3_is_no_folder(self, saved: dict[str, Any]) -> None:
        config = PackageStepConfig(**saved, source_dir="s3://bucket/scripts.zip")
        assert config.get_inference_source_dir() == "s3://bucket/scripts.zip"


def test_the_documented_function_makes_a_step(
    session: Any, notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [example] = pages.blocks("python", page=pages.DOCS / "from-the-predecessor.md")
    (notebook / "scripts").mkdir()
    (notebook / "docker" / "scripts").rename(notebook / "scripts" / "inference")
    monkeypatch.chdir(notebook)
    names: dict[str, Any] = {}
    exec(example.text, names)
    step = names["packaging_step"](session, ROLE, notebook, "s3://bucket/model.tar.gz")
    arguments = definition_of(step, session)
    assert sources(arguments)["model_input"] == "s3://bucket/model.tar.gz"
    assert arguments["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] == 100


@pytest.fixture
def offline_parameters() -> Any:
    with offline():
        from sagemaker.core.workflow import parameters
    return parameters


class TestParameters:
    def test_they_stand_for_values_and_are_told_to_the_pipeline(
        self, saved: dict[str, Any], session: Any, offline_parameters: Any
    ) -> None:
        instance = offline_parameters.ParameterString("Instance", default_value="ml.m5.xlarge")
        volume = offline_parameters.ParameterInteger("Volume", default_value=50)
        given = {"processing_instance_type": instance, "processing_volume_size": volume}
        builder = MIMSPackagingStepBuilder(PackageStepConfig(**saved | given), session, ROLE)
        assert [parameter.name for parameter in builder.parameters] == ["Volume", "Instance"]
        step = builder.create_step("s3://bucket/m")
        cluster = definition_of(step, session, *builder.parameters)["ProcessingResources"]
        assert cluster["ClusterConfig"] == {
            "InstanceType": {"Get": "Parameters.Instance"},
            "InstanceCount": 1,
            "VolumeSizeInGB": {"Get": "Parameters.Volume"},
        }

    @pytest.mark.parametrize(
        ("setting", "of_type", "default", "expected"),
        [
            (
                "processing_volume_size",
                "ParameterString",
                "50",
                "processing_volume_size: the pipeline parameter 'P' is String, and this needs "
                "Integer; write ParameterInteger",
            ),
            (
                "processing_volume_size",
                "ParameterInteger",
                5,
                "processing_volume_size: 5 is out of range; write a number from 10 to 1000",
            ),
            (
                "processing_instance_type",
                "ParameterString",
                "ml.m5.huge",
                "processing_instance_type: 'ml.m5.huge' ",
            ),
            (
                "pipeline_name",
                "ParameterString",
                "churn",
                "pipeline_name: {'Get': 'Parameters.P'} is known when an execution runs, but is "
                "needed before; write the value itself",
            ),
        ],
    )
    def test_one_that_cannot_work_is_refused_with_its_name(
        self,
        saved: dict[str, Any],
        offline_parameters: Any,
        setting: str,
        of_type: str,
        default: Any,
        expected: str,
    ) -> None:
        parameter = getattr(offline_parameters, of_type)("P", default_value=default)
        with pytest.raises(ValueError, match="1 fault") as raised:
            PackageStepConfig(**saved | {setting: parameter})
        assert expected in str(raised.value)

    def test_a_configuration_with_one_is_copied_but_not_written_to_a_file(
        self, saved: dict[str, Any], offline_parameters: Any
    ) -> None:
        volume = offline_parameters.ParameterInteger("Volume")
        config = PackageStepConfig(**saved | {"processing_volume_size": volume})
        assert PackageStepConfig(**config.model_dump()) == config
        with pytest.raises(ValueError, match="can't be written to a file"):
            config.model_dump_json()
