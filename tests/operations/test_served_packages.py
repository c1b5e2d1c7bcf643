"""Packages of every kind on endpoints, served by what AWS's own containers serve with."""

import io
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from botocore import xform_name
from rich.console import Console

from local_aws.cloud import LocalCloud, local_cloud
from operations.endpoint_stages import EndpointStages, Original
from operations.hosted_model import HostedModel
from operations.hosting_role import hosting_role, statements
from operations.model_requests import answers_in, as_csv, as_json
from operations.stages import StageError, Stages
from tests.docs import pages
from tests.docs.commands import commands
from tests.operations.served import ANSWERS, INFERENCE, ROWS, linear_model, package

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
HOSTING = pages.DOCS / "hosting.md"
SCRIPTS = {"inference.py": INFERENCE}
# A model that brings code of its own: a package in a package, and what it needs.
OWN_CODE = {
    "code/features/__init__.py": "",
    "code/features/numeric/__init__.py": "def scaled(answers): return [2 * one for one in answers]",
    "code/requirements.txt": "numpy>=1.22  # is there\njoblib\n",
}
WITH_OWN_CODE = {
    "serving/__init__.py": "",
    "serving/inference.py": "from features.numeric import scaled\n"
    + INFERENCE.replace("def predict_fn", "def plain")
    + "\ndef predict_fn(rows, weights): return scaled(plain(rows, weights))\n",
}
KEPT = ("--existing-code", "overlay", "--inference-entry-point", "serving/inference.py")
REPLACED = ("--existing-code", "replace", "--inference-entry-point", "serving/inference.py")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        cloud.client("s3").create_bucket(Bucket="packages")
        yield cloud


def uploaded(cloud: LocalCloud, key: str, file: Path) -> str:
    cloud.client("s3").upload_file(str(file), "packages", key)
    return f"s3://packages/{key}"


def mode_of(packaged: Path) -> str:
    report = json.loads((packaged.parents[1] / "report.json").read_text())
    return report["mode"]


@pytest.fixture(scope="module")
def served(
    cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, HostedModel]]:
    """Four packages on an endpoint each, which start together."""
    place = tmp_path_factory.mktemp("packages")
    spliced = package(place / "spliced", linear_model(), SCRIPTS)
    streamed = package(place / "streamed", linear_model(), SCRIPTS, "--mode", "stream")
    newer = {"inference.py": INFERENCE.replace("sum(", "1000 + sum(")}
    again = package(place / "again", spliced.read_bytes(), newer)
    own = package(place / "own", linear_model(OWN_CODE), WITH_OWN_CODE, *KEPT)
    assert [mode_of(made) for made in (spliced, streamed, again)] == ["splice", "stream", "splice"]
    made = {"spliced": spliced, "streamed": streamed, "packaged-again": again, "own-code": own}
    uris = {name: uploaded(cloud, f"{name}/model.tar.gz", file) for name, file in made.items()}
    models = {name: HostedModel(cloud.client, name) for name in made}
    with hosting_role(cloud.client, "hosting", *uris.values()) as role:
        for name, model in models.items():
            # As the toolkit imports it: a module's name, not a path.
            entry_point = "serving.inference" if name == "own-code" else "inference.py"
            model.create(uris[name], role=role, image=IMAGE, entry_point=entry_point)
        for model in models.values():
            model.wait(lambda status: None, 60)
        yield models
        for model in models.values():
            model.delete()


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("spliced", ANSWERS),
        ("streamed", ANSWERS),
        ("packaged-again", [1000 + answer for answer in ANSWERS]),
        ("own-code", [2 * answer for answer in ANSWERS]),
    ],
)
def test_a_package_answers_as_its_model_and_its_scripts_do(
    served: dict[str, HostedModel], name: str, answers: list[float]
) -> None:
    for request in (as_json(ROWS), as_csv(ROWS)):
        body, content_type = served[name].ask(request)
        assert content_type == request.accept
        assert answers_in(body, content_type) == answers


def names_of_endpoints(cloud: LocalCloud) -> set[str]:
    listed = cloud.client("sagemaker").list_endpoints()["Endpoints"]
    return {item["EndpointName"] for item in listed}


def stages(folder: Path, cloud: LocalCloud) -> tuple[EndpointStages, io.StringIO]:
    output = io.StringIO()
    shown = Stages(Console(file=output, width=200), folder)
    return EndpointStages(cloud.client, shown, folder / "endpoint.log"), output


def test_a_model_whose_own_code_was_replaced_fails_as_hosting_does(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    packaged = package(tmp_path / "made", linear_model(OWN_CODE), WITH_OWN_CODE, *REPLACED)
    uri = uploaded(cloud, "replaced/model.tar.gz", packaged)
    running, output = stages(tmp_path, cloud)
    original = Original(tmp_path, {"features", "requirements"}, ROWS, ANSWERS)
    with pytest.raises(StageError) as failed:
        running.run(uri, IMAGE, "serving.inference", original, None)
    # The container is healthy before it has loaded the model; the first request finds out.
    assert failed.value.stage == "Ask the endpoint"
    assert "can't be loaded: ModuleNotFoundError: No module named 'features'" in str(failed.value)
    assert "existing_code does not keep: write 'overlay'" in str(failed.value)
    assert "No module named 'features'" in failed.value.log.read_text()
    assert "Ask the endpoint" not in output.getvalue()
    assert "packaged-model" not in names_of_endpoints(cloud)


def test_a_package_whose_requirements_are_not_installed_is_never_in_service(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    asking = {**SCRIPTS, "requirements.txt": "joblib\nno-such-package-anywhere>=3\n"}
    packaged = package(tmp_path / "made", linear_model(), asking)
    uri = uploaded(cloud, "asking/model.tar.gz", packaged)
    running, output = stages(tmp_path, cloud)
    with pytest.raises(StageError) as failed:
        running.run(uri, IMAGE, "inference.py", Original(tmp_path, (), ROWS, ANSWERS), None)
    assert failed.value.stage == "Create the endpoint"
    assert "did not pass the ping health check" in str(failed.value)
    assert "no-such-package-anywhere was not found" in str(failed.value)
    assert str(failed.value).endswith(
        "write REQUIREMENTS= and the place of that file to have it installed"
    )
    assert output.getvalue() == ""


def run_as_on_the_page(cloud: LocalCloud, words: list[str], known: dict[str, str]) -> Any:
    """What a command of the AWS CLI does, with the page's placeholders replaced."""
    service, operation, *options = words
    client = cloud.client(service)
    shapes = client.meta.service_model.operation_model(
        client.meta.method_to_api_mapping[operation.replace("-", "_")]
    ).input_shape.members
    names = {f"--{xform_name(name, '-')}": name for name in shapes}
    arguments: dict[str, Any] = {}
    for option, value in itertools.pairwise(options):
        if option not in names:
            continue
        for placeholder, real in known.items():
            value = value.replace(placeholder, real)
        is_structure = value.startswith(("{", "["))
        arguments[names[option]] = json.loads(value) if is_structure else value
    return getattr(client, operation.replace("-", "_"))(**arguments)


def test_the_commands_of_the_page_host_a_package(cloud: LocalCloud, tmp_path: Path) -> None:
    packaged = package(tmp_path / "made", linear_model(), SCRIPTS)
    uri = uploaded(cloud, "page/model.tar.gz", packaged)
    known = {"PACKAGE_URI": uri, "IMAGE": IMAGE, "fileb://rows.csv": as_csv(ROWS).body.decode()}
    done = []
    with hosting_role(cloud.client, "page", uri) as role:
        for block in pages.blocks("sh", HOSTING):
            for program, *words in commands(block.text):
                if program != "aws":
                    continue
                if "invoke-endpoint" in words:
                    HostedModel(cloud.client, "churn").wait(lambda status: None, 60)
                answer = run_as_on_the_page(cloud, words, known | {"ROLE_ARN": role})
                done.append(words[1])
                if "Body" in answer:
                    body, content_type = answer["Body"].read(), answer["ContentType"]
    assert answers_in(body, content_type) == ANSWERS
    assert content_type == "text/csv"
    assert done[:3] == ["create-model", "create-endpoint-config", "create-endpoint"]
    assert done[-3:] == ["delete-endpoint", "delete-endpoint-config", "delete-model"]
    assert "churn" not in names_of_endpoints(cloud)


def test_the_page_names_what_the_role_is_given(cloud: LocalCloud) -> None:
    s3 = cloud.client("s3")
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.put_object(
        Bucket="packages", Key="k", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    [read, decrypt, run] = statements(s3, "s3://packages/k")
    assert read["Resource"] == ["arn:aws:s3:::packages/k"]
    assert decrypt["Resource"] == [key]
    named = {
        code for code in pages.inline_code(HOSTING) if re.fullmatch(r"[a-z0-9]+:[A-Z]\w+", code)
    }
    assert named == {read["Action"], decrypt["Action"], *run["Action"]}


def test_a_multi_model_server_would_not_import_code() -> None:
    """What the page warns of: the toolkit adds ``code/`` where only a new process would look."""
    from sagemaker_inference.default_handler_service import DefaultHandlerService

    context = SimpleNamespace(system_properties={"model_dir": "/opt/ml/models/churn/model"})
    loaded = []

    class Transformer:
        def validate_and_initialize(self, **given: Any) -> None:
            loaded.append([path for path in sys.path if path.startswith("/opt/ml")])

    with mock.patch.dict(os.environ):
        DefaultHandlerService(Transformer()).initialize(context)
        assert os.environ["PYTHONPATH"].startswith("/opt/ml/models/churn/model/code:")
    assert loaded == [[]]
