"""What not everybody may read is masked in every format, the same thing by the same word."""

import json
from pathlib import Path
from typing import Any

import pytest

from operations.__main__ import main
from operations.review.changes import Change
from operations.review.formats.as_json import as_json
from operations.review.formats.as_markdown import as_markdown
from operations.review.formats.as_text import as_text
from operations.review.formats.masking import masked
from tests.operations.review.made import change, review
from tests.operations.review.prepared import Definition, Prepared, defined

# The key that AWS documents as an example, in two halves: scanners take it for a real one.
ACCESS_KEY_ID = "AKIAIOSFODNN7" + "EXAMPLE"
SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY"


def told(*changes: Change, **more: Any) -> str:
    """All formats of a masked review."""
    one = masked(review(*changes, **more))
    return as_text(one) + as_markdown(one) + as_json(one)


def in_a_detail(text: str) -> str:
    return masked(review(change(detail=text))).changes[0].detail


@pytest.mark.parametrize("text", ["111122223333", "someone@example.com", ACCESS_KEY_ID])
def test_it_is_masked_wherever_it_stands(text: str) -> None:
    everywhere = told(
        change(where=f"A › {text}", old=text, new={text: [text]}, meaning=f"It was {text}."),
        change(detail=f"-{text}"),
        title=f"Review of {text}",
        picture=f"flowchart TB\n  a[{text}]",
    )
    assert text not in everywhere
    masks = "MASKED-ACCOUNT-1", "MASKED-MAIL-1", "MASKED-SECRET-1"
    assert sum(mask in everywhere for mask in masks) == 1
    assert "-2" not in everywhere


def test_the_same_is_masked_alike_and_another_otherwise() -> None:
    one, another = masked(
        review(
            change(old="arn:aws:iam::111122223333:root", new="arn:aws:iam::444455556666:root"),
            change(old="444455556666", new="444455556666"),
        )
    ).changes
    assert one.old == "arn:aws:iam::MASKED-ACCOUNT-1:root"
    assert one.new == "arn:aws:iam::MASKED-ACCOUNT-2:root"
    assert another.old == another.new == "MASKED-ACCOUNT-2"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("bucket-111122223333-eu-west-1", "bucket-MASKED-ACCOUNT-1-eu-west-1"),
        ("(111122223333)", "(MASKED-ACCOUNT-1)"),
        ("a.b+c@mail.example.co.uk,", "MASKED-MAIL-1,"),
        ("https://u:pass@host/", "https://u:MASKED-SECRET-1@host/"),
        ("https://b.s3.amazonaws.com/k?X-Amz-Signature=ab12&X-Amz-Date=2", "https://"
         "b.s3.amazonaws.com/k?X-Amz-Signature=MASKED-SECRET-1&X-Amz-Date=2"),
        ("?X-Amz-Security-Token=IQo%2F", "?X-Amz-Security-Token=MASKED-SECRET-1"),
        ("?AWSAccessKeyId=x&Signature=vjby%2B&Expires=1", "?AWSAccessKeyId=MASKED-SECRET-1"
         "&Signature=MASKED-SECRET-2&Expires=1"),
        (f"{ACCESS_KEY_ID}.", "MASKED-SECRET-1."),
        (f"it is {SECRET_ACCESS_KEY} now", "it is MASKED-SECRET-1 now"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer MASKED-SECRET-1"),
        ("x ghp_" + "a1" * 18, "x MASKED-SECRET-1"),
        ("x eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2ln", "x MASKED-SECRET-1"),
        ("+-----BEGIN RSA PRIVATE KEY-----\n+MII\n+-----END RSA PRIVATE KEY-----",
         "+-----BEGIN RSA PRIVATE KEY-----MASKED-SECRET-1-----END RSA PRIVATE KEY-----"),
        ("-----BEGIN PRIVATE KEY-----\n+MII", "-----BEGIN PRIVATE KEY-----MASKED-SECRET-1"),
        ('+  "DB_PASSWORD": "a b",', '+  "DB_PASSWORD": "MASKED-SECRET-1",'),
        ("+clientSecret = 'x\\'y'", "+clientSecret = 'MASKED-SECRET-1'"),
        ("+API_KEY=a(b", "+API_KEY=MASKED-SECRET-1"),
        (" export TOKEN=abc", " export TOKEN=MASKED-SECRET-1"),
        ("+ ContainerArguments › --auth-token: abc", "+ ContainerArguments › --auth-token: "
         "MASKED-SECRET-1"),
        ("run --password abc --mode auto", "run --password MASKED-SECRET-1 --mode auto"),
        ('{"Name": "PASSWORD", "Value": "abc"}',
         '{"Name": "PASSWORD", "Value": "MASKED-SECRET-1"}'),
        ("- env: PASSWORD=abc, mode: auto", "- env: PASSWORD=MASKED-SECRET-1, mode: auto"),
        ("set x=token=abc", "set x=token=MASKED-SECRET-1"),
        ('+ "Key": "token",\n+ "Value": "abc"', '+ "Key": "token",\n+ "Value": "MASKED-SECRET-1"'),
    ],
)  # fmt: skip
def test_what_is_secret_is_masked_in_a_text(text: str, left: str) -> None:
    assert in_a_detail(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "secretsmanager:GetSecretValue on `secretsmanager:secret:x`",
        "sts:GetSessionToken: allowed",
        "1234567890123 and 12345678901",
        "a1b2c3111122223333d4",
        "0123456789abcdef0123456789abcdef01234567",
        "/opt/ml/processing/input/calibration/abc",
        "token = next(tokens)",
        "def read(token: str, password: str | None = None) -> Token:",
        "kms:KeyId: alias/models",
        "PASSWORD: ${Parameters.Password}",
        "PASSWORD: {{resolve:secretsmanager:db:SecretString:password}}",
        '"SecretArn": "arn:aws:secretsmanager:eu-west-1:${AWS::AccountId}:secret:db"',
        "TokenExpirySeconds: 3600",
        "a password is needed, a token too",
        "@app.route",
        "image@sha256:abc",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert in_a_detail(text) == text


@pytest.mark.parametrize("name", ["DB_PASSWORD", "apiKey", "CLIENT_SECRET", "auth-token", "pwd"])
def test_the_value_of_a_secrets_name_is_masked_in_the_sentence_too(name: str) -> None:
    one = masked(
        review(
            change(
                where=f"Step › Environment › {name}",
                old="abc",
                new="tree frog",
                meaning=f"The variable {name} of Step is tree frog; before, abc.",
            )
        )
    ).changes[0]
    assert (one.old, one.new) == ("MASKED-SECRET-1", "MASKED-SECRET-2")
    assert one.where.endswith(name)
    assert one.meaning == (
        f"The variable {name} of Step is MASKED-SECRET-2; before, MASKED-SECRET-1."
    )


def test_a_long_secret_is_masked_wherever_it_is_told_again() -> None:
    everywhere = told(
        change(where="Step › Environment › PASSWORD", new="correct horse"),
        change(meaning="It is called with correct horse."),
    )
    assert "correct horse" not in everywhere


def test_what_a_short_secret_says_is_a_word_elsewhere() -> None:
    _, other = masked(
        review(
            change(where="Step › Environment › PASSWORD", new="auto"),
            change(meaning="It is called with auto."),
        )
    ).changes
    assert other.meaning == "It is called with auto."


def test_secrets_inside_of_values_are_masked_and_their_names_are_not() -> None:
    parameter = {"Name": "ApiToken", "Type": "String", "DefaultValue": "x1"}
    one, two = masked(
        review(
            change(
                where="Parameters › ApiToken", new=parameter, meaning='It is "x1" if not given.'
            ),
            change(
                old=["--mode", "auto", "--password", "p1", 111122223333, None, True],
                new={"Password": {"value": 7}, "Tags": [{"Key": "token", "Value": "v"}], "n": 1},
            ),
        )
    ).changes
    assert one.new == parameter | {"DefaultValue": "MASKED-SECRET-1"}
    assert one.meaning == 'It is "MASKED-SECRET-1" if not given.'
    assert two.old == [
        *("--mode", "auto", "--password", "MASKED-SECRET-2", "MASKED-ACCOUNT-1", None, True),
    ]
    assert two.new == {
        "Password": {"value": "MASKED-SECRET-3"},
        "Tags": [{"Key": "token", "Value": "MASKED-SECRET-4"}],
        "n": 1,
    }


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_the_command_masks_what_two_assemblies_say(
    dev: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    def tell(definition: Definition) -> None:
        environment = definition["Steps"][0]["Arguments"]["Environment"]
        environment |= {"DB_PASSWORD": "correct horse", "OWNER": "someone@example.com"}
        environment["BUCKET"] = "models-111122223333"
        definition["Steps"][0]["Arguments"]["AppSpecification"]["ContainerArguments"] += [
            "--auth-token",
            "battery",
        ]

    Prepared(defined(tell)).write(dev, tmp_path)
    secrets = ("correct horse", "someone@example.com", "111122223333", "battery")
    assert main(["review", str(dev), str(tmp_path), "--format", form]) == 1
    plainly = capsys.readouterr().out
    assert all(secret in plainly for secret in secrets)
    assert main(["review", str(dev), str(tmp_path), "--format", form, "--mask"]) == 1
    covered = capsys.readouterr().out
    assert not any(secret in covered for secret in secrets)
    for mask in ("MASKED-SECRET-1", "MASKED-SECRET-2", "MASKED-MAIL-1", "MASKED-ACCOUNT-1"):
        assert mask in covered
    if form == "json":
        places = [
            [one["where"] for one in json.loads(text)["changes"]] for text in (plainly, covered)
        ]
        assert places[0] == places[1]


def test_a_review_without_any_of_it_stays_as_it_is(
    dev: Path, prod: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["review", str(dev), str(prod), "--format", "json"])
    plainly = capsys.readouterr().out
    main(["review", str(dev), str(prod), "--format", "json", "--mask"])
    assert capsys.readouterr().out == plainly


@pytest.mark.parametrize("part", ["a", "a@", "a.", "eyJ", " token=f(", "://:", '"Name":', "\n"])
def test_a_long_line_takes_no_longer_than_it_is(part: str) -> None:
    """Searched again from each letter, these would take minutes."""
    text = part * (200_000 // len(part))
    assert in_a_detail(text) == text
