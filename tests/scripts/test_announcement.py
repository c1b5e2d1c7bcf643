"""The model that was announced is the model that is packaged, or none is."""

from __future__ import annotations

import hashlib
import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mims_engine import announcement
from mims_engine.announcement import Announcement, ContentCheck, PartsDigest
from mims_engine.errors import BadInput

from . import archives as a
from .test_package import REPORT_SCHEMA

MIB = 1 << 20
MODEL = a.gz(a.MODEL)
OTHER = a.gz(a.tar(a.file("model.bin", b"other weights")))


@pytest.fixture
def announced(bench, monkeypatch):
    """Tells the job what was announced."""

    def tell(uri="s3://bucket/models/model.tar.gz", etag=None, *, is_md5=False, size=None):
        place = {"LocalPath": str(bench.model), "S3Uri": uri}
        job = {"ProcessingInputs": [{"InputName": "model_input", "S3Input": place}]}
        bench.job_config_file.write_text(json.dumps(job))
        for name, value in (
            ("MIMS_MODEL_ETAG", etag),
            ("MIMS_MODEL_ETAG_IS_MD5", "true" if is_md5 else None),
            ("MIMS_MODEL_SIZE", size),
        ):
            if value is not None:
                monkeypatch.setenv(name, value)

    return tell


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class TestName:
    def test_a_sibling_never_stands_in_for_the_announced_model(self, bench, run, announced):
        announced()
        bench.put_model(MODEL, "model.tar.gz-v2")
        result = run()
        assert result.exit_code == 3
        assert not bench.archive.exists()
        assert result.message == (
            "s3://bucket/models/model.tar.gz: "
            "the announced model 'model.tar.gz' is not there any more: it was deleted or renamed; "
            "'model.tar.gz-v2' came along, because the key begins alike; upload it again"
        )

    @pytest.mark.parametrize("sibling", ["model.tar.gz-v2", "model.tar.gz.bak", "model.tar.gz.tar"])
    def test_siblings_that_came_along_are_left_aside_and_named(
        self, bench, run, announced, sibling
    ):
        announced()
        bench.put_model(MODEL)
        bench.put_model(OTHER, sibling)
        assert run().exit_code == 0
        assert bench.report["model"]["sha256"] == hashlib.sha256(MODEL).hexdigest()
        assert bench.report["source"]["name_checked"] is True
        assert bench.report["ignored_inputs"] == [sibling]

    def test_a_folder_that_came_along_is_left_aside(self, bench, run, announced):
        announced()
        bench.put_model(MODEL)
        bench.put_model(OTHER, "model.tar.gz-v2/model.tar.gz")
        assert run().exit_code == 0
        assert bench.report["ignored_inputs"] == ["model.tar.gz-v2"]

    def test_an_archive_under_any_name_is_the_one_that_was_announced(self, bench, run, announced):
        announced("s3://bucket/models/churn", etag=md5(MODEL))
        bench.put_model(OTHER, "churn-next.tar.gz")
        result = run()
        assert result.exit_code == 3
        assert "the announced model 'churn' is not there any more" in result.message
        bench.put_model(MODEL, "churn")
        assert run().exit_code == 0
        assert bench.report["source"]["file"] == "churn"

    @pytest.mark.parametrize("uri", ["s3://bucket/models/", "s3://bucket/models", "s3://bucket"])
    def test_a_folder_may_hold_an_archive_of_any_name(self, bench, run, announced, uri):
        announced(uri)
        bench.put_model(MODEL, "churn.tar.gz")
        assert run().exit_code == 0
        assert bench.report["source"]["name_checked"] is False


class TestContent:
    @pytest.mark.parametrize("mode", ["splice", "stream"])
    def test_another_content_than_the_announced_is_refused(self, bench, run, announced, mode):
        announced(etag=md5(MODEL), is_md5=True)
        bench.put_model(OTHER)
        result = run("--mode", mode)
        assert result.exit_code == 3
        assert not bench.archive.exists()
        assert f"'model.tar.gz' has the MD5 {md5(OTHER)}, and the upload that started" in (
            result.message
        )
        assert f"had {md5(MODEL)}: another model was uploaded under the same key" in result.message
        assert "upload it again under a key of its own" in result.message

    @pytest.mark.parametrize("mode", ["splice", "stream"])
    def test_the_announced_content_is_packaged_and_the_report_says_so(
        self, bench, run, announced, mode
    ):
        announced(etag=md5(MODEL), is_md5=True)
        bench.put_model(MODEL)
        assert run("--mode", mode).exit_code == 0
        assert bench.report["source"]["content_checked"] is True
        jsonschema.validate(bench.report, json.loads(REPORT_SCHEMA.read_text()))

    @pytest.mark.parametrize(
        ("etag", "is_md5", "why"),
        [
            (None, False, "no ETag was announced"),
            ("", True, "no ETag was announced"),
            ("0" * 32, False, "the bucket may hold objects whose ETag is no MD5"),
            ("not-an-md5", True, "the ETag is no MD5"),
            ("0" * 32 + "-2", True, "it was uploaded in parts of a size that is not known"),
            ("0" * 32 + "-1", True, "it was uploaded in parts of a size that is not known"),
        ],
    )
    def test_what_an_etag_does_not_tell_is_not_claimed(
        self, bench, run, announced, etag, is_md5, why
    ):
        announced(etag=etag, is_md5=is_md5)
        bench.put_model(MODEL)
        assert run().exit_code == 0
        assert bench.report["source"]["content_checked"] is False
        assert bench.report["source"]["content_unchecked_because"] == why
        jsonschema.validate(bench.report, json.loads(REPORT_SCHEMA.read_text()))

    def test_loose_files_have_no_etag(self, bench, run, announced):
        announced("s3://bucket/models/", etag=md5(MODEL), is_md5=True)
        bench.put_model(b"weights", "model.bin")
        assert run().exit_code == 0
        assert bench.report["source"]["content_unchecked_because"] == "the model is loose files"

    @pytest.mark.parametrize("mib", [5, 8, 16])
    def test_an_etag_of_parts_confirms_a_content(self, mib):
        content = b"m" * (17 * MIB + 1)
        parts = [content[at : at + mib * MIB] for at in range(0, len(content), mib * MIB)]
        digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
        etag = f"{md5(digests)}-{len(parts)}"
        check = ContentCheck(Announcement(etag=etag, etag_is_md5=True), len(content))
        for at in range(0, len(content), 3 * MIB + 7):
            check.update(content[at : at + 3 * MIB + 7])
        check.conclude("model.tar.gz")
        assert check.why_not is None

    @given(
        content=st.binary(max_size=200),
        part=st.integers(1, 64),
        step=st.integers(1, 90),
    )
    def test_parts_are_hashed_alike_however_the_file_is_read(self, content, part, step):
        digest = PartsDigest(part)
        for at in range(0, len(content), step):
            digest.update(content[at : at + step])
        parts = [content[at : at + part] for at in range(0, len(content) or 1, part)]
        whole = b"".join(hashlib.md5(one, usedforsecurity=False).digest() for one in parts)
        assert digest.etag() == f"{md5(whole)}-{len(parts)}"

    def test_a_python_without_md5_packages_and_says_so(self, monkeypatch):
        def refuse(name, **_):
            raise ValueError("disabled for FIPS")

        monkeypatch.setattr(announcement.hashlib, "new", refuse)
        check = ContentCheck(Announcement(etag=md5(MODEL), etag_is_md5=True), len(MODEL))
        check.update(MODEL)
        check.conclude("model.tar.gz")
        assert check.why_not == "this Python has no MD5"


class TestSize:
    def test_another_size_is_refused_before_anything_is_read(self, bench, run, announced):
        announced(etag="no md5", size=str(len(MODEL) + 1))
        bench.put_model(MODEL)
        result = run()
        assert result.exit_code == 3
        assert f"'model.tar.gz' has {len(MODEL)} bytes, and the upload that started" in (
            result.message
        )
        assert not bench.archive.exists()

    @pytest.mark.parametrize("size", [str(len(MODEL)), ""])
    def test_the_announced_size_and_none_are_packaged(self, bench, run, announced, size):
        announced(size=size)
        bench.put_model(MODEL)
        assert run().exit_code == 0
        assert bench.report["source"]["bytes_checked"] is bool(size)

    def test_a_size_that_is_no_number_is_refused(self, bench, run, announced):
        announced(size="$.detail.object.size")
        bench.put_model(MODEL)
        assert "the announced size '$.detail.object.size' is no number" in run().message


def test_a_sizes_check_raises_by_itself() -> None:
    announcement.require_size(Announcement(size=3), "model.tar.gz", 3)
    with pytest.raises(BadInput, match="had 3"):
        announcement.require_size(Announcement(size=3), "model.tar.gz", 4)
