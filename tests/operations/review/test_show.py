"""What a stage is, without comparing it with anything."""

import json
from pathlib import Path

import pytest

from operations.__main__ import main
from tests.operations.review.checkouts import Checkout


@pytest.fixture(scope="module")
def shown(prod: Path) -> str:
    """What is printed of the stage prod."""
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("builtins.print", lambda text, **_: printed.append(text))
        assert main(["show", str(prod)]) == 0
    return "".join(printed)


def test_the_definition_is_shown_as_json_that_says_where_its_values_come_from(shown: str) -> None:
    heading, _, rest = shown.partition("\n\n")
    assert heading == "The pipeline of ModelPackaging-prod"
    definition = json.loads(rest.partition("\n\n")[0])
    [step] = definition["Steps"]
    inputs = {
        one["InputName"]: one["S3Input"]["S3Uri"] for one in step["Arguments"]["ProcessingInputs"]
    }
    assert inputs["model_input"] == "s3://${Parameters.ModelBucket}/${Parameters.ModelKey}"
    assert inputs["code"].endswith("/ModelPackaging-prod/${Packaging/PackagingScript}.zip")
    assert step["Arguments"]["RoleArn"] == "${Packaging/Roles/JobRole.Arn}"
    assert "Fn::" not in shown
    assert "Std:" not in shown


def test_roles_and_trigger_are_shown_in_words(shown: str) -> None:
    roles, _, trigger = shown.partition("What its roles can do\n\n")[2].partition(
        "\n\nWhat starts it\n\n"
    )
    of_job = roles.partition("Packaging/Roles/JobRole\n")[2].partition("\nPackaging/")[0]
    assert "\n  can read objects (s3:GetObject) in `${Artifacts/Bucket}/models/*`\n" in of_job
    assert "the service events.amazonaws.com can assume it" in roles
    assert "starts the pipeline on uploads to `${Artifacts/Bucket}` with a key like" in trigger
    assert "  fills ModelKey with $.detail.object.key\n" in trigger


def test_what_is_checked_out_is_shown(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "--stage", "prod"]) == 0
    assert capsys.readouterr().out.startswith("The pipeline of ModelPackaging\n")
    assert main(["show", "--stage", "staging"]) == 1
    assert capsys.readouterr().err == (
        "Failed: what is checked out has no stage 'staging' in its cdk.json; it has dev, prod\n"
    )
    assert main(["show", str(checkout.folder)]) == 1
    assert "is no assembly" in capsys.readouterr().err
