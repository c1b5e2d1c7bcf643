"""The output appears complete or not at all, whatever happens."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import mims_package
import pytest
from mims_engine import atomic_file, errors, sizes, splice, stream

from . import archives as a
from .conftest import SCRIPT, Bench


@pytest.fixture(scope="module")
def large_model() -> bytes:
    """About 30 MB that take a third of a second to verify."""
    noise = random.Random(1).randbytes if sys.version_info >= (3, 9) else os.urandom
    weights = bytes(byte & 0x7F for byte in noise(1 << 20))
    return a.gz(a.tar(a.file("model.bin", weights * 32)), level=1)


def start(bench: Bench, program: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        bench.command(*more, program=program),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def seconds_of_a_run(bench: Bench, *more: str) -> float:
    started = time.monotonic()
    assert bench.run_process(*more).exit_code == 0
    return time.monotonic() - started


@pytest.mark.parametrize("mode", ["splice", "stream"])
def test_killed_at_any_moment_it_leaves_nothing_or_everything(bench, programs, large_model, mode):
    bench.put_model(large_model)
    whole = seconds_of_a_run(bench, "--mode", mode)
    package = bench.archive.read_bytes()
    moments = random.Random(7)
    finished = 0
    for number in range(20):
        process = start(bench, programs[("folder", "zip")[number % 2]], "--mode", mode)
        time.sleep(moments.uniform(0, whole * 1.1))
        process.kill()
        process.communicate()
        left = bench.leftovers()
        if "output/model.tar.gz" in left:
            # Either this run got to its end, or it was killed before it cleared the last output.
            assert bench.archive.read_bytes() == package
            finished += 1
        assert [name for name in left if "partial" in name] == []
        assert set(left) <= {"output/model.tar.gz", "report/package_report.json"}
    assert finished < 20
    assert bench.run_process("--mode", mode).exit_code == 0


@pytest.mark.parametrize("mode", ["splice", "stream"])
def test_sigterm_stops_it_with_a_reason_and_no_output(bench, staged_zip, large_model, mode):
    bench.put_model(large_model)
    process = start(bench, staged_zip, "--mode", mode)
    assert process.stdout.readline().startswith("mims_package 1.")  # its work begins
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 143
    assert bench.message() == "stopped by SIGTERM"
    assert "Traceback" not in errors
    assert '"exit_code": 143' in output
    assert bench.leftovers() == []


STOPPED_BETWEEN = """
import os, signal, sys, mims_package
from mims_engine import atomic_file
publish = atomic_file.AtomicFile.publish

def publish_and_be_stopped(file):
    publish(file)
    if file.path.endswith("model.tar.gz"):
        assert os.path.exists(file.path)
        os.kill(os.getpid(), signal.SIGTERM)

atomic_file.AtomicFile.publish = publish_and_be_stopped
sys.exit(mims_package.main(sys.argv[1:]))
"""


def test_sigterm_between_archive_and_report_takes_the_archive_back(bench):
    bench.put_model(a.gz(a.MODEL))
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_BETWEEN, *bench.arguments()],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent)},
        check=False,
    )
    assert done.returncode == 143
    assert bench.leftovers() == []


STOPPED_AFTER = """
import os, signal, sys, mims_package
from mims_engine import run
log_event = run.log_event

def be_stopped_and_log(*event, **fields):
    os.kill(os.getpid(), signal.SIGTERM)
    log_event(*event, **fields)

run.log_event = be_stopped_and_log
sys.exit(mims_package.main(sys.argv[1:]))
"""


def test_sigterm_after_the_report_does_not_call_a_success_a_failure(bench):
    bench.put_model(a.gz(a.MODEL))
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_AFTER, *bench.arguments()],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent)},
        check=False,
    )
    assert done.returncode == 0
    assert bench.message() == ""
    assert bench.leftovers() == ["output/model.tar.gz", "report/package_report.json"]


def test_sigterm_at_any_moment_is_answered_at_once(bench, programs, large_model):
    bench.put_model(large_model)
    whole = seconds_of_a_run(bench, "--mode", "stream")
    moments = random.Random(3)
    for number in range(12):
        program = programs[("folder", "zip")[number % 2]]
        process = start(bench, program, "--mode", moments.choice(["splice", "stream"]))
        time.sleep(moments.uniform(0.15, whole))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode in (0, 143, -signal.SIGTERM)  # the last: before it had a handler
        if process.returncode == 143:
            assert bench.leftovers() == []


def test_a_report_that_cannot_be_published_takes_the_archive_back(bench, run, monkeypatch):
    bench.put_model(a.gz(a.MODEL))
    publish = atomic_file.AtomicFile.publish

    def publish_archive_only(file: atomic_file.AtomicFile) -> None:
        if not file.path.endswith("model.tar.gz"):
            raise errors.NoSpace("no room for the report")
        publish(file)

    monkeypatch.setattr(atomic_file.AtomicFile, "publish", publish_archive_only)
    assert run().exit_code == 4


@pytest.mark.parametrize("mode", ["splice", "stream"])
def test_a_full_disk_is_exit_code_4(bench, large_model, mode):
    bench.put_model(large_model)

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5 << 20, 5 << 20))

    result = bench.run_process("--mode", mode, preexec_fn=small_files_only)
    assert result.exit_code == 4
    assert "could not be written: File too large" in result.message
    assert "processing_volume_size" in result.message
    assert bench.leftovers() == []


def test_space_is_checked_before_the_first_byte_is_written(bench, run, monkeypatch):
    bench.put_model(a.gz(a.MODEL))
    monkeypatch.setattr(atomic_file.AtomicFile, "free_bytes", lambda file: 1000)
    written = []
    monkeypatch.setattr(atomic_file.AtomicFile, "write", lambda file, data: written.append(data))
    result = run()
    assert result.exit_code == 4
    assert "and 1000 are free" in result.message
    assert written == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_small_file_system_fills_up(bench, large_model):
    bench.put_model(large_model)
    bench.out.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(bench.out)], check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        result = bench.run_process()
        assert result.exit_code == 4
        assert "are free" in result.message
        # The check can be passed and the disk fill up all the same.
        program = (
            "import sys, mims_package as m; m.AtomicFile.free_bytes = lambda file: 1 << 40; "
            "sys.exit(m.main(sys.argv[1:]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, *bench.arguments()],
            env={**os.environ, "PYTHONPATH": str(SCRIPT.parent)},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 4
        assert "No space left on device" in bench.message()
        assert list(bench.out.iterdir()) == []
    finally:
        subprocess.run(["umount", str(bench.out)], check=True)


def test_a_package_that_cannot_be_read_is_no_fault_of_ours(bench, run):
    result = run("--check", "/proc/self/mem")  # readable by name, but not at its beginning
    assert (result.exit_code, "cannot be read: Input/output error" in result.message) == (3, True)


@pytest.mark.parametrize("mode", ["splice", "stream"])
def test_short_reads_are_no_end(bench, run, monkeypatch, mode):
    bench.put_model(a.gz(a.MODEL))
    run("--mode", mode)
    expected = bench.archive.read_bytes()
    read = os.read
    monkeypatch.setattr(os, "read", lambda fd, count: read(fd, min(count, 7)))
    assert run("--mode", mode).exit_code == 0
    assert bench.archive.read_bytes() == expected


@pytest.mark.parametrize("mode", ["splice", "stream"])
def test_short_writes_are_no_loss(bench, run, monkeypatch, mode):
    bench.put_model(a.gz(a.MODEL))
    run("--mode", mode)
    expected = bench.archive.read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:11]))
    assert run("--mode", mode).exit_code == 0
    assert bench.archive.read_bytes() == expected


@pytest.mark.parametrize("mode", ["splice", "stream"])
def test_a_read_error_in_the_middle_is_bad_input(bench, run, monkeypatch, large_model, mode):
    bench.put_model(large_model)
    read = os.read
    left = [10]

    def failing(fd: int, count: int) -> bytes:
        if count == sizes.CHUNK:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.EIO, "Input/output error")
        return read(fd, count)

    monkeypatch.setattr(os, "read", failing)
    result = run("--mode", mode)
    assert result.exit_code == 3
    assert "'model.tar.gz' cannot be read: Input/output error" in result.message


@pytest.mark.parametrize("mode", ["splice", "stream"])
@pytest.mark.parametrize("change", ["shrinks", "grows", "is rewritten"])
def test_an_input_that_changes_while_it_is_read_is_refused(
    bench, run, monkeypatch, large_model, mode, change
):
    path = bench.put_model(large_model)
    read = os.read
    left = [10]

    def changing(fd: int, count: int) -> bytes:
        if count == sizes.CHUNK:
            left[0] -= 1
            if left[0] == 0:
                if change == "shrinks":
                    os.truncate(path, 1_000_000)
                elif change == "grows":
                    with path.open("ab") as file:
                        file.write(bytes(5))
                else:
                    path.write_bytes(large_model)
                    os.utime(path, ns=(1, 1))
        return read(fd, count)

    monkeypatch.setattr(os, "read", changing)
    result = run("--mode", mode)
    assert result.exit_code == 3
    assert "'model.tar.gz' is cut off" in result.message or "changed while" in result.message


def test_a_loose_file_that_changes_size_is_refused(bench, run, monkeypatch):
    bench.put_model(b"w" * 100, "model.bin")
    opened = stream.open_regular

    def shrink(path: str):
        if path.endswith("model.bin"):
            Path(path).write_bytes(b"w" * 50)
        return opened(path)

    monkeypatch.setattr(stream, "open_regular", shrink)
    result = run()
    assert result.exit_code == 3
    assert "'model.bin' changed while it was read" in result.message


@pytest.mark.parametrize("mode", ["splice", "stream"])
@pytest.mark.parametrize("at", [0, 15, -6, -2], ids=["header", "front", "CRC-32", "ISIZE"])
def test_a_wrong_byte_in_what_was_made_up_is_caught_by_reading_back(
    bench, run, monkeypatch, mode, at
):
    bench.put_model(a.gz(a.MODEL))
    sync = atomic_file.AtomicFile.sync

    def spoil(file: atomic_file.AtomicFile) -> None:
        sync(file)
        place = at if at >= 0 else file.size + at
        byte = os.pread(file._fd, 1, place)
        os.pwrite(file._fd, bytes((byte[0] ^ 1,)), place)

    monkeypatch.setattr(atomic_file.AtomicFile, "sync", spoil)
    result = run("--mode", mode)
    assert result.exit_code == 1
    assert "does not read back as it was written" in result.message


def test_paranoid_catches_a_wrong_byte_anywhere(bench, run, monkeypatch):
    bench.put_model(a.gz(a.MODEL, level=0))
    sync = atomic_file.AtomicFile.sync

    def spoil(file: atomic_file.AtomicFile) -> None:
        sync(file)
        os.pwrite(file._fd, b"!", file.size - 3000)

    monkeypatch.setattr(atomic_file.AtomicFile, "sync", spoil)
    result = run("--paranoid")
    assert result.exit_code == 1
    assert "the output does not read back" in result.message


def test_a_fault_of_ours_is_exit_code_1_with_a_traceback_in_the_log(bench, monkeypatch, capfd):
    bench.put_model(a.gz(a.MODEL))
    monkeypatch.setattr(splice, "find_seam", lambda *_: 1 / 0)
    assert mims_package.main(bench.arguments()) == 1
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert (
        bench.message() == "internal error, please report it: ZeroDivisionError: division by zero"
    )
    assert bench.leftovers() == []


# VmHWM, not ru_maxrss: that one starts with what the parent process had.
PEAK_KB = """
import sys, mims_package
code = mims_package.main(sys.argv[1:])
print(open("/proc/self/status").read())
sys.exit(code)
"""


def peak_memory(bench: Bench, *more: str) -> float:
    """Of a whole run, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK_KB, *bench.arguments(*more)],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent)},
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout.split("VmHWM:")[1].split()[0]) / 1000


@pytest.fixture(scope="module")
def many_members() -> bytes:
    entries = (
        a.header(f"folder-{number % 300}/" + "n" * 50 + f"{number}") for number in range(200_000)
    )
    return a.gz(a.tar(*entries), level=1)


@pytest.mark.parametrize("mode", ["splice", "stream"])
def test_memory_stays_below_64_mb_for_200_000_members(bench, many_members, mode):
    bench.put_model(many_members)
    assert peak_memory(bench, "--mode", mode) < 64


def test_memory_stays_below_64_mb_for_many_loose_files(bench):
    for folder in range(30):
        (bench.model / f"folder-{folder}").mkdir()
        for number in range(1000):
            os.mknod(bench.model / f"folder-{folder}" / f"{'n' * 50}-{number}")
    assert peak_memory(bench) < 64


def test_memory_stays_below_64_mb_when_little_is_kept_of_much(bench):
    entries = []
    for number in range(200):
        entries.append(a.file(f"kept-{number}", b"k"))
        entries.append(a.file(f"code/dropped-{number}", bytes(510 * 1024)))
    bench.put_model(a.gz(a.tar(*entries)))
    assert peak_memory(bench, "--mode", "stream") < 64


@pytest.mark.parametrize("mode", ["splice", "stream"])
def test_memory_stays_below_64_mb_for_a_bomb(bench, mode):
    bench.put_model(a.gz(a.tar(a.file("zeros", bytes(200_000_000)))))
    assert peak_memory(bench, "--mode", mode) < 64
