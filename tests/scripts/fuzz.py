"""Throws mutated archives at the engine.

    python -m tests.scripts.fuzz --seconds 60 [--seed 1]

For every one of them: no traceback, no hang, exit code 0 or 3; nothing left behind when refused;
and when accepted, Python's tarfile and GNU tar (and bsdtar, where there is one) unpack the same
from the result.  A finding is saved and ends the run.
"""

from __future__ import annotations

import argparse
import bz2
import contextlib
import io
import json
import lzma
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from pathlib import Path
from typing import Callable, List, Sequence

import mims_package

from . import archives as a

HANG_SECONDS = 20
INTERESTING = (b"\0", b" ", b"/", b".", b"..", b"7", b"8", b"-", b"x", b"g", b"L", b"K", b"1", b"2")
INTERESTING += (
    b"5",
    b"\x80",
    b"\xff",
    b"code/",
    b"../",
    b"\n",
    b"=",
    b"path=",
    b"size=",
    b"\xc3\xa9",
)


Main = Callable[[List[str]], int]


class Finding(Exception):
    """What the engine should not have done."""


def random_entry(rng: random.Random) -> bytes:
    names = ["a", "b", "a/b", "./a", "d/", "model.bin", "code/inference.py", "code", "A", "n" * 100]
    name = rng.choice(names)
    magic = rng.choice([a.POSIX, a.POSIX, a.GNU, a.V7])
    kind = rng.randrange(10)
    typeflag = rng.choice([b"0", b"0", b"\0", b"7"])
    hidden = a.file("code/inference.py", b"hidden")  # for a reader that takes data for entries
    data = rng.choice([b"", b"x", bytes(512), bytes(700), hidden])
    if kind < 4:
        return a.file(name, data, typeflag=typeflag, magic=magic)
    if kind == 4:
        return a.folder(name, magic=magic)
    if kind == 5:
        return a.symlink(name, rng.choice([*names, "../x", "/etc"]), magic=magic)
    if kind == 6:
        return a.hard_link(name, rng.choice(names), magic=magic)
    if kind == 7:
        keys = ["path", "linkpath", "size", "mtime", "uid", "comment"]
        keys += ["GNU.sparse.name", "GNU.sparse.realsize", "SCHILY.realsize", "SUN.holesdata"]
        key = rng.choice(["", "", "", " ", "\t", "\0"]) + rng.choice(keys)
        value = rng.choice([*names, "7", "0", "512", "9" * 30])
        header = a.pax({key: value}, rng.choice([b"x", b"x", b"g"]))
        return header + a.file(name, data, typeflag=typeflag)
    if kind == 8:
        letter = rng.choice([b"L", b"K"])
        long_name = a.gnu_long(rng.choice(names).encode(), letter)
        return long_name + a.file(name, data, typeflag=typeflag, magic=a.GNU)
    return a.header(name, typeflag=bytes((rng.randrange(256),)), size=rng.choice([0, 0, 512]))


def with_right_checksums(tar: bytearray) -> None:
    """Mends the checksum of whatever looks like a header, so that the mutation gets past it."""
    for start in range(0, len(tar) - 511, 512):
        if tar[start + 257 : start + 262] == b"ustar" or tar[start + 154 : start + 156] == b"\0 ":
            total = sum(tar[start : start + 512]) - sum(tar[start + 148 : start + 156]) + 256
            tar[start + 148 : start + 156] = b"%06o\0 " % total


def mutate(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 1, 2, 4])):
        if not data:
            return
        at = rng.randrange(len(data))
        if rng.random() < 0.5:  # a header's fields are where it hurts
            at = at // 512 * 512 + rng.choice(
                [0, 1, 5, 99, 100, 124, 135, 136, 156, 157, 257, 263, 345]
            )
        at = min(at, len(data) - 1)
        action = rng.randrange(5)
        if action == 0:
            data[at] = rng.randrange(256)
        elif action == 1:
            piece = rng.choice(INTERESTING)
            data[at : at + len(piece)] = piece
        elif action == 2:
            del data[at : at + rng.choice([1, 512, 1024])]
        elif action == 3:
            start = rng.randrange(len(data)) // 512 * 512
            block = data[start : start + 512]
            data[at // 512 * 512 : at // 512 * 512] = block
        else:
            data[at // 512 * 512 : at // 512 * 512] = bytes(512)


def random_archive(rng: random.Random) -> tuple[str, bytes]:
    """(file name, data)."""
    entries = [random_entry(rng) for _ in range(rng.randrange(1, 6))]
    tar = bytearray(a.tar(*entries, a.file("weights.bin", b"w" * 600)))
    if rng.random() < 0.7:
        mutate(tar, rng)
        if rng.random() < 0.8:
            with_right_checksums(tar)
    content = bytes(tar)
    form = rng.randrange(12)
    if form == 0:
        return "model.tar", content
    if form == 1:
        return "model.tar.bz2", bz2.compress(content)
    if form == 2:
        return "model.tar.xz", lzma.compress(content)
    if form == 3:
        cut = rng.randrange(len(content) + 1)
        data = a.gz(content[:cut]) + a.gz(content[cut:])
    elif form == 4:  # a package, so to speak
        front = a.tar(a.file("code/inference.py", b"old" * 99), end=b"")
        compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = compressor.compress(front)
        body += compressor.flush(rng.choice([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH]))
        body += compressor.compress(content) + compressor.flush()
        whole = front + content
        data = a.gz_header() + body + a.struct.pack("<II", zlib.crc32(whole), len(whole))
    else:
        data = a.gz(content, level=rng.choice([0, 1, 6]), flush_every=rng.choice([0, 0, 300]))
    if rng.random() < 0.2:
        broken = bytearray(data)
        mutate(broken, rng)
        data = bytes(broken)
    return "model.tar.gz", data


def tree_of(root: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for folder, folders, files in os.walk(os.fsencode(root)):
        for name in folders + files:
            path = os.path.join(folder, name)
            key = repr(os.path.relpath(path, os.fsencode(root)))
            if os.path.islink(path):
                found[key] = ("->", os.readlink(path))
            elif os.path.isdir(path):
                found[key] = None
            else:
                found[key] = Path(os.fsdecode(path)).read_bytes()
    return found


def unpacked(archive: Path, scratch: Path) -> dict[str, dict[str, object]]:
    """What each reader makes of the archive."""
    results = {}
    target = scratch / "tarfile"
    target.mkdir()
    with tarfile.open(archive, "r|gz") as tar:
        if hasattr(tarfile, "tar_filter"):
            tar.extractall(target, filter="tar")
        else:
            tar.extractall(target)
    results["tarfile"] = tree_of(target)
    for program in ("tar", "bsdtar"):
        if shutil.which(program):
            target = scratch / program
            target.mkdir()
            done = subprocess.run(
                [program, "-xzf", str(archive), "-C", str(target), "--no-same-owner"],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )
            if done.returncode:
                raise Finding(f"accepted, but {program} fails: {done.stderr.strip()}")
            results[program] = tree_of(target)
    return results


def try_one(name: str, data: bytes, mode: str, scratch: Path, main: Main) -> bool:
    """Whether it was accepted; raises Finding."""
    for folder in ("model", "scripts"):
        (scratch / folder).mkdir()
    (scratch / "model" / name).write_bytes(data)
    (scratch / "scripts" / "inference.py").write_bytes(b"new")
    arguments = [
        *("--model-dir", str(scratch / "model"), "--scripts-dir", str(scratch / "scripts")),
        *("--extra-dir", str(scratch / "extra"), "--output-dir", str(scratch / "out")),
        *("--report-file", str(scratch / "report.json"), "--mode", mode),
        *("--message-file", str(scratch / "message")),
    ]
    output, errors = io.StringIO(), io.StringIO()
    signal.alarm(HANG_SECONDS)
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        exit_code = main(arguments)
    signal.alarm(0)
    if "Traceback" in errors.getvalue() or exit_code not in (0, 3):
        raise Finding(f"exit code {exit_code}: {errors.getvalue()}")
    if exit_code:
        if list((scratch / "out").iterdir()) or (scratch / "report.json").exists():
            raise Finding("refused, but something was left behind")
        if not (scratch / "message").read_text():
            raise Finding("refused without a reason")
        return False
    results = unpacked(scratch / "out" / "model.tar.gz", scratch)
    first = results.pop("tarfile")
    for program, found in results.items():
        if found != first:
            keys = dict(set(first.items()) ^ set(found.items()))
            raise Finding(f"tarfile and {program} disagree about {sorted(keys)[:5]}")
    if first.get(repr(b"code/inference.py")) != b"new":
        raise Finding("the shipped script is not what was unpacked")
    return True


def fuzz(
    seconds: float, seed: int, most: int = sys.maxsize, mains: Sequence[Main] = (mims_package.main,)
) -> tuple[int, int]:
    """(tried, accepted); each of ``mains`` in turn."""
    deadline = time.monotonic() + seconds
    tried = accepted = 0
    while time.monotonic() < deadline and tried < most:
        rng = random.Random(f"{seed}-{tried}")
        name, data = random_archive(rng)
        mode = rng.choice(["auto", "auto", "stream"])
        scratch = Path(tempfile.mkdtemp(prefix="fuzz-"))
        try:
            accepted += try_one(name, data, mode, scratch, mains[tried % len(mains)])
        except Exception as error:
            finding = Path(tempfile.gettempdir()) / f"finding-{seed}-{tried}-{name}"
            finding.write_bytes(data)
            raise Finding(
                f"seed {seed}, number {tried}, --mode {mode}, {finding}: {error}"
            ) from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        tried += 1
    return tried, accepted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tried, accepted = fuzz(options.seconds, options.seed)
    print(json.dumps({"tried": tried, "accepted": accepted, "findings": 0}))


if __name__ == "__main__":
    main()
