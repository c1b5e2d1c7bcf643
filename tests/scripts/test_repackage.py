"""Packaging a package again: new scripts for the same model, without recompressing it."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib

import pytest

from . import archives as a
from .conftest import Bench
from .forged_seam import forged

MODEL = a.tar(a.folder("./"), a.file("./model.bin", b"weights" * 9000), a.file("./z", b"z"))


def first_package(bench: Bench, run, *arguments: str) -> None:
    bench.put_model(a.gz(MODEL))
    bench.script("old.py", "old = 1\n" * 200)
    assert run(*arguments).exit_code == 0
    (bench.scripts / "old.py").unlink()
    bench.script("new.py", "new = 1\n")


@pytest.mark.parametrize("first_mode", ["splice", "stream"])
def test_a_package_gives_the_same_bytes_as_its_model(bench, run, first_mode):
    first_package(bench, run, "--mode", first_mode)
    bench.use_package_as_model()
    assert run("--mode", "splice", "--paranoid").exit_code == 0
    again = bench.archive.read_bytes()
    assert "sync flush" in bench.report["mode_reason"]
    names = bench.names()
    assert "code/new.py" in names
    assert "code/old.py" not in names

    if first_mode == "splice":  # the very bytes that packaging the original gives
        bench.put_model(a.gz(MODEL))
        run()
        assert again == bench.archive.read_bytes()


def test_ten_times_over_leaves_no_trace(bench, run):
    bench.put_model(a.gz(MODEL))
    run()
    first = bench.archive.read_bytes()
    for round_number in range(10):
        bench.use_package_as_model()
        bench.script("inference.py", f"# round {round_number}\n" * (1 + 50 * round_number))
        assert run("--mode", "splice").exit_code == 0
    bench.use_package_as_model()
    bench.script("inference.py", "def model_fn(model_dir): ...\n")
    assert run("--mode", "splice").exit_code == 0
    assert bench.archive.read_bytes() == first


def test_extra_inputs_are_replaced_too(bench, run):
    bench.put_extra("calibration/c.json", "1")
    first_package(bench, run)
    bench.use_package_as_model()
    bench.put_extra("calibration/c.json", "2")
    assert run("--mode", "splice").exit_code == 0
    with tarfile.open(bench.archive) as archive:
        table = archive.extractfile("calibration/c.json")
        assert table is not None
        assert table.read() == b"2"


def test_an_extra_input_that_no_longer_comes_is_kept_by_streaming(bench, run):
    bench.put_extra("calibration/c.json", "1")
    first_package(bench, run)
    bench.use_package_as_model()
    (bench.extra / "calibration" / "c.json").unlink()
    (bench.extra / "calibration").rmdir()
    assert run("--paranoid").exit_code == 0
    assert bench.report["mode"] == "stream"
    assert "calibration/c.json" in bench.names()


def test_overlay_splices_when_all_old_files_ship_anew_and_streams_otherwise(bench, run):
    bench.put_model(a.gz(MODEL))
    run()
    bench.use_package_as_model()
    bench.script("inference.py", "anew")
    assert run("--existing-code", "overlay").exit_code == 0
    assert bench.report["mode"] == "splice"
    bench.use_package_as_model()
    (bench.scripts / "inference.py").rename(bench.scripts / "other.py")
    overlay = run("--existing-code", "overlay", "--inference-entry-point", "other.py")
    assert overlay.exit_code == 0
    assert bench.report["mode"] == "stream"
    assert {"code/inference.py", "code/other.py"} <= set(bench.names())


def test_a_large_front_of_many_blocks_is_cut_off_whole(bench, run):
    noise = bytes(range(256)) * 12_000
    bench.script("data.txt", noise.decode("latin-1"))
    first_package(bench, run)
    bench.use_package_as_model()
    (bench.scripts / "data.txt").unlink()
    assert run("--mode", "splice", "--paranoid").exit_code == 0
    assert "code/data.txt" not in bench.names()


def test_a_sync_mark_inside_a_script_is_no_seam(bench, run):
    # Stored as it is, the script's text contains the very bytes that end a sync flush.
    (bench.scripts / "marks.bin").write_bytes(b"\x00\x00\xff\xff" * 3000)
    first_package(bench, run)
    bench.use_package_as_model()
    assert run("--mode", "splice", "--paranoid").exit_code == 0


def test_a_sync_mark_that_is_data_cannot_pass_for_a_seam(bench, run):
    said, hidden = a.file("model.bin", b"GOOD " * 200), a.file("model.bin", b"EVIL " * 200)
    bench.put_model(forged(said, hidden))
    refused = run("--mode", "splice")
    assert (refused.exit_code, "not a package's" in refused.message) == (3, True)
    assert run().exit_code == 0
    with tarfile.open(bench.archive) as archive:
        assert archive.getnames() == ["code", "code/inference.py", "model.bin"]
        model = archive.extractfile("model.bin")
        assert model is not None
        assert model.read() == b"GOOD " * 200


def test_code_at_the_front_without_a_sync_flush_is_streamed(bench, run):
    bench.put_model(a.gz(a.tar(a.file("code/inference.py", b"old"), a.file("model.bin"))))
    assert run("--paranoid").exit_code == 0
    assert bench.report["mode"] == "stream"
    assert "not a package's" in bench.report["mode_reason"]


def test_code_at_the_front_and_in_the_rest_is_streamed(bench, run):
    first_package(bench, run)
    package = gzip.decompress(bench.archive.read_bytes())
    front_size = package.index(b"./\0")
    tail = package[front_size:-1024].rstrip(b"\0") + bytes(
        -len(package[front_size:-1024].rstrip(b"\0")) % 512
    )
    content = package[:front_size] + tail + a.tar(a.file("code/late.py"))
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = compressor.compress(content[:front_size]) + compressor.flush(zlib.Z_FULL_FLUSH)
    body += compressor.compress(content[front_size:]) + compressor.flush()
    trailer = a.struct.pack("<II", zlib.crc32(content), len(content))
    bench.put_model(a.gz_header() + body + trailer)
    assert run("--paranoid").exit_code == 0
    assert bench.report["mode"] == "stream"
    assert "code/late.py" in bench.report["mode_reason"]
    assert "code/late.py" not in bench.names()


def test_a_global_header_at_the_front_goes_on_for_what_stays(bench, run):
    """Cut off with the code behind it, it would take the entries' times along."""
    front = a.pax({"mtime": "1000000000"}, b"g") + a.file("code/old.py")
    content = front + a.tar(a.file("model.bin"))
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = compressor.compress(front) + compressor.flush(zlib.Z_FULL_FLUSH)
    body += compressor.compress(content[len(front) :]) + compressor.flush()
    trailer = a.struct.pack("<II", zlib.crc32(content), len(content))
    bench.put_model(a.gz_header() + body + trailer)
    assert run("--paranoid").exit_code == 0
    with tarfile.open(bench.archive) as archive:
        assert archive.getmember("model.bin").mtime == 1_000_000_000


def test_blocks_that_refer_into_the_dropped_front_are_streamed(bench, run):
    """A sync flush keeps the window, so what follows may copy from the code: not to be cut off."""
    text = bytes(range(256)) * 40
    front = a.file("code/inference.py", text)
    rest = a.tar(a.file("model.bin", text))
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = compressor.compress(front) + compressor.flush(zlib.Z_SYNC_FLUSH)
    body += compressor.compress(rest) + compressor.flush()
    trailer = a.struct.pack("<II", zlib.crc32(front + rest), len(front + rest))
    bench.put_model(a.gz_header() + body + trailer)
    assert run("--paranoid").exit_code == 0
    assert bench.report["mode"] == "stream"
    assert "cannot be cut off" in bench.report["mode_reason"]
    with tarfile.open(bench.archive) as archive:
        model = archive.extractfile("model.bin")
        assert model is not None
        assert model.read() == text


def test_a_damaged_package_is_refused(bench, run):
    first_package(bench, run)
    data = bytearray(bench.archive.read_bytes())
    data[-6] ^= 1  # in the trailer's CRC
    bench.put_model(bytes(data))
    result = run()
    assert result.exit_code == 3
    assert "is damaged" in result.message


def test_global_headers_of_the_model_survive(bench, run):
    model = a.tar(a.pax({"comment": "abc"}, b"g"), a.file("model.bin"))
    bench.put_model(a.gz(model))
    run()
    first = bench.archive.read_bytes()
    bench.use_package_as_model()
    assert run("--mode", "splice").exit_code == 0
    assert bench.archive.read_bytes() == first
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        archive.getmembers()
        assert archive.pax_headers == {"comment": "abc"}
