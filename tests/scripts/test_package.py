"""What the script does for the common cases, end to end."""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import io
import json
import lzma
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import ClassVar

import jsonschema
import mims_package
import pytest
from mims_engine import deflate, log, model_input

from . import archives as a
from .conftest import SCRIPT, Bench, contents, unpack_with_gnu_tar, unpack_with_tarfile

REPORT_SCHEMA = (
    Path(mims_package.__file__).parents[2]
    / "constructs/model_packaging/step/package_report.schema.json"
)
CODE = ["code", "code/inference.py"]
MODEL_NAMES = ["./model.bin", "./vocab.txt"]


def names_of(bench: Bench) -> list[str]:
    return [name for name in bench.names() if name != "."]


def deflate_stream(archive: Path) -> bytes:
    return archive.read_bytes()[10:-8]


class TestSplice:
    def test_a_gzip_model_is_spliced_and_its_blocks_are_copied_verbatim(self, bench, run):
        model = a.gz(a.MODEL)
        bench.put_model(model)
        assert run().exit_code == 0
        assert bench.report["mode"] == "splice"
        assert deflate_stream(bench.archive).endswith(model[10:-8])
        assert names_of(bench) == [*CODE, *MODEL_NAMES]

    def test_the_result_is_one_gzip_member_with_a_bare_header(self, bench, run):
        bench.put_model(a.gz(a.MODEL, head=a.gz_header(name=b"model.tar", extra=b"abcd")))
        run()
        data = bench.archive.read_bytes()
        assert data[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
        inflater = zlib.decompressobj(31)
        inflater.decompress(data)
        assert inflater.eof
        assert inflater.unused_data == b""

    def test_both_readers_unpack_the_model_with_the_code_beside_it(self, bench, run, tmp_path):
        bench.put_model(a.gz(a.MODEL))
        bench.script("lib/util.py", "x = 1\n")
        bench.put_extra("calibration/table.json", "{}")
        run()
        for unpack in (unpack_with_tarfile, unpack_with_gnu_tar):
            target = tmp_path / unpack.__name__
            target.mkdir()
            unpack(bench.archive, target)
            assert contents(target) == {
                "calibration": None,
                "calibration/table.json": b"{}",
                "code": None,
                "code/inference.py": b"def model_fn(model_dir): ...\n",
                "code/lib": None,
                "code/lib/util.py": b"x = 1\n",
                "model.bin": b"weights" * 300,
                "vocab.txt": b"a\nb\n",
            }

    @pytest.mark.parametrize(
        "framing",
        [
            a.gz(a.MODEL, level=0),
            a.gz(a.MODEL, level=1),
            a.gz(a.MODEL, level=9),
            a.gz(a.MODEL, flush_every=100),
            a.gz(
                a.MODEL, head=a.gz_header(text=True, name=b"n", comment=b"c", extra=b"e", crc=True)
            ),
            a.gz(a.MODEL) + bytes(1000),
        ],
        ids=["stored", "level 1", "level 9", "flushed", "every header field", "zero padding"],
    )
    def test_every_gzip_framing_is_spliced(self, bench, run, framing):
        bench.put_model(framing)
        assert run("--mode", "splice").exit_code == 0
        assert names_of(bench) == [*CODE, *MODEL_NAMES]
        assert gzip.decompress(bench.archive.read_bytes()).endswith(a.MODEL)

    @pytest.mark.parametrize("size", [0, 100, 8000, 9000, 9500, 10000, 10700])
    def test_the_original_stays_aligned_to_tar_s_records(self, bench, run, size):
        """Else a pipe into tar breaks: tar stops before the padding of the original."""
        bench.put_model(a.gz(a.MODEL))
        bench.script("inference.py", "#" * size)
        assert run().exit_code == 0
        content = gzip.decompress(bench.archive.read_bytes())
        assert (len(content) - len(a.MODEL)) % 10240 == 0

    def test_the_root_entry_of_the_sagemaker_sdk_is_accepted(self, bench, run):
        bench.put_model(a.gz(a.tar(a.folder("/"), a.file("model.bin"))))
        assert run().exit_code == 0
        assert bench.report["mode"] == "splice"

    def test_splice_can_be_demanded_and_says_why_it_cannot(self, bench, run):
        bench.put_model(a.gz(a.tar(a.file("model.bin"), a.file("code/old.py"))))
        result = run("--mode", "splice")
        assert result.exit_code == 3
        assert "the model has its own 'code/old.py'" in result.message


class TestStream:
    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("model.tar", a.MODEL),
            ("model.tar.bz2", bz2.compress(a.MODEL)),
            ("model.tar.bz2", bz2.compress(a.MODEL[:1024]) + bz2.compress(a.MODEL[1024:])),
            ("model.tar.xz", lzma.compress(a.MODEL)),
            (
                "model.tar.xz",
                lzma.compress(a.MODEL[:700]) + lzma.compress(a.MODEL[700:]) + bytes(8),
            ),
            ("model.tar.gz", a.gz(a.MODEL[:700]) + a.gz(a.MODEL[700:])),
        ],
        ids=[
            "tar",
            "bzip2",
            "two bzip2 streams",
            "xz",
            "two xz streams, padded",
            "two gzip members",
        ],
    )
    def test_what_is_not_one_gzip_member_is_streamed(self, bench, run, name, data):
        bench.put_model(data, name)
        assert run().exit_code == 0
        assert bench.report["mode"] == "stream"
        assert names_of(bench) == [*CODE, *MODEL_NAMES]

    def test_loose_files_are_streamed(self, bench, run, tmp_path):
        bench.put_model(b"weights" * 1000, "model.bin")
        bench.put_model(b"x" * 3_000_000, "a/b/" + "c" * 120 + "/deep.bin")
        bench.put_model("é".encode(), "naïve.txt")
        (bench.model / "link").symlink_to("a/b")
        assert run().exit_code == 0
        assert bench.report["mode"] == "stream"
        assert bench.report["model"]["kind"] == "files"
        target = tmp_path / "unpacked"
        target.mkdir()
        unpack_with_gnu_tar(bench.archive, target)
        expected = contents(bench.model)
        assert contents(target) == {
            **expected,
            "code": None,
            "code/inference.py": (bench.scripts / "inference.py").read_bytes(),
        }
        assert any("'link'" in warning for warning in bench.report["warnings"])

    def test_large_random_and_repetitive_blocks_come_back_as_they_were(self, bench, run, tmp_path):
        noise = hashlib.sha256(b"").digest()
        blocks = [noise]
        while len(blocks) < 50_000:
            blocks.append(hashlib.sha256(blocks[-1]).digest())
        bench.put_model(b"".join(blocks) + b"text " * 400_000 + b"".join(blocks), "model.bin")
        assert run("--paranoid").exit_code == 0
        target = tmp_path / "unpacked"
        target.mkdir()
        unpack_with_tarfile(bench.archive, target)
        assert contents(target)["model.bin"] == (bench.model / "model.bin").read_bytes()

    def test_streaming_can_be_demanded(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        assert run("--mode", "stream").exit_code == 0
        assert bench.report["mode"] == "stream"
        assert names_of(bench) == [*CODE, *MODEL_NAMES]


class TestExistingCode:
    OLD = a.tar(
        a.file("model.bin"),
        a.folder("code/"),
        a.file("code/inference.py", b"old"),
        a.file("code/helper.py", b"old helper"),
        a.folder("code/lib/"),
        a.file("code/lib/old.py", b"old"),
    )
    OLD_FILES: ClassVar = ["code/inference.py", "code/helper.py", "code/lib/old.py"]

    def unpacked(self, bench: Bench, tmp_path: Path) -> dict[str, object]:
        target = tmp_path / "unpacked"
        target.mkdir()
        unpack_with_gnu_tar(bench.archive, target)
        return contents(target)

    def test_replace_makes_the_shipped_scripts_the_whole_of_code(self, bench, run, tmp_path):
        bench.put_model(a.gz(self.OLD))
        assert run("--existing-code", "replace").exit_code == 0
        assert self.unpacked(bench, tmp_path) == {
            "model.bin": b"weights",
            "code": None,
            "code/inference.py": (bench.scripts / "inference.py").read_bytes(),
        }
        assert bench.report["model"]["replaced_entries"] == 5
        assert bench.report["model"]["replaced_files"] == self.OLD_FILES
        assert bench.report["existing_code"] == "replace"
        assert bench.report["warnings"] == []  # it was asked for

    def test_where_nobody_chose_replacing_is_warned_of_by_name(self, bench, run):
        bench.put_model(a.gz(self.OLD))
        result = run()
        assert result.exit_code == 0
        assert bench.names() == ["code", "code/inference.py", "model.bin"]
        [warning] = bench.report["warnings"]
        assert f"mims_package: warning: {warning}" in result.stdout
        for path in self.OLD_FILES:
            assert f"'{path}'" in warning
        assert bench.report["existing_code"] == "auto"

    def test_of_many_replaced_files_the_first_of_each_folder_are_named(self, bench, run):
        bench.put_extra("calibration/new.json", "{}")
        code = [a.file(f"code/{number:02}.py") for number in range(30)]
        calibration = a.file("calibration/old.json")
        bench.put_model(a.gz(a.tar(*code, calibration, a.file("model.bin"))))
        run()
        named = [f"code/{number:02}.py" for number in range(20)] + ["calibration/old.json"]
        assert bench.report["model"]["replaced_files"] == named
        assert "'calibration/old.json' and 10 more" in bench.report["warnings"][0]

    def test_overlay_keeps_old_files_unless_shipped_anew(self, bench, run, tmp_path):
        bench.put_model(a.gz(self.OLD))
        bench.script("lib", "a file where a folder was")
        assert run("--existing-code", "overlay").exit_code == 0
        assert self.unpacked(bench, tmp_path) == {
            "model.bin": b"weights",
            "code": None,
            "code/inference.py": (bench.scripts / "inference.py").read_bytes(),
            "code/helper.py": b"old helper",
            "code/lib": b"a file where a folder was",
        }

    def test_refuse_names_the_entry(self, bench, run):
        bench.put_model(a.gz(self.OLD))
        result = run("--existing-code", "refuse")
        assert result.exit_code == 3
        assert "already has 'code'" in result.message

    def test_an_extra_input_replaces_a_folder_of_its_name(self, bench, run, tmp_path):
        bench.put_model(a.gz(a.tar(a.file("model.bin"), a.file("calibration/old.json"))))
        bench.put_extra("calibration/new.json", "{}")
        assert run().exit_code == 0
        assert sorted(self.unpacked(bench, tmp_path)) == [
            "calibration",
            "calibration/new.json",
            "code",
            "code/inference.py",
            "model.bin",
        ]

    def test_an_extra_input_may_arrive_as_one_zip(self, bench, run, tmp_path):
        bench.put_model(a.gz(a.MODEL))
        bench.put_extra("vocabulary/lists.zip", "kept as it is")
        (bench.extra / "calibration").mkdir()
        with zipfile.ZipFile(bench.extra / "calibration" / "0123.zip", "w") as archive:
            archive.writestr("tables/a.json", "{}")
            archive.writestr("b.json", "{}")
        assert run("--unzip-extra", "calibration").exit_code == 0
        unpacked = self.unpacked(bench, tmp_path)
        assert [name for name in sorted(unpacked) if name.startswith(("calib", "vocabulary"))] == [
            "calibration",
            "calibration/b.json",
            "calibration/tables",
            "calibration/tables/a.json",
            "vocabulary",
            "vocabulary/lists.zip",
        ]

    def test_a_global_header_before_a_dropped_entry_is_not_left_at_the_end(self, bench, run):
        comment = a.pax({"comment": "of git archive"}, b"g")
        bench.put_model(a.gz(a.tar(a.file("model.bin"), comment, a.file("code/old.py"))))
        assert run("--paranoid").exit_code == 0
        assert bench.report["mode"] == "stream"
        assert "model.bin" in bench.names()

    def test_a_hard_link_to_a_replaced_file_is_refused(self, bench, run):
        bench.put_model(a.gz(a.tar(a.file("code/w.bin"), a.hard_link("w.bin", "code/w.bin"))))
        result = run()
        assert result.exit_code == 3
        assert "hard link to 'code/w.bin', which is replaced" in result.message


class TestScripts:
    def test_a_zip_ships_the_same_bytes_as_the_folder_it_was_made_of(self, bench, run, tmp_path):
        bench.put_model(a.gz(a.MODEL))
        bench.script("lib/util.py", "x = 1\n")
        bench.script("lib-2/z.py", "y = 1\n")
        run()
        from_folder = bench.archive.read_bytes()
        asset = tmp_path / "0123abcd.zip"
        with zipfile.ZipFile(asset, "w") as zipped:
            for path in sorted(bench.scripts.rglob("*.py"), reverse=True):
                zipped.write(path, str(path.relative_to(bench.scripts)))
        for path in sorted(bench.scripts.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        asset.rename(bench.scripts / asset.name)
        assert run().exit_code == 0
        assert bench.archive.read_bytes() == from_folder

    def test_what_never_ships_is_left_out_and_counted(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        for path in (
            ".git/config",
            "__pycache__/inference.cpython-311.pyc",
            "lib/stale.pyc",
            ".ipynb_checkpoints/a.ipynb",
            ".env",
            "lib/.DS_Store",
            "lib/._kept.py",
            "Thumbs.db",
            "tests/test_it.py",
            "notes/private.txt",
            "data.csv",
        ):
            bench.script(path)
        bench.script("lib/kept.py")
        bench.script(".packageignore", "# not for the endpoint\ntests/\n/notes\n*.csv\n")
        assert run().exit_code == 0
        assert names_of(bench) == [*CODE, "code/lib", "code/lib/kept.py", *MODEL_NAMES]
        assert bench.report["scripts"]["left_out"] == 12
        assert bench.report["scripts"]["files"] == 2

    def test_a_symlink_in_what_is_left_out_does_no_harm(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        (bench.scripts / ".git").mkdir()
        (bench.scripts / ".git" / "link").symlink_to("/etc/passwd")
        assert run().exit_code == 0

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("def model_fn(model_dir)\n    return 1\n", "line 1: "),
            ("def model_fn(model_dir):\nreturn 1\n", "line 2: expected an indented block"),
            ("print 'loaded'\n", "line 1: Missing parentheses in call to 'print'"),
            ("x = 1\0\n", "null bytes"),
        ],
    )
    @pytest.mark.parametrize("zipped", [False, True])
    def test_an_entry_point_that_no_python_reads_is_refused(self, bench, run, zipped, text, fault):
        bench.script("inference.py", text)
        if zipped:
            packed = shutil.make_archive(str(bench.root / "packed"), "zip", bench.scripts)
            (bench.scripts / "inference.py").unlink()
            shutil.move(packed, bench.scripts)
        bench.put_model(a.gz(a.MODEL))
        result = run()
        assert result.exit_code == 3
        assert "the inference entry point 'inference.py' can't be imported by any" in result.message
        assert fault in result.message
        assert result.message.endswith("mend the script")
        assert not bench.archive.exists()

    def test_what_is_no_python_or_no_entry_point_may_read_as_it_likes(self, bench, run):
        bench.script("templates/broken.py", "def (")
        bench.script("serve.sh", "if true; then")
        bench.put_model(a.gz(a.MODEL))
        assert run().exit_code == 0
        assert run("--inference-entry-point", "serve.sh").exit_code == 0

    def test_the_entry_point_must_be_there(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        bench.script("serving/inference.py")
        result = run("--inference-entry-point", "serving/inferance.py")
        assert result.exit_code == 3
        assert "'serving/inferance.py' is not among the scripts" in result.message
        assert "the nearest is 'serving/inference.py'" in result.message
        assert run("--inference-entry-point", "serving/inference.py").exit_code == 0

    def test_executable_scripts_stay_executable_and_nothing_else_of_the_mode(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        bench.script("serve", "#!/bin/sh\n").chmod(0o4711)
        (bench.scripts / "inference.py").chmod(0o600)
        run()
        with tarfile.open(bench.archive) as archive:
            modes = {member.name: member.mode for member in archive}
        assert modes["code/serve"] == 0o755
        assert modes["code/inference.py"] == 0o644


class TestWithoutScripts:
    def test_the_model_is_published_as_it_is_and_the_report_says_so(self, bench, run, tmp_path):
        own = a.tar(a.file("code/inference.py", b"own"), a.file("model.bin"))
        bench.put_model(a.gz(own))
        bench.script("unused.py")
        result = run("--without-scripts", "--paranoid")
        assert result.exit_code == 0
        assert bench.names() == ["code/inference.py", "model.bin"]
        assert bench.report["mode"] == "splice"
        assert bench.report["scripts"] is None
        assert bench.report["model"]["replaced_files"] == []
        assert result.event["scripts_digest"] is None
        jsonschema.validate(bench.report, json.loads(REPORT_SCHEMA.read_text()))

    @pytest.mark.parametrize("mode", ["splice", "stream"])
    def test_extra_inputs_still_go_in_front(self, bench, run, mode):
        bench.put_model(a.gz(a.MODEL))
        bench.put_extra("calibration/c.json", "{}")
        shutil.rmtree(bench.scripts)  # nothing is mounted there
        assert run("--without-scripts", "--mode", mode, "--paranoid").exit_code == 0
        assert names_of(bench) == ["calibration", "calibration/c.json", *MODEL_NAMES]
        assert [extra["name"] for extra in bench.report["extra_inputs"]] == ["calibration"]
        assert bench.report["extra_inputs"][0]["files"] == 1

    def test_a_package_without_an_entry_point_is_one_only_if_it_is_said(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        assert run("--without-scripts").exit_code == 0
        check = ("--check", str(bench.archive), "--message-file", str(bench.message_file))
        assert mims_package.main(check) == 3
        assert "so nothing would serve the model" in bench.message()
        assert mims_package.main((*check, "--without-scripts")) == 0

    def test_scripts_can_come_and_go(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        assert run().exit_code == 0
        bench.use_package_as_model()
        assert run("--without-scripts").exit_code == 0
        assert names_of(bench) == [*CODE, *MODEL_NAMES]  # it has become the model's own


class TestWhichArchive:
    def test_two_archives_are_an_error_that_names_both(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        bench.put_model(a.gz(a.MODEL), "model-2.tgz")
        result = run()
        assert result.exit_code == 3
        assert "'model-2.tgz' and 'model.tar.gz'" in result.message

    def test_files_of_the_same_stem_are_ignored_and_reported(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        for name in ("model.tar.gz.sig", "model.manifest.json", "manifest.json"):
            bench.put_model(b"?", name)
        assert run().exit_code == 0
        assert bench.report["ignored_inputs"] == [
            "manifest.json",
            "model.manifest.json",
            "model.tar.gz.sig",
        ]

    def test_an_unrelated_file_beside_the_archive_is_an_error(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        bench.put_model(b"?", "vocab.txt")
        result = run()
        assert result.exit_code == 3
        assert "'model.tar.gz' and also 'vocab.txt'" in result.message

    @pytest.mark.parametrize(
        "form", ["{digest}", "{digest}  model.tar.gz\n", "x ({name}) = {digest}"]
    )
    @pytest.mark.parametrize("algorithm", ["sha256", "md5"])
    def test_a_digest_file_is_checked(self, bench, run, algorithm, form):
        model = a.gz(a.MODEL)
        bench.put_model(model)
        digest = hashlib.new(algorithm, model).hexdigest()
        sidecar = f"model.tar.gz.{algorithm}"
        bench.put_model(form.format(digest=digest, name="model.tar.gz").encode(), sidecar)
        assert run().exit_code == 0
        bench.put_model(
            form.format(digest="0" * len(digest), name="model.tar.gz").encode(), sidecar
        )
        for mode in ("splice", "stream"):
            result = run("--mode", mode)
            assert result.exit_code == 3
            assert f"'model.tar.gz' does not match '{sidecar}'" in result.message

    def test_an_archive_without_an_archive_s_name_is_recognised(self, bench, run):
        bench.put_model(a.gz(a.MODEL), "output")
        assert run().exit_code == 0
        assert bench.report["mode"] == "splice"

    @pytest.mark.parametrize(
        ("name", "data", "what"),
        [
            ("model.zip", b"PK\x03\x04" + b"x" * 600, "zip data"),
            ("model.pkl", b"\x80\x04" + b"x" * 600, "no tar archive"),
            ("model.joblib.gz", gzip.compress(b"weights" * 500), "no tar archive"),
            ("model", b"", "empty"),
        ],
    )
    def test_one_announced_object_must_be_an_archive(self, bench, run, name, data, what):
        bench.announce(f"s3://bucket/models/churn/{name}")
        bench.put_model(data, name)
        bench.put_model(b"", f"{name}.sig")
        result = run()
        assert result.exit_code == 3
        assert f"the model '{name}' is {what}, and a model that is one object" in result.message
        assert not bench.archive.exists()

    @pytest.mark.parametrize("uri", ["s3://bucket/models/churn/", "s3://bucket/models/churn"])
    def test_a_prefix_of_loose_files_still_packs(self, bench, run, uri):
        bench.announce(uri)
        bench.put_model(b"PK\x03\x04" + b"x" * 600, "model.zip")
        bench.put_model(b"weights", "weights/model.bin")
        assert run().exit_code == 0
        assert {"model.zip", "weights/model.bin"} <= set(bench.names())

    def test_a_folder_may_be_called_as_its_prefix_is(self, bench, run):
        bench.announce("s3://bucket/models/weights")
        bench.put_model(b"x", "weights/model.bin")
        assert run().exit_code == 0

    def test_a_single_gzip_that_holds_no_tar_is_a_loose_file(self, bench, run):
        bench.put_model(gzip.compress(b"weights" * 500), "model.joblib.gz")
        assert run().exit_code == 0
        assert bench.names() == [*CODE, "model.joblib.gz"]


class TestReport:
    def test_it_says_what_went_in_and_what_came_out(self, bench, run, monkeypatch):
        job = {
            "ProcessingInputs": [
                {"InputName": "data", "DatasetDefinition": {}},
                {"S3Input": {"LocalPath": str(bench.scripts), "S3Uri": "s3://bucket/scripts.zip"}},
                {"S3Input": {"LocalPath": str(bench.model), "S3Uri": "s3://bucket/model.tar.gz"}},
            ]
        }
        bench.job_config_file.write_text(json.dumps(job))
        monkeypatch.setenv("MIMS_MODEL_ETAG", "abc123")
        model = a.gz(a.MODEL)
        bench.put_model(model)
        bench.put_extra("calibration/c.json", "{}")
        result = run()
        package = bench.archive.read_bytes()
        report = bench.report
        assert report["source"] == {
            "uri": "s3://bucket/model.tar.gz",
            "etag": "abc123",
            "file": "model.tar.gz",
            "name_checked": True,
            "bytes_checked": False,
            "content_checked": False,
            "content_unchecked_because": "the bucket may hold objects whose ETag is no MD5",
        }
        assert report["archive"] == {
            "file": "model.tar.gz",
            "bytes": len(package),
            "sha256": hashlib.sha256(package).hexdigest(),
            "unpacked_bytes": len(gzip.decompress(package)),
            "files": 4,
        }
        assert report["model"]["sha256"] == hashlib.sha256(model).hexdigest()
        assert report["model"]["files"] == 2
        assert report["extra_inputs"][0]["name"] == "calibration"
        assert result.event["event"] == "mims_package.done"
        assert result.event["archive_sha256"] == report["archive"]["sha256"]
        assert list(report)[:5] == ["schema_version", "version", "source", "archive", "model"]

    @pytest.mark.parametrize("text", ["", "[1]", "{}", '{"ProcessingInputs": [{"S3Input": 1}]}'])
    def test_it_does_without_the_source_where_nobody_tells_it(self, bench, run, text):
        bench.put_model(a.gz(a.MODEL))
        bench.job_config_file.write_text(text)
        assert run().exit_code == 0
        assert bench.report["source"]["uri"] is None

    @pytest.mark.parametrize("mode", ["splice", "stream"])
    def test_it_keeps_to_its_schema(self, bench, run, mode):
        bench.put_model(a.gz(a.MODEL))
        bench.put_model(b"", "model.tar.gz.sig")
        bench.put_extra("calibration/c.json", "{}")
        run("--mode", mode)
        schema = json.loads(REPORT_SCHEMA.read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(bench.report, schema)

    def test_only_the_seconds_differ_between_runs(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        reports = []
        for _ in range(2):
            run()
            report = bench.report
            assert report.pop("seconds") >= 0
            assert report.pop("bytes_per_second") > 0
            reports.append(json.dumps(report))
        assert reports[0] == reports[1]

    def test_names_that_differ_in_case_are_warned_of(self, bench, run):
        bench.put_model(a.gz(a.tar(a.file("Model.bin"), a.file("model.bin"), a.file("CODE/x"))))
        assert run().exit_code == 0
        assert "'model.bin', 'CODE'" in bench.report["warnings"][0]


class TestDeterminism:
    @pytest.mark.parametrize("mode", ["splice", "stream"])
    def test_clock_order_owner_and_cores_do_not_matter(self, bench, run, monkeypatch, mode):
        bench.put_model(a.gz(a.MODEL))
        for name in "zebra", "alpha", "Mike":
            bench.script(f"lib/{name}.py", name * 1000)
        run("--mode", mode)
        first = bench.archive.read_bytes()
        os.utime(bench.scripts / "inference.py", (1, 1))
        monkeypatch.setattr(deflate, "available_cores", lambda: 7)
        real = os.listdir
        monkeypatch.setattr(os, "listdir", lambda path: sorted(real(path), reverse=True))
        run("--mode", mode)
        assert bench.archive.read_bytes() == first

    def test_loose_files_give_the_same_bytes_whatever_the_times(self, bench, run):
        bench.put_model(b"w" * 700_000, "b.bin")
        bench.put_model(b"v", "a/a.bin")
        run()
        first = bench.archive.read_bytes()
        for path in bench.model.rglob("*"):
            os.utime(path, (1, 1))
        run()
        assert bench.archive.read_bytes() == first


class TestTheProgram:
    def test_it_runs_as_a_process_and_says_so_in_one_structured_line(self, bench):
        bench.put_model(a.gz(a.MODEL))
        result = bench.run_process()
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.event["mode"] == "splice"
        assert "splicing 'model.tar.gz'" in result.stdout
        assert bench.leftovers() == ["output/model.tar.gz", "report/package_report.json"]

    def test_a_failure_leaves_its_reason_and_no_output(self, bench):
        bench.put_model(a.gz(a.MODEL))
        assert bench.run_process().exit_code == 0
        bench.put_model(a.gz(a.MODEL)[:-20])
        result = bench.run_process()
        assert result.exit_code == 3
        assert "'model.tar.gz' is cut off" in result.message
        assert result.stderr.count("\n") == 1
        assert result.event == {
            "event": "mims_package.failed",
            "pipeline": None,
            "execution": None,
            "exit_code": 3,
            "reason": result.message,
        }
        assert bench.leftovers() == []

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["--mode", "fast"], "invalid choice: 'fast'"),
            (["--max-members", "-1"], "'-1' is not a size"),
            (["--max-content-bytes", "0"], "'0' is not a size"),
            (["--inference-entry-point", "../x.py"], "not a plain relative path"),
            (["--inference-entry-point", "/x.py"], "not a plain relative path"),
            (["--nonsense"], "unrecognized arguments: --nonsense"),
        ],
    )
    def test_a_wrong_command_line_is_exit_code_2(self, bench, arguments, reason):
        result = bench.run_process(*arguments)
        assert result.exit_code == 2
        assert reason in result.message
        assert "Traceback" not in result.stderr

    def test_the_message_is_one_line_of_at_most_a_kilobyte(self, bench, run):
        bench.put_model(a.gz(a.tar(a.file("x\n" * 45, typeflag=b"6"))))
        result = run("--inference-entry-point", "é" * 3000)
        assert result.exit_code == 3
        assert "\n" not in result.message
        assert len(result.message.encode()) <= 1024

    @pytest.mark.parametrize("flag", ["--output-dir", "--report-file"])
    def test_an_input_is_never_taken_for_what_an_earlier_run_left(self, bench, run, flag):
        model = bench.put_model(a.gz(a.MODEL))
        place = {"--output-dir": model.parent, "--report-file": model}[flag]
        result = run(flag, str(place))
        assert (result.exit_code, "leads into the input" in result.message) == (2, True)
        assert model.read_bytes() == a.gz(a.MODEL)

    def test_what_is_no_file_is_not_replaced(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        os.mkfifo(bench.root / "pipe")
        result = run("--report-file", str(bench.root / "pipe"))
        assert (result.exit_code, "is no file" in result.message) == (2, True)
        assert (bench.root / "pipe").is_fifo()

    def test_a_message_goes_neither_into_a_pipe_without_reader_nor_over_a_model(self, bench, run):
        os.mkfifo(bench.root / "pipe")
        model = bench.put_model(b"no archive" * 1000)
        for place in (bench.root / "pipe", model):
            assert run("--message-file", str(place)).exit_code == 3
        assert model.read_bytes() == b"no archive" * 1000

    def test_a_closed_error_stream_and_an_ascii_log_are_no_reason_to_fail(self, bench):
        bench.put_model(a.gz(a.MODEL), "modèle.tar.gz")
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, str(SCRIPT), *bench.arguments()],
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            stdout=subprocess.PIPE,
            check=False,
        )
        assert done.returncode == 0
        assert b"mod\\xe8le.tar.gz" in done.stdout

    def test_an_input_that_may_not_be_read_is_bad_input(self, bench, run, monkeypatch):
        bench.put_model(a.gz(a.MODEL))

        def no_permission(path):
            raise PermissionError(errno.EACCES, "Permission denied", path)

        monkeypatch.setattr(model_input, "sniff", no_permission)
        result = run()
        assert (result.exit_code, "cannot be read: Permission denied" in result.message) == (
            3,
            True,
        )

    @pytest.mark.parametrize(
        "limit",
        [("--max-content-bytes", "10240"), ("--max-members", "1")],
        ids=lambda limit: limit[0],
    )
    def test_the_limits_of_the_model_are_not_those_of_the_package(self, bench, run, limit):
        bench.put_model(a.gz(a.tar(a.file("model.bin"))))
        assert run("--paranoid", *limit).exit_code == 0

    def test_a_message_file_that_cannot_be_written_hides_nothing(self, bench):
        bench.message_file = bench.scripts / "inference.py" / "message"
        result = bench.run_process()
        assert result.exit_code == 3
        assert "is empty" in result.event["reason"]
        assert "the message file could not be written" in result.stdout

    def test_other_files_in_the_output_folder_are_left_alone(self, bench, run):
        bench.put_model(a.gz(a.MODEL))
        bench.out.mkdir()
        (bench.out / "note.txt").write_text("mine")
        assert run().exit_code == 0
        assert (bench.out / "note.txt").read_text() == "mine"

    def test_without_unnamed_files_a_hidden_name_stands_in(self, bench, run, monkeypatch):
        real = os.open

        def no_tmpfile(path, flags, *more, **keywords):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "not here")
            return real(path, flags, *more, **keywords)

        monkeypatch.setattr(os, "open", no_tmpfile)
        bench.put_model(a.gz(a.MODEL))
        bench.out.mkdir()
        (bench.out / ".model.tar.gz.4711.partial").write_text("of a run that was killed")
        assert run("--paranoid").exit_code == 0
        assert bench.leftovers() == ["output/model.tar.gz", "report/package_report.json"]
        assert stat.S_IMODE(bench.archive.stat().st_mode) & 0o444 == 0o444
        bench.put_model(a.gz(a.MODEL)[:-1])
        assert run().exit_code == 3

    def test_version_and_help_name_the_program(self, capsys):
        for flag in ("--version", "--help"):
            with pytest.raises(SystemExit) as stopped:
                mims_package.main([flag])
            assert stopped.value.code == 0
        told = capsys.readouterr().out
        assert "mims_package.py 1." in told
        # The entry point as hosting takes it, not as a path.
        assert "SAGEMAKER_PROGRAM=serving.inference" in "".join(told.split())

    def test_progress_goes_on_every_ten_seconds_and_says_time_left(self, capsys, monkeypatch):
        assert log.Progress.LOG_SECONDS <= 10
        monkeypatch.setattr(log.Progress, "LOG_SECONDS", 0.01)
        with log.Progress(1000) as progress:
            progress.done = 500
            progress._stop.wait(0.1)
        lines = capsys.readouterr().out.splitlines()
        assert lines[-1].startswith("mims_package: progress: 500 B of 1.0 kB (50 %)")
        assert "s left" in lines[-1]

    def test_a_terminal_gets_a_bar(self, monkeypatch):
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(log.Progress, "BAR_SECONDS", 0.01)
        with log.Progress(1000) as progress:
            progress.done = 500
            progress._stop.wait(0.1)
        assert "[###############...............]" in terminal.getvalue()


class TestCheck:
    def test_a_good_package_passes(self, bench, run, capfd):
        bench.put_model(a.gz(a.MODEL))
        run()
        assert mims_package.main(["--check", str(bench.archive)]) == 0
        event = json.loads(capfd.readouterr().out)
        assert event["event"] == "mims_package.checked"
        assert event["sha256"] == bench.report["archive"]["sha256"]
        assert event["files"] == 3

    @pytest.mark.parametrize(
        ("archive", "reason"),
        [
            (a.gz(a.MODEL), "has no code/inference.py"),
            (a.gz(a.MODEL, crc=1), "does not match its gzip trailer"),
            (a.gz(a.MODEL) + a.gz(b""), "several gzip members"),
            (a.gz(a.MODEL)[:-30], "is cut off"),
            (b"no gzip", "damaged gzip header"),
        ],
    )
    def test_a_bad_one_does_not(self, bench, archive, reason):
        path = bench.put_model(archive)
        arguments = ["--check", str(path), "--message-file", str(bench.message_file)]
        assert mims_package.main(arguments) == 3
        assert reason in bench.message()
