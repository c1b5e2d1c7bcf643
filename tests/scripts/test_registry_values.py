"""What the report says for the model registry: each value in the form that the registry takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mims_engine.registry_values import registry_value

from model_packaging.step.service_model import value_problem
from tests.scripts import archives as a


@given(st.text())
def test_the_registry_takes_every_value(text: str) -> None:
    value = registry_value(text)
    assert value_problem("CustomerMetadataValue", value) is None
    assert len(value.encode("utf-16-le")) <= 2 * 256  # however the registry counts


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("s3://models/churn/date=2026-11-01/model.tar.gz", None),
        ("s3://models/Übermodell 2/模型.tar.gz", None),
        ("s3://models/a(1),b'!~/model.tar.gz", "s3://models/a_1__b___/model.tar.gz"),
        ("line\nbreak", "line_break"),
        ("🙂", "_"),
        (None, "unknown"),
        ("", "unknown"),
        ("  ", "unknown"),
        ("a" * 256, None),
    ],
)
def test_what_fits_stays_and_the_rest_becomes_an_underscore(
    text: str | None, value: str | None
) -> None:
    assert registry_value(text) == (text if value is None else value)


def test_of_a_long_key_its_beginning_and_its_end_stay() -> None:
    value = registry_value(f"s3://models/{'a' * 1000}/model.tar.gz")
    assert len(value) == 256
    assert value.startswith("s3://models/aaa")
    assert value.endswith("aaa/model.tar.gz")
    assert "a...a" in value


@pytest.mark.parametrize("etag", ["0cc175b9c0f1b6a831c399e269772661-12", None])
def test_the_report_has_them_also_where_the_source_has_no_etag(bench, run, monkeypatch, etag):
    if etag:
        monkeypatch.setenv("MIMS_MODEL_ETAG", etag)
    else:
        monkeypatch.delenv("MIMS_MODEL_ETAG", raising=False)
    bench.put_model(a.gz(a.MODEL))
    assert run().exit_code == 0
    report = bench.report
    assert report["registry"] == {
        "source": "unknown",
        "etag": etag or "unknown",
        "package_sha256": report["archive"]["sha256"],
        "model_sha256": report["model"]["sha256"],
        "packager_version": report["version"],
    }
