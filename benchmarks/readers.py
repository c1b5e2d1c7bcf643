"""Has every reader at hand unpack spliced and streamed packages, and writes docs/readers.md.

    python benchmarks/readers.py

A reader passes when what it unpacks equals, file by file, what was put in. Readers that are not on
the machine are left out and named.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGER = ROOT / "scripts" / "packager"

TARFILE = """
import sys, tarfile
with tarfile.open(sys.argv[1], sys.argv[3]) as archive:
    archive.extractall(sys.argv[2])
"""

GZIP_MODULE = "import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())"
ZLIB_MODULE = (
    "import sys, zlib; d = zlib.decompressobj(31); "
    "sys.stdout.buffer.write(d.decompress(open(sys.argv[1], 'rb').read())); "
    "assert d.eof and not d.unused_data"
)

NODE = """
const fs = require('fs'), zlib = require('zlib');
fs.createReadStream(process.argv[2]).pipe(zlib.createGunzip()).pipe(process.stdout);
"""

JAVA = """
import java.io.*;
import java.util.zip.*;
public class Gunzip {
    public static void main(String[] a) throws IOException {
        try (InputStream in = new GZIPInputStream(new FileInputStream(a[0]))) {
            in.transferTo(System.out);
        }
        System.out.flush();
    }
}
"""

GO = """
package main

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	file, err := os.Open(os.Args[1])
	check(err)
	unzipped, err := gzip.NewReader(file)
	check(err)
	unzipped.Multistream(os.Args[3] == "multistream")
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		check(err)
		path := filepath.Join(os.Args[2], header.Name)
		switch header.Typeflag {
		case tar.TypeDir:
			check(os.MkdirAll(path, 0o755))
		case tar.TypeSymlink:
			check(os.MkdirAll(filepath.Dir(path), 0o755))
			check(os.Symlink(header.Linkname, path))
		case tar.TypeReg:
			check(os.MkdirAll(filepath.Dir(path), 0o755))
			out, err := os.Create(path)
			check(err)
			_, err = io.Copy(out, archive)
			check(err)
			check(out.Close())
		}
	}
	_, err = io.Copy(io.Discard, unzipped)
	check(err)
}
"""


def pythons() -> list[tuple[str, str]]:
    """(version, program) of every CPython from 3.8 on that is at hand."""
    found = {}
    places = [Path(sys.executable), *Path.home().glob(".pyenv/versions/*/bin/python")]
    for program in [*places, *(shutil.which(f"python3.{minor}") for minor in range(8, 15))]:
        if program:
            done = subprocess.run(
                [str(program), "-c", "import platform; print(platform.python_version())"],
                capture_output=True,
                text=True,
                check=False,
            )
            version = done.stdout.strip()
            if version and tuple(map(int, version.split(".")[:2])) >= (3, 8):
                found.setdefault(version, str(program))
    return sorted(found.items(), key=lambda item: [int(part) for part in item[0].split(".")])


# A reader: (name, program that must be there, shell command). $1 is the archive, $2 the folder.
Reader = tuple[str, str, str]


def readers(work: Path) -> tuple[list[Reader], list[str]]:
    through_tar = "| tar -xf - -C $2"
    found: list[Reader] = [
        ("GNU tar -xzf", "tar", "tar -xzf $1 -C $2"),
        ("GNU tar, from a pipe", "tar", "cat $1 | tar -xzf - -C $2"),
        ("gzip", "gzip", f"gzip -dc $1 {through_tar}"),
        ("bsdtar (libarchive)", "bsdtar", "bsdtar -xf $1 -C $2"),
        ("busybox tar", "busybox", "busybox tar -xzf $1 -C $2"),
        ("7z", "7zz", f"7zz x -so -tgzip $1 2>/dev/null {through_tar}"),
        (
            "7z, its own tar",
            "7zz",
            "7zz x -so -tgzip $1 2>/dev/null | 7zz x -si -ttar -snld -o$2 >/dev/null",
        ),
        ("pigz", "pigz", f"pigz -dc $1 {through_tar}"),
        ("Node zlib", "node", f"node {work}/gunzip.js $1 {through_tar}"),
        ("Java GZIPInputStream", "java", f"java -cp {work} Gunzip $1 {through_tar}"),
        ("Go archive/tar, compress/gzip", "go", f"{work}/goread $1 $2 multistream"),
        ("Go, single stream", "go", f"{work}/goread $1 $2 single"),
        ("libdeflate", "libdeflate-gunzip", f"libdeflate-gunzip -c $1 {through_tar}"),
        (
            "Perl IO::Uncompress",
            "perl",
            "perl -MIO::Uncompress::Gunzip=:all "
            f"-e 'gunzip shift, q(-), MultiStream => 0' $1 {through_tar}",
        ),
    ]
    for version, program in pythons():
        for mode in ("r:gz", "r|gz"):
            command = f"{program} {work}/untar.py $1 $2 '{mode}'"
            found.append((f"Python {version} tarfile {mode}", program, command))
    found.append(("Python gzip", sys.executable, f"{sys.executable} {work}/gz.py $1 {through_tar}"))
    found.append(("Python zlib", sys.executable, f"{sys.executable} {work}/z.py $1 {through_tar}"))
    present = [reader for reader in found if shutil.which(reader[1])]
    missing = [reader[0] for reader in found if not shutil.which(reader[1])]
    (work / "untar.py").write_text(TARFILE)
    (work / "gz.py").write_text(GZIP_MODULE)
    (work / "z.py").write_text(ZLIB_MODULE)
    (work / "gunzip.js").write_text(NODE)
    (work / "Gunzip.java").write_text(JAVA)
    if shutil.which("javac"):
        subprocess.run(["javac", "-d", str(work), str(work / "Gunzip.java")], check=True)
    if shutil.which("go"):
        (work / "main.go").write_text(GO)
        build = ["go", "build", "-o", str(work / "goread"), str(work / "main.go")]
        subprocess.run(
            build, check=True, env={**os.environ, "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
        )
    return present, missing


def tree_of(root: Path) -> dict[str, str]:
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def write_tree(root: Path) -> None:
    rng = random.Random(4)
    (root / "deep" / ("n" * 90) / ("m" * 90)).mkdir(parents=True)
    (root / "weights.bin").write_bytes(bytes(rng.choices(range(120), k=3_000_000)))
    (root / "zeros.bin").write_bytes(bytes(2_000_000))
    (root / "empty").write_bytes(b"")
    (root / "naïve-名前.txt").write_text("text " * 10_000)
    (root / "deep" / ("n" * 90) / ("m" * 90) / "leaf.json").write_text("{}")
    (root / "link").symlink_to("weights.bin")


def package(work: Path, model: Path, name: str, *arguments: str) -> Path:
    out = work / name
    subprocess.run(
        [
            *(sys.executable, str(PACKAGER), "--model-dir", str(model)),
            *("--scripts-dir", str(work / "scripts"), "--extra-dir", str(work / "none")),
            *("--output-dir", str(out), "--report-file", str(out / "report" / "r.json")),
            *("--message-file", str(work / "message"), *arguments),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return out / "model.tar.gz"


def packages(work: Path, tree: Path) -> dict[str, Path]:
    """How it was made -> the package."""
    made = {}
    (work / "scripts" / "lib").mkdir(parents=True)
    (work / "scripts" / "inference.py").write_text("def model_fn(model_dir): ...\n")
    (work / "scripts" / "lib" / "blob.bin").write_bytes(random.Random(5).randbytes(700_000))
    for dialect, form in (("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
        model = work / f"model-{dialect}"
        model.mkdir()
        with tarfile.open(model / "model.tar.gz", "w:gz", format=form) as archive:
            archive.add(tree, arcname=".")
        made[f"splice, {dialect}"] = package(work, model, f"splice-{dialect}", "--mode", "splice")
        made[f"stream, {dialect}"] = package(work, model, f"stream-{dialect}", "--mode", "stream")
    made["loose files"] = package(work, tree, "loose")
    again = work / "again"
    again.mkdir()
    shutil.copy(made["splice, gnu"], again / "model.tar.gz")
    made["packaged again"] = package(work, again, "packaged-again", "--mode", "splice")
    return made


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        tree = work / "tree"
        tree.mkdir()
        write_tree(tree)
        made = packages(work, tree)
        scripts = {f"code/{k}": v for k, v in tree_of(work / "scripts").items()}
        expected = {**tree_of(tree), "code": "folder", **scripts}
        found, missing = readers(work)
        lines = [
            "# Readers' matrix",
            "",
            "Written by `python benchmarks/readers.py`; do not edit. Every reader unpacked every",
            "package, and what came out was compared file by file with what went in: an unequal or",
            "failing one is",
            "named in its cell.",
            "",
            "| reader | " + " | ".join(made) + " |",
            "| --- |" + " --- |" * len(made),
        ]
        faults = 0
        for name, _, command in found:
            cells = []
            for archive in made.values():
                target = work / "target"
                target.mkdir()
                done = subprocess.run(
                    ["bash", "-o", "pipefail", "-c", command, "bash", str(archive), str(target)],
                    capture_output=True,
                    text=True,
                    check=False,
                    env={**os.environ, "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "ignore"},
                )
                if done.returncode:
                    cells.append("fails: " + " ".join(done.stderr.split())[-80:])
                else:
                    cells.append("same" if tree_of(target) == expected else "differs")
                faults += cells[-1] != "same"
                shutil.rmtree(target)
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
            print(lines[-1])
        lines += ["", f"{len(found)} readers, {len(made)} packages, {faults} faults."]
        if missing:
            lines += ["", f"Not on this machine, so left out: {', '.join(missing)}."]
        target = ROOT / "docs" / "readers.md"
        target.parent.mkdir(exist_ok=True)
        target.write_text("\n".join(lines) + "\n")
        print(f"written: {target}; {faults} faults")
        sys.exit(bool(faults))


if __name__ == "__main__":
    main()
