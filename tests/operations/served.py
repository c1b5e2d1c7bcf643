"""Packages to be served: a model that any script can load, and the packager's own program."""

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import PROJECT

WEIGHTS = [1.5, -2.0]
ROWS = [[1.0, 2.0], [3.0, 4.0]]
ANSWERS = [-2.5, -3.5]

# All four functions that the toolkit calls, none of which does what its defaults do.
INFERENCE = """
import json, os

def model_fn(model_dir):
    with open(os.path.join(model_dir, "weights.json")) as file:
        return json.load(file)

def input_fn(body, content_type):
    if content_type == "text/csv":
        return [[float(cell) for cell in line.split(",")] for line in body.splitlines()]
    return json.loads(body)

def predict_fn(rows, weights):
    return [sum(weight * cell for weight, cell in zip(weights, row)) for row in rows]

def output_fn(answers, accept):
    if accept == "text/csv":
        return "\\n".join(map(str, answers)), accept
    return json.dumps(answers), accept
"""


def archive(files: Mapping[str, str]) -> bytes:
    """A ``model.tar.gz``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def linear_model(files: Mapping[str, str] | None = None) -> bytes:
    """A model, and more files in its archive."""
    return archive({"weights.json": json.dumps(WEIGHTS), **(files or {})})


def package(folder: Path, model: bytes, scripts: Mapping[str, str], *options: str) -> Path:
    """What the packager makes of a model and scripts, with the report beside it."""
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.tar.gz").write_bytes(model)
    for name, text in scripts.items():
        file = folder / "scripts" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    subprocess.run(
        [
            *(sys.executable, str(PROJECT / "scripts" / "packager")),
            *("--model-dir", str(folder / "model"), "--scripts-dir", str(folder / "scripts")),
            *("--output-dir", str(folder / "out"), "--report-file", str(folder / "report.json")),
            *("--message-file", str(folder / "message"), *options),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "out" / "model.tar.gz"
